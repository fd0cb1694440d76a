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

/// A place in one of the lists. Out of date when the peer's is another.
type Ticket = (PeerId, u64);

#[derive(Debug)]
struct Source {
    /// With the generation in which each came.
    requests: VecDeque<(u64, Request)>,
    /// What its requests cost.
    cost: usize,
    /// What it may still be served in this turn; below 0 what it has had too much.
    credit: isize,
    /// Which of its places in the lists is its own.
    ticket: u64,
    is_first: bool,
    /// The round in which it had its last turn.
    served_in: u64,
    /// Whether somebody waits for it to have nothing waiting.
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
    /// Peers that had a turn in this round or in the one before, and then nothing waiting, with that round.
    done: AHashMap<PeerId, u64>,
    /// The present round, and the ticket from which on turns are those of the next one.
    rounds: u64,
    round_ends: u64,
    /// What all of it costs.
    cost: usize,
    /// Peers that were awaited and have nothing waiting any more.
    drained: Vec<PeerId>,
    generations: Generations,
    /// Each with the last generation that goes before it.
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

    /// Whether nothing waits.
    pub(crate) fn is_empty(&self) -> bool {
        self.sources.is_empty() && self.barriers.is_empty()
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
        let sources = self.sources.values().map(|source| source.requests.len());
        sources.sum::<usize>() + self.barriers.len()
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
        // Between two turns of another peer there is one of this, and so there must be a whole round
        // between two of its own that both come before the other's.
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

    /// The next request to serve. Say by [`FairQueue::served`] what that has cost, or put it back.
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

    /// Puts back what was taken and can't be served yet: it stays the first of its peer, whose turn is
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

    /// Drops what is of no use once a peer's session has ended.
    pub(crate) fn forget(&mut self, peer: PeerId) {
        let Some(source) = self.sources.get_mut(&peer) else { return };
        self.cost -= source.cost;
        let generations = &mut self.generations;
        source.requests.retain(|(generation, request)| {
            let keep = !request.is_moot();
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

    /// Ends the turn of a peer, which has its next one after all others.
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

    /// Gives back what a crowd has left behind.
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
