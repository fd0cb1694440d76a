//! Counters and how operators see them. A number is a member of a structure that [`counted!`] declares,
//! with a [`Row`] beside it, and everything else comes from that row: the Prometheus text, the member of
//! `/api/v1/counters`, the live samples of the page, the sum over shards, and the check of docs/http.md.
//!
//! A counter is a plain number with one owner. A reader gets a copy of the structure, and rows are made of that copy:
//! the data path pays one addition, and no metrics library has to own the number.
//!
//! A part of the program that counts declares a structure of its own. A member of
//! [`Metrics`](crate::shard::inspect::Metrics), or one line where rows are gathered, adds it to the metrics.
//! CONTRIBUTING.md shows how to add a counter.
//!
//! Imports: nothing.

mod families;
mod histogram;
#[cfg(any(feature = "server", feature = "http"))]
mod json;
#[cfg(any(feature = "server", feature = "http"))]
mod live;
mod row;
mod text;
mod value;

pub(crate) use families::Families;
#[cfg(test)]
pub(crate) use families::{asked_of_leaves, documented};
pub use histogram::Histogram;
#[cfg(any(feature = "server", feature = "http"))]
pub(crate) use json::Members;
#[cfg(any(feature = "server", feature = "http"))]
pub(crate) use live::{names as live_names, sample as live_sample};
pub(crate) use row::{Live, Row};
pub(crate) use text::{CONTENT_TYPE, Text};
pub use value::ByAction;
pub(crate) use value::{Measure, Rows, Saved, Value};

/// Declares a structure of numbers, each with its [`Row`], and how to add up two of them.
macro_rules! counted {
    (
        $(#[$meta:meta])*
        $vis:vis struct $name:ident {
            $($(#[$doc:meta])* $member:ident: $type:ty = $row:expr,)+
        }
    ) => {
        $(#[$meta])*
        $vis struct $name {
            $($(#[$doc])* pub $member: $type,)+
        }

        impl $name {
            /// All members with their rows, in their order. Cost: a copy of each.
            pub(crate) fn rows(&self) -> $crate::metrics::Rows {
                vec![$(($row, $crate::metrics::Measure::value(&self.$member)),)+]
            }

            /// Adds the numbers of another one.
            pub fn merge(&mut self, other: &Self) {
                $($crate::metrics::Measure::merge(&mut self.$member, &other.$member);)+
            }
        }

        impl $crate::metrics::Measure for $name {
            fn value(&self) -> $crate::metrics::Value {
                $crate::metrics::Value::Group(self.rows())
            }

            fn merge(&mut self, other: &Self) {
                Self::merge(self, other);
            }

            fn save(&self, name: &str, into: &mut $crate::metrics::Saved) {
                $(
                    let member = format!("{name}/{}", stringify!($member));
                    $crate::metrics::Measure::save(&self.$member, &member, into);
                )+
            }

            fn load(
                &mut self,
                name: &str,
                _: &$crate::metrics::Row,
                from: &$crate::metrics::Saved,
            ) {
                $(
                    let member = format!("{name}/{}", stringify!($member));
                    $crate::metrics::Measure::load(&mut self.$member, &member, &$row, from);
                )+
            }
        }
    };
}

pub(crate) use counted;
