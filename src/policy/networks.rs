//! [`Networks`]: networks of peers whose certificates prove several.
//!
//! State: sets of networks, each with a number; a set is never removed. Peers with the same set have the same number.
//! Reading takes no lock. Sets and networks are bounded; once a bound is reached, a peer with a new set owns only its
//! first network.

use std::collections::HashMap;
use std::sync::{Mutex, OnceLock, PoisonError};

/// The number of sets in one part, and the number of parts.
const PART: usize = 256;
const PARTS: usize = 256;
/// The most networks of all sets: 8 MiB.
const NETWORKS_MAX: usize = if cfg!(test) { 64 } else { 1 << 20 };

type Set = OnceLock<Box<[u64]>>;

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct Networks {
    parts: Box<[OnceLock<Box<[Set]>>]>,
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    numbers: HashMap<Box<[u64]>, u16>,
    networks: usize,
}

impl Default for Networks {
    fn default() -> Self {
        let parts = (0..PARTS).map(|_| OnceLock::new()).collect();
        Self { parts, known: Mutex::default() }
    }
}

impl Networks {
    /// The number of a set; 0 for the empty set, and when there is no room.
    pub(super) fn number(&self, mut set: Vec<u64>) -> u16 {
        set.sort_unstable();
        set.dedup();
        if set.is_empty() {
            return 0;
        }
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(number) = known.numbers.get(&*set) {
            return *number;
        }
        let total = known.networks + set.len();
        let Ok(number) = u16::try_from(known.numbers.len() + 1) else { return 0 };
        let Some(place) = self.parts.get(usize::from(number) / PART) else { return 0 };
        if total > NETWORKS_MAX {
            return 0;
        }
        let part = place.get_or_init(|| (0..PART).map(|_| OnceLock::new()).collect());
        let set: Box<[u64]> = set.into();
        if part[usize::from(number) % PART].set(set.clone()).is_err() {
            return 0;
        }
        known.networks = total;
        known.numbers.insert(set, number);
        number
    }

    /// A set in ascending order.
    pub(super) fn get(&self, number: u16) -> &[u64] {
        if number == 0 {
            return &[];
        }
        let part = self.parts.get(usize::from(number) / PART).and_then(OnceLock::get);
        let set = part.and_then(|part| part.get(usize::from(number) % PART)?.get());
        set.map_or(&[], |set| set)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_have_numbers_until_there_is_no_room() {
        let networks = Networks::default();
        assert_eq!((networks.number(Vec::new()), networks.get(0)), (0, &[][..]));
        let number = networks.number(vec![3, 1, 3]);
        assert_eq!((number, networks.get(number)), (1, &[1, 3][..]));
        assert_eq!(networks.number(vec![1, 3]), number, "it is the same set");
        assert_eq!(networks.get(2), &[0u64; 0][..]);
        let next = networks.number((0..62).collect());
        assert_eq!((next, networks.get(next).len()), (2, 62));
        assert_eq!(networks.number(vec![9]), 0, "64 are all");
        assert_eq!(networks.number(vec![1, 3]), number, "those that are there stay");
    }
}
