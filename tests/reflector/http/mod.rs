//! The HTTP endpoint, while peers talk to the reflector.

mod api;
mod documentation;
mod dump;
mod entry;
mod events;
mod health;
mod live;
mod metrics;
pub(crate) mod reflectors;
mod sorted;
mod walks;
