//! One subscriber, as the thread that reads it sees it.

use std::net::TcpStream;
use std::time::Instant;

use metalbond::wire::{Frames, MessageType, Reassembly};
use rustix::net::{RecvFlags, SendFlags, recv, send};

use super::interest::Watch;
use super::shared::{Pursuit, Reading, Subscriber};
use super::timing::Stopwatch;
use crate::catalogue::Catalogue;
use crate::ledger::Ledger;
use crate::live;

/// The size of the deployed Go client's buffer: a read that fills it ends the client's session.
const GO_READ: usize = 65_535;

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct SubscriberSession {
    /// `None` when the session has ended.
    pub(super) stream: Option<TcpStream>,
    /// The number of the peer whose view it should get.
    pub(super) peer: usize,
    pub(super) keeps_alive: bool,
    is_timed: bool,
    pub(super) reading: Reading,
    watch: Option<Watch>,
    input: Reassembly,
    pub(super) ledger: Ledger,
    tables: u32,
    /// The time of its last measured read, and the longest time between two reads, in ns.
    read_at: Option<u64>,
    pub(super) longest_silence: u64,
    pub(super) reads: u64,
    /// Whether loadgen has ended it.
    pub(super) is_dismissed: bool,
    /// The number of the goal that it has reached.
    pub(super) reached: u32,
    /// When it reached the goal.
    pub(super) reached_at: Option<Instant>,
}

/// The result of a read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Read {
    /// This number of UPDATEs.
    Updates(u64),
    /// The session is over.
    Lost,
}

impl SubscriberSession {
    pub(super) fn new(subscriber: Subscriber, routes: &Catalogue) -> Self {
        Self {
            stream: Some(subscriber.stream),
            peer: subscriber.peer,
            keeps_alive: subscriber.keeps_alive,
            is_timed: subscriber.is_timed,
            reading: subscriber.reading,
            watch: subscriber.interest.map(Watch::new),
            input: Reassembly::default(),
            ledger: Ledger::new(routes.len()),
            tables: 0,
            read_at: None,
            longest_silence: 0,
            reads: 0,
            is_dismissed: false,
            reached: 0,
            reached_at: None,
        }
    }

    /// Reads once, at most as much as fits into the buffer.
    pub(super) fn read(
        &mut self,
        routes: &Catalogue,
        buffer: &mut [u8],
        stopwatch: Option<&mut Stopwatch>,
    ) -> Read {
        let Some(stream) = &self.stream else { return Read::Updates(0) };
        let is_go_client = self.reading != Reading::Stream;
        let most = if is_go_client { GO_READ.min(buffer.len()) } else { buffer.len() };
        let buffer = &mut buffer[..most];
        let bytes = match recv(stream, &mut *buffer, RecvFlags::DONTWAIT) {
            Ok((0, _)) => return Read::Lost,
            Ok((n, _)) => &buffer[..n],
            Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => return Read::Updates(0),
            Err(_) => return Read::Lost,
        };
        self.reads += 1;
        let Self { input, ledger, tables, watch, is_timed, read_at, longest_silence, .. } = self;
        let before = ledger.updates;
        let length = bytes.len();
        let frames = input.feed(bytes);
        let is_valid = match (watch, stopwatch.filter(|_| *is_timed)) {
            (None, None) => take(frames, tables, |payload| ledger.update(routes, payload)),
            (Some(watch), _) => take(frames, tables, |payload| watch.update(ledger, payload)),
            (None, Some(stopwatch)) => {
                let mut lap = stopwatch.lap();
                if let Some(now) = lap.measured_at() {
                    let silence =
                        read_at.replace(now).map_or(0, |before| now.saturating_sub(before));
                    *longest_silence = silence.max(*longest_silence);
                }
                take(frames, tables, |payload| {
                    let recognised = routes.recognise(payload);
                    if let Some((action, Some(route))) = recognised {
                        lap.record(action, route);
                    }
                    ledger.apply(recognised)
                })
            }
        };
        let updates = ledger.updates - before;
        if is_go_client && (length == GO_READ || input.kept() > 0) {
            let what = if length == GO_READ { "65,535 bytes" } else { "a part of a message" };
            live::say(&format!(
                "loadgen: a read of a Go client returned {what}, which ends its session"
            ));
            return Read::Lost;
        }
        if !is_valid {
            self.ledger.faults.garbage += 1;
            return Read::Lost;
        }
        Read::Updates(updates)
    }

    /// Writes if there is room; a broken session shows when it is read.
    pub(super) fn try_write(&self, frame: &[u8]) {
        if let Some(stream) = &self.stream {
            send(stream, frame, SendFlags::DONTWAIT | SendFlags::NOSIGNAL).ok();
        }
    }

    /// Whether it has reached the goal.
    pub(super) fn is_at(&mut self, pursuit: &Pursuit) -> bool {
        let Some(goal) = &pursuit.goal else { return false };
        if let Some(watch) = &mut self.watch {
            watch.look_at_all(&mut self.ledger);
        }
        goal.tables.is_none_or(|tables| self.tables == tables)
            && self.ledger.held.digest() == goal.views.of(self.peer)
    }
}

/// Takes all whole messages; `false` when one is invalid.
#[inline]
fn take(mut frames: Frames<'_>, tables: &mut u32, mut update: impl FnMut(&[u8]) -> bool) -> bool {
    loop {
        match frames.next() {
            Ok(Some(frame)) => match frame.kind {
                MessageType::Update if !update(frame.payload) => return false,
                MessageType::EndOfTable => *tables += 1,
                _ => {}
            },
            Ok(None) => return true,
            Err(_) => return false,
        }
    }
}
