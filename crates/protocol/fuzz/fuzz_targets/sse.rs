//! Event streams, cut anywhere.

#![no_main]

use libfuzzer_sys::fuzz_target;
use sluice_protocol_fuzz::drivers;

fuzz_target!(|data: &[u8]| drivers::sse(data));
