//! A policy's judgement of routes that come back.

use super::harness::Table;
use crate::ids::PeerId;
use crate::policy::{Policy, Rights, Subject};

const A: u64 = 1;
const NET: &str = "10.0.0.0/8";

#[test]
fn a_route_withdrawn_before_a_policy_came_does_not_return_against_it() {
    let refuses = "[policy]\n[[policy.class]]\nname = \"default\"\nannounce = \"1-8\"\n";
    let policy = Policy::read(refuses).expect("a policy").behind(&Policy::default());
    for is_classified_first in [true, false] {
        let mut table = Table::new();
        table.announce(A, NET, 1);
        table.withdraw(A, NET, 1);
        let address = Some("fd00::1".parse().expect("an address"));
        let rights = policy.rights(&Subject { address, ..Subject::default() });
        assert_ne!(rights, Rights::default());
        if is_classified_first {
            table.vnet.classify(PeerId(A), rights);
        }
        table.vnet.begin_review();
        while table.vnet.review(&policy, 1) > 0 {}
        table.vnet.classify(PeerId(A), rights);
        table.announce_under(&policy, A, NET, 1);
        assert_eq!((table.vnet.routes(), table.vnet.filtered()), (0, 1));
    }
}
