//! Requests that wait, served fairly.
//!
//! State: a queue for each peer whose requests wait. Peers take turns: each is served up to a
//! [`QUANTUM`] and then goes to the end, so what one peer has queued delays another by one quantum at
//! most, however much it is. What costs more than is left of a quantum is served whole, and the peer pays
//! for it with its next ones (deficit round robin, Shreedhar and Varghese 1995).
//!
//! A request that is no peer's is a *barrier*: it is served when everything that was there before it has
//! been, and holds up nothing behind it.
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
    /// With the generation in which each came.
    requests: VecDeque<(u64, Request)>,
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
    generations: Generations,
    /// Each with the last generation that goes before it.
    barriers: VecDeque<(u64, Request)>,
    /// The generation of the request that was taken last and is being served.
    taken: u64,
}

/// How many requests wait of each generation. Each barrier begins a new one.
#[derive(Debug)]
struct Generations {
    first: u64,
    waiting: VecDeque<usize>,
}

impl Generations {
    /// One more of the present generation, which is returned.
    fn add(&mut self) -> u64 {
        if let Some(last) = self.waiting.back_mut() {
            *last += 1;
        }
        self.first + self.waiting.len() as u64 - 1
    }

    /// One fewer.
    fn remove(&mut self, generation: u64) {
        let place = usize::try_from(generation - self.first).unwrap_or(usize::MAX);
        if let Some(waiting) = self.waiting.get_mut(place) {
            *waiting -= 1;
        }
        self.forget_served();
    }

    /// Ends the present generation, which is returned.
    fn end(&mut self) -> u64 {
        self.waiting.push_back(0);
        self.forget_served();
        self.first + self.waiting.len() as u64 - 2
    }

    fn forget_served(&mut self) {
        while self.waiting.len() > 1 && self.waiting.front() == Some(&0) {
            self.waiting.pop_front();
            self.first += 1;
        }
    }
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
            generations: Generations { first: 1, waiting: VecDeque::from([0]) },
            barriers: VecDeque::new(),
            taken: 0,
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
            is_awaited: false,
        });
        if source.ticket == 0 || (comes_first && !source.is_first) {
            self.tickets += 1;
            (source.ticket, source.is_first) = (self.tickets, comes_first);
            let list = if comes_first { &mut self.first } else { &mut self.round };
            list.push_back((peer, self.tickets));
        }
        source.cost += cost;
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
            && *last < self.generations.first
        {
            return self.barriers.pop_front().map(|(_, request)| request);
        }
        loop {
            let peer = self.next()?;
            let Some(source) = self.sources.get_mut(&peer) else { continue };
            if source.credit <= 0 {
                source.credit += QUANTUM.cast_signed();
                self.go_on();
                continue;
            }
            let (generation, request) = source.requests.pop_front()?;
            self.taken = generation;
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

    /// Puts back what was taken and can't be served yet: it stays the first of its peer, whose turn is
    /// over.
    pub(crate) fn put_back(&mut self, request: Request, cost: usize) {
        let Some(source) = request.peer().and_then(|peer| self.sources.get_mut(&peer)) else {
            return;
        };
        source.cost += request.cost();
        self.cost += request.cost();
        source.requests.push_front((self.taken, request));
        source.credit = source.credit.min(0) - cost.cast_signed();
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::ShardId;
    use crate::table::Origin;
    use crate::wire::Vni;

    fn queue() -> FairQueue {
        FairQueue::new(RandomState::with_seeds(1, 2, 3, 4))
    }

    fn pull(peer: u64, subscription: u32) -> Request {
        Request::Pull { peer: PeerId(peer), vni: Vni(1), subscription }
    }

    fn subscribe(peer: u64) -> Request {
        let origin = Origin { peer: PeerId(peer), shard: ShardId(0), is_server: false };
        Request::Subscribe { origin, vni: Vni(1), received: crate::ids::Moment(0) }
    }

    fn fence() -> Request {
        Request::Confirm { epoch: 1 }
    }

    /// Whose request is served next, at a cost.
    fn serve(queue: &mut FairQueue, cost: usize) -> Option<u64> {
        let peer = queue.take()?.peer();
        queue.served(peer, cost);
        Some(peer.map_or(0, |peer| peer.0))
    }

    #[test]
    fn a_peer_with_little_waits_for_one_quantum_of_each_other() {
        let mut queue = queue();
        for n in 0..1000 {
            queue.push(pull(1, n));
            queue.push(pull(2, n));
        }
        for _ in 0..10 {
            serve(&mut queue, 1);
        }
        queue.push(pull(3, 0));
        let before = std::iter::from_fn(|| serve(&mut queue, 1)).take_while(|peer| *peer != 3);
        assert!(before.count() <= 2 * QUANTUM);
    }

    #[test]
    fn who_costs_much_pays_for_it_with_its_next_turns() {
        let mut queue = queue();
        for n in 0..100 {
            queue.push(pull(1, n));
            queue.push(pull(2, n));
        }
        let (mut dear, mut cheap) = (0, 0);
        for _ in 0..60 {
            let peer = queue.take().and_then(|request| request.peer());
            let (cost, total) =
                if peer == Some(PeerId(1)) { (8 * QUANTUM, &mut dear) } else { (16, &mut cheap) };
            queue.served(peer, cost);
            *total += cost;
        }
        assert!(dear <= cheap + 9 * QUANTUM, "{dear} and {cheap}");
    }

    #[test]
    fn subscribers_come_every_second_turn_but_not_before_what_they_sent() {
        let mut queue = queue();
        for peer in 1..=20 {
            for n in 0..1000 {
                queue.push(pull(peer, n));
            }
        }
        queue.push(pull(21, 0));
        queue.push(subscribe(21));
        let served = std::iter::from_fn(|| serve(&mut queue, 1)).take_while(|peer| *peer != 21);
        assert!(served.count() <= QUANTUM);
        assert!(matches!(queue.take(), Some(Request::Subscribe { .. })));
    }

    #[test]
    fn a_barrier_waits_for_what_was_there_and_holds_up_nothing() {
        let mut queue = queue();
        for n in 0..100 {
            queue.push(pull(1, n));
        }
        queue.push(fence());
        queue.push(pull(2, 0));
        let served: Vec<u64> = std::iter::from_fn(|| serve(&mut queue, 1)).collect();
        let place = |peer| served.iter().position(|served| *served == peer).unwrap();
        assert!(place(2) < place(0), "{served:?}");
        assert_eq!(served.iter().filter(|peer| **peer == 1).count(), 100);
        assert_eq!(served.last(), Some(&0));
    }

    #[test]
    fn an_ended_session_leaves_no_cost_and_no_barrier_waiting() {
        let mut queue = queue();
        for n in 0..100 {
            queue.push(pull(1, n));
        }
        queue.push(fence());
        queue.await_drained(PeerId(1));
        queue.forget(PeerId(1));
        assert_eq!((queue.cost(), queue.has(PeerId(1))), (0, false));
        assert_eq!(serve(&mut queue, 1), Some(0));
        assert!(queue.is_empty());
    }
}
