//! Any operations on outboxes fed by real VNIs: whole frames, exact updates, views as the model says.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| metalbond::fuzzing::outbox_ops(data));
