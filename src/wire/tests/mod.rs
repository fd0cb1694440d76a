//! Tests of the codec as a whole.

mod examples;
