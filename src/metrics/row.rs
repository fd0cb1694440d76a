//! The names of a number in each form.

/// See the folder's documentation. A row without any name is only added up.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Row {
    /// The name of a member of a JSON object. A group without a name has its rows in the object around it.
    pub(super) json: Option<&'static str>,
    pub(super) family: Option<Family>,
    /// Labels that all samples of it have.
    pub(super) fixed: &'static [(&'static str, &'static str)],
    /// Labels whose values come with the number.
    pub(super) by: &'static [&'static str],
    /// The names that are shown even with no count.
    pub(super) zeros: Option<fn() -> Vec<&'static str>>,
    pub(super) is_per_shard: bool,
    pub(super) live: Option<Live>,
}

/// Samples under one name.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Family {
    pub(super) name: &'static str,
    pub(super) help: &'static str,
    pub(super) kind: RowKind,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum RowKind {
    Gauge,
    Counter,
    Histogram,
}

impl RowKind {
    /// The name in Prometheus.
    #[cfg(test)]
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Gauge => "gauge",
            Self::Counter => "counter",
            Self::Histogram => "histogram",
        }
    }
}

/// The form of a row in the live samples, with the names of its values.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Live {
    /// The present number.
    Now(&'static str),
    /// The rate per second.
    Rate(&'static str),
    /// The count since the sample before.
    Count(&'static str),
    /// The share of the time that was spent.
    Share(&'static str),
    /// The number of durations since the sample before, and their quantiles 0.5 and 0.99 in seconds.
    Quantiles([&'static str; 3]),
}

impl Row {
    const EMPTY: Self = Self {
        json: None,
        family: None,
        fixed: &[],
        by: &[],
        zeros: None,
        is_per_shard: false,
        live: None,
    };

    /// A row, or a group of them, without a JSON name.
    pub(crate) const fn new() -> Self {
        Self::EMPTY
    }

    /// A member of a JSON object.
    pub(crate) const fn json(name: &'static str) -> Self {
        Self { json: Some(name), ..Self::EMPTY }
    }

    /// The same samples under this JSON name.
    pub(crate) const fn named(self, name: &'static str) -> Self {
        Self { json: Some(name), ..self }
    }

    /// Samples of a gauge.
    pub(crate) const fn gauge(self, name: &'static str, help: &'static str) -> Self {
        Self { family: Some(Family { name, help, kind: RowKind::Gauge }), ..self }
    }

    /// Samples of a counter, whose name ends in `_total`.
    pub(crate) const fn counter(self, name: &'static str, help: &'static str) -> Self {
        Self { family: Some(Family { name, help, kind: RowKind::Counter }), ..self }
    }

    /// A histogram of durations, whose name ends in `_seconds`.
    pub(crate) const fn histogram(self, name: &'static str, help: &'static str) -> Self {
        Self { family: Some(Family { name, help, kind: RowKind::Histogram }), ..self }
    }

    /// Labels that all of its samples have.
    pub(crate) const fn with(self, labels: &'static [(&'static str, &'static str)]) -> Self {
        Self { fixed: labels, ..self }
    }

    /// Labels whose values come with the number.
    pub(crate) const fn by(self, labels: &'static [&'static str]) -> Self {
        Self { by: labels, ..self }
    }

    /// The names that are shown with 0 before their first count.
    pub(crate) const fn zeros(self, names: fn() -> Vec<&'static str>) -> Self {
        Self { zeros: Some(names), ..self }
    }

    /// One sample for each shard instead of one for all.
    pub(crate) const fn per_shard(self) -> Self {
        Self { is_per_shard: true, ..self }
    }

    /// A part of the live samples.
    pub(crate) const fn live(self, live: Live) -> Self {
        Self { live: Some(live), ..self }
    }
}
