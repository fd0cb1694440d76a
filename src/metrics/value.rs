//! What a counter comes to.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{Histogram, Row};

/// Updates by what they do.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct ByAction {
    /// ADDs.
    pub adds: u64,
    /// REMOVEs.
    pub removes: u64,
}

impl std::ops::AddAssign for ByAction {
    fn add_assign(&mut self, more: Self) {
        self.adds += more.adds;
        self.removes += more.removes;
    }
}

impl std::ops::Sub for ByAction {
    type Output = Self;

    fn sub(self, less: Self) -> Self {
        Self { adds: self.adds - less.adds, removes: self.removes - less.removes }
    }
}

/// Rows, each with its value.
pub(crate) type Rows = Vec<(Row, Value)>;

/// A value, as a reader gets it.
#[derive(Clone, Debug)]
pub(crate) enum Value {
    /// A count, or how many there are.
    Number(u64),
    /// A time.
    Time(Duration),
    /// Whether it is so.
    Switch(bool),
    /// Updates by what they do.
    ByAction(ByAction),
    /// Counts by the name of what was counted.
    ByName(BTreeMap<&'static str, u64>),
    /// Numbers, each with a value for each of the row's labels.
    Labelled(Vec<(Vec<String>, u64)>),
    /// Durations.
    Histogram(Box<Histogram>),
    /// Other rows.
    Group(Rows),
}

/// What can be counted, added up and told.
pub(crate) trait Measure {
    /// A copy for a reader.
    fn value(&self) -> Value;
    /// Adds what another shard has.
    fn merge(&mut self, other: &Self);
}

impl Measure for u64 {
    fn value(&self) -> Value {
        Value::Number(*self)
    }

    fn merge(&mut self, other: &Self) {
        *self += other;
    }
}

impl Measure for Duration {
    fn value(&self) -> Value {
        Value::Time(*self)
    }

    fn merge(&mut self, other: &Self) {
        *self += *other;
    }
}

impl Measure for ByAction {
    fn value(&self) -> Value {
        Value::ByAction(*self)
    }

    fn merge(&mut self, other: &Self) {
        *self += *other;
    }
}

impl Measure for BTreeMap<&'static str, u64> {
    fn value(&self) -> Value {
        Value::ByName(self.clone())
    }

    fn merge(&mut self, other: &Self) {
        for (name, count) in other {
            *self.entry(name).or_default() += count;
        }
    }
}

impl Measure for Histogram {
    fn value(&self) -> Value {
        Value::Histogram(Box::new(*self))
    }

    fn merge(&mut self, other: &Self) {
        Self::merge(self, other);
    }
}
