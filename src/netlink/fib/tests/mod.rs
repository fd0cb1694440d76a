//! Scripts for the state machine, and a model kernel for them and for random ones.

mod model;
mod moves;
mod others;
mod random;
mod scripts;
mod standing;
mod unusable;
mod world;
