//! The tasks for NATS core, which has subjects, interest, fan-out and permissions. No route stays in it.

mod nats;
mod subjects;

pub(crate) use nats::{Bus, BusSettings};
