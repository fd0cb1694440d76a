//! The best rows of all that are offered, in the memory of one page.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use super::{Key, Sort};

/// See the module's documentation.
#[derive(Debug)]
pub(in crate::reflector::http::api) struct Best<T: 'static> {
    sort: Sort<T>,
    after: Option<Key>,
    limit: usize,
    /// The worst of them on top.
    kept: BinaryHeap<Entry<T>>,
    has_more: bool,
    total: u64,
}

/// A page of them.
#[derive(Debug)]
pub(in crate::reflector::http::api) struct Found<T> {
    pub(in crate::reflector::http::api) rows: Vec<T>,
    /// The key to go on after; `None` at the end.
    pub(in crate::reflector::http::api) next: Option<Key>,
    /// How many were offered.
    pub(in crate::reflector::http::api) total: u64,
}

#[derive(Debug)]
struct Entry<T> {
    key: Key,
    row: T,
}

impl<T> Best<T> {
    /// The best `limit` rows after a key.
    pub(in crate::reflector::http::api) fn new(
        sort: Sort<T>,
        after: Option<Key>,
        limit: usize,
    ) -> Self {
        let kept = BinaryHeap::new();
        Self { sort, after, limit: limit.max(1), kept, has_more: false, total: 0 }
    }

    /// Looks at a row, and keeps it if it is one of the best so far.
    pub(super) fn offer(&mut self, row: T) {
        self.total += 1;
        let key = self.sort.key(&row);
        if self.after.as_ref().is_some_and(|after| key <= *after) {
            return;
        }
        if self.kept.len() < self.limit {
            self.kept.push(Entry { key, row });
            return;
        }
        self.has_more = true;
        if let Some(mut worst) = self.kept.peek_mut()
            && key < worst.key
        {
            *worst = Entry { key, row };
        }
    }

    /// The rows in order.
    pub(super) fn finish(self) -> Found<T> {
        let Self { kept, has_more, total, .. } = self;
        let entries = kept.into_sorted_vec();
        let next = entries.last().filter(|_| has_more).map(|last| last.key.clone());
        Found { rows: entries.into_iter().map(|entry| entry.row).collect(), next, total }
    }
}

impl<T> PartialEq for Entry<T> {
    fn eq(&self, other: &Self) -> bool {
        self.key == other.key
    }
}

impl<T> Eq for Entry<T> {}

impl<T> PartialOrd for Entry<T> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<T> Ord for Entry<T> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.key.cmp(&other.key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMES: &super::super::key::Columns<u64> =
        &[("self", |number| Key::default().number(*number))];

    /// All pages of what is offered.
    fn pages(sort: &str, offered: &[u64], limit: usize) -> Vec<Vec<u64>> {
        let (mut pages, mut after) = (Vec::new(), None);
        loop {
            let mut best = Best::new(Sort::named(NAMES, sort).unwrap(), after, limit);
            offered.iter().for_each(|row| best.offer(*row));
            assert!(best.kept.len() <= limit);
            let found = best.finish();
            assert_eq!(found.total, offered.len() as u64);
            pages.push(found.rows);
            let Some(next) = found.next else { return pages };
            after = Some(next);
        }
    }

    #[test]
    fn pages_together_are_everything_in_order() {
        let offered = [5, 3, 9, 1, 7, 4, 300];
        assert_eq!(pages("self", &offered, 3), [vec![1, 3, 4], vec![5, 7, 9], vec![300]]);
        assert_eq!(pages("-self", &offered, 4), [vec![300, 9, 7, 5], vec![4, 3, 1]]);
        assert_eq!(pages("self", &offered, 7), [[1, 3, 4, 5, 7, 9, 300]]);
        assert_eq!(pages("self", &[], 7), [[0_u64; 0]]);
        assert!(Sort::named(NAMES, "other").is_none());
    }
}
