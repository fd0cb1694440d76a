//! The value of a counter.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{Histogram, Row};

/// Numbers of UPDATEs by their action.
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

/// A value for readers.
#[derive(Clone, Debug)]
pub(crate) enum Value {
    /// A count, or a present number.
    Number(u64),
    /// A time.
    Time(Duration),
    /// A yes or no.
    Switch(bool),
    /// Numbers of UPDATEs by their action.
    ByAction(ByAction),
    /// Counts by the name of what was counted.
    ByName(BTreeMap<&'static str, u64>),
    /// Numbers, each with a value for each of the row's labels.
    Labelled(Vec<(Vec<String>, u64)>),
    /// Times in seconds, which may be less than 0, each with a value for each of the row's labels.
    LabelledTimes(Vec<(Vec<String>, f64)>),
    /// Durations.
    Histogram(Box<Histogram>),
    /// Other rows.
    Group(Rows),
}

/// A number that can be counted, added up and shown.
pub(crate) trait Measure {
    /// A copy for a reader.
    fn value(&self) -> Value;
    /// Adds the value of another shard.
    fn merge(&mut self, other: &Self);
    /// Saves the numbers under a name, for another process.
    fn save(&self, name: &str, into: &mut Saved);
    /// Loads the numbers saved under a name; missing numbers keep their value. `row` knows the names that counts
    /// may have.
    fn load(&mut self, name: &str, row: &Row, from: &Saved);
}

/// Numbers by name, as one process passes them to the next.
pub(crate) type Saved = BTreeMap<String, Vec<u64>>;

fn first(name: &str, from: &Saved) -> Option<u64> {
    from.get(name)?.first().copied()
}

impl Measure for u64 {
    fn value(&self) -> Value {
        Value::Number(*self)
    }

    fn merge(&mut self, other: &Self) {
        *self += other;
    }

    fn save(&self, name: &str, into: &mut Saved) {
        into.insert(name.to_owned(), vec![*self]);
    }

    fn load(&mut self, name: &str, _: &Row, from: &Saved) {
        *self = first(name, from).unwrap_or(*self);
    }
}

impl Measure for Duration {
    fn value(&self) -> Value {
        Value::Time(*self)
    }

    fn merge(&mut self, other: &Self) {
        *self += *other;
    }

    fn save(&self, name: &str, into: &mut Saved) {
        into.insert(name.to_owned(), vec![u64::try_from(self.as_micros()).unwrap_or(u64::MAX)]);
    }

    fn load(&mut self, name: &str, _: &Row, from: &Saved) {
        *self = first(name, from).map_or(*self, Self::from_micros);
    }
}

impl Measure for ByAction {
    fn value(&self) -> Value {
        Value::ByAction(*self)
    }

    fn merge(&mut self, other: &Self) {
        *self += *other;
    }

    fn save(&self, name: &str, into: &mut Saved) {
        into.insert(name.to_owned(), vec![self.adds, self.removes]);
    }

    fn load(&mut self, name: &str, _: &Row, from: &Saved) {
        if let Some([adds, removes, ..]) = from.get(name).map(Vec::as_slice) {
            *self = Self { adds: *adds, removes: *removes };
        }
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

    fn save(&self, name: &str, into: &mut Saved) {
        into.extend(self.iter().map(|(of, count)| (format!("{name}/{of}"), vec![*count])));
    }

    fn load(&mut self, name: &str, row: &Row, from: &Saved) {
        for known in row.zeros.map(|names| names()).unwrap_or_default() {
            if let Some(count) = first(&format!("{name}/{known}"), from) {
                self.insert(known, count);
            }
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

    fn save(&self, name: &str, into: &mut Saved) {
        into.insert(name.to_owned(), self.numbers());
    }

    fn load(&mut self, name: &str, _: &Row, from: &Saved) {
        if let Some(read) = from.get(name).and_then(|numbers| Self::of_numbers(numbers)) {
            *self = read;
        }
    }
}
