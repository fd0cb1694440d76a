//! Changes of others are reported, and those of this program are not.

use std::time::Duration;

use super::super::KernelMonitor;
use super::*;
use crate::netlink::model::{Abilities, KernelEvent};
use crate::netlink::testing::{Namespace, in_namespace};

/// A monitor beside a request socket, and a runtime in their namespace.
struct Ears {
    runtime: tokio::runtime::Runtime,
    kernel: Kernel,
    monitor: KernelMonitor,
}

impl Ears {
    fn new(buffer: usize) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let kernel = Kernel::open().unwrap();
        let monitor =
            runtime.block_on(async { KernelMonitor::with_buffer(kernel.port(), buffer) }).unwrap();
        Self { runtime, kernel, monitor }
    }

    /// The events up to the first for which `last` holds.
    fn until(&mut self, last: impl Fn(&KernelEvent) -> bool) -> Vec<KernelEvent> {
        let mut events = Vec::new();
        while !events.iter().any(&last) {
            let next =
                async { tokio::time::timeout(Duration::from_secs(60), self.monitor.next()).await };
            let more = self.runtime.block_on(next);
            events.extend(more.expect("the event never came").unwrap());
        }
        events
    }
}

fn with_tunnel(test: impl FnOnce(&Namespace, u32, Ears) + Send) {
    in_namespace(|ns| {
        let device = ns.tunnel("vx0");
        test(ns, device, Ears::new(1024 * 1024));
    });
}

#[test]
fn a_route_deleted_by_another_is_reported() {
    with_tunnel(|ns, device, mut ears| {
        let keys = ["10.9.0.0/24", "2001:db8:9::/64"].map(key);
        for key in keys {
            apply(&mut ears.kernel, &[set(key, hops(device, &[1]))]);
        }
        ns.ip("route del 10.9.0.0/24 table 70000");
        ns.ip("route del 2001:db8:9::/64 table 70000");
        let deleted = keys.map(|key| KernelEvent::RouteDeleted { key, protocol: OWN });
        // Own changes were made before, and their events would be here.
        assert_eq!(ears.until(|event| *event == deleted[1]), deleted);
    });
}

#[test]
fn routes_and_objects_of_others_are_reported() {
    with_tunnel(|ns, device, mut ears| {
        apply(&mut ears.kernel, &[Request::AddObject(object(7, hop(device, 1)))]);
        ns.ip("route add 10.9.0.0/24 table 70000 proto static dev vx0");
        ns.ip("-6 nexthop add id 8 dev vx0 proto static");
        ns.ip("nexthop del id 7");
        let events = ears.until(|event| matches!(event, KernelEvent::ObjectDeleted { .. }));
        let expected = [
            KernelEvent::RouteSet { key: key("10.9.0.0/24"), protocol: 4 },
            KernelEvent::ObjectSet { id: 8, protocol: 4 },
            KernelEvent::ObjectDeleted { id: 7 },
        ];
        assert_eq!(events, expected);
    });
}

#[test]
fn own_changes_are_not_told_and_take_no_room() {
    in_namespace(|ns| {
        let device = ns.tunnel("vx0");
        let mut ears = Ears::new(16 * 1024);
        let routes: Vec<_> =
            (0..2000).map(|number| set(host(number), hops(device, &[1]))).collect();
        apply(&mut ears.kernel, &routes);
        let objects = [object(7, hop(device, 1)), object(8, hop(device, 2)), group(9, &[7, 8])];
        apply(&mut ears.kernel, &objects.map(Request::AddObject));
        let over = key("2001:db8:9::/64");
        apply(&mut ears.kernel, &[set(over, Via::Object(9)), delete(over), delete(host(5))]);
        apply(&mut ears.kernel, &[9, 8, 7].map(|id| Request::DeleteObject { id }));
        ns.ip("route add 10.9.0.0/24 table 70000 proto static dev vx0");
        let end = KernelEvent::RouteSet { key: key("10.9.0.0/24"), protocol: 4 };
        assert_eq!(ears.until(|event| *event == end), [end]);
    });
}

#[test]
fn a_device_that_goes_down_up_and_away_is_reported() {
    with_tunnel(|ns, device, mut ears| {
        let state = |up| {
            let (name, abilities) = ("vx0".to_owned(), Abilities { mtu: 1500, ipv6: true });
            KernelEvent::DeviceSet { index: device, name, up, abilities }
        };
        ns.ip("link set vx0 down");
        ears.until(|event| *event == state(false));
        ns.ip("link set vx0 up");
        ears.until(|event| *event == state(true));
        ns.ip("link delete vx0");
        let gone = KernelEvent::DeviceDeleted { index: device, name: "vx0".to_owned() };
        ears.until(|event| *event == gone);
    });
}

#[test]
fn a_port_that_leaves_its_bridge_is_not_gone() {
    in_namespace(|ns| {
        if !ns.try_ip("link add br0 type bridge").status.success() {
            support::skip!("the kernel has no bridge");
        }
        ns.ip("link add veth0 type veth peer name veth1");
        ns.ip("link set veth0 master br0");
        let mut ears = Ears::new(1024 * 1024);
        ns.ip("link set veth0 nomaster");
        ns.ip("link delete veth1");
        let name = |event: &KernelEvent| match event {
            KernelEvent::DeviceDeleted { name, .. } => Some(name.clone()),
            _ => None,
        };
        let events = ears.until(|event| name(event).as_deref() == Some("veth1"));
        let deleted = events.iter().filter_map(name).filter(|name| name == "veth0").count();
        assert!(deleted <= 1, "{events:?}");
    });
}

#[test]
fn lost_events_are_told_and_the_later_ones_follow() {
    in_namespace(|ns| {
        let device = ns.tunnel("vx0");
        let mut ears = Ears::new(16 * 1024);
        let mut other = Kernel::open().unwrap();
        let routes: Vec<_> =
            (0..2000).map(|number| set(host(number), hops(device, &[1]))).collect();
        apply(&mut other, &routes);
        let events = ears.until(|event| *event == KernelEvent::Overrun);
        assert!(events.len() < 2000);
        let last = key("2001:db8:9::/64");
        apply(&mut other, &[set(last, hops(device, &[1]))]);
        let expected = KernelEvent::RouteSet { key: last, protocol: OWN };
        ears.until(|event| *event == expected);
    });
}
