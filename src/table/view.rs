//! What subscribers see of a route, and one change of that.

use super::slab::NONE;

/// How subscribers see a route: which member, if any, is its only announcer.
///
/// Peer *s* has the route in its view when some peer other than *s* announces it (`docs/protocol.md`, "What a
/// subscriber is owed"). These three cases decide that without a look at the announcers themselves.
/// The top bit says whether some announcer is a client: servers see only such routes. The bit below says whether the
/// route is its destination's preferred one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct View(u32);

const CLIENT: u32 = 1 << 31;
/// The route is its destination's preferred one; see `choice`.
const PREFERRED: u32 = 1 << 30;
const MANY: u32 = 1;

impl View {
    /// No member announces it.
    pub(crate) const NOBODY: Self = Self(0);

    /// Exactly one member announces it.
    pub(crate) fn sole(member: u32, is_server: bool) -> Self {
        Self((member + 2) | if is_server { 0 } else { CLIENT })
    }

    /// Two or more members announce it.
    pub(crate) fn many(any_client: bool) -> Self {
        Self(MANY | if any_client { CLIENT } else { 0 })
    }

    /// The same view, with or without preference.
    #[inline]
    pub(crate) fn preferred(self, is_preferred: bool) -> Self {
        if is_preferred { Self(self.0 | PREFERRED) } else { self }
    }

    /// Whether it is the preferred one.
    pub(crate) fn is_preferred(self) -> bool {
        self.0 & PREFERRED != 0
    }

    /// The same view without preference: subscribers that receive every route see no more.
    #[inline]
    pub(crate) fn plain(self) -> Self {
        Self(self.0 & !PREFERRED)
    }

    /// Whether any member announces it.
    pub(crate) fn is_announced(self) -> bool {
        self != Self::NOBODY
    }

    /// Whether a client announces it.
    pub(crate) fn has_client(self) -> bool {
        self.0 & CLIENT != 0
    }

    /// The same with another number for its member. `MANY` and `NOBODY` have none.
    pub(crate) fn renumbered(self, number: impl Fn(u32) -> u32) -> Self {
        let renumbered = self.sole_member().map(|it| Self::sole(number(it), !self.has_client()));
        renumbered.map_or(self, |view| view.preferred(self.is_preferred()))
    }

    /// The view for the portable form, which stores preference apart.
    pub(crate) fn to_bits(self) -> u32 {
        self.plain().0
    }

    /// The view of [`View::to_bits`].
    pub(crate) fn from_bits(bits: u32) -> Self {
        Self(bits).plain()
    }

    /// The only announcer, when there is exactly one.
    pub(crate) fn sole_member(self) -> Option<u32> {
        (self.0 & !(CLIENT | PREFERRED)).checked_sub(2)
    }
}

/// One change.
#[derive(Clone, Copy, Debug)]
pub(crate) struct JournalEntry {
    pub(crate) route: u32,
    pub(crate) before: View,
    /// Distance to the previous change of the same destination, 0 for none.
    pub(super) prev: u32,
    /// Distance to the next change of the same destination, 0 for none so far; with [`ENDS`].
    pub(super) next: u32,
}

/// In an entry's link: the route may be withdrawn, and no later entry may say so. When such an entry is forgotten, the
/// table looks at the route, which is in no cache by then if the table is large. It need not look for all other
/// entries: a change of the same route follows them, or they say that it was announced.
pub(super) const ENDS: u32 = 1 << 31;

impl JournalEntry {
    /// The content of a removed entry's place.
    pub(super) const NOTHING: Self = Self { route: NONE, before: View::NOBODY, prev: 0, next: 0 };

    /// Whether its destination changed neither before it, back to `since`, nor after it. The entry is at
    /// `position`.
    #[inline]
    pub(crate) fn is_lone(&self, position: u64, since: u64) -> bool {
        self.next & !ENDS == 0 && (self.prev == 0 || position - u64::from(self.prev) < since)
    }

    /// Whether its route may be withdrawn, with no later entry.
    #[inline]
    pub(super) fn ends(&self) -> bool {
        self.next & ENDS != 0
    }

    /// Links it to the next change of its destination.
    #[inline]
    pub(super) fn set_next(&mut self, distance: u32) {
        self.next = self.next & ENDS | distance;
    }

    /// Whether the entry was removed.
    #[inline]
    pub(super) fn is_nothing(&self) -> bool {
        self.route == NONE
    }
}
