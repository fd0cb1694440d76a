//! Answers that come late, and a handover that is called off.

use super::{Answer, Coordinator, Handover, MoveCommand, MoveOrder};
use crate::ids::{PeerId, ShardId};
use crate::shard::tables::leaving::Tenants;

#[test]
fn an_answer_to_an_earlier_handover_ends_no_move() {
    let mut coordinator = Coordinator::new(2);
    let earlier = coordinator.next_number();
    coordinator.move_connection::<()>(PeerId(9), ShardId(0), ShardId(1));
    coordinator.answered(Answer::<()>::Gone { number: earlier, holds: Vec::new() });
    assert!(!coordinator.is_free());
    coordinator.answered(Answer::<()>::Gone { number: earlier + 1, holds: Vec::new() });
    assert!(coordinator.is_free());
}

#[test]
fn a_handover_awaits_its_own_connections() {
    let (mut handover, _) = Handover::<()>::begin(3, 1);
    handover.answered(ShardId(0), Answer::Frozen { number: 3 });
    handover.answered(ShardId(0), Answer::Left { epoch: 3, tables: Tenants::default() });
    handover.answered(ShardId(0), Answer::Parts { number: 3, connections: 1, holds: Vec::new() });
    handover.answered(ShardId(0), Answer::Gone { number: 2, holds: Vec::new() });
    assert!(!handover.is_ready());
    handover.answered(ShardId(0), Answer::Moves { connection: () });
    assert!(handover.is_ready());
}

/// The names of orders, and `Adopt` for a connection.
fn names(commands: &[(ShardId, MoveCommand<()>)]) -> Vec<&'static str> {
    let name = |(_, command): &(ShardId, MoveCommand<()>)| match command {
        MoveCommand::Adopt { .. } => "Adopt",
        MoveCommand::Order(MoveOrder::Take { .. }) => "Take",
        MoveCommand::Order(MoveOrder::Restore { .. }) => "Restore",
        MoveCommand::Order(MoveOrder::Thaw { .. }) => "Thaw",
        MoveCommand::Order(_) => "another",
    };
    commands.iter().map(name).collect()
}

#[test]
fn a_handover_that_is_called_off_returns_connections_before_tables() {
    let (mut handover, _) = Handover::begin(3, 1);
    let shard = ShardId(0);
    handover.answered(shard, Answer::Frozen { number: 3 });
    handover.answered(shard, Answer::Left { epoch: 3, tables: Tenants::default() });
    handover.answered(shard, Answer::Parts { number: 3, connections: 1, holds: Vec::new() });
    handover.answered(shard, Answer::Moves { connection: () });
    assert_eq!(names(&handover.give_up()), ["Adopt"]);
    let taken = handover.answered(shard, Answer::Arrived { number: 3 });
    assert_eq!(names(&taken), ["Take"]);
    let ended = handover.answered(shard, Answer::Taken { epoch: 3 });
    assert_eq!(names(&ended), ["Restore", "Thaw"]);
    assert!(handover.is_over());
}
