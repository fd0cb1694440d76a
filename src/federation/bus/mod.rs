//! NATS core: names, interest, fan-out and permissions; no route stays in it.

mod nats;
mod subjects;

pub(crate) use nats::{Bus, BusSettings};
