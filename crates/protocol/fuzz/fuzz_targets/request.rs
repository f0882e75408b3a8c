//! Request bodies on their way to every kind of provider.

#![no_main]

use libfuzzer_sys::fuzz_target;
use sluice_protocol_fuzz::drivers;

fuzz_target!(|data: &[u8]| drivers::request(data));
