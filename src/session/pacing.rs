//! How fast the reflector sends to a deployed client (`docs/protocol.md`, "Pacing").
//!
//! The reference client takes each read for a run of whole messages, and closes its session when one read returns
//! 65,535 bytes. So a peer that does not advertise STREAM gets whole messages, one segment at a time, and no more than
//! it can be seen to read. The window of its connection shows what it reads ([`evidence`]), and so does the time of
//! acknowledgements ([`echo`]).
//!
//! The pacer sends at full speed while at most [`UNREAD`] bytes are not proven to be read, then ever more slowly, and
//! from [`UNREAD_MAX`] on one message a second. A client shows what it has read only with a later acknowledgement, and a
//! window that has shrunk hides it. After [`Limits::trial`] without any proof, the pacer assumes that the peer reads,
//! and sends at a pace by the clock: either the edge of the window soon moves on, or the buffer becomes full, which
//! proves that the peer reads nothing.
//!
//! If the window can prove nothing at all, the pace is by the clock from the first byte ([`timed`]).
//!
//! One gap remains: a client that reads nothing for longer than the trial although its window was not small may be sent
//! more than it survives. The reflector would soon close its session in any case.
//!
//! Cost: the kernel is asked ([`TcpInfo`]) once in [`ROUND`] bytes, and for each send while the window grows or nothing
//! is proven.

mod cut;
mod echo;
mod evidence;
#[cfg(feature = "server")]
mod portable;
mod timed;

use std::time::Duration;

use cut::COAX;
pub(crate) use cut::Cut;
use echo::{Echo, Next};
use evidence::{Evidence, Seen};
pub(crate) use timed::PACE;
use timed::Timed;

use super::tcp_info::TcpInfo;
use crate::ids::Moment;
use crate::wire::MAX_FRAME;

/// The number of bytes that a peer may perhaps have unread before it gets more only slowly.
const UNREAD: u64 = 32 * 1024;
/// Further steps: while fewer bytes than this may be unread, one segment in each such time.
const SLOWER: [(u64, Duration); 3] = [
    (40 * 1024, Duration::from_millis(160)),
    (48 * 1024, Duration::from_millis(500)),
    (UNREAD_MAX, Duration::from_secs(1)),
];
/// The time between whole segments while nothing has been proven since the window grew, and the window is not much
/// smaller: 3.4 KB/s. A peer that stops reading then for 6 s survives.
const GROWING: Duration = Duration::from_millis(400);
const DIP_FRESH: u64 = 12 * 1024;
/// From this many bytes on, single messages go, one in a second.
const UNREAD_MAX: u64 = 54 * 1024;
/// The number of such messages; then they go ever more rarely, so that even those of years do not fill one read.
const PROBED: u32 = 60;
/// The number of bytes after which to look again.
const ROUND: u64 = 4 * 1024;
/// The number of segments on their way at once. A receiver that gets more than ten in a round trip lets its buffer
/// grow, after which its window proves nothing for a while.
const FLIGHT: u64 = 9;
/// The most bytes in a segment.
const SEGMENT_MAX: usize = 1400;
/// Bytes on their way while the window grows, or while nothing is proven.
const ON_THE_WAY: u64 = 4 * 1024;
/// A peer that is assumed to read at the pace by the clock, without any proof of that, gets this fraction of it.
const TRIAL_SLOWER: u64 = 4;
/// From this round trip on a probe has several messages, because only few probes fit into a second.
const FAR: Duration = Duration::from_millis(10);
/// The length of a long message: whole segments may be shorter than the longest by this much.
const MESSAGE: u64 = 64;
/// How soon to look again whether a peer has read; the time grows while it has not.
const LOOK_MIN: Duration = Duration::from_millis(1);
const LOOK_MAX: Duration = Duration::from_millis(20);
/// After this time without room one message finds out whether the peer has read; the next one waits twice
/// as long, until segments go.
const PROBE_AFTER: Duration = Duration::from_millis(4);
const PROBES: u32 = 5;
/// For a pace by the clock: if the window is smaller than the largest recent one by this much, the pace is
/// divided by [`SLOWED`], because a peer whose buffer fills must be assumed not to read.
const DIP: u64 = 16 * 1024;
const SLOWED: u64 = 16;
const OF_LATE: Duration = Duration::from_secs(10);

/// What the caller may send now.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Allowance {
    /// One record of this length.
    Send(Cut),
    /// Nothing before this moment.
    WaitUntil(Moment),
}

/// Why a peer's TCP window does not show whether the peer reads.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NoEvidence {
    /// The kernel of this host does not report the window.
    Untold,
    /// The connection has no window scale option: the window stays at 65,535 however much the peer reads.
    NoScale,
    /// The window is the largest that the scale can express.
    Largest,
    /// The window is 0 although the peer acknowledges bytes.
    Zero,
    /// The window moves in steps longer than a segment.
    Coarse,
}

impl NoEvidence {
    /// The reason in one sentence, with a hint for the operator.
    #[must_use]
    pub fn reason(self) -> &'static str {
        match self {
            Self::Untold => "the kernel of the reflector does not tell the window (TCP_INFO)",
            Self::NoScale => {
                "no window scale option (net.ipv4.tcp_window_scaling=0, SYN cookies, or a middlebox)"
            }
            Self::Largest => "the window is the largest that TCP can express",
            Self::Zero => "the window is 0 although bytes are acknowledged (a sandbox or a proxy)",
            Self::Coarse => "the window scale is too coarse (net.core.rmem_max of the client)",
        }
    }
}

/// The times and rates of pacing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Limits {
    /// The pace by the clock, in bytes per second.
    pub(crate) pace: u64,
    /// A peer without proof that it reads is assumed to read at that pace after this time.
    pub(crate) trial: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self { pace: PACE, trial: Duration::from_secs(20) }
    }
}

/// The pace of one peer.
#[derive(Debug)]
pub(crate) struct Pacer {
    limits: Limits,
    evidence: Evidence,
    echo: Echo,
    timed: Timed,
    /// The reason why the pace is by the clock, if it is.
    unproven: Option<NoEvidence>,
    is_by_the_clock: bool,
    /// The largest segment, zero before the first look; the length of the first whole segment.
    mss: usize,
    whole: Option<usize>,
    /// The length of the last segment, if the receiver was to measure it.
    last: Option<usize>,
    /// Bytes sent since the last look, and bytes that were not acknowledged at that look.
    looked: u64,
    unacked: u64,
    /// Whether the last acknowledged bytes have made the window grow.
    coaxes: bool,
    /// When the peer was last proven to have read, or had room, and the bytes that had been sent in all by then.
    taken: Moment,
    sent_then: u64,
    /// How many probes were sent since, and when the last one was.
    probes: u32,
    probed: Moment,
    /// Whether its buffer is full, or must be because so many bytes were sent without effect.
    is_full: bool,
    /// The number of looks in a row at a window of 0, and the acknowledged bytes at the first of them.
    zeros: (u32, u64),
    /// The largest windows of the time before the present one and of the present one, and when this began.
    peaks: (u64, u64, Moment),
    next: Moment,
}

impl Pacer {
    pub(crate) fn new(now: Moment, limits: Limits) -> Self {
        Self {
            limits,
            evidence: Evidence::default(),
            echo: Echo::new(now),
            timed: Timed::new(limits.pace, now),
            unproven: None,
            is_by_the_clock: false,
            mss: 0,
            whole: None,
            last: None,
            looked: 0,
            unacked: 0,
            coaxes: false,
            taken: now,
            sent_then: 0,
            probes: 0,
            probed: now,
            is_full: false,
            zeros: (0, 0),
            peaks: (0, 0, now),
            next: now,
        }
    }

    /// What the caller may send at `now`. Asks `look` only when it must.
    pub(crate) fn allow(
        &mut self,
        now: Moment,
        look: &mut dyn FnMut() -> Option<TcpInfo>,
    ) -> Allowance {
        if self.next > now {
            return Allowance::WaitUntil(self.next);
        }
        if self.unproven.is_none() && self.mss > 0 && self.has_room() && self.looked < ROUND {
            return self.send(now);
        }
        let tcp_info = look();
        self.looked = 0;
        if self.unproven.is_none() {
            self.unproven = self.doubt(tcp_info);
        }
        self.is_by_the_clock = self.unproven.is_some();
        let Some(tcp_info) = tcp_info.filter(|tcp_info| tcp_info.window.is_some()) else {
            return self.by_the_clock(now, 0, 1);
        };
        let window = u64::from(tcp_info.window.unwrap_or(0));
        if self.unproven.is_some() {
            let slower = if self.dips(now, window) { SLOWED } else { 1 };
            return self.by_the_clock(now, tcp_info.unacked, slower);
        }
        let seen = self.evidence.update(tcp_info, window, unit(tcp_info));
        let Seen { unacked, has_moved, grew, is_proof } = seen;
        self.unacked = unacked;
        if has_moved {
            self.coaxes = grew && !self.evidence.is_settled();
        }
        if is_proof {
            self.note_progress(now);
        }
        self.is_full = unacked > 0 && window < self.segment() as u64;
        if self.is_full {
            return self.look_again(now, LOOK_MAX);
        }
        if (!self.evidence.is_settled() && unacked >= ON_THE_WAY) || self.is_far_ahead() {
            return self.look_again(now, LOOK_MAX);
        }
        if !self.has_room()
            && let Some(round_trip) = tcp_info.round_trip
        {
            match self.echo.next(now, unacked, round_trip) {
                Next::Send => {
                    self.probed = now;
                    let is_far = round_trip >= FAR;
                    return Allowance::Send(if is_far { Cut::Most(COAX - 1) } else { Cut::One });
                }
                Next::Wait => return self.look_again(now, LOOK_MAX),
                Next::Proof => {
                    self.evidence.all_is_read();
                    self.note_progress(now);
                }
                Next::Nothing => {}
            }
        }
        if self.has_room() { self.send(now) } else { self.send_slowly(now, unacked, window) }
    }

    /// Notes sent bytes, control messages included.
    pub(crate) fn sent(&mut self, bytes: usize) {
        let length = bytes as u64;
        self.looked += length;
        if self.is_by_the_clock {
            self.timed.sent(length);
        }
        if self.unproven.is_none() {
            self.evidence.sent(length);
        }
        self.last = (bytes > cut::PART).then_some(bytes);
        if self.last > self.whole {
            self.whole = self.last;
        }
    }

    /// Bytes sent in all while the window was evidence.
    #[cfg(test)]
    pub(crate) fn sent_in_all(&self) -> u64 {
        self.evidence.sent_in_all()
    }

    /// The reason why the window is no evidence, so that the pace is by the clock; `None` if it is evidence.
    pub(crate) fn unproven(&self) -> Option<NoEvidence> {
        self.unproven
    }

    /// The time since which the peer has read nothing, if that is proven.
    pub(crate) fn stuck_since(&self) -> Option<Moment> {
        (self.unproven.is_none() && self.is_full).then_some(self.taken)
    }

    /// The reason why looks at the window prove nothing and never will.
    fn doubt(&mut self, tcp_info: Option<TcpInfo>) -> Option<NoEvidence> {
        let Some((tcp_info, window)) =
            tcp_info.and_then(|tcp_info| Some((tcp_info, tcp_info.window?)))
        else {
            return Some(NoEvidence::Untold);
        };
        if tcp_info.mss == 0 {
            return Some(NoEvidence::Untold);
        }
        let Some(scale) = tcp_info.scale else { return Some(NoEvidence::NoScale) };
        self.mss = usize::try_from(tcp_info.mss).unwrap_or(MAX_FRAME);
        if self.whole.is_some_and(|whole| whole > self.mss) {
            self.whole = None;
        }
        let unit = unit(tcp_info);
        if u64::from(window) + unit > 65_535 << scale.min(14) {
            return Some(NoEvidence::Largest);
        }
        if unit + MESSAGE > self.segment() as u64 {
            return Some(NoEvidence::Coarse);
        }
        let confirmed = (self.evidence.sent_in_all() + 1).saturating_sub(tcp_info.unacked);
        match (window, self.zeros) {
            (0, (0, _)) => self.zeros = (1, confirmed),
            (0, (looks, first)) => {
                self.zeros = (looks.saturating_add(1), first);
                if looks >= 3 && confirmed > first {
                    return Some(NoEvidence::Zero);
                }
            }
            _ => self.zeros = (0, 0),
        }
        None
    }

    /// The length of a whole segment.
    fn segment(&self) -> usize {
        self.whole.unwrap_or(SEGMENT_MAX).min(self.mss)
    }

    fn has_room(&self) -> bool {
        let is_settled = self.evidence.is_settled() || self.looked == 0;
        let segment = self.segment() as u64;
        is_settled && self.evidence.unread() + segment <= UNREAD && !self.is_far_ahead()
    }

    /// Whether enough bytes are on their way.
    fn is_far_ahead(&self) -> bool {
        self.unacked + self.looked >= FLIGHT * self.segment() as u64
    }

    fn note_progress(&mut self, now: Moment) {
        (self.taken, self.probed) = (now, now);
        self.sent_then = self.evidence.sent_in_all();
        self.probes = 0;
        self.echo.reset(now);
    }

    fn send(&mut self, now: Moment) -> Allowance {
        self.note_progress(now);
        Allowance::Send(self.cut())
    }

    /// A record that makes a growing window grow; otherwise one that finds out whether the window grows.
    fn cut(&self) -> Cut {
        if self.coaxes {
            return Cut::Coax;
        }
        Cut::Segment { whole: self.whole, last: self.last, max: SEGMENT_MAX.min(self.mss) }
    }

    /// The allowance when more bytes may be unread than go at full speed.
    fn send_slowly(&mut self, now: Moment, unacked: u64, window: u64) -> Allowance {
        let stalled = now.since(self.taken);
        let dip = self.evidence.largest_window().saturating_sub(window);
        if stalled >= self.limits.trial {
            let without_effect = self.evidence.sent_in_all() - self.sent_then;
            let largest = self.evidence.largest_window();
            let most = (largest * 3 / 4).min(1 << 20) + 64 * 1024;
            self.is_full = without_effect >= most && dip >= without_effect.min(largest) / 8;
            if !self.is_full {
                self.is_by_the_clock = true;
                return match self.by_the_clock(now, unacked, TRIAL_SLOWER) {
                    Allowance::Send(_) => Allowance::Send(self.cut()),
                    wait @ Allowance::WaitUntil(_) => wait,
                };
            }
        }
        let unread = self.evidence.unread();
        let step = SLOWER.iter().find(|(most, _)| unread < *most).map(|(_, every)| *every);
        let first = PROBE_AFTER * (1 << self.probes.min(PROBES));
        let cut = self.cut();
        let is_fresh = self.evidence.is_fresh() && dip < DIP_FRESH;
        let every = match (step, cut) {
            (_, Cut::Coax) if is_fresh => GROWING / 8,
            _ if is_fresh => step.map_or(GROWING, |every| GROWING.min(every)),
            (Some(every), _) => every,
            (None, _) => Duration::from_secs(1).max(stalled / PROBED),
        };
        let every = if self.probes < PROBES { first.min(every) } else { every };
        let due = self.probed + every;
        if now < due {
            return self.look_again(now, due.since(now));
        }
        if unacked >= ON_THE_WAY {
            return self.look_again(now, LOOK_MAX);
        }
        self.probes = self.probes.saturating_add(1);
        self.probed = now;
        let is_probe = !is_fresh && (step.is_none() || self.probes <= PROBES);
        Allowance::Send(if is_probe { Cut::One } else { cut })
    }

    fn by_the_clock(&mut self, now: Moment, unacked: u64, slower: u64) -> Allowance {
        if unacked > self.timed.in_flight_max() {
            return self.look_again(now, LOOK_MAX);
        }
        match self.timed.allow(now, slower) {
            Ok(bytes) => Allowance::Send(Cut::Most(bytes)),
            Err(then) => {
                self.next = then;
                Allowance::WaitUntil(then)
            }
        }
    }

    /// Whether a window is much smaller than the largest recent one.
    fn dips(&mut self, now: Moment, window: u64) -> bool {
        let (before, present, began) = &mut self.peaks;
        if now.since(*began) >= OF_LATE {
            (*before, *present, *began) = (*present, 0, now);
        }
        *present = window.max(*present);
        window + DIP < *present.max(before)
    }

    fn look_again(&mut self, now: Moment, most: Duration) -> Allowance {
        let waited = now.since(self.probed);
        self.next = now + (waited / 8).clamp(LOOK_MIN, LOOK_MAX).min(most).max(LOOK_MIN);
        Allowance::WaitUntil(self.next)
    }
}

/// The step in which the window moves, in bytes.
fn unit(tcp_info: TcpInfo) -> u64 {
    1 << tcp_info.scale.unwrap_or(0).min(14)
}

#[cfg(test)]
mod tests;
