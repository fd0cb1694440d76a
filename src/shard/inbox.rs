//! Requests that wait for the tables of this shard.
//!
//! Requests of this shard's own peers and those of other shards wait apart, each with a bound of its
//! own, and are served in turn. So peers that send as fast as they can delay those of the other side by
//! a portion, and can't keep them out.

use std::collections::VecDeque;
use std::collections::vec_deque::IterMut;
use std::iter::Rev;

use super::mesh::Request;

/// The cost that one side is served before it is the other's turn.
const PORTION: usize = 1024;

/// Where requests come from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Side {
    /// Peers whose connections are here.
    Own,
    /// Other shards.
    Others,
}

/// See the module's documentation.
#[derive(Debug, Default)]
pub(super) struct Inbox {
    own: Queue,
    others: Queue,
    /// Whether other shards' requests are being served, and what their side, or this one, has had.
    serves_others: bool,
    served: usize,
}

#[derive(Debug, Default)]
struct Queue {
    requests: VecDeque<Request>,
    cost: usize,
}

impl Inbox {
    fn queue(&self, side: Side) -> &Queue {
        match side {
            Side::Own => &self.own,
            Side::Others => &self.others,
        }
    }

    fn queue_mut(&mut self, side: Side) -> &mut Queue {
        match side {
            Side::Own => &mut self.own,
            Side::Others => &mut self.others,
        }
    }

    /// Whether nothing of either side waits.
    pub(super) fn is_empty(&self) -> bool {
        self.own.requests.is_empty() && self.others.requests.is_empty()
    }

    /// Whether nothing of one side waits.
    pub(super) fn has_none_of(&self, side: Side) -> bool {
        self.queue(side).requests.is_empty()
    }

    /// What the requests of one side cost.
    pub(super) fn cost(&self, side: Side) -> usize {
        self.queue(side).cost
    }

    /// Requests of both sides.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.own.requests.len() + self.others.requests.len()
    }

    /// Puts a request behind those of its side.
    pub(super) fn push(&mut self, side: Side, request: Request) {
        let queue = self.queue_mut(side);
        queue.cost += request.cost();
        queue.requests.push_back(request);
    }

    /// Lets the latest requests of own peers, the last one first, take an update in. What `join` returns
    /// goes behind them.
    pub(super) fn join_own(
        &mut self,
        join: impl FnOnce(Rev<IterMut<'_, Request>>) -> Option<Request>,
    ) {
        let Queue { requests, cost } = &mut self.own;
        *cost += 1;
        let request = join(requests.iter_mut().rev());
        requests.extend(request);
    }

    /// The next request to serve and its side. Say by [`Inbox::charge`] what serving it has cost.
    pub(super) fn take(&mut self) -> Option<(Side, Request)> {
        let side = if self.serves_others { Side::Others } else { Side::Own };
        let other = if self.serves_others { Side::Own } else { Side::Others };
        for side in [side, other] {
            let queue = self.queue_mut(side);
            if let Some(request) = queue.requests.pop_front() {
                queue.cost -= request.cost();
                let serves_others = side == Side::Others;
                if serves_others != self.serves_others {
                    (self.serves_others, self.served) = (serves_others, 0);
                }
                return Some((side, request));
            }
        }
        None
    }

    /// Puts back what can't be served yet: it stays the first of its side.
    pub(super) fn put_back(&mut self, side: Side, request: Request) {
        let queue = self.queue_mut(side);
        queue.cost += request.cost();
        queue.requests.push_front(request);
    }

    /// Counts what the side of the last request has had.
    pub(super) fn charge(&mut self, cost: usize) {
        self.served += cost;
        if self.served >= PORTION {
            (self.serves_others, self.served) = (!self.serves_others, 0);
        }
    }

    /// What a side may still be served before it is the other's turn; at least 1.
    pub(super) fn portion(&self) -> usize {
        PORTION.saturating_sub(self.served).max(1)
    }
}
