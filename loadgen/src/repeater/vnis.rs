//! Who is in which VNI, and which frames of a read are for each.

use std::io::IoSlice;
use std::ops::Range;

use metalbond::wire::{WireError, decode_update};

/// VNIs are below this: they have 24 bits in every network that carries them.
const VNI_END: usize = 1 << 24;

/// One VNI.
#[derive(Debug, Default)]
struct Vni {
    subscribers: Vec<usize>,
    /// The place of its frames in the present read, while they are contiguous.
    piece: Range<usize>,
    /// Its frames, if they are not contiguous.
    frames: Vec<u8>,
}

impl Vni {
    /// Whether the present read has no frame for it so far.
    #[inline]
    fn is_idle(&self) -> bool {
        self.piece.is_empty() && self.frames.is_empty()
    }

    /// Takes the next piece of a read.
    #[inline]
    fn take(&mut self, read: &[u8], piece: Range<usize>) {
        if self.is_idle() {
            self.piece = piece;
            return;
        }
        let before = std::mem::take(&mut self.piece);
        self.frames.extend_from_slice(&read[before]);
        self.frames.extend_from_slice(&read[piece]);
    }

    /// Its frames of a read.
    #[inline]
    fn frames<'a>(&'a self, read: &'a [u8]) -> &'a [u8] {
        if self.frames.is_empty() { &read[self.piece.clone()] } else { &self.frames }
    }
}

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct Vnis {
    /// The place in `vnis` of each VNI, from 1. Untouched pages take no memory.
    places: Vec<u32>,
    vnis: Vec<Vni>,
    /// Number of VNIs of each session.
    counts: Vec<u32>,
    /// Whether some session ever was in several VNIs.
    has_several: bool,
    /// The last piece of the present read, and the place of its VNI.
    piece: Option<(usize, Range<usize>)>,
    /// The VNIs of earlier pieces.
    touched: Vec<usize>,
    /// The receivers of the read: sessions, each with the place of its VNI.
    due: Vec<(usize, usize)>,
}

impl Vnis {
    pub(super) fn new() -> Self {
        Self {
            places: vec![0; VNI_END],
            vnis: Vec::new(),
            counts: Vec::new(),
            has_several: false,
            piece: None,
            touched: Vec::new(),
            due: Vec::new(),
        }
    }

    /// The place of a VNI, added if it is new. `None` when no VNI has that number.
    #[inline]
    fn place(&mut self, vni: u32) -> Option<usize> {
        let place = self.places.get_mut(vni as usize)?;
        if *place == 0 {
            self.vnis.push(Vni::default());
            *place = u32::try_from(self.vnis.len()).ok()?;
        }
        Some(*place as usize - 1)
    }

    /// Subscribes a session to a VNI.
    pub(super) fn subscribe(&mut self, session: usize, vni: u32) {
        let Some(place) = self.place(vni) else { return };
        let subscribers = &mut self.vnis[place].subscribers;
        if subscribers.contains(&session) {
            return;
        }
        subscribers.push(session);
        if self.counts.len() <= session {
            self.counts.resize(session + 1, 0);
        }
        self.counts[session] += 1;
        self.has_several |= self.counts[session] > 1;
    }

    /// Unsubscribes a session from a VNI.
    pub(super) fn unsubscribe(&mut self, session: usize, vni: u32) {
        let Some(place) = self.place(vni) else { return };
        self.leave(session, place);
    }

    /// Removes all subscriptions of a session.
    pub(super) fn remove(&mut self, session: usize) {
        for place in 0..self.vnis.len() {
            if self.counts.get(session).is_none_or(|count| *count == 0) {
                break;
            }
            self.leave(session, place);
        }
    }

    fn leave(&mut self, session: usize, place: usize) {
        let subscribers = &mut self.vnis[place].subscribers;
        if let Some(at) = subscribers.iter().position(|other| *other == session) {
            subscribers.swap_remove(at);
            self.counts[session] -= 1;
        }
    }

    /// Notes an UPDATE of the present read: its place, and its VNI.
    #[inline]
    pub(super) fn take(&mut self, read: &[u8], start: usize, end: usize, vni: u32) {
        // No session can subscribe to an invalid VNI.
        let Some(place) = self.place(vni) else { return };
        match &mut self.piece {
            Some((last, piece)) if *last == place && piece.end == start => piece.end = end,
            piece => {
                if let Some((place, piece)) = piece.replace((place, start..end)) {
                    self.keep(read, place, piece);
                }
            }
        }
    }

    /// Adds a piece to its VNI's frames.
    #[inline]
    fn keep(&mut self, read: &[u8], place: usize, piece: Range<usize>) {
        let vni = &mut self.vnis[place];
        if vni.is_idle() {
            self.touched.push(place);
        }
        vni.take(read, piece);
    }

    /// Ends a read: calls `send` once for each session that should get UPDATEs of it, except for the session that
    /// sent it.
    pub(super) fn send(
        &mut self,
        read: &[u8],
        from: usize,
        mut send: impl FnMut(usize, &[IoSlice<'_>]),
    ) {
        let Some((place, piece)) = self.piece.take() else { return };
        self.keep(read, place, piece);
        let Self { vnis, touched, due, has_several, .. } = self;
        due.clear();
        for place in touched.iter() {
            let others = vnis[*place].subscribers.iter().filter(|to| **to != from);
            due.extend(others.map(|to| (*to, *place)));
        }
        if *has_several {
            due.sort_unstable();
        }
        let mut slices = Vec::new();
        for due in due.chunk_by(|a, b| a.0 == b.0) {
            slices.clear();
            slices.extend(due.iter().map(|(_, place)| IoSlice::new(vnis[*place].frames(read))));
            send(due[0].0, &slices);
        }
        drop(slices);
        for place in touched.drain(..) {
            vnis[place].frames.clear();
            vnis[place].piece = 0..0;
        }
    }
}

/// The VNI in the payload of an UPDATE.
///
/// # Errors
/// An error when the payload is no UPDATE.
#[inline]
pub(super) fn vni_of(payload: &[u8]) -> Result<u32, WireError> {
    let rest = match payload {
        [0x08, 1, rest @ ..] => rest,
        _ => payload,
    };
    // The usual form of a VNI, in three bytes. Other forms are decoded in full.
    match rest {
        [0x10, a @ 0x80..=0xff, b @ 0x80..=0xff, c @ ..0x80, 0x1a, ..] => {
            Ok(u32::from(a & 0x7f) | u32::from(b & 0x7f) << 7 | u32::from(*c) << 14)
        }
        _ => decode_update(payload).map(|update| update.vni.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Plan;
    use metalbond::wire::{Action, split, whole_frames};

    /// The bytes that each session is sent of a read by `from`.
    fn sent(vnis: &mut Vnis, read: &[u8], from: usize) -> Vec<(usize, Vec<u8>)> {
        let mut used = 0;
        for frame in whole_frames(read) {
            let end = used + frame.len();
            vnis.take(read, used, end, vni_of(frame.payload).unwrap());
            used = end;
        }
        let mut sent = Vec::new();
        vnis.send(read, from, |to, slices| {
            sent.push((to, slices.iter().flat_map(|slice| slice.to_vec()).collect()));
        });
        sent.sort();
        sent
    }

    #[test]
    fn everyone_gets_the_updates_of_their_vnis_at_once() {
        let plan = Plan::own_hops(60, 3);
        let frames = |vni: u32| plan.frames(Action::Remove, (0..60).filter(|r| r % 3 == vni));
        let read = plan.frames(Action::Remove, 0..60);
        let mut vnis = Vnis::new();
        for (session, vni) in [(4, 0), (4, 0), (5, 0), (6, 1), (7, 2)] {
            vnis.subscribe(session, plan.vni(vni).0);
        }
        let each = [(4, frames(0)), (5, frames(0)), (6, frames(1)), (7, frames(2))];
        assert_eq!(sent(&mut vnis, &read, 9), each);
        assert_eq!(sent(&mut vnis, &read, 4), each[1..], "its own are not sent back");
        assert_eq!(sent(&mut vnis, &frames(1), 9), [(6, frames(1))]);
        let runs = [frames(1), frames(2), frames(1)].concat();
        let both = [frames(1), frames(1)].concat();
        assert_eq!(sent(&mut vnis, &runs, 9), [(6, both), (7, frames(2))]);
        vnis.subscribe(4, plan.vni(2).0);
        vnis.unsubscribe(6, plan.vni(1).0);
        vnis.remove(5);
        let both = [frames(0), frames(2)].concat();
        assert_eq!(sent(&mut vnis, &read, 9), [(4, both), (7, frames(2))]);
        assert_eq!(sent(&mut vnis, &frames(1), 9), []);
    }

    #[test]
    fn vnis_are_read_whatever_they_look_like() {
        for vni in [0, 1, 127, 128, 16_383, 16_384, 200_000, 1 << 21, (1 << 24) - 1, u32::MAX] {
            for action in [Action::Add, Action::Remove] {
                let (destination, hop) = sample();
                let mut bytes = Vec::new();
                let vni = metalbond::wire::Vni(vni);
                metalbond::wire::encode_update(&mut bytes, action, vni, &destination, &hop);
                let frame = split(&bytes).unwrap().unwrap();
                assert_eq!(vni_of(frame.payload).ok(), Some(vni.0));
            }
        }
        assert!(vni_of(&[0xff]).is_err());
    }

    fn sample() -> (metalbond::wire::Destination, metalbond::wire::NextHop) {
        let bytes = Plan::own_hops(1, 1).frames(Action::Add, [0]);
        let frame = split(&bytes).unwrap().unwrap();
        let update = decode_update(frame.payload).unwrap();
        (update.destination, update.next_hop)
    }
}
