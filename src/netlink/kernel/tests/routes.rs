//! Routes come back from the kernel as they were installed.

use super::*;
use crate::netlink::testing::in_namespace;

#[test]
fn a_route_over_an_object_is_listed_as_installed() {
    in_namespace(|ns| {
        let device = ns.tunnel("vx0");
        let mut kernel = Kernel::open().unwrap();
        let routes = [
            shown(key("0.0.0.0/0"), Via::Object(7)),
            shown(key("10.9.0.0/24"), Via::Object(7)),
            shown(key("10.9.1.0/24"), Via::Object(9)),
            shown(key("::/0"), Via::Object(9)),
            shown(key("2001:db8:9::/64"), Via::Object(7)),
        ];
        let objects = [object(7, hop(device, 1)), object(8, hop(device, 2)), group(9, &[7, 8])];
        let mut requests: Vec<_> = objects.map(Request::AddObject).into();
        requests.extend(routes.iter().map(|route| set(route.key, route.via.clone())));
        apply(&mut kernel, &requests);

        assert_eq!(own_routes(&mut kernel), routes);
        let text = ns.ip("route show table 70000");
        assert!(text.contains("10.9.0.0/24 nhid 7 "), "{text}");
        let text = ns.ip("-6 route show table 70000");
        assert!(text.contains("2001:db8:9::/64 nhid 7 "), "{text}");
    });
}

#[test]
fn hops_in_the_route_come_back_as_installed() {
    in_namespace(|ns| {
        let device = ns.tunnel("vx0");
        let mut kernel = Kernel::open().unwrap();
        let routes = [
            shown(key("10.9.0.0/24"), hops(device, &[1])),
            shown(key("10.9.1.0/24"), hops(device, &[1, 2, 3])),
            shown(key("2001:db8:8::/64"), hops(device, &[1])),
            shown(key("2001:db8:9::/64"), hops(device, &[1, 2, 3])),
        ];
        let requests: Vec<_> =
            routes.iter().map(|route| set(route.key, route.via.clone())).collect();
        apply(&mut kernel, &requests);

        assert_eq!(own_routes(&mut kernel), routes);
        let text = ns.ip("-d route show table 70000") + &ns.ip("-6 -d route show table 70000");
        println!("{text}");
        let encap = "encap ip6 id 100 src :: dst 2001:db8::3 hoplimit 0 tc 0";
        let hop = format!("nexthop {encap} dev vx0 weight 1");
        let gateway = format!("nexthop {encap} via fe80::1 dev vx0 weight 1 onlink");
        let squeezed = text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(squeezed.contains(&hop), "{text}");
        assert!(squeezed.contains(&gateway), "{text}");
    });
}

#[test]
fn a_route_made_by_ip_is_listed_as_the_same() {
    in_namespace(|ns| {
        let device = ns.tunnel("vx0");
        let mut kernel = Kernel::open().unwrap();
        let by = |to: &str, hops: &str| {
            ns.ip(&format!("route add {to} table 70000 proto 254 {hops}"));
        };
        by("10.9.0.0/24", "encap ip6 id 100 dst 2001:db8::1 dev vx0");
        by("2001:db8:9::/64", "encap ip6 id 100 dst 2001:db8::1 dev vx0");
        by("10.9.1.0/24", "encap ip6 id 100 dst 2001:db8::1 hoplimit 9 dev vx0");
        by("10.9.2.0/24", "dev vx0");
        by("2001:db8:a::/64", "via fe80::2 dev vx0 onlink");
        ns.ip("route add unreachable 10.9.3.0/24 table 70000 proto 254");

        let expected = [
            shown(key("10.9.0.0/24"), hops(device, &[1])),
            shown(key("10.9.1.0/24"), Via::Foreign),
            shown(key("10.9.2.0/24"), Via::Foreign),
            shown(key("10.9.3.0/24"), Via::Foreign),
            shown(key("2001:db8:9::/64"), hops(device, &[1])),
            shown(key("2001:db8:a::/64"), Via::Foreign),
        ];
        assert_eq!(own_routes(&mut kernel), expected);
    });
}

#[test]
fn a_table_that_does_not_exist_is_empty() {
    in_namespace(|_| {
        let mut kernel = Kernel::open().unwrap();
        assert_eq!(kernel.routes(TABLE, Some(OWN)).unwrap(), []);
        assert_eq!(kernel.routes(9, None).unwrap(), []);
    });
}

#[test]
fn a_listing_holds_one_table_and_one_protocol() {
    in_namespace(|ns| {
        let device = ns.tunnel("vx0");
        let mut kernel = Kernel::open().unwrap();
        let elsewhere = RouteKey { table: 9, ..key("10.9.0.0/24") };
        let via = hops(device, &[1]);
        apply(&mut kernel, &[set(key("10.9.0.0/24"), via.clone()), set(elsewhere, via.clone())]);
        ns.ip("route add 10.9.1.0/24 table 70000 proto static dev vx0");
        ns.ip("route add 2001:db8:9::/64 table 70000 proto static dev vx0");

        assert_eq!(own_routes(&mut kernel), [shown(key("10.9.0.0/24"), via.clone())]);
        assert_eq!(kernel.routes(9, Some(OWN)).unwrap(), [shown(elsewhere, via)]);
        let all = kernel.routes(TABLE, None).unwrap();
        let protocols: Vec<_> = all.iter().map(|route| route.protocol).collect();
        assert_eq!(protocols, [OWN, 4, 4]);
    });
}

#[test]
fn a_key_with_several_routes_is_listed_once_as_foreign() {
    in_namespace(|ns| {
        let device = ns.tunnel("vx0");
        let mut kernel = Kernel::open().unwrap();
        apply(&mut kernel, &[set(key("10.9.0.0/24"), hops(device, &[1]))]);
        ns.ip("route append 10.9.0.0/24 table 70000 proto 254 encap ip6 id 100 dst 2001:db8::2 \
             dev vx0");
        assert_eq!(own_routes(&mut kernel), [shown(key("10.9.0.0/24"), Via::Foreign)]);
    });
}

#[test]
fn a_route_of_some_packets_only_is_none_of_its_key() {
    in_namespace(|ns| {
        let device = ns.tunnel("vx0");
        let mut kernel = Kernel::open().unwrap();
        let via = hops(device, &[1]);
        ns.ip("route add 10.9.0.0/24 tos 0x10 table 70000 proto static dev vx0");
        ns.ip("route add 10.9.0.0/24 tos 0x08 table 70000 proto 254 dev vx0");
        apply(&mut kernel, &[set(key("10.9.0.0/24"), via.clone())]);
        assert_eq!(kernel.routes(TABLE, None).unwrap(), [shown(key("10.9.0.0/24"), via)]);
    });
}

#[test]
fn a_replaced_route_leads_on_only_in_the_new_way() {
    in_namespace(|ns| {
        let device = ns.tunnel("vx0");
        let mut kernel = Kernel::open().unwrap();
        let objects = [object(7, hop(device, 1)), object(8, hop(device, 2)), group(9, &[7, 8])];
        apply(&mut kernel, &objects.map(Request::AddObject));
        let ways = [
            hops(device, &[1]),
            hops(device, &[1, 2, 3]),
            hops(device, &[4, 5]),
            Via::Object(9),
            hops(device, &[2, 3]),
            hops(device, &[2]),
            Via::Object(7),
            hops(device, &[3]),
        ];
        for way in ways {
            for key in [key("10.9.0.0/24"), key("2001:db8:9::/64")] {
                apply(&mut kernel, &[replace(key, way.clone())]);
            }
            let expected = ["10.9.0.0/24", "2001:db8:9::/64"].map(|to| shown(key(to), way.clone()));
            assert_eq!(own_routes(&mut kernel), expected);
        }
        apply(&mut kernel, &[delete(key("10.9.0.0/24")), delete(key("2001:db8:9::/64"))]);
        assert_eq!(own_routes(&mut kernel), []);
    });
}

#[test]
fn many_requests_are_all_carried_out() {
    in_namespace(|ns| {
        let device = ns.tunnel("vx0");
        let mut kernel = Kernel::open().unwrap();
        let mut requests = vec![Request::AddObject(object(7, hop(device, 1)))];
        requests.extend((0..10_000).map(|number| set(host(number), Via::Object(7))));
        apply(&mut kernel, &requests);
        let routes = own_routes(&mut kernel);
        assert_eq!(routes.len(), 10_000);
        assert!(routes.iter().zip(0..).all(|(route, n)| *route == shown(host(n), Via::Object(7))));
        apply(&mut kernel, &(0..10_000).map(|number| delete(host(number))).collect::<Vec<_>>());
        assert_eq!(own_routes(&mut kernel), []);
    });
}
