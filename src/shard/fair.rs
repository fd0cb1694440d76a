//! Requests that wait, served fairly.
//!
//! State: a queue for each peer whose requests wait. Peers take turns: each is served up to a
//! [`QUANTUM`] and then goes to the end, so what one peer has queued delays another by one quantum at
//! most, however much it is. What costs more than is left of a quantum is served whole, and the peer pays
//! for it with its next ones (deficit round robin, Shreedhar and Varghese 1995).
//!
//! An end of a session and a SUBSCRIBE wait behind what the same peer sent before them, but put the peer
//! among those that are *first*. Every second turn is one of theirs, so a dead leaf's routes leave on time
//! during a flood, and a flood of SUBSCRIBEs leaves the others every second turn.

use std::collections::VecDeque;

use ahash::{AHashMap, RandomState};

use super::message::Request;
use crate::ids::PeerId;

/// The cost that a peer is served in one turn: updates, roughly.
pub(crate) const QUANTUM: usize = 64;

/// A place in one of the lists. Out of date when the peer's is another.
type Ticket = (PeerId, u64);

#[derive(Debug)]
struct Source {
    requests: VecDeque<Request>,
    /// What its requests cost.
    cost: usize,
    /// What it may still be served in this turn; below 0 what it has had too much.
    credit: isize,
    /// Which of its places in the lists is its own.
    ticket: u64,
    is_first: bool,
    /// Whether somebody waits for it to have nothing waiting.
    is_awaited: bool,
}

/// See the module's documentation.
#[derive(Debug)]
pub(crate) struct FairQueue {
    sources: AHashMap<PeerId, Source>,
    first: VecDeque<Ticket>,
    round: VecDeque<Ticket>,
    tickets: u64,
    /// Whether it is the turn of those that are first.
    is_firsts_turn: bool,
    /// What all of it costs.
    cost: usize,
    /// Peers that were awaited and have nothing waiting any more.
    drained: Vec<PeerId>,
}

impl FairQueue {
    pub(crate) fn new(hasher: RandomState) -> Self {
        Self {
            sources: AHashMap::with_hasher(hasher),
            first: VecDeque::new(),
            round: VecDeque::new(),
            tickets: 0,
            is_firsts_turn: false,
            cost: 0,
            drained: Vec::new(),
        }
    }

    /// Whether nothing waits.
    pub(crate) fn is_empty(&self) -> bool {
        self.sources.is_empty()
    }

    /// Whether something of a peer waits.
    pub(crate) fn has(&self, peer: PeerId) -> bool {
        !self.sources.is_empty() && self.sources.contains_key(&peer)
    }

    /// What all of it costs.
    pub(crate) fn cost(&self) -> usize {
        self.cost
    }

    /// What a peer's requests cost.
    pub(crate) fn cost_of(&self, peer: PeerId) -> usize {
        if self.sources.is_empty() {
            return 0;
        }
        self.sources.get(&peer).map_or(0, |source| source.cost)
    }

    /// How many requests there are. A look at each peer.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.sources.values().map(|source| source.requests.len()).sum()
    }

    /// Puts a request behind those of its peer.
    pub(crate) fn push(&mut self, request: Request) {
        let (peer, cost) = (request.peer(), request.cost());
        self.cost += cost;
        let comes_first = request.comes_first();
        let source = self.sources.entry(peer).or_insert_with(|| Source {
            requests: VecDeque::new(),
            cost: 0,
            credit: QUANTUM.cast_signed(),
            ticket: 0,
            is_first: false,
            is_awaited: false,
        });
        if source.ticket == 0 || (comes_first && !source.is_first) {
            self.tickets += 1;
            (source.ticket, source.is_first) = (self.tickets, comes_first);
            let list = if comes_first { &mut self.first } else { &mut self.round };
            list.push_back((peer, self.tickets));
        }
        source.cost += cost;
        source.requests.push_back(request);
    }

    /// Has [`FairQueue::take_drained`] tell when nothing of a peer waits any more.
    pub(crate) fn await_drained(&mut self, peer: PeerId) {
        if let Some(source) = self.sources.get_mut(&peer) {
            source.is_awaited = true;
        }
    }

    /// Peers that were awaited and have nothing waiting any more.
    pub(crate) fn take_drained(&mut self) -> Option<PeerId> {
        self.drained.pop()
    }

    /// The next request to serve. Say by [`FairQueue::charge`] what serving it has cost.
    pub(crate) fn take(&mut self) -> Option<Request> {
        loop {
            let peer = self.next()?;
            let Some(source) = self.sources.get_mut(&peer) else { continue };
            if source.credit <= 0 {
                source.credit += QUANTUM.cast_signed();
                self.go_on();
                continue;
            }
            let request = source.requests.pop_front()?;
            source.cost -= request.cost();
            self.cost -= request.cost();
            return Some(request);
        }
    }

    /// Counts what serving a request of a peer has cost.
    pub(crate) fn charge(&mut self, peer: PeerId, cost: usize) {
        let Some(source) = self.sources.get_mut(&peer) else { return };
        source.credit -= cost.cast_signed();
        if source.requests.is_empty() {
            if source.is_awaited {
                self.drained.push(peer);
            }
            self.sources.remove(&peer);
            if self.sources.is_empty() {
                self.give_back();
            }
        }
    }

    /// Puts back what can't be served yet: it stays the first of its peer, whose turn is over.
    pub(crate) fn put_back(&mut self, request: Request, cost: usize) {
        let peer = request.peer();
        let Some(source) = self.sources.get_mut(&peer) else { return };
        source.cost += request.cost();
        self.cost += request.cost();
        source.requests.push_front(request);
        source.credit = source.credit.min(0) - cost.cast_signed();
    }

    /// Drops what is of no use once a peer's session has ended.
    pub(crate) fn forget(&mut self, peer: PeerId) {
        let Some(source) = self.sources.get_mut(&peer) else { return };
        self.cost -= source.cost;
        source.requests.retain(|request| !request.is_moot());
        source.cost = source.requests.iter().map(Request::cost).sum();
        self.cost += source.cost;
        source.is_awaited = false;
        self.charge(peer, 0);
    }

    /// The peer whose turn it is.
    fn next(&mut self) -> Option<PeerId> {
        for _ in 0..2 {
            let list = if self.is_firsts_turn { &mut self.first } else { &mut self.round };
            while let Some(&(peer, ticket)) = list.front() {
                if self.sources.get(&peer).is_some_and(|source| source.ticket == ticket) {
                    return Some(peer);
                }
                list.pop_front();
            }
            self.is_firsts_turn = !self.is_firsts_turn;
        }
        None
    }

    /// Ends the turn of a peer: it goes to the end of the round, and the other list has its turn.
    fn go_on(&mut self) {
        let list = if self.is_firsts_turn { &mut self.first } else { &mut self.round };
        if let Some(ticket) = list.pop_front() {
            list.push_back(ticket);
        }
        self.is_firsts_turn = !self.is_firsts_turn;
    }

    /// Gives back what a crowd has left behind.
    fn give_back(&mut self) {
        const KEPT: usize = 64;
        self.first.clear();
        self.round.clear();
        if self.sources.capacity() > KEPT {
            self.sources.shrink_to(KEPT);
            self.first.shrink_to(KEPT);
            self.round.shrink_to(KEPT);
            self.drained.shrink_to(KEPT);
        }
    }
}
