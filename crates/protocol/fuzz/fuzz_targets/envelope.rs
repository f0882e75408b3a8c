//! Request bodies of every dialect, and all that is read from them.

#![no_main]

use libfuzzer_sys::fuzz_target;
use sluice_protocol_fuzz::drivers;

fuzz_target!(|data: &[u8]| drivers::envelope(data));
