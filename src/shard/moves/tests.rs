//! Answers that come late.

use super::{Answer, Coordinator, Handover};
use crate::ids::{PeerId, ShardId};
use crate::shard::tables::leaving::Tenants;

#[test]
fn an_answer_to_an_earlier_handover_ends_no_move() {
    let mut coordinator = Coordinator::new(2);
    let earlier = coordinator.next_number();
    coordinator.move_connection::<()>(PeerId(9), ShardId(0), ShardId(1));
    coordinator.answered(Answer::<()>::Gone { number: earlier });
    assert!(!coordinator.is_free());
    coordinator.answered(Answer::<()>::Gone { number: earlier + 1 });
    assert!(coordinator.is_free());
}

#[test]
fn a_handover_awaits_its_own_connections() {
    let (mut handover, _) = Handover::<()>::begin(3, 1);
    handover.answered(ShardId(0), Answer::Frozen { number: 3 });
    handover.answered(ShardId(0), Answer::Left { epoch: 3, tables: Tenants::default() });
    handover.answered(ShardId(0), Answer::Parts { number: 3, connections: 1 });
    handover.answered(ShardId(0), Answer::Gone { number: 2 });
    assert!(!handover.is_ready());
    handover.answered(ShardId(0), Answer::Moves { connection: () });
    assert!(handover.is_ready());
}
