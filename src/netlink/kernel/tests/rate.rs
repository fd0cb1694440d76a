//! How fast routes go in. By hand: `cargo test --release --lib netlink -- --ignored --nocapture`.

use std::time::Instant;

use super::*;
use crate::netlink::testing::in_namespace;

const ROUTES: u32 = 100_000;
const HOPS: u16 = 1000;

#[test]
#[ignore = "a measurement"]
fn routes_per_second() {
    in_namespace(|ns| {
        let device = ns.tunnel("vx0");
        let mut kernel = Kernel::open().unwrap();
        let ids = 1..=HOPS;
        let objects: Vec<_> = ids.map(|n| object(u32::from(n), hop(device, n))).collect();
        let mut requests: Vec<_> = objects.iter().cloned().map(Request::AddObject).collect();
        let over = |number| Via::Object(1 + number % u32::from(HOPS));
        requests.extend((0..ROUTES).map(|number| set(host(number), over(number))));
        let timed = |what: &str, count: usize, start: Instant| {
            let seconds = start.elapsed().as_secs_f64();
            println!("{what}: {count} in {seconds:.3} s");
        };

        let start = Instant::now();
        apply(&mut kernel, &requests);
        timed("routes and their objects", requests.len(), start);

        let start = Instant::now();
        let listed = own_routes(&mut kernel).len();
        timed("listed and sorted", listed, start);

        let requests: Vec<_> = (0..ROUTES).map(|number| delete(host(number))).collect();
        let start = Instant::now();
        apply(&mut kernel, &requests);
        timed("deleted", requests.len(), start);
    });
}
