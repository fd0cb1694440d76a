//! Nexthop objects come back from the kernel as they were made.

use std::sync::atomic::{AtomicBool, Ordering};

use super::*;
use crate::netlink::testing::in_namespace;

#[test]
fn objects_and_groups_are_listed_as_made() {
    in_namespace(|ns| {
        let device = ns.tunnel("vx0");
        let mut kernel = Kernel::open().unwrap();
        let made = [
            object(7, hop(device, 1)),
            object(8, hop(device, 2)),
            object(9, hop(device, 3)),
            group(10, &[7, 8, 9]),
        ];
        apply(&mut kernel, &made.clone().map(Request::AddObject));
        assert_eq!(kernel.objects().unwrap(), made);
        println!("{}", ns.ip("-d nexthop show"));

        let taken = apply_one(&mut kernel, Request::AddObject(made[0].clone()));
        assert_eq!(errno(taken), libc::EEXIST);
        apply(&mut kernel, &[10, 9].map(|id| Request::DeleteObject { id }));
        assert_eq!(kernel.objects().unwrap(), made[..2]);
        assert_eq!(errno(apply_one(&mut kernel, Request::DeleteObject { id: 9 })), libc::ENOENT);
    });
}

#[test]
fn an_object_made_by_ip_is_listed_as_the_same() {
    in_namespace(|ns| {
        let device = ns.tunnel("vx0");
        let mut kernel = Kernel::open().unwrap();
        ns.ip("-6 nexthop add id 7 encap ip6 id 100 dst 2001:db8::1 dev vx0 proto 254");
        ns.ip("-6 nexthop add id 8 encap ip6 id 100 dst 2001:db8::2 dev vx0 proto 254");
        ns.ip("nexthop add id 9 group 8/7 proto 254");
        ns.ip("nexthop add id 10 group 7,5/8 proto 254");
        ns.ip("link set lo up");
        ns.ip("nexthop add id 11 blackhole proto 254");
        ns.ip("-6 nexthop add id 12 via fe80::1 dev vx0 onlink proto 254");
        let foreign = |id| Object { id, protocol: OWN, body: ObjectBody::Foreign };
        let expected = [
            object(7, hop(device, 1)),
            object(8, hop(device, 2)),
            group(9, &[7, 8]),
            foreign(10),
            foreign(11),
            foreign(12),
        ];
        assert_eq!(kernel.objects().unwrap(), expected);
    });
}

#[test]
fn thousands_of_objects_are_listed_once_each() {
    in_namespace(|ns| {
        let device = ns.tunnel("vx0");
        let mut kernel = Kernel::open().unwrap();
        assert!(kernel.supports_objects().unwrap());
        assert_eq!(kernel.objects().unwrap(), []);
        let made: Vec<_> = (1..=3000).map(|n| object(u32::from(n), hop(device, n))).collect();
        apply(&mut kernel, &made.iter().cloned().map(Request::AddObject).collect::<Vec<_>>());
        assert_eq!(kernel.objects().unwrap(), made);
    });
}

#[test]
fn objects_are_listed_while_others_change_theirs_without_end() {
    in_namespace(|ns| {
        let device = ns.tunnel("vx0");
        let (mut kernel, mut other) = (Kernel::open().unwrap(), Kernel::open().unwrap());
        let many: Vec<_> =
            (1..=20_000).map(|id| Request::AddObject(object(id, hop(device, 1)))).collect();
        apply(&mut kernel, &many);
        let over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let pair = [
                    Request::AddObject(object(30_000, hop(device, 2))),
                    Request::DeleteObject { id: 30_000 },
                ];
                while !over.load(Ordering::Relaxed) {
                    apply(&mut other, &pair);
                }
            });
            let listed = kernel.objects();
            over.store(true, Ordering::Relaxed);
            let ours = listed.unwrap().iter().filter(|object| object.id <= 20_000).count();
            assert_eq!(ours, 20_000);
        });
    });
}
