//! Tests that fill each bound of a shard. The bounds of a table and of an outbox are tested beside their code, those of
//! the program around the shard in `reflector` and in `tests/reflector`.

mod cluster;
mod departed;
mod golden;
mod holds;
mod lanes;
mod looks;
mod moves;
mod reads;
mod turns;
mod unserved;
