//! UPDATE frames of one VNI: read one by one, and cut where one ends.

use bytes::Bytes;

use crate::table::Announcement;
use crate::wire::{Update, Vni, front_update, split};

/// Frames that hold anything but UPDATEs of their VNI.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Poisoned;

/// Hands each UPDATE to `each`, in order; also the UPDATEs before a poisoned frame.
pub(super) fn read(
    mut bytes: &[u8],
    vni: Vni,
    mut each: impl FnMut(Announcement),
) -> Result<(), Poisoned> {
    while !bytes.is_empty() {
        let (update, length) = front_update(bytes).ok_or(Poisoned)?;
        let Update { action, vni: own, destination, next_hop } = update;
        if own != vni {
            return Err(Poisoned);
        }
        each(Announcement { action, destination, next_hop });
        bytes = &bytes[length..];
    }
    Ok(())
}

/// Cuts whole frames into pieces of at most `most` bytes, or of one frame. An incomplete frame goes with
/// the last piece.
pub(super) fn pieces(mut frames: Bytes, most: usize) -> impl Iterator<Item = Bytes> {
    std::iter::from_fn(move || {
        if frames.is_empty() {
            return None;
        }
        let mut end = 0;
        while frames.len() > most
            && let Ok(Some(frame)) = split(&frames[end..])
            && (end == 0 || end + frame.len() <= most)
        {
            end += frame.len();
        }
        let end = if end == 0 { frames.len() } else { end };
        Some(frames.split_to(end))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{Action, Destination, NextHop, encode_update};

    fn frames(vni: u32, count: u8) -> Bytes {
        let mut bytes = Vec::new();
        for number in 0..count {
            let destination = Destination::new([10, 0, number, 0].into(), 24).expect("a prefix");
            let hop = NextHop::standard(std::net::Ipv6Addr::LOCALHOST.into());
            encode_update(&mut bytes, Action::Add, Vni(vni), &destination, &hop);
        }
        bytes.into()
    }

    fn count(bytes: &[u8], vni: u32) -> (usize, Result<(), Poisoned>) {
        let mut count = 0;
        let result = read(bytes, Vni(vni), |_| count += 1);
        (count, result)
    }

    #[test]
    fn all_are_read_and_what_is_of_another_vni_or_no_frame_is_poison() {
        let good = frames(7, 5);
        assert_eq!(count(&good, 7), (5, Ok(())));
        assert_eq!(count(&good, 8), (0, Err(Poisoned)));
        assert_eq!(count(&good[..good.len() - 1], 7), (4, Err(Poisoned)));
        assert_eq!(count(&[&good[..], &[1, 0, 0, 2]].concat(), 7), (5, Err(Poisoned)));
        assert_eq!(count(&[], 7), (0, Ok(())));
    }

    #[test]
    fn pieces_hold_whole_frames_and_all_of_them() {
        let all = frames(7, 100);
        let one = frames(7, 1).len();
        for most in [1, one, one + 1, 3 * one, all.len(), all.len() + 1] {
            let pieces: Vec<Bytes> = pieces(all.clone(), most).collect();
            assert_eq!(pieces.concat(), all);
            for piece in pieces {
                assert!(piece.len() <= most.max(one));
                assert_eq!(count(&piece, 7), (piece.len() / one, Ok(())));
            }
        }
    }
}
