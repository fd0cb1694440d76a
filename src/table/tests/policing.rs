//! A policy's judgement of routes that come back, and of routes without room.

use super::harness::{Table, standard};
use crate::ids::PeerId;
use crate::policy::{Policy, Rights, Subject, Terms};
use crate::table::{Announcement, LimitHits, Room};
use crate::wire::{Action, NextHop, NextHopType, Vni};

const A: u64 = 1;
const NET: &str = "10.0.0.0/8";

/// A policy that lets all peers announce in these VNIs only, and the rights that it gives them.
pub(super) fn only(vnis: &str, before: &Policy) -> (Policy, Rights) {
    let text = format!("[policy]\n[[policy.class]]\nname = \"default\"\nannounce = \"{vnis}\"\n");
    let policy = Policy::read(&text).expect("a policy").behind(before);
    let address = Some("fd00::1".parse().expect("an address"));
    let rights = policy.rights(&Subject { address, ..Subject::default() });
    assert_ne!(rights, Rights::default());
    (policy, rights)
}

/// A policy that refuses all routes.
pub(super) fn strict() -> (Policy, Rights) {
    only("1-8", &Policy::default())
}

/// Judges all routes again.
pub(super) fn review(table: &mut Table, policy: &Policy) {
    table.vnet.begin_review();
    while table.vnet.review(policy, 1) > 0 {}
}

#[test]
fn a_route_withdrawn_before_a_policy_came_does_not_return_against_it() {
    for is_classified_first in [true, false] {
        let (policy, rights) = strict();
        let mut table = Table::new();
        table.announce(A, NET, 1);
        table.withdraw(A, NET, 1);
        if is_classified_first {
            table.vnet.classify(PeerId(A), rights);
        }
        review(&mut table, &policy);
        table.vnet.classify(PeerId(A), rights);
        table.announce_under(&policy, A, NET, 1);
        assert_eq!((table.vnet.routes(), table.vnet.filtered()), (0, 1));
    }
}

#[test]
fn a_review_passes_places_whose_routes_and_next_hops_are_gone() {
    // A page of the table has 64 places, and so has a page of next hops with ports.
    let (first, more) = (64, 10);
    let (policy, rights) = strict();
    let mut table = Table::new();
    let update = |table: &mut Table, action: Action, number: u16| {
        let address = "fd00::1".parse().expect("an address");
        let port = u32::from(number);
        let hop = NextHop::new(address, 0, NextHopType::Nat, port, port).expect("a range");
        table.update_with(A, action, &format!("10.0.{number}.0/24"), hop);
    };
    for number in 1..=first + more {
        update(&mut table, Action::Add, number);
    }
    // This route keeps the table's second page.
    table.announce(A, NET, 1);
    // The first page of next hops has room again, so their second page goes when it is empty.
    for number in [1].into_iter().chain(first + 1..=first + more) {
        update(&mut table, Action::Remove, number);
    }
    table.flush();
    table.trim();
    table.vnet.classify(PeerId(A), rights);
    review(&mut table, &policy);
    assert_eq!((table.vnet.routes(), table.vnet.filtered()), (0, u64::from(first)));
}

#[test]
fn a_route_withdrawn_after_a_review_does_not_return_against_its_policy() {
    for is_classified in [true, false] {
        let (policy, rights) = strict();
        let mut table = Table::new();
        table.announce(A, NET, 1);
        review(&mut table, &policy); // it knows nothing of the peer's class yet
        assert_eq!(table.vnet.routes(), 1);
        table.withdraw(A, NET, 1);
        if is_classified {
            table.vnet.classify(PeerId(A), rights);
        } else {
            table.enter(A, rights); // its shard has forgotten the VNI, and the next request brings the rights
        }
        table.announce_under(&policy, A, NET, 1);
        assert_eq!((table.vnet.routes(), table.vnet.filtered()), (0, 1));
    }
}

#[test]
fn limits_on_routes_do_not_count_what_the_policy_only_ignores() {
    const NO_ROUTE: Room = Room { routes: 0, announcements: 9, vni: 0, peer: 9 };
    let (policy, rights) = strict();
    let strict = policy.terms(rights, Vni(9));
    let mut table = Table::new();
    let member = table.enter(A, rights);
    let mut announce = |prefix: &str, terms: Option<&Terms<'_>>, room: Room| {
        let destination = prefix.parse().expect("a prefix");
        let update = Announcement { action: Action::Add, destination, next_hop: standard(1) };
        let (applied, hits) = table.vnet.update_within(member, &[update], terms, room);
        (applied.change, hits)
    };
    let none = LimitHits::default();
    assert_eq!(announce(NET, strict.as_ref(), NO_ROUTE), (1, none), "it becomes filtered");
    let no_room = Room { peer: 0, announcements: 0, ..NO_ROUTE };
    assert_eq!(announce(NET, strict.as_ref(), no_room), (0, none), "it is filtered already");
    let further = announce("10.0.0.0/9", strict.as_ref(), no_room);
    assert_eq!(further, (0, LimitHits { peer: 1, ..none }), "a filtered route counts for its peer");
    assert_eq!(announce(NET, None, NO_ROUTE), (0, LimitHits { vni: 1, ..none }), "it is allowed");
    let a_route = Room { routes: 1, vni: 1, ..no_room };
    assert_eq!(announce(NET, None, a_route), (0, none), "it counts already");
    assert_eq!((table.vnet.routes(), table.vnet.filtered()), (1, 0));
}
