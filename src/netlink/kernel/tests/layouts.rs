//! What each layout of 100,000 routes costs, each with a hop of its own: to install, to lead elsewhere,
//! and to withdraw one by one. By hand: `cargo test --lib layouts -- --ignored --nocapture`.
//!
//! IPv4 with hops in the routes is left out: it takes minutes. Nothing of it is left when the namespace
//! goes, which would hold the lock of all networking for as long.

use std::time::Instant;

use super::*;
use crate::netlink::testing::in_namespace;

const ROUTES: u32 = 100_000;

fn own_hop(device: u32, number: u32) -> Hop {
    let underlay = Ipv6Addr::from(0x2001_0db8_u128 << 96 | u128::from(number));
    Hop { underlay, encap_id: 100, device }
}

fn host6(number: u32) -> RouteKey {
    key(&format!("{}/128", Ipv6Addr::from(0xfd_u128 << 120 | u128::from(number))))
}

/// Maps a number to a destination.
type To = fn(u32) -> RouteKey;

#[test]
#[ignore = "a measurement"]
fn layouts_of_a_hundred_thousand_routes() {
    in_namespace(|ns| {
        let device = ns.tunnel("vx0");
        let mut kernel = Kernel::open().unwrap();
        let timed = |kernel: &mut Kernel, what: &str, requests: &[Request]| {
            let start = Instant::now();
            apply(kernel, requests);
            let seconds = start.elapsed().as_secs_f64();
            println!("{what}: {} requests in {seconds:.2} s", requests.len());
        };
        let all = || 1..=ROUTES;
        let objects = |first: u32| -> Vec<_> {
            all()
                .map(|n| Request::AddObject(object(first + n, own_hop(device, first + n))))
                .collect()
        };
        let (old, new) = (1_000_000, 2_000_000);
        let gone = |first: u32| -> Vec<_> {
            all().map(|n| Request::DeleteObject { id: first + n }).collect()
        };
        let versions: [(&str, To); 2] = [("IPv4", host), ("IPv6", host6)];
        for (version, to) in versions {
            let by = |first: u32| move |n: u32| Via::Object(first + n);
            timed(&mut kernel, &format!("{version}, objects made"), &objects(old));
            let routes: Vec<_> = all().map(|n| set(to(n), by(old)(n))).collect();
            timed(&mut kernel, &format!("{version} by objects, installed"), &routes);
            timed(&mut kernel, &format!("{version}, other objects made"), &objects(new));
            let routes: Vec<_> = all().map(|n| replace(to(n), by(new)(n))).collect();
            timed(&mut kernel, &format!("{version} by objects, replaced"), &routes);
            timed(&mut kernel, &format!("{version}, old objects withdrawn"), &gone(old));
            let routes: Vec<_> = all().map(|n| delete(to(n))).collect();
            timed(&mut kernel, &format!("{version} by objects, withdrawn"), &routes);
            timed(&mut kernel, &format!("{version}, objects withdrawn"), &gone(new));
        }
        let inline = |first: u32| {
            move |n: u32| Via::Hops([own_hop(device, first + n)].into_iter().collect())
        };
        let routes: Vec<_> = all().map(|n| set(host6(n), inline(old)(n))).collect();
        timed(&mut kernel, "IPv6 with hops in the routes, installed", &routes);
        let routes: Vec<_> = all().map(|n| replace(host6(n), inline(new)(n))).collect();
        timed(&mut kernel, "IPv6 with hops in the routes, replaced", &routes);
        let routes: Vec<_> = all().map(|n| delete(host6(n))).collect();
        timed(&mut kernel, "IPv6 with hops in the routes, withdrawn", &routes);
    });
}
