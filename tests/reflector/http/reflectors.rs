//! A reflector and others, side by side.

use std::net::{Ipv6Addr, SocketAddr, TcpListener};

use serde_json::{Value, json};

use crate::harness::http::{get_json, start_with_http};
use crate::harness::{Client, Reflector, ReflectorConfig, eventually, on_each_io, routes};

on_each_io!(others_are_told_of_beside_this_one);

/// A reflector that answers at a `health` address as well: where peers connect, and that.
pub(crate) fn start_with_health(config: ReflectorConfig) -> (Reflector, SocketAddr, SocketAddr) {
    let health = Some(SocketAddr::from((Ipv6Addr::LOCALHOST, 0)));
    let (reflector, peers, _) = start_with_http(ReflectorConfig { health, ..config });
    let health = reflector.health_addr().unwrap();
    (reflector, peers, health)
}

/// An address where nobody listens.
pub(crate) fn nobody() -> SocketAddr {
    TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap()
}

fn others_are_told_of_beside_this_one(config: ReflectorConfig) {
    let (_other, other_peers, other) = start_with_health(config.clone());
    let silent = TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).unwrap();
    let silent = (silent.local_addr().unwrap(), silent);
    let gone = nobody();
    let http_peers = vec![other, gone, silent.0];
    let (_reflector, peers, http) = start_with_http(ReflectorConfig { http_peers, ..config });
    Client::establish(peers).announce_all(&routes(100, 0..1, 1));
    let mut there = Client::establish(other_peers);
    there.announce_all(&routes(100, 0..3, 1));
    let rows = || get_json(http, "/api/v1/reflectors")["rows"].as_array().unwrap().clone();
    eventually("all routes", || rows()[1]["routes"] == 3);
    let rows = rows();
    let of = |name: &str| rows.iter().map(|row| row[name].clone()).collect::<Vec<_>>();
    let texts = [other, gone, silent.0].map(|address| json!(address.to_string()));
    assert_eq!(of("address"), [[Value::Null].as_slice(), &texts].concat());
    let io = get_json(http, "/api/v1/reflector")["io"].clone();
    assert_eq!(of("io"), [io.clone(), io, Value::Null, Value::Null]);
    assert_eq!(of("vnis")[1..], [json!(1), Value::Null, Value::Null]);
    assert_eq!(rows[0]["version"], env!("CARGO_PKG_VERSION"));
    let errors = of("error");
    assert_eq!(errors[..2], [Value::Null, Value::Null]);
    assert!(errors[2].as_str().unwrap().starts_with("cannot be asked: "), "{errors:?}");
    assert_eq!(errors[3], "no answer within 2 s");
    assert_eq!(get_json(http, "/api/v1/reflector")["others"], 3);
}
