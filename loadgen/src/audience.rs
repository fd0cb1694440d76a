//! The VNIs of each session.

use std::collections::HashMap;

use crate::rng::Rng;

/// Deals out VNIs by their numbers: every peer gets `each` different VNIs, or all if there are fewer, and
/// every VNI goes to equally many peers, give or take one.
pub(crate) fn deal(peers: u32, vnis: u32, each: u32, rng: &mut Rng) -> Vec<Vec<u32>> {
    let each = each.min(vnis);
    // A deck of all VNIs is dealt out completely before it is shuffled again.
    let mut deck: Vec<u32> = Vec::new();
    // The last peer that got each VNI, from 1.
    let mut holder = vec![0u32; vnis as usize];
    let mut hand = |peer: u32| {
        let (mut hand, mut twice) = (Vec::with_capacity(each as usize), Vec::new());
        while hand.len() < each as usize {
            let Some(vni) = deck.pop() else {
                deck.extend(0..vnis);
                rng.shuffle(&mut deck);
                continue;
            };
            if holder[vni as usize] == peer {
                twice.push(vni); // left for another peer
                continue;
            }
            holder[vni as usize] = peer;
            hand.push(vni);
        }
        deck.append(&mut twice);
        hand.sort_unstable();
        hand
    };
    (1..=peers).map(&mut hand).collect()
}

/// Sessions that only subscribe, in groups with the same VNIs.
#[derive(Debug)]
pub(crate) struct Audience {
    /// The VNIs of each group, by their numbers.
    groups: Vec<Vec<u32>>,
    /// The group of each session.
    sessions: Vec<usize>,
    each: u32,
}

impl Audience {
    /// Every session is in all VNIs.
    pub(crate) fn whole(sessions: usize, vnis: u32) -> Self {
        Self { groups: vec![(0..vnis).collect()], sessions: vec![0; sessions], each: vnis }
    }

    /// Every session is in some VNIs, dealt out by [`deal`].
    ///
    /// # Errors
    /// One sentence, when there would be too many subscriptions.
    pub(crate) fn dealt(sessions: u32, vnis: u32, each: u32, seed: u64) -> Result<Self, String> {
        if each >= vnis {
            return Ok(Self::whole(sessions as usize, vnis));
        }
        if u64::from(sessions) * u64::from(each) > 1 << 26 {
            return Err(
                "too many subscriptions in total: lower --subscribers or --vnis-per-peer".into()
            );
        }
        let mut groups: Vec<Vec<u32>> = Vec::new();
        let mut numbers = HashMap::new();
        let sessions = deal(sessions, vnis, each, &mut Rng::new(seed)).into_iter().map(|vnis| {
            *numbers.entry(vnis).or_insert_with_key(|vnis| {
                groups.push(vnis.clone());
                groups.len() - 1
            })
        });
        let sessions = sessions.collect();
        Ok(Self { groups, sessions, each })
    }

    /// Number of sessions.
    pub(crate) fn len(&self) -> usize {
        self.sessions.len()
    }

    /// Number of VNIs of each session.
    pub(crate) fn each(&self) -> u32 {
        self.each
    }

    /// The VNIs of each group, and its number of sessions.
    pub(crate) fn groups(&self) -> impl Iterator<Item = (&[u32], u64)> {
        let mut sizes = vec![0; self.groups.len()];
        self.sessions.iter().for_each(|group| sizes[*group] += 1);
        self.groups.iter().map(Vec::as_slice).zip(sizes)
    }

    /// The group of each session, and its VNIs.
    pub(crate) fn sessions(&self) -> impl Iterator<Item = (usize, &[u32])> {
        self.sessions.iter().map(|group| (*group, self.groups[*group].as_slice()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vnis_are_dealt_out_evenly() {
        for (peers, vnis, each) in [(10, 6, 3), (64, 16, 1), (64, 16, 4), (7, 5, 4), (9, 2, 5)] {
            let mut taken = vec![0; vnis as usize];
            for hand in deal(peers, vnis, each, &mut Rng::new(5)) {
                assert!(hand.len() == each.min(vnis) as usize);
                assert!(hand.is_sorted_by(|a, b| a < b), "{hand:?}");
                hand.iter().for_each(|vni| taken[*vni as usize] += 1);
            }
            let (least, most) = (taken.iter().min().unwrap(), taken.iter().max().unwrap());
            assert!(most - least <= 1, "{taken:?}");
        }
    }

    #[test]
    fn sessions_in_the_same_vnis_are_one_group() {
        let audience = Audience::dealt(64, 16, 1, 1).unwrap();
        let mut groups: Vec<_> =
            audience.groups().map(|(vnis, sessions)| (vnis.to_vec(), sessions)).collect();
        groups.sort();
        assert!(groups.into_iter().eq((0..16).map(|vni| (vec![vni], 4))));
        let whole = Audience::dealt(5, 3, 3, 1).unwrap();
        assert!(whole.groups().eq([(&[0, 1, 2][..], 5)]));
        assert_eq!((whole.len(), whole.each()), (5, 3));
    }
}
