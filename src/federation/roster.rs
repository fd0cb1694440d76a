//! [`Roster`]: the names of other sites, for listings of peers. No part of the data path.

use std::sync::Arc;

use tokio::sync::watch;

use crate::ids::PeerId;
use crate::ids::link::{SiteId, UPSTREAM};

/// The names of other sites by their numbers. They only ever become more.
#[derive(Debug, Default)]
pub(crate) struct Roster(watch::Sender<Vec<Arc<str>>>);

impl Roster {
    /// How many there are.
    #[cfg(feature = "federation")]
    pub(super) fn len(&self) -> usize {
        self.0.borrow().len()
    }

    /// Adds the next ones.
    #[cfg(feature = "federation")]
    pub(super) fn add(&self, names: Vec<Arc<str>>) {
        self.0.send_modify(|known| known.extend(names));
    }

    /// The site whose routes a peer stands for, if it is no session but another site.
    pub(crate) fn site_of(&self, peer: PeerId) -> Option<Arc<str>> {
        if peer == UPSTREAM {
            return Some("upstream".into()); // what a proxy has of its reflectors
        }
        let site = SiteId::of_importer(peer)?;
        self.0.borrow().get(site.index()).cloned()
    }
}
