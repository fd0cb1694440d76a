//! The leaf: sessions with reflectors, what is wanted of them, and what they said.

mod network_client;
mod route;

pub use network_client::{NetworkClient, Retry, RouteError};
pub use route::Route;
