//! [`Roster`]: the names of other sites, for listings of peers. No part of the data path.

use std::sync::Arc;

use tokio::sync::watch;

use crate::ids::PeerId;
use crate::ids::link::{SiteId, UPSTREAM};

/// The names of other sites by their numbers. Names are only added.
#[derive(Debug, Default)]
pub(crate) struct Roster(watch::Sender<Vec<Arc<str>>>);

impl Roster {
    /// The number of names.
    #[cfg(feature = "federation")]
    pub(super) fn len(&self) -> usize {
        self.0.borrow().len()
    }

    /// Adds further names.
    #[cfg(feature = "federation")]
    pub(super) fn add(&self, names: Vec<Arc<str>>) {
        self.0.send_modify(|known| known.extend(names));
    }

    /// The site for which a peer stands; `None` if the peer is a session.
    pub(crate) fn site_of(&self, peer: PeerId) -> Option<Arc<str>> {
        if peer == UPSTREAM {
            return Some("upstream".into()); // in a proxy, the routes of its reflectors
        }
        let site = SiteId::of_importer(peer)?;
        self.0.borrow().get(site.index()).cloned()
    }
}
