//! The numbers of routes and VNIs that a shard has taken in, published for the control thread.

use std::sync::atomic::{AtomicI64, Ordering};

use crate::shard::growth::{Amounts, Growth};

/// Written by the shard after turns that changed something, read by the control thread. No part of the data path.
#[derive(Debug, Default)]
pub(crate) struct GrowthGauge {
    grown: [AtomicI64; 3],
    moved: [AtomicI64; 3],
    refused: [AtomicI64; 3],
}

impl GrowthGauge {
    /// Publishes the shard's numbers. Writes only numbers that have changed.
    pub(crate) fn show(&self, growth: &Growth) {
        let Growth { grown, moved, refused, .. } = growth;
        for (cells, amounts) in
            [(&self.grown, grown), (&self.moved, moved), (&self.refused, refused)]
        {
            let Amounts { routes, announcements, vnis } = *amounts;
            for (cell, amount) in cells.iter().zip([routes, announcements, vnis]) {
                if cell.load(Ordering::Relaxed) != amount {
                    cell.store(amount, Ordering::Relaxed);
                }
            }
        }
    }

    pub(crate) fn get(&self) -> Seen {
        let amounts = |cells: &[AtomicI64; 3]| {
            let [routes, announcements, vnis] =
                [0, 1, 2].map(|cell: usize| cells[cell].load(Ordering::Relaxed));
            Amounts { routes, announcements, vnis }
        };
        Seen {
            grown: amounts(&self.grown),
            moved: amounts(&self.moved),
            refused: amounts(&self.refused),
        }
    }
}

/// The numbers that a shard has published last.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Seen {
    pub(crate) grown: Amounts,
    pub(crate) moved: Amounts,
    pub(crate) refused: Amounts,
}
