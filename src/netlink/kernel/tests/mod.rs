//! Tests on the real kernel, each in a network namespace of its own.

mod bytes;
mod devices;
mod events;
mod layouts;
mod objects;
mod rate;
mod refusals;
mod routes;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::Kernel;
use crate::netlink::model::{
    Hop, KernelError, KernelRoute, Object, ObjectBody, Request, RouteKey, Via,
};
use crate::wire::{Destination, IpVersion};

/// The protocol of the leaf in these tests.
const OWN: u8 = 254;

/// A table whose number fits no byte.
const TABLE: u32 = 70_000;

fn key(destination: &str) -> RouteKey {
    let (addr, length) = destination.split_once('/').unwrap();
    let addr: IpAddr = addr.parse().unwrap();
    let metric = if addr.is_ipv4() { 0 } else { 1024 };
    let destination = Destination::new(addr, length.parse().unwrap()).unwrap();
    RouteKey { table: TABLE, destination, metric }
}

/// A host route; there are 2^24 of them.
fn host(number: u32) -> RouteKey {
    key(&format!("{}/32", Ipv4Addr::from(0x0a00_0000 | number)))
}

fn hop(device: u32, number: u16) -> Hop {
    let underlay = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, number);
    Hop { underlay, encap_id: 100, device }
}

fn hops(device: u32, numbers: &[u16]) -> Via {
    Via::Hops(numbers.iter().map(|number| hop(device, *number)).collect())
}

fn set(key: RouteKey, via: Via) -> Request {
    Request::SetRoute { key, protocol: OWN, via, replace: false }
}

fn replace(key: RouteKey, via: Via) -> Request {
    Request::SetRoute { key, protocol: OWN, via, replace: true }
}

fn delete(key: RouteKey) -> Request {
    Request::DeleteRoute { key, protocol: OWN, via: None }
}

fn object(id: u32, hop: Hop) -> Object {
    Object { id, protocol: OWN, body: ObjectBody::Hop(hop, IpVersion::V6) }
}

fn group(id: u32, members: &[u32]) -> Object {
    Object { id, protocol: OWN, body: ObjectBody::Group(members.iter().copied().collect()) }
}

fn shown(key: RouteKey, via: Via) -> KernelRoute {
    KernelRoute { key, protocol: OWN, via }
}

/// Applies requests that must succeed.
fn apply(kernel: &mut Kernel, requests: &[Request]) {
    for (request, result) in requests.iter().zip(kernel.apply(requests).unwrap()) {
        assert_eq!(result, Ok(()), "{request:?}");
    }
}

fn apply_one(kernel: &mut Kernel, request: Request) -> Result<(), KernelError> {
    let [result] = <[_; 1]>::try_from(kernel.apply(&[request]).unwrap()).unwrap();
    result
}

fn errno(result: Result<(), KernelError>) -> i32 {
    result.expect_err("a refusal").errno
}

/// The leaf's routes in the table, in a fixed order.
fn own_routes(kernel: &mut Kernel) -> Vec<KernelRoute> {
    let mut routes = kernel.routes(TABLE, Some(OWN)).unwrap();
    routes.sort_by_key(|route| route.key);
    routes
}
