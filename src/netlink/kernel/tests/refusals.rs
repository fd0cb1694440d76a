//! What the kernel refuses, and whose routes are left alone.

use std::os::fd::AsFd as _;

use rustix::net::sockopt::set_socket_recv_buffer_size;

use super::*;
use crate::netlink::testing::in_namespace;

#[test]
fn an_existing_route_of_another_protocol_is_not_overwritten_by_a_create() {
    in_namespace(|ns| {
        let device = ns.tunnel("vx0");
        let mut kernel = Kernel::open().unwrap();
        for to in ["10.9.0.0/24", "2001:db8:9::/64"] {
            ns.ip(&format!("route add {to} table 70000 proto static dev vx0"));
            let refused = apply_one(&mut kernel, set(key(to), hops(device, &[1])));
            assert_eq!(errno(refused), libc::EEXIST);
            let refused = apply_one(&mut kernel, set(key(to), hops(device, &[1, 2])));
            assert_eq!(errno(refused), libc::EEXIST);
        }
        assert_eq!(own_routes(&mut kernel), []);
        assert_eq!(kernel.routes(TABLE, Some(4)).unwrap().len(), 2);
    });
}

#[test]
fn a_delete_never_touches_another_protocol() {
    in_namespace(|ns| {
        ns.tunnel("vx0");
        let mut kernel = Kernel::open().unwrap();
        for to in ["10.9.0.0/24", "2001:db8:9::/64"] {
            ns.ip(&format!("route add {to} table 70000 proto static dev vx0"));
            assert_eq!(errno(apply_one(&mut kernel, delete(key(to)))), libc::ESRCH);
        }
        assert_eq!(kernel.routes(TABLE, Some(4)).unwrap().len(), 2);
    });
}

#[test]
fn an_ipv4_delete_of_metric_0_takes_the_smallest_metric() {
    in_namespace(|ns| {
        let device = ns.tunnel("vx0");
        let mut kernel = Kernel::open().unwrap();
        let with = |metric| RouteKey { metric, ..key("10.9.0.0/24") };
        let via = hops(device, &[1]);
        apply(&mut kernel, &[set(with(20), via.clone()), set(with(10), via.clone())]);
        apply(&mut kernel, &[delete(with(0))]);
        assert_eq!(own_routes(&mut kernel), [shown(with(20), via)]);
        assert_eq!(errno(apply_one(&mut kernel, delete(with(10)))), libc::ESRCH);
        apply(&mut kernel, &[delete(with(20))]);
    });
}

#[test]
fn each_refusal_is_matched_to_its_request() {
    in_namespace(|ns| {
        let device = ns.tunnel("vx0");
        let mut kernel = Kernel::open().unwrap();
        apply(&mut kernel, &[Request::AddObject(object(7, hop(device, 1)))]);
        // Of every ten, one lacks its object, one its device, one its route, and one is
        // not even sent.
        let requests: Vec<_> = (0..1000)
            .map(|number| match number % 10 {
                3 => set(host(number), Via::Object(99)),
                5 => set(host(number), hops(9999, &[1])),
                7 => delete(host(number)),
                9 => set(host(number), Via::Foreign),
                _ => set(host(number), Via::Object(7)),
            })
            .collect();
        let results = kernel.apply(&requests).unwrap();
        assert_eq!(results.len(), 1000);
        for (number, result) in (0..1000).zip(results) {
            let refusal = |errno, text: &str| Err(KernelError { errno, text: text.to_owned() });
            let expected = match number % 10 {
                3 => refusal(libc::EINVAL, "Nexthop id does not exist"),
                5 => refusal(libc::ENODEV, "No such device (os error 19)"),
                7 => refusal(libc::ESRCH, "No such process (os error 3)"),
                9 => refusal(libc::EINVAL, "the route leads on in a foreign way"),
                _ => Ok(()),
            };
            assert_eq!(result, expected, "request {number}");
        }
        assert_eq!(own_routes(&mut kernel).len(), 600);
    });
}

#[test]
fn a_batch_of_refusals_loses_none() {
    in_namespace(|_| {
        let mut kernel = Kernel::open().unwrap();
        let requests: Vec<_> = (0..2000).map(|number| set(host(number), Via::Object(99))).collect();
        let results = kernel.apply(&requests).unwrap();
        assert_eq!(results.len(), 2000);
        assert!(results.into_iter().all(|result| errno(result) == libc::EINVAL));
    });
}

#[test]
fn lost_answers_are_an_error_and_the_next_call_works() {
    in_namespace(|ns| {
        let device = ns.tunnel("vx0");
        let mut kernel = Kernel::open().unwrap();
        set_socket_recv_buffer_size(kernel.socket.socket.as_fd(), 1).unwrap();
        let requests: Vec<_> = (0..256).map(|number| set(host(number), Via::Object(99))).collect();
        let lost = kernel.apply(&requests).unwrap_err();
        assert_eq!(lost.raw_os_error(), Some(libc::ENOBUFS));
        apply(&mut kernel, &[set(host(1), hops(device, &[1]))]);
        assert_eq!(own_routes(&mut kernel).len(), 1);
    });
}

#[test]
fn a_dump_that_was_given_up_does_not_hinder_the_next() {
    in_namespace(|ns| {
        let device = ns.tunnel("vx0");
        let mut kernel = Kernel::open().unwrap();
        let requests: Vec<_> = (0..2000).map(|n| set(host(n), hops(device, &[1]))).collect();
        apply(&mut kernel, &requests);
        kernel.socket.give_up_a_dump();
        assert_eq!(own_routes(&mut kernel).len(), 2000);
        kernel.socket.give_up_a_dump();
        apply(&mut kernel, &[delete(host(1))]);
    });
}

#[test]
fn routes_of_many_hops_fit_their_batches() {
    in_namespace(|ns| {
        let device = ns.tunnel("vx0");
        let mut kernel = Kernel::open().unwrap();
        let all: Vec<u16> = (1..=257).collect();
        let (most, too_many) = (hops(device, &all[..256]), hops(device, &all));
        let requests: Vec<_> = (0..20).map(|number| set(host(number), most.clone())).collect();
        apply(&mut kernel, &requests);
        apply(&mut kernel, &[set(key("2001:db8:9::/64"), most.clone())]);
        let routes = own_routes(&mut kernel);
        assert_eq!(routes.len(), 21);
        assert!(routes.iter().all(|route| route.via == most));
        assert_eq!(errno(apply_one(&mut kernel, set(host(99), too_many))), libc::EMSGSIZE);
    });
}

#[test]
fn nothing_is_asked_when_there_is_nothing_to_ask() {
    in_namespace(|_| {
        let mut kernel = Kernel::open().unwrap();
        assert_eq!(kernel.apply(&[]).unwrap(), []);
        let nothing = Via::Hops([].into_iter().collect());
        assert_eq!(errno(apply_one(&mut kernel, set(host(1), nothing))), libc::EINVAL);
    });
}
