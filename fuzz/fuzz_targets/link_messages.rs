//! Any messages of other sites, in any order, and time that passes.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| metalbond::fuzzing::link_messages(data));
