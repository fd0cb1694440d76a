//! A hundred thousand routes.

use std::net::IpAddr;
use std::time::Instant;

use super::harness::{TABLE, config, leaf, route};
use crate::dataplane::Route;
use crate::netlink::NetlinkConfig;
use crate::netlink::kernel::Kernel;
use crate::netlink::model::{Request, RouteKey};
use crate::wire::{Action, Destination};

const ROUTES: u32 = 100_000;

fn many() -> Vec<Route> {
    let nth = |n: u32| {
        let mut route = route("::/0", u16::try_from(1 + n % 1000).unwrap());
        let address = IpAddr::from((0x0A00_0000 + n).to_be_bytes());
        route.destination = Destination::new(address, 32).unwrap();
        route
    };
    (0..ROUTES).map(nth).collect()
}

fn deletion(route: &Route) -> Request {
    let key = RouteKey { table: TABLE, destination: route.destination, metric: 0 };
    Request::DeleteRoute { key, protocol: 254, via: None }
}

#[test]
fn a_hundred_thousand_routes_come_stay_and_go() {
    leaf(NetlinkConfig { cleanup: true, ..config() }, |leaf| {
        let routes = many();
        let updates: Vec<_> = routes.iter().map(|route| route.update(Action::Add)).collect();
        let began = Instant::now();
        for batch in updates.chunks(4096) {
            assert!(leaf.apply(batch).iter().all(Result::is_ok));
        }
        let rate = f64::from(ROUTES) / began.elapsed().as_secs_f64();
        println!("installed {ROUTES} routes over 1000 next hops at {rate:.0}/s");
        let status = leaf.status();
        assert_eq!((status.installed, status.objects), (100_000, 1000));

        // Deletes more routes at once than a monitor can take in.
        let mut other = Kernel::open().unwrap();
        let deletions: Vec<_> = routes.iter().map(deletion).collect();
        for result in other.apply(&deletions).unwrap() {
            assert!(result.is_ok(), "{result:?}");
        }
        leaf.until("repaired", |leaf| {
            let status = leaf.status();
            status.installed == 100_000 && status.repairs >= 100_000
        });
        leaf.until("back", |leaf| leaf.routes().len() == 100_000);

        let began = Instant::now();
        leaf.stop();
        println!("deleted them in {:?}", began.elapsed());
        assert_eq!((leaf.routes().len(), leaf.nexthops().len()), (0, 0));
    });
}

#[test]
fn a_restart_with_a_hundred_thousand_routes_asks_for_nothing() {
    leaf(config(), |leaf| {
        let routes = many();
        leaf.add(&routes);
        let began = Instant::now();
        leaf.restart();
        println!("took {ROUTES} routes over in {:?}", began.elapsed());
        for batch in routes.chunks(4096) {
            leaf.add(batch);
        }
        leaf.complete();
        assert_eq!(leaf.status().requests, 0);
    });
}
