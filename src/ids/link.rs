//! The peers without a connection as which a link or a proxy appears to the owners of VNIs.
//!
//! Their numbers are far above those of connections, and below what JSON's numbers hold exactly.

use super::PeerId;

/// The peer that announces the routes of the reflectors with which a proxy has sessions.
pub(crate) const UPSTREAM: PeerId = PeerId(FIRST - 2);

/// The number of the first peer that announces a site's routes.
const FIRST: u64 = 1 << 52;
/// The number of the first peer that answers a snapshot request.
const ANSWERS: u64 = FIRST + (1 << 20);

/// The peer that subscribes for other sites, or for the reflectors of a proxy.
pub(crate) const EXPORTER: PeerId = PeerId(FIRST - 1);

/// A known site, by a number that it keeps while this process lives.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) struct SiteId(pub(crate) u16);

impl SiteId {
    /// The index in an array with one element per site.
    pub(crate) fn index(self) -> usize {
        usize::from(self.0)
    }

    /// One of the two peers that announce a site's routes here.
    #[cfg(any(test, fuzzing, feature = "federation"))]
    pub(crate) fn importer(self, which: usize) -> PeerId {
        PeerId(FIRST + 2 * u64::from(self.0) + which as u64)
    }

    /// The site whose routes a peer announces, if the peer is an importer.
    pub(crate) fn of_importer(peer: PeerId) -> Option<Self> {
        let number = peer.0.checked_sub(FIRST)?;
        (peer.0 < ANSWERS).then(|| u16::try_from(number / 2).ok().map(Self))?
    }
}

/// A peer that answers a snapshot request: the `number`-th of this process.
#[cfg(any(test, fuzzing, feature = "federation"))]
pub(crate) fn answerer(number: u64) -> PeerId {
    PeerId(ANSWERS + number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn peers_are_told_apart() {
        for site in [0, 1, 500, u16::MAX].map(SiteId) {
            for which in [0, 1] {
                assert_eq!(SiteId::of_importer(site.importer(which)), Some(site));
            }
        }
        assert_eq!(SiteId::of_importer(EXPORTER), None);
        assert_eq!(SiteId::of_importer(UPSTREAM), None);
        assert_eq!(SiteId::of_importer(answerer(0)), None);
        assert_eq!(SiteId::of_importer(PeerId(7)), None);
        assert!(answerer(1 << 40).0 < 1 << 53, "JSON holds it exactly");
    }
}
