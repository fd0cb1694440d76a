//! The engine's subjects. Their tokens are the kind and then the sender, so a permission holds each site to its
//! own name:
//!
//! | subject | who hears it |
//! |---|---|
//! | `mb1.u.SITE.VNI` | sites that want the VNI |
//! | `mb1.a.SITE` | all sites |
//! | `mb1.m.TO.SITE` | one site |
//!
//! The number behind `mb` is the plane.

use ahash::{AHashMap, RandomState};
use async_nats::Subject;

use super::super::link::{Address, BusSource};
use crate::wire::Vni;

/// The most subjects of VNIs that are cached.
const REMEMBERED: usize = 65_536;

/// The subjects of one site.
#[derive(Debug)]
pub(super) struct Subjects {
    plane: u8,
    site: String,
    all: Subject,
    by_vni: AHashMap<Vni, Subject>,
}

impl Subjects {
    pub(super) fn new(plane: u8, site: &str, hasher: RandomState) -> Self {
        let all = format!("mb{plane}.a.{site}").into();
        Self { plane, site: site.into(), all, by_vni: AHashMap::with_hasher(hasher) }
    }

    /// The subject for a message.
    pub(super) fn of(&mut self, to: &Address) -> Subject {
        let Self { plane, site, all, by_vni } = self;
        match to {
            Address::All => all.clone(),
            Address::Site(to) => format!("mb{plane}.m.{to}.{site}").into(),
            Address::Vni(vni) => {
                if by_vni.len() >= REMEMBERED {
                    by_vni.clear();
                }
                let made = || format!("mb{plane}.u.{site}.{vni}").into();
                by_vni.entry(*vni).or_insert_with(made).clone()
            }
        }
    }

    /// The subjects to which this site always listens: messages to all sites, and messages to this one.
    pub(super) fn always(&self) -> [String; 2] {
        let Self { plane, site, .. } = self;
        [format!("mb{plane}.a.*"), format!("mb{plane}.m.{site}.*")]
    }

    /// A subject without subscribers: the server answers "no responders" at once, so a request measures a round trip.
    pub(super) fn nobody(&self) -> String {
        format!("mb{}.p.{}", self.plane, self.site)
    }
}

/// The subject of all sites' messages about a VNI.
pub(super) fn of_vni(plane: u8, vni: Vni) -> String {
    format!("mb{plane}.u.*.{vni}")
}

/// The subject of all sites' messages about all VNIs.
pub(super) fn of_all_vnis(plane: u8) -> String {
    format!("mb{plane}.u.*.*")
}

/// The source of a message.
pub(super) fn source(subject: &str) -> Option<BusSource<'_>> {
    let mut tokens = subject.split('.').skip(1);
    let source = match (tokens.next()?, tokens.next()?, tokens.next()) {
        ("a", site, None) => BusSource::All(site),
        ("m", _, Some(site)) => BusSource::Site(site),
        ("u", site, Some(vni)) => BusSource::Vni(site, Vni(vni.parse().ok()?)),
        _ => return None,
    };
    tokens.next().is_none().then_some(source)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sent_is_known_by_its_subject() {
        let mut subjects = Subjects::new(2, "fra1", RandomState::with_seeds(1, 2, 3, 4));
        let all = subjects.of(&Address::All);
        assert_eq!(source(&all), Some(BusSource::All("fra1")));
        let vni = subjects.of(&Address::Vni(Vni(77)));
        assert_eq!((&*vni, source(&vni)), ("mb2.u.fra1.77", Some(BusSource::Vni("fra1", Vni(77)))));
        let one = subjects.of(&Address::Site("ber2".into()));
        assert_eq!((&*one, source(&one)), ("mb2.m.ber2.fra1", Some(BusSource::Site("fra1"))));
    }

    #[test]
    fn other_subjects_come_from_nobody() {
        for subject in
            ["", "mb1", "mb1.a", "mb1.u.fra1", "mb1.u.fra1.x", "mb1.u.fra1.7.8", "mb1.x.a.b"]
        {
            assert_eq!(source(subject), None, "{subject}");
        }
    }
}
