//! Scripts for the state machine, and a model of the kernel for scripts and for random tests.

mod model;
mod moves;
mod others;
mod random;
mod scripts;
mod standing;
mod unusable;
mod world;
