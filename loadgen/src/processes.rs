//! The processes of the servers, and what each of them has used.

use std::iter::Sum;
use std::ops::{Add, Sub};
use std::sync::Arc;

use crate::procfs::{self, Usage};

/// A value for each measured process, in the order of the command line; empty when no process is
/// known.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Each<T>(Vec<T>);

impl<T> Default for Each<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T: Copy> Each<T> {
    pub(crate) fn map<U>(&self, of: impl FnMut(T) -> U) -> Each<U> {
        Each(self.0.iter().copied().map(of).collect())
    }

    /// The sum of all; `None` when no process is known.
    pub(crate) fn sum(&self) -> T
    where
        T: Sum,
    {
        self.0.iter().copied().sum()
    }

    /// The greater of two values of each process. A process with only one value keeps it.
    pub(crate) fn max(&self, other: &Self) -> Self
    where
        T: Ord,
    {
        let (long, short) =
            if self.0.len() >= other.0.len() { (self, other) } else { (other, self) };
        let mut greatest = long.clone();
        for (value, other) in greatest.0.iter_mut().zip(&short.0) {
            *value = (*value).max(*other);
        }
        greatest
    }

    pub(crate) fn as_slice(&self) -> &[T] {
        &self.0
    }
}

impl<T: Sub<Output = T>> Sub for Each<T> {
    type Output = Self;

    fn sub(self, earlier: Self) -> Self {
        Self(self.0.into_iter().zip(earlier.0).map(|(now, then)| now - then).collect())
    }
}

impl<T: Add<Output = T>> Add for Each<T> {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self(self.0.into_iter().zip(other.0).map(|(one, other)| one + other).collect())
    }
}

/// Processes by their ids. A copy costs a count.
#[derive(Clone, Debug, Default)]
pub(crate) struct Processes(Arc<[u32]>);

impl Processes {
    pub(crate) fn new(ids: &[u32]) -> Self {
        Self(ids.into())
    }

    /// Whether any process is known.
    pub(crate) fn are_known(&self) -> bool {
        !self.0.is_empty()
    }

    /// What each process has used so far.
    ///
    /// # Errors
    /// One sentence, when a process is gone.
    pub(crate) fn used(&self) -> Result<Each<Usage>, String> {
        self.0.iter().map(|id| Usage::of(*id)).collect::<Result<_, _>>().map(Each)
    }

    /// The exact resident memory of each process, in bytes. Takes milliseconds for a large process.
    ///
    /// # Errors
    /// One sentence, when a process is gone or belongs to another user.
    pub(crate) fn resident(&self) -> Result<Each<u64>, String> {
        self.0.iter().map(|id| procfs::resident(*id)).collect::<Result<_, _>>().map(Each)
    }

    /// CPU time in ns and resident memory in bytes of each process, at almost no cost; `None` when
    /// no process is known, or one of them is gone.
    pub(crate) fn glance(&self) -> Option<(Each<u64>, Each<u64>)> {
        let seen: Vec<_> = self.0.iter().map(|id| procfs::glance(*id)).collect::<Option<_>>()?;
        let (cpu_ns, resident) = seen.into_iter().unzip();
        self.are_known().then_some((Each(cpu_ns), Each(resident)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_process_is_told_apart() {
        let own = std::process::id();
        let both = Processes::new(&[own, own]);
        let used = both.used().unwrap();
        assert_eq!(used.as_slice().len(), 2);
        let sum: u64 = used.map(|used| used.cpu_ns).sum();
        assert_eq!(used.sum().cpu_ns, sum);
        let (cpu_ns, memory) = both.glance().unwrap();
        assert!(cpu_ns.as_slice()[0] > 0 && memory.as_slice()[0] > 100_000, "{memory:?}");
        assert!(Processes::new(&[own, u32::MAX]).used().is_err());
        assert!(Processes::new(&[own, u32::MAX]).glance().is_none());
    }

    #[test]
    fn processes_that_are_not_known_use_nothing() {
        let none = Processes::default();
        assert!(!none.are_known() && none.glance().is_none());
        assert_eq!(none.used().unwrap().sum().cpu_ns, 0);
        assert_eq!(none.resident(), Ok(Each::default()));
    }

    #[test]
    fn values_stay_in_order() {
        let (one, two) = (Each(vec![5, 7]), Each(vec![6, 1]));
        assert_eq!(one.max(&two), Each(vec![6, 7]));
        assert_eq!(one.max(&Each::default()), one);
        assert_eq!(one.clone() + two.clone(), Each(vec![11, 8]));
        assert_eq!(two - Each(vec![1, 1]), Each(vec![5, 0]));
        assert_eq!(one.map(|value| value * 2).sum(), 24);
    }
}
