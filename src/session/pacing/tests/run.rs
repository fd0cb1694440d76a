//! One run: a sender that paces, a path, a receiver and a client that reads, in virtual time.

use std::collections::VecDeque;

use super::super::*;
use super::receiver::{Ack, Receiver, Traits};
use crate::simulation::Rng;

/// The size of a read. A read that fills it would end the session; 60,000 bytes already fail the run.
const READ: u64 = 65_535;
/// A run that takes longer has failed, in microseconds.
const END: u64 = 600_000_000;

/// How the client reads.
#[derive(Clone, Debug)]
pub(super) struct Habits {
    /// Its largest delay.
    pub(super) late: usize,
    /// The time that it needs for a message, in microseconds.
    pub(super) per_message: u64,
    /// How many of 10,000 reads are followed by a stop, and of how many microseconds at most.
    pub(super) stops: (usize, usize),
}

/// All settings of a run.
#[derive(Clone, Debug)]
pub(super) struct Script {
    pub(super) traits: Traits,
    pub(super) habits: Habits,
    /// How long a segment is on its way, in microseconds.
    pub(super) one_way: u64,
    /// The window scale that the sender's kernel knows, and whether this kernel reports nothing.
    pub(super) scale: Option<u8>,
    pub(super) is_blind: bool,
    /// The lengths of messages, which follow each other at random, and the number of messages.
    pub(super) messages: Vec<usize>,
    pub(super) count: usize,
    pub(super) limits: Limits,
}

/// The outcome of a run.
#[derive(Clone, Copy, Default, Debug)]
pub(super) struct Outcome {
    /// When everything had been read, in microseconds.
    pub(super) end: u64,
    pub(super) longest_read: u64,
    /// The longest time in which less than a KiB came to a client that waited for it.
    pub(super) stall: u64,
    /// By how much its windows have shrunk in all.
    pub(super) shrunk: u64,
    pub(super) unproven: Option<NoEvidence>,
}

/// Plays a script. `Err` holds the reason of a failure.
pub(super) fn play(script: &Script, rng: &mut Rng) -> Result<Outcome, String> {
    World::new(script, rng).play()
}

struct World<'a> {
    script: &'a Script,
    rng: &'a mut Rng,
    now: u64,
    pacer: Pacer,
    /// The ends of the messages that have not been sent, relative to `sent`.
    waiting: VecDeque<usize>,
    sent: u64,
    /// Segments written but not sent because the window is shut; and when the kernel asks again.
    held: VecDeque<u64>,
    flown: u64,
    persist: Option<u64>,
    segments: VecDeque<(u64, u64)>,
    acks: VecDeque<(u64, Ack)>,
    known: Ack,
    edge: u64,
    receiver: Receiver,
    /// When the client next reads if there is something, and when it was last busy for long.
    reads: u64,
    starved: u64,
    /// When the last KiB was full, and the bytes that came since.
    last_kib: (u64, u64),
    poll: u64,
    outcome: Outcome,
}

impl<'a> World<'a> {
    fn new(script: &'a Script, rng: &'a mut Rng) -> Self {
        let receiver = Receiver::new(script.traits.clone(), Rng::new(rng.next()));
        let waiting = (0..script.count).map(|_| *rng.pick(&script.messages)).collect();
        Self {
            now: 0,
            pacer: Pacer::new(Moment(0), script.limits),
            waiting,
            sent: 0,
            held: VecDeque::new(),
            flown: 0,
            persist: None,
            segments: VecDeque::new(),
            acks: VecDeque::new(),
            known: receiver.first_ack(),
            edge: receiver.first_ack().window,
            receiver,
            reads: 0,
            starved: 0,
            last_kib: (0, 0),
            poll: 0,
            outcome: Outcome::default(),
            script,
            rng,
        }
    }

    fn play(mut self) -> Result<Outcome, String> {
        while !self.waiting.is_empty() || self.receiver.read < self.sent {
            let send = if self.waiting.is_empty() { u64::MAX } else { self.poll };
            let read = if self.receiver.unread() > 0 { self.reads } else { u64::MAX };
            let next = [
                send,
                read,
                self.segments.front().map_or(u64::MAX, |(at, _)| *at),
                self.acks.front().map_or(u64::MAX, |(at, _)| *at),
                self.receiver.ack_due().unwrap_or(u64::MAX),
                self.persist.unwrap_or(u64::MAX),
            ];
            let at = next.into_iter().min().unwrap_or(0);
            self.now = self.now.max(at);
            if self.now > END {
                return Err(format!("{} messages left after {END} us", self.waiting.len()));
            }
            match next.iter().position(|&then| then == at) {
                Some(0) => self.send(),
                Some(1) => self.read()?,
                Some(2) => self.arrive(),
                Some(3) => self.hear(),
                Some(4) => self.acknowledge(),
                _ => self.ask(),
            }
        }
        Ok(Outcome {
            end: self.now,
            shrunk: self.receiver.lost,
            unproven: self.pacer.unproven(),
            ..self.outcome
        })
    }

    fn send(&mut self) {
        let Script { is_blind, scale, ref traits, .. } = *self.script;
        let tcp_info = TcpInfo {
            mss: u32::try_from(traits.mss).unwrap(),
            window: Some(u32::try_from(self.known.window).unwrap()),
            scale,
            unacked: self.sent - self.known.acked,
            acked: self.known.acked,
            round_trip: Some(Duration::from_micros(2 * self.script.one_way)),
        };
        let nothing = TcpInfo { mss: 0, window: Some(0), scale: None, acked: 0, ..tcp_info };
        let mut look = || Some(if is_blind { nothing } else { tcp_info });
        match self.pacer.allow(Moment(self.now), &mut look) {
            Allowance::WaitUntil(then) => {
                assert!(then.0 > self.now, "waiting must move time on");
                // A timer is late.
                self.poll = then.0 + self.rng.below(1000) as u64;
            }
            Allowance::Send(cut) => {
                let mut end = 0;
                let ends = self.waiting.iter().map(|length| {
                    end += length;
                    end
                });
                let length = cut.choose(ends);
                assert!((1..=traits.mss).contains(&(length as u64)), "{cut:?}");
                let mut left = length;
                while left > 0 {
                    left -= self.waiting.pop_front().unwrap();
                }
                self.pacer.sent(length);
                self.sent += length as u64;
                self.held.push_back(length as u64);
                self.transmit();
                self.poll = self.now + 12; // a segment at a Gbit/s
            }
        }
    }

    /// Sends the segments that the window has room for.
    fn transmit(&mut self) {
        while let Some(length) = self.held.front().copied()
            && (self.flown + length <= self.edge || self.script.traits.fixed == Some(0))
        {
            self.held.pop_front();
            self.flown += length;
            self.segments.push_back((self.now + self.script.one_way, length));
        }
        let is_shut = !self.held.is_empty() && self.flown == self.known.acked;
        self.persist = is_shut.then_some(self.now + 200_000);
    }

    fn arrive(&mut self) {
        let Some((_, length)) = self.segments.pop_front() else { return };
        self.last_kib.1 += length;
        if self.receiver.unread() == 0 {
            if self.reads < self.now {
                let since = self.last_kib.0.max(self.starved);
                self.outcome.stall = self.outcome.stall.max(self.now - since);
            }
            let late = self.rng.below(self.script.habits.late + 1) as u64;
            self.reads = self.reads.max(self.now + late);
        }
        if self.last_kib.1 >= 1024 {
            self.last_kib = (self.now, 0);
        }
        if let Some(ack) = self.receiver.receive(self.now, length) {
            self.acks.push_back((self.now + self.script.one_way, ack));
        }
    }

    fn read(&mut self) -> Result<(), String> {
        // The receiver does not measure a round trip below a tenth of a millisecond.
        let round_trip = (2 * self.script.one_way).max(100);
        let (length, ack) = self.receiver.read(self.now, READ, round_trip);
        self.acks.extend(ack.map(|ack| (self.now + self.script.one_way, ack)));
        self.outcome.longest_read = self.outcome.longest_read.max(length);
        if length >= 60_000 {
            return Err(format!("a read of {length} bytes after {} us", self.now));
        }
        let Habits { per_message, stops: (often, longest), .. } = self.script.habits;
        let mean = self.script.messages.iter().sum::<usize>() / self.script.messages.len();
        self.reads = self.now + length / mean as u64 * per_message;
        if self.rng.below(10_000) < often {
            self.reads += self.rng.below(longest) as u64;
        }
        if self.reads > self.now + 20_000 || length > 1024 {
            self.starved = self.reads;
        }
        Ok(())
    }

    fn hear(&mut self) {
        let Some((_, ack)) = self.acks.pop_front() else { return };
        if ack.acked >= self.known.acked {
            self.known = ack;
            self.edge = self.edge.max(ack.acked + ack.window);
        }
        self.transmit();
    }

    fn acknowledge(&mut self) {
        let ack = self.receiver.acknowledge();
        self.acks.push_back((self.now + self.script.one_way, ack));
    }

    /// The kernel asks a peer whose window is shut.
    fn ask(&mut self) {
        self.persist = Some(self.now + 200_000);
        let ack = self.receiver.acknowledge();
        self.acks.push_back((self.now + 2 * self.script.one_way, ack));
    }
}
