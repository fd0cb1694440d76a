//! One next hop of each destination, seen through sockets.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use metalbond::policy::Policy;
use metalbond::wire::{NextHop, NextHopType};

use crate::harness::{Client, ReflectorConfig, Route, on_each_io, route, start};

on_each_io!(a_class_receives_one_next_hop_and_others_receive_all,);

fn a_class_receives_one_next_hop_and_others_receive_all(config: ReflectorConfig) {
    let policy =
        "[[policy.class]]\nname = \"dpservice\"\nfrom = \"127.0.0.0/8\"\none-next-hop = true\n";
    let mut config = config.clone();
    config.listen = SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0));
    config.settings.policy = Arc::new(Policy::read(policy).unwrap());
    let (_reflector, address) = start(&config);
    let of_class = SocketAddr::from((Ipv4Addr::LOCALHOST, address.port()));
    let others = SocketAddr::from((Ipv6Addr::LOCALHOST, address.port()));
    let [mut agent, mut owner] = [(); 2].map(|()| Client::establish(of_class));
    let [mut watcher, mut publisher] = [(); 2].map(|()| Client::establish(others));
    // VNIs of both shards.
    for vni in 1..5 {
        let [first, lowest, last] = [5, 2, 9].map(|hop| route(vni, 1, hop));
        let address = first.next_hop.address();
        let lb = NextHop::new(address, 0, NextHopType::LoadBalancerTarget, 0, 0).unwrap();
        let lb = Route { next_hop: lb, ..first };
        for client in [&mut agent, &mut owner, &mut watcher] {
            client.subscribe(vni);
        }
        let mut all = Vec::new();
        for route in [first, lowest, last, lb] {
            publisher.announce(&route);
            all.push(route);
            watcher.expect_view(&all);
        }
        agent.expect_view(&[first, lb]);
        // Who alone announces what is chosen has the best of the others.
        owner.announce(&first);
        publisher.withdraw(&first);
        owner.expect_view(&[lowest, lb]);
        let mut later = Client::establish(of_class);
        later.subscribe(vni);
        later.expect_view(&[first, lb]);
        owner.withdraw(&first);
        for client in [&mut agent, &mut owner, &mut later] {
            client.expect_view(&[lowest, lb]);
        }
        publisher.withdraw_all(&[lowest, last, lb]);
        for client in [&mut agent, &mut owner, &mut later, &mut watcher] {
            client.expect_view([]);
        }
    }
}
