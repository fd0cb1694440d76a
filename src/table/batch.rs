//! Encoded updates that many subscribers share.
//!
//! A batch holds the frames that nearly every subscriber is owed, once, and beside them *cuts*: for
//! the few peers that are owed something else (an announcer does not get its own route; it does
//! get it when somebody else announces it too), what to leave out and what to put in. So a
//! subscriber costs a reference, and a subscriber that also announces costs its own routes.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;

use super::frames::Frames;
use super::tally::Tally;
use super::view::View;
use crate::ids::{Moment, PeerId};
use crate::policy::Echo;
use crate::wire::{Action, Destination, NextHop, NextHopType, UpdateEncoder, Vni};

/// About the length of a frame, in bytes; buffers are made for this length.
pub(super) const FRAME: usize = 48;

/// The kind of peer that a batch is for; see [`View::has_client`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Audience {
    Clients,
    Servers,
    /// Clients that receive one next hop of each destination.
    Choosers,
}

impl Audience {
    pub(crate) const ALL: [Self; 3] = [Self::Clients, Self::Servers, Self::Choosers];

    /// The index in an array with one value for each audience.
    #[inline]
    pub(super) fn index(self) -> usize {
        self as usize
    }
}

/// A difference between one peer's bytes and the shared ones, or a part about its own route. Offsets are into the
/// shared bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Cut {
    /// Bytes about the peer's own route, which it does not get.
    Skip(Range<u32>, Tally),
    /// Bytes about the peer's own route, which it gets nevertheless.
    Keep(Range<u32>),
    /// Bytes that only this peer gets: a range of the private bytes, to go before offset `at`.
    Insert { at: u32, private: Range<u32>, tally: Tally },
}

/// Encoded updates of one VNI. Immutable; shared by reference within and between shards.
#[derive(Debug)]
pub(crate) struct Batch {
    pub(crate) vni: Vni,
    /// The journal position from which the batch brings a subscriber on. Meaningless in a batch that
    /// answers one peer's catch-up.
    pub(crate) start: u64,
    /// The newest earlier change of any destination in the batch: a subscriber that has not been sent
    /// everything up to and including that position is owed the two changes as one.
    pub(crate) latest_prev: Option<u64>,
    /// When the first of its updates was received. Meaningless like `start`.
    pub(crate) received: Moment,
    /// The updates in the shared bytes.
    pub(crate) tally: Tally,
    bytes: Bytes,
    private: Bytes,
    /// Sorted by peer, then by offset.
    cuts: Vec<(PeerId, Cut)>,
    /// In a batch for clients: a server announces one of these routes, or did, so servers get another batch.
    is_of_servers: bool,
    /// In a batch for clients: clients that receive one next hop of each destination get another batch.
    is_of_choice: bool,
}

impl Batch {
    /// This batch for clients, as a batch for another audience; `None` if that audience gets another batch.
    pub(super) fn for_audience(self: &Arc<Self>, audience: Audience) -> Option<Arc<Self>> {
        match audience {
            Audience::Clients => None,
            Audience::Servers => self.for_servers(),
            Audience::Choosers => (!self.is_of_choice).then(|| Arc::clone(self)),
        }
    }

    /// This batch for clients, as a batch for servers; `None` if servers get another batch.
    fn for_servers(&self) -> Option<Arc<Self>> {
        if self.is_of_servers || self.bytes.is_empty() {
            return None;
        }
        let Self { vni, start, latest_prev, received, tally, .. } = *self;
        let (bytes, private, cuts) = (self.bytes.clone(), Bytes::new(), Vec::new());
        let (is_of_servers, is_of_choice) = (false, true);
        Some(Arc::new(Self {
            vni,
            start,
            latest_prev,
            received,
            tally,
            bytes,
            private,
            cuts,
            is_of_servers,
            is_of_choice,
        }))
    }

    /// Messages that answer one peer's catch-up.
    pub(crate) fn of_messages(vni: Vni, messages: Bytes) -> Self {
        Self {
            vni,
            start: 0,
            latest_prev: None,
            received: Moment::default(),
            tally: Tally::of(&messages),
            bytes: messages,
            private: Bytes::new(),
            cuts: Vec::new(),
            is_of_servers: true,
            is_of_choice: true,
        }
    }

    /// The length of the shared bytes.
    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Gives the bytes that `peer` is owed to `piece`, in order. Returns the number of their updates. A peer
    /// without cuts gets one piece; no copies.
    pub(crate) fn for_each_piece(&self, peer: PeerId, mut piece: impl FnMut(Bytes)) -> Tally {
        let from = self.cuts.partition_point(|(p, _)| *p < peer);
        let mut at = 0;
        let mut tally = self.tally;
        let mut rest = &self.cuts[from..];
        let mut emit = |bytes: &Bytes, range: Range<usize>| {
            if !range.is_empty() {
                piece(bytes.slice(range));
            }
        };
        while let Some(((p, cut), tail)) = rest.split_first() {
            if *p != peer {
                break;
            }
            match cut {
                Cut::Skip(range, skipped) => {
                    tally -= *skipped;
                    emit(&self.bytes, at..range.start as usize);
                    at = range.end as usize;
                }
                Cut::Keep(_) => {}
                Cut::Insert { at: before, private, tally: inserted } => {
                    tally += *inserted;
                    emit(&self.bytes, at..*before as usize);
                    at = *before as usize;
                    emit(&self.private, private.start as usize..private.end as usize);
                }
            }
            rest = tail;
        }
        emit(&self.bytes, at..self.bytes.len());
        tally
    }

    /// The shared bytes, which nearly all peers get.
    pub(crate) fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// Parts of the shared bytes that are about one peer's own routes, with that peer.
    pub(crate) fn own_parts(&self) -> impl Iterator<Item = (Range<u32>, PeerId)> + '_ {
        self.cuts.iter().filter_map(|(peer, cut)| match cut {
            Cut::Skip(range, _) | Cut::Keep(range) => Some((range.clone(), *peer)),
            Cut::Insert { .. } => None,
        })
    }
}

/// Builds one [`Batch`].
#[derive(Debug)]
pub(crate) struct BatchBuilder {
    vni: Vni,
    encoder: UpdateEncoder,
    audience: Audience,
    bytes: Frames,
    private: Frames,
    tally: Tally,
    cuts: Vec<(PeerId, Cut)>,
    /// Whether a server announces one of the routes, or did.
    has_server: bool,
    /// Whether one of the destinations has several STANDARD routes, or had.
    has_choice: bool,
    /// The last part of the bytes, if it is about one peer's own routes.
    own: Option<Own>,
}

/// A part about one peer's own routes, from offset `start` to the end, with the tally before it.
#[derive(Debug)]
struct Own {
    peer: PeerId,
    /// Whether the peer gets this part nevertheless.
    is_kept: bool,
    start: usize,
    tally: Tally,
}

/// A member as a builder knows it.
#[derive(Clone, Copy)]
pub(crate) struct Announcer {
    pub(crate) peer: PeerId,
    pub(crate) echo: Echo,
}

/// A route and the change of its view, as a builder takes it.
pub(crate) struct Change<'a> {
    pub(crate) destination: &'a Destination,
    pub(crate) next_hop: NextHop,
    pub(crate) before: View,
    pub(crate) after: View,
}

impl Change<'_> {
    fn identity(&self) -> (&Destination, &NextHop) {
        (self.destination, &self.next_hop)
    }
}

/// A source of a builder that can take another message.
pub(super) trait Sink {
    fn builder(&mut self) -> &mut BatchBuilder;
}

impl Sink for BatchBuilder {
    fn builder(&mut self) -> &mut BatchBuilder {
        self
    }
}

impl BatchBuilder {
    pub(crate) fn new(vni: Vni, audience: Audience, capacity: usize) -> Self {
        Self {
            vni,
            encoder: UpdateEncoder::new(vni),
            audience,
            bytes: Frames::with_room(capacity),
            private: Frames::default(),
            tally: Tally::default(),
            cuts: Vec::new(),
            has_server: false,
            has_choice: false,
            own: None,
        }
    }

    /// The audience of the batch.
    pub(super) fn audience(&self) -> Audience {
        self.audience
    }

    /// Notes that a destination with several STANDARD routes is encoded next.
    pub(super) fn note_choice(&mut self) {
        self.has_choice = true;
    }

    /// Bytes encoded so far.
    pub(crate) fn len(&self) -> usize {
        self.bytes.len() + self.private.len()
    }

    /// Encodes the withdrawals that a change means: a withdrawal for all when the last announcer left, and for one
    /// peer when that peer has become the only announcer. `announcer` gives the peer of a member.
    #[inline]
    pub(crate) fn withdraw(&mut self, change: &Change<'_>, announcer: impl Fn(u32) -> Announcer) {
        let (before, after) = (change.before.plain(), change.after.plain());
        match self.audience {
            Audience::Servers => {
                if before.has_client() && !after.has_client() {
                    self.common(Action::Remove, change, None);
                }
            }
            _ if before == after || !before.is_announced() => {}
            Audience::Clients | Audience::Choosers => {
                self.has_server |= is_of_server(before) || is_of_server(after);
                // Compare peers, not members: a peer that left and came back is another member.
                let was = before.sole_member().map(&announcer);
                if !after.is_announced() {
                    self.common(Action::Remove, change, was);
                } else if let Some(only) = after.sole_member().map(&announcer)
                    && was.is_none_or(|was| was.peer != only.peer)
                    && !only.echo.returns(Action::Remove, change.next_hop.kind())
                {
                    self.only(Action::Remove, change.identity(), only.peer);
                }
            }
        }
    }

    /// Encodes the announcements that a change means: an announcement for all when the first announcer came, and for
    /// one peer when that peer is no longer the only announcer.
    #[inline]
    pub(crate) fn announce(&mut self, change: &Change<'_>, announcer: impl Fn(u32) -> Announcer) {
        let (before, after) = (change.before.plain(), change.after.plain());
        match self.audience {
            Audience::Servers => {
                if after.has_client() && !before.has_client() {
                    self.common(Action::Add, change, None);
                }
            }
            _ if before == after || !after.is_announced() => {}
            Audience::Clients | Audience::Choosers => {
                self.has_server |= is_of_server(before) || is_of_server(after);
                let is = after.sole_member().map(&announcer);
                if !before.is_announced() {
                    self.common(Action::Add, change, is);
                } else if let Some(only) = before.sole_member().map(&announcer)
                    && is.is_none_or(|is| is.peer != only.peer)
                    && !only.echo.returns(Action::Add, change.next_hop.kind())
                {
                    self.only(Action::Add, change.identity(), only.peer);
                }
            }
        }
    }

    /// Encodes the change of a route that only one peer announces, before or after it. The route must be no
    /// default route and have a plain next hop over IPv6. The announcer comes with whether it is a client.
    #[inline]
    pub(crate) fn usual(
        &mut self,
        action: Action,
        destination: &Destination,
        hop: &[u8; 16],
        (announcer, is_client): (Announcer, bool),
    ) {
        let own = match self.audience {
            Audience::Servers if !is_client => return,
            Audience::Servers => None,
            Audience::Clients | Audience::Choosers => Some(announcer),
        };
        self.has_server |= !is_client;
        self.begin_own(own, action, NextHopType::Standard);
        self.bytes.push_usual(&self.encoder, action, destination, hop);
        self.tally += Tally::one(action);
    }

    fn common(&mut self, action: Action, change: &Change<'_>, own: Option<Announcer>) {
        self.begin_own(own, action, change.next_hop.kind());
        self.bytes.push(&self.encoder, action, change.destination, &change.next_hop);
        self.tally += Tally::one(action);
    }

    /// Encodes a route for all peers but some.
    pub(super) fn choice(
        &mut self,
        action: Action,
        (destination, hop): (&Destination, &NextHop),
        except: impl Iterator<Item = PeerId>,
    ) {
        self.end_own();
        let start = offset(&self.bytes);
        self.bytes.push(&self.encoder, action, destination, hop);
        let tally = Tally::one(action);
        self.tally += tally;
        let range = start..offset(&self.bytes);
        self.cuts.extend(except.map(|peer| (peer, Cut::Skip(range.clone(), tally))));
    }

    /// Encodes a route for one peer alone.
    pub(super) fn only(
        &mut self,
        action: Action,
        (destination, hop): (&Destination, &NextHop),
        peer: PeerId,
    ) {
        self.end_own();
        let start = offset(&self.private);
        self.private.push(&self.encoder, action, destination, hop);
        let private = start..offset(&self.private);
        let tally = Tally::one(action);
        self.cuts.push((peer, Cut::Insert { at: offset(&self.bytes), private, tally }));
    }

    /// Notes that an update about a peer's own route is encoded next.
    #[inline]
    fn begin_own(&mut self, own: Option<Announcer>, action: Action, kind: NextHopType) {
        let own = own.map(|Announcer { peer, echo }| (peer, echo.returns(action, kind)));
        if self.own.as_ref().map(|own| (own.peer, own.is_kept)) != own {
            self.end_own();
            let (start, tally) = (self.bytes.len(), self.tally);
            self.own = own.map(|(peer, is_kept)| Own { peer, is_kept, start, tally });
        }
    }

    fn end_own(&mut self) {
        let Some(Own { peer, is_kept, start, tally }) = self.own.take() else { return };
        let mut own = self.tally;
        own -= tally;
        let range = to_u32(start)..offset(&self.bytes);
        self.cuts.push((peer, if is_kept { Cut::Keep(range) } else { Cut::Skip(range, own) }));
    }

    /// Finishes the batch; `None` when no peer is owed anything.
    pub(crate) fn finish(mut self, start: u64, prev: Option<u64>) -> Option<Batch> {
        if self.len() == 0 {
            return None;
        }
        self.end_own();
        if self.cuts.len() > 1 {
            self.cuts.sort_by_key(|(peer, _)| *peer);
        }
        Some(Batch {
            vni: self.vni,
            start,
            latest_prev: prev,
            received: Moment::default(),
            tally: self.tally,
            bytes: self.bytes.into_bytes(),
            private: self.private.into_bytes(),
            cuts: self.cuts,
            is_of_servers: self.has_server,
            is_of_choice: self.has_choice,
        })
    }
}

/// Whether a route of this view is announced by servers alone: servers do not receive it, and clients do.
fn is_of_server(view: View) -> bool {
    view.is_announced() && !view.has_client()
}

/// The length of a buffer as an offset. Batches are bounded to a few hundred kilobytes.
fn offset(frames: &Frames) -> u32 {
    to_u32(frames.len())
}

fn to_u32(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
