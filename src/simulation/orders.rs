//! Orders of the coordinator, and answers.

use std::collections::VecDeque;

use crate::ids::ShardId;
use crate::shard::Traveller;
use crate::shard::moves::{Answer, MoveCommand};

/// Messages between the coordinator and the shards. A shard takes its orders one by one, some
/// time after they were given.
#[derive(Debug)]
pub(super) struct Orders {
    pub(super) to: Vec<VecDeque<MoveCommand<Traveller>>>,
    /// Answers, each with its shard.
    pub(super) answers: VecDeque<(ShardId, Answer<Traveller>)>,
}

impl Orders {
    pub(super) fn new(shards: usize) -> Self {
        Self { to: (0..shards).map(|_| VecDeque::new()).collect(), answers: VecDeque::new() }
    }

    /// Whether no message is on its way.
    pub(super) fn is_empty(&self) -> bool {
        self.answers.is_empty() && self.to.iter().all(VecDeque::is_empty)
    }

    pub(super) fn answer(&mut self, shard: usize, answer: Answer<Traveller>) {
        self.answers.push_back((ShardId::at(shard), answer));
    }
}
