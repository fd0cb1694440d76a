//! Tests of one VNI, named after what they show.

mod catch_up;
mod harness;
mod property;
mod views;
