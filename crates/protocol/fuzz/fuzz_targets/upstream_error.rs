//! Error bodies and headers of upstreams.

#![no_main]

use libfuzzer_sys::fuzz_target;
use sluice_protocol_fuzz::drivers;

fuzz_target!(|data: &[u8]| drivers::upstream_error(data));
