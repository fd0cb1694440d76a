//! What should move next. Pure.

use crate::ids::{PeerId, ShardId};
use crate::shard::placement::{Partitions, Placement};

/// A move to begin.
#[derive(Debug)]
pub(super) enum Next {
    Partitions { partitions: Partitions, from: ShardId, to: ShardId },
    Connection { from: ShardId, to: ShardId },
}

/// The number of awake shards: the first ones share everything evenly, the others should have nothing.
#[derive(Debug)]
pub(super) struct Plan {
    shards: usize,
    awake: usize,
    /// The named connections of one shard, which may move.
    named: Option<(ShardId, Vec<PeerId>)>,
}

impl Plan {
    /// All shards are awake.
    pub(super) fn new(shards: usize) -> Self {
        Self { shards, awake: shards, named: None }
    }

    pub(super) fn awake(&self) -> usize {
        self.awake
    }

    pub(super) fn set_awake(&mut self, awake: usize) {
        self.awake = awake.clamp(1, self.shards);
    }

    /// Names connections of a shard that may move.
    pub(super) fn name(&mut self, shard: ShardId, peers: Vec<PeerId>) {
        self.named = Some((shard, peers));
    }

    /// Takes one of the named connections.
    pub(super) fn named(&mut self, shard: ShardId) -> Option<PeerId> {
        self.named.as_mut().filter(|(of, _)| *of == shard)?.1.pop()
    }

    /// The next move, given the number of connections of each shard. Partitions go first: they are few moves,
    /// and once they have moved, requests go no further than they must.
    pub(super) fn next(&self, placement: &Placement, connections: &[u64]) -> Option<Next> {
        self.next_partitions(placement).or_else(|| self.next_connection(connections))
    }

    fn next_partitions(&self, placement: &Placement) -> Option<Next> {
        let owned = placement.counts(self.shards);
        let (from, to, count) = self.uneven(&owned)?;
        let partitions = placement.of(from).take(count).collect();
        Some(Next::Partitions { partitions, from, to })
    }

    fn next_connection(&self, connections: &[u64]) -> Option<Next> {
        let count = |count: &u64| usize::try_from(*count).unwrap_or(usize::MAX);
        let held: Vec<usize> = connections.iter().map(count).collect();
        let (from, to, _) = self.uneven(&held)?;
        Some(Next::Connection { from, to })
    }

    /// The shard with too many, the shard with the fewest, and how many should move between them.
    fn uneven(&self, held: &[usize]) -> Option<(ShardId, ShardId, usize)> {
        let (awake, asleep) = held.split_at(self.awake);
        let least = (0..self.awake).min_by_key(|shard| awake[*shard])?;
        let total: usize = held.iter().sum();
        // A difference up to an eighth of a fair share is not worth a move.
        let fair = total.div_ceil(self.awake);
        let slack = 1 + fair / 8;
        if let Some(from) = (0..asleep.len()).find(|shard| asleep[*shard] > 0) {
            let count = asleep[from].min(fair.saturating_sub(awake[least]).max(1));
            return Some((ShardId::at(self.awake + from), ShardId::at(least), count));
        }
        let most = (0..self.awake).max_by_key(|shard| awake[*shard])?;
        let count = awake[most].saturating_sub(fair).min(fair.saturating_sub(awake[least]));
        (awake[most] > fair + slack && count > 0)
            .then(|| (ShardId::at(most), ShardId::at(least), count))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Carries out moves until the plan wants none; returns the number of moves.
    fn settle(plan: &Plan, placement: &mut Placement, connections: &mut [u64]) -> usize {
        let mut moves = 0;
        while let Some(next) = plan.next(placement, connections) {
            match next {
                Next::Partitions { partitions, from, to } => {
                    assert!(partitions.iter().all(|it| placement.owner_of(it) == from));
                    placement.assign(&partitions, to);
                }
                Next::Connection { from, to } => {
                    connections[from.index()] -= 1;
                    connections[to.index()] += 1;
                }
            }
            moves += 1;
            assert!(moves < 10_000, "never ends");
        }
        moves
    }

    fn owned(placement: &Placement, shards: usize) -> Vec<usize> {
        (0..shards).map(|number| placement.of(ShardId::at(number)).count()).collect()
    }

    #[test]
    fn everything_leaves_a_shard_that_falls_asleep_and_nothing_else_moves() {
        let (mut plan, mut placement) = (Plan::new(4), Placement::even(4));
        let mut connections = [10, 10, 10, 10];
        plan.set_awake(3);
        let moves = settle(&plan, &mut placement, &mut connections);
        assert_eq!(connections[3], 0);
        assert_eq!(owned(&placement, 4)[3], 0);
        assert!(moves <= 13, "{moves}");
    }

    #[test]
    fn shards_that_wake_up_get_their_share() {
        let (mut plan, mut placement) = (Plan::new(16), Placement::even(16));
        let mut connections = [5; 16];
        plan.set_awake(1);
        settle(&plan, &mut placement, &mut connections);
        assert_eq!(connections[0], 80);
        plan.set_awake(4);
        settle(&plan, &mut placement, &mut connections);
        assert!(connections[..4].iter().all(|count| (16..=24).contains(count)), "{connections:?}");
        let owned = owned(&placement, 16);
        assert!(owned[..4].iter().all(|count| (850..1200).contains(count)), "{owned:?}");
    }

    #[test]
    fn what_is_even_stays() {
        let plan = Plan::new(3);
        assert!(plan.next(&Placement::even(3), &[100, 104, 98]).is_none());
    }
}
