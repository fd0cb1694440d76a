//! Tests of the codec as a whole.

mod agreement;
mod examples;
mod flaws;
mod handshake;
mod malformed;
mod networks;
#[cfg(feature = "server")]
mod schema;
mod strategy;
mod stream;
