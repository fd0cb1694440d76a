//! Any operations on one VNI: every message exact, every view what the model says.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| metalbond::fuzzing::table_ops(data));
