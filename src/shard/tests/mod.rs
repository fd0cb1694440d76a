//! Each bound of a shard, filled. Those of a table and of an outbox are tested with them, those of the
//! program around the shard in `reflector` and in `tests/reflector`.

mod cluster;
mod departed;
mod golden;
mod lanes;
mod looks;
mod reads;
mod turns;
