//! The hand-written UPDATE codec against prost's.
#![no_main]

libfuzzer_sys::fuzz_target!(|payload: &[u8]| metalbond::fuzzing::update_vs_prost(payload));
