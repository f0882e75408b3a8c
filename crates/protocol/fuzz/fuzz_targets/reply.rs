//! Whole answers, from every wire to every client.

#![no_main]

use libfuzzer_sys::fuzz_target;
use sluice_protocol_fuzz::drivers;

fuzz_target!(|data: &[u8]| drivers::reply(data));
