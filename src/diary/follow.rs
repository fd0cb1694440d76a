//! Logs a session that an operator follows: its messages, and the changes of its state.
//!
//! The bytes that the connection reads and writes are passed to this code too, which decodes them once more. So the
//! code that serves sessions is not involved, and a connection that is not followed pays for one pointer check per read
//! and write. The number of lines per second is bounded for each session, because a blocked log must not hold up a
//! shard for long.

use std::cell::Cell;
use std::net::SocketAddr;

use tracing::{debug, info, trace};

use super::limiter::Limiter;
use crate::ids::PeerId;
use crate::session::CloseReason;
use crate::shard::inspect::PeerInfo;
use crate::wire::{Action, Message, Reassembly};

/// The log target of followed sessions, with levels down to `trace`. Let a program's filter pass all of it: these lines
/// exist only for sessions that an operator follows ([`Inspector::follow`](crate::reflector::Inspector::follow)).
pub const FOLLOWED: &str = "metalbond::followed";

/// The most lines per second and session.
const LINES: u32 = 200;

/// How much is logged about a followed session.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Detail {
    /// A line for each read and each write, and for each change of the session's state.
    Summaries,
    /// In addition, a line for each message.
    Messages,
}

/// Logs one session.
#[derive(Debug)]
pub(crate) struct Follower {
    peer: PeerId,
    node: Box<str>,
    detail: Detail,
    received: Reassembly,
    sent: Reassembly,
    flow: FlowState,
    limiter: Limiter,
}

/// The state of a session's flow, logged when it changes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
struct FlowState {
    behind: u64,
    is_slow: bool,
    is_paced: bool,
    is_paused: bool,
}

/// The numbers of messages by kind.
#[derive(Debug, Default)]
struct Tally {
    adds: u64,
    removes: u64,
    others: Vec<String>,
}

impl Follower {
    /// For a session that an operator wants to follow from now on.
    pub(crate) fn begin(peer: PeerId, node: &str, remote: SocketAddr, detail: Detail) -> Self {
        info!(target: FOLLOWED, %peer, node, %remote, ?detail, "following");
        Self::new(peer, node, detail)
    }

    /// An operator wants to follow a session no more.
    pub(crate) fn end(peer: PeerId, node: &str) {
        info!(target: FOLLOWED, %peer, node, "following no more");
    }

    pub(crate) fn new(peer: PeerId, node: &str, detail: Detail) -> Self {
        Self {
            peer,
            node: node.into(),
            detail,
            received: Reassembly::default(),
            sent: Reassembly::default(),
            flow: FlowState::default(),
            limiter: Limiter::of(LINES),
        }
    }

    /// The session has ended.
    pub(crate) fn ended(&self, reason: &CloseReason) {
        let Self { peer, node, .. } = self;
        info!(target: FOLLOWED, %peer, node, %reason, "session ended, following no more");
    }

    pub(crate) fn peer(&self) -> PeerId {
        self.peer
    }

    pub(crate) fn detail(&self) -> Detail {
        self.detail
    }

    pub(crate) fn received(&mut self, bytes: &[u8]) {
        let tally = self.read(bytes, Direction::In);
        self.sum_up(&tally, bytes.len(), "received");
    }

    pub(crate) fn sent(&mut self, bytes: &[u8]) {
        let tally = self.read(bytes, Direction::Out);
        self.sum_up(&tally, bytes.len(), "sending");
    }

    fn sum_up(&self, tally: &Tally, bytes: usize, what: &str) {
        let Some(left_out) = allow(&self.limiter) else { return };
        let Tally { adds, removes, others } = tally;
        let others = (!others.is_empty()).then(|| others.join(", "));
        debug!(target: FOLLOWED, peer = %self.peer, node = self.node, bytes, adds, removes, others, left_out, "{what}");
    }

    fn read(&mut self, bytes: &[u8], direction: Direction) -> Tally {
        let (half, way) = match direction {
            Direction::In => (&mut self.received, "from the peer"),
            Direction::Out => (&mut self.sent, "to the peer"),
        };
        let mut tally = Tally::default();
        let says_all = Cell::new(self.detail == Detail::Messages);
        let (peer, node, limiter) = (self.peer, &self.node, &self.limiter);
        messages(half, bytes, |message| {
            if says_all.get()
                && let Some(left_out) = allow(limiter)
            {
                trace!(target: FOLLOWED, %peer, node, left_out, "{way}: {}", text(message));
            }
            tally.add(message);
        });
        tally
    }

    /// Logs the state that has changed since the last look.
    pub(crate) fn compare(&mut self, info: &PeerInfo) {
        let now = FlowState {
            behind: info.behind,
            is_slow: info.is_slow,
            is_paced: info.is_paced,
            is_paused: info.is_paused,
        };
        let before = std::mem::replace(&mut self.flow, now);
        if before == now {
            return;
        }
        let Some(left_out) = allow(&self.limiter) else { return };
        let mut changes = Vec::new();
        match (before.behind, now.behind) {
            (0, 1..) => changes.push("fell behind"),
            (1.., 0) => changes.push("has caught up"),
            _ => {}
        }
        let mut say = |before: bool, now: bool, begins, ends| {
            if before != now {
                changes.push(if now { begins } else { ends });
            }
        };
        say(before.is_slow, now.is_slow, "is slow", "is not slow any more");
        say(before.is_paced, now.is_paced, "is paced", "is not paced any more");
        say(before.is_paused, now.is_paused, "is not read from for now", "is read from again");
        if !changes.is_empty() {
            let (behind, backlog) = (now.behind, info.backlog);
            debug!(target: FOLLOWED, peer = %self.peer, node = self.node, behind, backlog, left_out, "{}", changes.join(", "));
        }
    }
}

/// Whether a line may be written: `Some` with the number of lines left out before it, if there were any.
fn allow(limiter: &Limiter) -> Option<Option<u64>> {
    limiter.allow().map(|left_out| (left_out > 0).then_some(left_out))
}

#[derive(Clone, Copy)]
enum Direction {
    In,
    Out,
}

/// Hands each complete message to `each`. An invalid one ends the session elsewhere;
/// here it ends the look at these bytes.
fn messages(half: &mut Reassembly, bytes: &[u8], mut each: impl FnMut(&Message)) {
    let mut frames = half.feed(bytes);
    loop {
        match frames.next() {
            Ok(Some(frame)) => {
                if let Ok(message) = Message::decode(&frame) {
                    each(&message);
                }
            }
            Ok(None) => return,
            Err(_) => return half.clear(),
        }
    }
}

impl Tally {
    fn add(&mut self, message: &Message) {
        match message {
            Message::Update(update) if update.action == Action::Add => self.adds += 1,
            Message::Update(_) => self.removes += 1,
            // One read may bring thousands of messages.
            other if self.others.len() < 8 => self.others.push(text(other)),
            _ => {}
        }
    }
}

fn text(message: &Message) -> String {
    match message {
        Message::Hello(hello) => {
            let (interval, is_server) = (hello.keepalive_interval, hello.is_server);
            format!("HELLO keepalive={interval}s is_server={is_server}")
        }
        Message::Keepalive => "KEEPALIVE".into(),
        Message::Goodbye => "GOODBYE".into(),
        Message::Subscribe(vni) => format!("SUBSCRIBE {vni}"),
        Message::Unsubscribe(vni) => format!("UNSUBSCRIBE {vni}"),
        Message::EndOfTable(vni) => format!("END_OF_TABLE {vni}"),
        Message::Report(report) => {
            format!("REPORT {} {} routes", report.vni, report.routes.routes)
        }
        Message::Update(update) => {
            let action = match update.action {
                Action::Add => "ADD",
                Action::Remove => "REMOVE",
            };
            format!("{action} {} {} via {}", update.vni, update.destination, update.next_hop)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Vni;

    #[test]
    fn messages_are_whole_wherever_reads_are_cut() {
        let sent = [
            Message::Subscribe(Vni(7)),
            Message::Keepalive,
            Message::EndOfTable(Vni(300)),
            Message::Keepalive,
        ];
        let mut bytes = Vec::new();
        sent.iter().for_each(|message| message.encode_into(&mut bytes));
        for length in 1..=bytes.len() {
            let (mut half, mut heard) = (Reassembly::default(), Vec::new());
            for piece in bytes.chunks(length) {
                messages(&mut half, piece, |message| heard.push(message.clone()));
            }
            assert_eq!(heard, sent, "pieces of {length}");
        }
    }

    #[test]
    fn what_is_no_message_ends_the_look_and_nothing_else() {
        let (mut half, mut heard) = (Reassembly::default(), 0);
        for bytes in [&[1, 0, 0][..], &[99, 2, 3], &[9; 2000], &[1, 0, 0, 2]] {
            messages(&mut half, bytes, |_| heard += 1);
        }
        assert_eq!(heard, 1);
    }
}
