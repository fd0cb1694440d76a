//! The best rows of all that are offered, in the memory of one page.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use super::{Sort, SortKey};

/// The place of a page: at the beginning, or beside the last or first row of another page.
#[derive(Debug)]
pub(in crate::admin::reflector::api) enum PagePosition {
    First,
    After(SortKey),
    Before(SortKey),
}

/// See the module's documentation.
#[derive(Debug)]
pub(in crate::admin::reflector::api) struct Best<T: 'static> {
    sort: Sort<T>,
    /// The page begins after this key.
    after: Option<SortKey>,
    /// The page before a row is the page after it in the opposite order, from its last row to its
    /// first.
    is_backward: bool,
    limit: usize,
    /// The kept rows, the worst on top.
    kept: BinaryHeap<Ranked<T>>,
    has_more: bool,
    /// The number of rows not after `after`.
    passed: u64,
    total: u64,
}

/// A page of sorted rows.
#[derive(Debug)]
pub(in crate::admin::reflector::api) struct Found<T> {
    pub(in crate::admin::reflector::api) rows: Vec<T>,
    /// The key to go on after; `None` at the end.
    pub(in crate::admin::reflector::api) next: Option<SortKey>,
    /// The key to go back before; `None` at the beginning.
    pub(in crate::admin::reflector::api) previous: Option<SortKey>,
    /// The number of offered rows before the first row.
    pub(in crate::admin::reflector::api) offset: u64,
    /// The number of offered rows.
    pub(in crate::admin::reflector::api) total: u64,
}

#[derive(Debug)]
struct Ranked<T> {
    key: SortKey,
    row: T,
}

impl<T> Best<T> {
    /// The best `limit` rows at a place.
    pub(in crate::admin::reflector::api) fn new(
        sort: Sort<T>,
        place: PagePosition,
        limit: usize,
    ) -> Self {
        let (sort, after, is_backward) = match place {
            PagePosition::First => (sort, None, false),
            PagePosition::After(key) => (sort, Some(key), false),
            PagePosition::Before(key) => (sort.reversed(), Some(key.reversed()), true),
        };
        Self {
            sort,
            after,
            is_backward,
            limit: limit.max(1),
            kept: BinaryHeap::new(),
            has_more: false,
            passed: 0,
            total: 0,
        }
    }

    /// Looks at a row, and keeps it if it is one of the best so far.
    pub(super) fn offer(&mut self, row: T) {
        self.total += 1;
        let key = self.sort.key(&row);
        if self.after.as_ref().is_some_and(|after| key <= *after) {
            self.passed += 1;
            return;
        }
        if self.kept.len() < self.limit {
            self.kept.push(Ranked { key, row });
            return;
        }
        self.has_more = true;
        if let Some(mut worst) = self.kept.peek_mut()
            && key < worst.key
        {
            *worst = Ranked { key, row };
        }
    }

    /// The rows in order.
    pub(super) fn finish(self) -> Found<T> {
        let Self { kept, is_backward, has_more, passed, total, .. } = self;
        let entries = kept.into_sorted_vec();
        let ahead = entries.last().filter(|_| has_more).map(|last| last.key.clone());
        let behind = entries.first().filter(|_| passed > 0).map(|first| first.key.clone());
        let mut rows: Vec<T> = entries.into_iter().map(|entry| entry.row).collect();
        if !is_backward {
            return Found { rows, next: ahead, previous: behind, offset: passed, total };
        }
        rows.reverse();
        let [next, previous] = [behind, ahead].map(|key| key.map(SortKey::reversed));
        let offset = total - passed - rows.len() as u64;
        Found { rows, next, previous, offset, total }
    }
}

impl<T> PartialEq for Ranked<T> {
    fn eq(&self, other: &Self) -> bool {
        self.key == other.key
    }
}

impl<T> Eq for Ranked<T> {}

impl<T> PartialOrd for Ranked<T> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<T> Ord for Ranked<T> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.key.cmp(&other.key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMES: &super::super::key::Columns<u64> =
        &[("self", |number| SortKey::default().number(*number))];

    fn page(sort: &str, offered: &[u64], limit: usize, place: PagePosition) -> Found<u64> {
        let mut best = Best::new(Sort::named(NAMES, sort).unwrap(), place, limit);
        offered.iter().for_each(|row| best.offer(*row));
        assert!(best.kept.len() <= limit);
        let found = best.finish();
        assert_eq!(found.total, offered.len() as u64);
        found
    }

    /// All pages of the offered rows; checks that each leads back to the page before it.
    fn pages(sort: &str, offered: &[u64], limit: usize) -> Vec<Vec<u64>> {
        let (mut pages, mut place): (Vec<Vec<u64>>, _) = (Vec::new(), PagePosition::First);
        loop {
            let found = page(sort, offered, limit, place);
            let offset: u64 = pages.iter().map(|rows| rows.len() as u64).sum();
            assert_eq!(found.offset, offset);
            assert_eq!(found.previous.is_some(), !pages.is_empty());
            if let (Some(key), Some(last)) = (found.previous, pages.last()) {
                let back = page(sort, offered, limit, PagePosition::Before(key));
                assert_eq!(back.rows, *last);
                assert_eq!(back.offset, found.offset - last.len() as u64);
                assert_eq!(back.previous.is_some(), pages.len() > 1);
                let again = page(sort, offered, limit, PagePosition::After(back.next.unwrap()));
                assert_eq!(again.rows, found.rows);
            }
            pages.push(found.rows);
            let Some(next) = found.next else { return pages };
            place = PagePosition::After(next);
        }
    }

    #[test]
    fn a_page_beside_a_row_that_has_gone_is_where_it_was() {
        let gone = || SortKey::default().number(5);
        let before = page("self", &[1, 2, 3, 8, 9], 2, PagePosition::Before(gone()));
        assert_eq!((before.rows, before.offset), (vec![2, 3], 1));
        assert!(before.previous.is_some() && before.next.is_some());
        let after = page("self", &[1, 2, 3, 8, 9], 2, PagePosition::After(gone()));
        assert_eq!((after.rows, after.offset, after.next), (vec![8, 9], 3, None));
        let nothing = page("self", &[1, 2, 3], 2, PagePosition::After(gone()));
        assert_eq!((nothing.rows, nothing.offset, nothing.previous), (vec![], 3, None));
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
