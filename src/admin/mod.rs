//! The endpoints for operators: pages, health, metrics and APIs of reflector, leaf and proxy, and the control sockets.
//!
//! * `server`: the parts that all endpoints share: connections and their bounds, the shell of pages, forms of tables.
//! * `reflector`: the endpoint of a reflector. It asks the reflector only through
//!   [`Inspector`](crate::inspector::Inspector).
//! * `control`: the control sockets of reflector and leaf: the same pages, and the reflector's commands.
//! * `leaf`: the endpoint of a leaf. It asks like any other holder of a [`MetalBond`](crate::client::MetalBond).
//! * `proxy`: the endpoint of a proxy: that of a reflector, which contains that of a leaf.
//!
//! The code of the reflector and of the leaf does not name this folder.
//! [`Reflector::start`](crate::reflector::Reflector::start) is here, because it starts the endpoints as well.
//!
//! Imports: client, config, control, counts, diary, federation, http_guard, ids, inspector, io, metrics, monitor,
//! netlink, policy, proxy, reflector, relaxed, session, shard, sources, threads, wire.

#[cfg(any(feature = "client", feature = "server"))]
mod control;
#[cfg(feature = "client")]
mod leaf;
#[cfg(feature = "server")]
mod operators;
#[cfg(all(feature = "client", feature = "server"))]
mod proxy;
#[cfg(feature = "server")]
mod reflector;
mod server;
#[cfg(feature = "server")]
#[cfg_attr(not(feature = "client"), path = "upstream_absent.rs")]
mod upstream;

#[cfg(any(feature = "client", feature = "server"))]
pub use control::Socket as ControlSocket;
#[cfg(feature = "client")]
pub use leaf::Http;
#[cfg(feature = "server")]
pub(crate) use operators::OperatorEndpoints;
#[cfg(all(feature = "client", feature = "server"))]
pub use proxy::ProxyHttp;
pub use server::date::precise as utc;

#[cfg(any(feature = "client", feature = "server"))]
pub use crate::control::ControlError;
pub use crate::http_guard::{HostName, HttpGuard, HttpRules, TokenError};
