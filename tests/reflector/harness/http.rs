//! A reflector that answers HTTP, and how it is asked.

use std::net::{Ipv6Addr, SocketAddr};

use super::{Reflector, ReflectorConfig};
pub(crate) use support::http::{get, get_json, request};

/// A reflector that answers HTTP, where its peers connect, and where it answers.
pub(crate) fn start_with_http(config: ReflectorConfig) -> (Reflector, SocketAddr, SocketAddr) {
    let http = Some(SocketAddr::from((Ipv6Addr::LOCALHOST, 0)));
    let reflector = Reflector::start(&ReflectorConfig { http, ..config }).unwrap();
    let (peers, http) = (reflector.listen_addr(), reflector.http_addr().unwrap());
    (reflector, peers, http)
}
