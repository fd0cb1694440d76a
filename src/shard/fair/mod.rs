//! Requests that wait, served fairly.
//!
//! State: a queue for each peer whose requests wait. Peers take turns: a peer is served up to a [`QUANTUM`], then goes
//! to the end. So the requests of one peer, however many, delay another peer by at most one quantum. A request that
//! costs more than the rest of a quantum is served whole, and the peer pays for it with its next quanta (deficit round
//! robin, Shreedhar and Varghese 1995).
//!
//! A request that belongs to no peer is a *barrier*: it is served after all requests that were there before it, and
//! holds up no request behind it.
//!
//! The end of a session and a SUBSCRIBE wait behind earlier requests of the same peer, but give the peer its turn at
//! once, unless it had one in this round or the one before. So during a flood a dead leaf's routes are withdrawn in
//! time, and a flood of SUBSCRIBEs gets no more turns than any other.

#[cfg(test)]
mod audit;
mod generations;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;

use ahash::{AHashMap, RandomState};

use self::generations::Generations;
use super::message::Request;
use crate::ids::PeerId;

/// The cost that a peer is served in one turn: updates, roughly.
pub(crate) const QUANTUM: usize = 64;

/// A place of a peer in one of the lists. It is out of date when the peer's `ticket` is another.
type Ticket = (PeerId, u64);

#[derive(Debug)]
struct Source {
    /// Each request with the generation in which it came.
    requests: VecDeque<(u64, Request)>,
    /// The cost of its requests.
    cost: usize,
    /// The cost that it may still be served in this turn; below 0: the cost that it was served too much.
    credit: isize,
    /// The ticket of its valid place in the lists.
    ticket: u64,
    is_first: bool,
    /// The round in which it had its last turn.
    served_in: u64,
    /// Whether [`FairQueue::take_drained`] is to name it when none of its requests wait.
    is_awaited: bool,
}

/// See the module's documentation.
#[derive(Debug)]
pub(crate) struct FairQueue {
    sources: AHashMap<PeerId, Source>,
    /// Peers that have their turn at once, and all others in the order of their turns.
    first: VecDeque<Ticket>,
    round: VecDeque<Ticket>,
    tickets: u64,
    /// Peers without requests that had a turn in this round or in the one before, with that round.
    done: AHashMap<PeerId, u64>,
    /// The present round, and the first ticket of the next round.
    rounds: u64,
    round_ends: u64,
    /// The cost of all requests.
    cost: usize,
    /// Awaited peers of which no request waits any more.
    drained: Vec<PeerId>,
    generations: Generations,
    /// Each barrier with the last generation that goes before it.
    barriers: VecDeque<(u64, Request)>,
    /// The generation of the request that was taken last and is being served.
    taken: u64,
    #[cfg(test)]
    audit: audit::Audit,
}

impl FairQueue {
    pub(crate) fn new(hasher: RandomState) -> Self {
        Self {
            sources: AHashMap::with_hasher(hasher.clone()),
            first: VecDeque::new(),
            round: VecDeque::new(),
            tickets: 0,
            done: AHashMap::with_hasher(hasher.clone()),
            rounds: 2,
            round_ends: 1,
            cost: 0,
            drained: Vec::new(),
            generations: Generations::new(),
            barriers: VecDeque::new(),
            taken: 0,
            #[cfg(test)]
            audit: audit::Audit::default(),
        }
    }

    /// Whether no request waits.
    pub(crate) fn is_empty(&self) -> bool {
        self.sources.is_empty() && self.barriers.is_empty()
    }

    /// Whether a request of a peer waits.
    pub(crate) fn has(&self, peer: PeerId) -> bool {
        !self.sources.is_empty() && self.sources.contains_key(&peer)
    }

    /// The cost of all requests.
    pub(crate) fn cost(&self) -> usize {
        self.cost
    }

    /// The cost of a peer's requests.
    pub(crate) fn cost_of(&self, peer: PeerId) -> usize {
        if self.sources.is_empty() {
            return 0;
        }
        self.sources.get(&peer).map_or(0, |source| source.cost)
    }

    /// The number of requests. Costs a look at each peer.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        let sources = self.sources.values().map(|source| source.requests.len());
        sources.sum::<usize>() + self.barriers.len()
    }

    /// The requests of all peers, in no order of peers.
    pub(crate) fn requests(&self) -> impl Iterator<Item = &Request> {
        self.sources.values().flat_map(|source| source.requests.iter().map(|(_, request)| request))
    }

    /// Puts a request behind those of its peer, or a barrier behind everything.
    pub(crate) fn push(&mut self, request: Request) {
        let Some(peer) = request.peer() else {
            let last = self.generations.end();
            return self.barriers.push_back((last, request));
        };
        let cost = request.cost();
        self.cost += cost;
        let comes_first = request.comes_first();
        let source = self.sources.entry(peer).or_insert_with(|| Source {
            requests: VecDeque::new(),
            cost: 0,
            credit: QUANTUM.cast_signed(),
            ticket: 0,
            is_first: false,
            served_in: self.done.get(&peer).copied().unwrap_or(0),
            is_awaited: false,
        });
        // Another peer may wait for at most one turn of this peer. So a whole round must lie between two turns
        // of this peer that both come before the other's.
        let comes_first = comes_first && !source.is_first && source.served_in + 1 < self.rounds;
        if source.ticket == 0 || comes_first {
            self.tickets += 1;
            (source.ticket, source.is_first) = (self.tickets, comes_first);
            let list = if comes_first { &mut self.first } else { &mut self.round };
            list.push_back((peer, self.tickets));
        }
        source.cost += cost;
        #[cfg(test)]
        self.audit.waits(peer);
        source.requests.push_back((self.generations.add(), request));
    }

    /// Has [`FairQueue::take_drained`] name a peer when none of its requests wait any more.
    pub(crate) fn await_drained(&mut self, peer: PeerId) {
        if let Some(source) = self.sources.get_mut(&peer) {
            source.is_awaited = true;
        }
    }

    /// The next awaited peer of which no request waits any more.
    pub(crate) fn take_drained(&mut self) -> Option<PeerId> {
        self.drained.pop()
    }

    /// The next request to serve. Then call [`FairQueue::served`] with its cost, or put it back.
    pub(crate) fn take(&mut self) -> Option<Request> {
        if let Some((last, _)) = self.barriers.front()
            && self.generations.is_over(*last)
        {
            return self.barriers.pop_front().map(|(_, request)| request);
        }
        loop {
            let peer = self.next()?;
            let Some(source) = self.sources.get_mut(&peer) else { continue };
            if source.credit <= 0 {
                source.credit += QUANTUM.cast_signed();
                self.end_turn(peer);
                #[cfg(test)]
                self.audit.passed(peer);
                continue;
            }
            let (generation, request) = source.requests.pop_front()?;
            self.taken = generation;
            #[cfg(test)]
            self.audit.begin(peer);
            source.cost -= request.cost();
            self.cost -= request.cost();
            return Some(request);
        }
    }

    /// The request that was taken last has been served, at this cost. `None` for a barrier.
    pub(crate) fn served(&mut self, peer: Option<PeerId>, cost: usize) {
        if let Some(peer) = peer {
            self.generations.remove(self.taken);
            self.charge(peer, cost);
        }
    }

    fn charge(&mut self, peer: PeerId, cost: usize) {
        let Some(source) = self.sources.get_mut(&peer) else { return };
        source.credit -= cost.cast_signed();
        #[cfg(test)]
        self.audit.served(peer, cost, !source.requests.is_empty());
        if source.requests.is_empty() {
            if source.is_awaited {
                self.drained.push(peer);
            }
            self.sources.remove(&peer);
            if self.sources.is_empty() {
                self.give_back();
            } else {
                self.done.insert(peer, self.rounds);
            }
        }
    }

    /// Puts back the taken request, which can't be served yet: it stays the first of its peer, whose turn is
    /// over.
    pub(crate) fn put_back(&mut self, request: Request, cost: usize) {
        let Some(peer) = request.peer() else { return };
        let Some(source) = self.sources.get_mut(&peer) else { return };
        source.cost += request.cost();
        self.cost += request.cost();
        source.requests.push_front((self.taken, request));
        source.credit = source.credit.min(0) - cost.cast_signed();
        #[cfg(test)]
        self.audit.put_back(peer, cost);
    }

    /// Drops the requests that are useless once a peer's session has ended; see [`Request::is_moot`].
    pub(crate) fn forget(&mut self, peer: PeerId, is_held: bool) {
        let Some(source) = self.sources.get_mut(&peer) else { return };
        self.cost -= source.cost;
        let generations = &mut self.generations;
        source.requests.retain(|(generation, request)| {
            let keep = !request.is_moot(is_held);
            if !keep {
                generations.remove(*generation);
            }
            keep
        });
        source.cost = source.requests.iter().map(|(_, request)| request.cost()).sum();
        self.cost += source.cost;
        source.is_awaited = false;
        self.charge(peer, 0);
    }

    /// The peer whose turn it is.
    fn next(&mut self) -> Option<PeerId> {
        loop {
            let list = if self.first.is_empty() { &mut self.round } else { &mut self.first };
            let &(peer, ticket) = list.front()?;
            if self.sources.get(&peer).is_some_and(|source| source.ticket == ticket) {
                if self.first.is_empty() && ticket >= self.round_ends {
                    self.rounds += 1;
                    let rounds = self.rounds;
                    self.done.retain(|_, round| *round + 1 >= rounds);
                    self.round_ends = self.tickets + 1;
                }
                return Some(peer);
            }
            list.pop_front();
        }
    }

    /// Ends the turn of a peer: its next turn comes after all other peers.
    fn end_turn(&mut self, peer: PeerId) {
        let list = if self.first.is_empty() { &mut self.round } else { &mut self.first };
        list.pop_front();
        self.tickets += 1;
        self.round.push_back((peer, self.tickets));
        if let Some(source) = self.sources.get_mut(&peer) {
            (source.ticket, source.is_first) = (self.tickets, false);
            source.served_in = self.rounds;
        }
    }

    /// Gives back the memory that a crowd of peers needed.
    fn give_back(&mut self) {
        const KEPT: usize = 64;
        self.first.clear();
        self.round.clear();
        self.done.clear();
        if self.sources.capacity() > KEPT {
            self.sources.shrink_to(KEPT);
            self.first.shrink_to(KEPT);
            self.round.shrink_to(KEPT);
            self.drained.shrink_to(KEPT);
            self.done.shrink_to(KEPT);
        }
    }
}
