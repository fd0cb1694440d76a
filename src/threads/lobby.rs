//! Connections before their HELLO, and the number of sessions.
//!
//! Before its HELLO a connection is no session: it has a place in the lobby and does not count against `--max-peers`. A
//! peer sends its HELLO at once, so only silent connections stay in the lobby; when it is full, the oldest of them is
//! closed. The acceptor lets connections in, and shards take them out; both change the same atomic numbers.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use crate::ids::PeerId;
use crate::relaxed::Relaxed;
use crate::session::CloseReason;

/// The smallest and the largest number of places in the lobby. Between them the lobby has a place for each session that
/// there may be, because all leaves may connect at once.
const ROOM: std::ops::RangeInclusive<u64> = 64..=Lobby::ROOM_MAX;

/// The states of a connection.
const WAITING: u8 = 0;
const SESSION: u8 = 1;
const GONE: u8 = 2;

/// See the module's documentation.
#[derive(Debug)]
pub(crate) struct Lobby {
    waiting: Relaxed,
    sessions: Relaxed,
    max_sessions: Relaxed,
}

impl Lobby {
    /// The largest number of places in the lobby.
    pub(crate) const ROOM_MAX: u64 = 4096;

    pub(crate) fn new(max_sessions: u64) -> Self {
        Self {
            waiting: Relaxed::new(0),
            sessions: Relaxed::new(0),
            max_sessions: Relaxed::new(max_sessions),
        }
    }

    /// Sets the largest number of sessions; present sessions stay.
    pub(crate) fn set_max(&self, max_sessions: u64) {
        self.max_sessions.set(max_sessions);
    }

    /// The number of connections that have sent a HELLO.
    pub(crate) fn sessions(&self) -> u64 {
        self.sessions.get()
    }

    /// Whether there may be another session.
    ///
    /// # Errors
    /// [`CloseReason::MaxPeers`]
    pub(crate) fn check(&self) -> Result<(), CloseReason> {
        let max = self.max_sessions.get();
        if self.sessions() < max { Ok(()) } else { Err(CloseReason::MaxPeers(max)) }
    }

    fn is_overfull(&self) -> bool {
        let max = self.max_sessions.get();
        self.waiting.get() > max.clamp(*ROOM.start(), *ROOM.end())
    }
}

/// A connection's place, first in the lobby and then among the sessions. It is free again when this is dropped.
#[derive(Debug)]
pub(crate) struct Seat {
    lobby: Arc<Lobby>,
    state: Arc<AtomicU8>,
}

impl Seat {
    /// The HELLO has arrived: from now on the connection is a session.
    ///
    /// # Errors
    /// [`CloseReason::MaxPeers`], if there are as many sessions as there may be.
    pub(crate) fn begin(&self) -> Result<(), CloseReason> {
        let max = self.lobby.max_sessions.get();
        let more = |sessions| (sessions < max).then_some(sessions + 1);
        if self.lobby.sessions.update(more).is_err() {
            return Err(CloseReason::MaxPeers(max));
        }
        self.state.store(SESSION, Ordering::Relaxed);
        self.lobby.waiting.subtract(1);
        Ok(())
    }
}

impl Seat {
    /// The connection has been a session in another process, and stays one, whatever the limit of this process.
    pub(crate) fn go_on(&self) {
        self.lobby.sessions.add(1);
        self.state.store(SESSION, Ordering::Relaxed);
        self.lobby.waiting.subtract(1);
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let count = match self.state.swap(GONE, Ordering::Relaxed) {
            WAITING => &self.lobby.waiting,
            _ => &self.lobby.sessions,
        };
        count.subtract(1);
    }
}

/// The acceptor's list of the connections in the lobby, the oldest first.
#[derive(Debug)]
pub(crate) struct Queue {
    lobby: Arc<Lobby>,
    /// Connections, the shards that hold them, and their states. Some of these have left the lobby.
    entries: VecDeque<(PeerId, usize, Arc<AtomicU8>)>,
    /// The number of entries at which those that have left the lobby are removed.
    sweep_at: usize,
}

impl Queue {
    pub(crate) fn new(lobby: Arc<Lobby>) -> Self {
        Self { lobby, entries: VecDeque::new(), sweep_at: 0 }
    }

    /// Lets a connection of this shard in.
    pub(crate) fn enter(&mut self, peer: PeerId, shard: usize) -> Seat {
        if self.entries.len() > self.sweep_at {
            self.entries.retain(|(_, _, state)| is_waiting(state));
            // As many entries again must come before the next removal, so each entry pays for a constant share of it.
            self.sweep_at = 2 * self.entries.len() + 64;
        }
        let state = Arc::new(AtomicU8::new(WAITING));
        self.entries.push_back((peer, shard, Arc::clone(&state)));
        self.lobby.waiting.add(1);
        Seat { lobby: Arc::clone(&self.lobby), state }
    }

    /// If more connections wait than there are places: takes out the one that has waited longest, with its shard.
    pub(crate) fn take_surplus(&mut self) -> Option<(PeerId, usize)> {
        if self.lobby.is_overfull() { self.take_oldest() } else { None }
    }

    /// Takes out the connection that has waited longest, with its shard.
    pub(crate) fn take_oldest(&mut self) -> Option<(PeerId, usize)> {
        while let Some((peer, shard, state)) = self.entries.pop_front() {
            if is_waiting(&state) {
                return Some((peer, shard));
            }
        }
        None
    }
}

fn is_waiting(state: &AtomicU8) -> bool {
    state.load(Ordering::Relaxed) == WAITING
}

#[cfg(test)]
mod tests {
    use super::*;

    fn queue(max_sessions: u64) -> (Arc<Lobby>, Queue) {
        let lobby = Arc::new(Lobby::new(max_sessions));
        (Arc::clone(&lobby), Queue::new(lobby))
    }

    #[test]
    fn the_oldest_that_waits_goes_when_there_is_no_room() {
        let (lobby, mut queue) = queue(100);
        let mut seats: Vec<_> = (0..100).map(|n| queue.enter(PeerId(n), 0)).collect();
        assert_eq!(queue.take_surplus(), None);
        // One connection has become a session, and one has ended.
        seats[0].begin().unwrap();
        drop(seats.remove(1));
        seats.extend((100..102).map(|n| queue.enter(PeerId(n), 1)));
        assert_eq!((queue.take_surplus(), lobby.sessions()), (None, 1));
        seats.push(queue.enter(PeerId(102), 1));
        assert_eq!(queue.take_surplus(), Some((PeerId(2), 0)));
        drop(seats);
        assert_eq!((queue.take_oldest(), lobby.sessions()), (None, 0));
        assert_eq!(lobby.waiting.get(), 0);
    }

    #[test]
    fn there_are_never_more_sessions_than_there_may_be() {
        let (lobby, mut queue) = queue(2);
        let seats: Vec<_> = (0..3).map(|n| queue.enter(PeerId(n), 0)).collect();
        assert_eq!(lobby.check(), Ok(()));
        for seat in &seats[..2] {
            assert_eq!(seat.begin(), Ok(()));
        }
        assert_eq!(seats[2].begin(), Err(CloseReason::MaxPeers(2)));
        assert_eq!(lobby.check(), Err(CloseReason::MaxPeers(2)));
        lobby.set_max(3);
        assert_eq!(seats[2].begin(), Ok(()));
    }

    #[test]
    fn memory_is_bounded_by_those_that_wait() {
        let (_, mut queue) = queue(100);
        let _waits = queue.enter(PeerId(0), 0);
        for n in 1..100_000 {
            drop(queue.enter(PeerId(n), 0));
        }
        assert!(queue.entries.len() < 200, "{}", queue.entries.len());
        assert_eq!(queue.take_oldest(), Some((PeerId(0), 0)));
    }
}
