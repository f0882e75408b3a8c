//! The `sluice` command; everything is in the library, so that tests can start gateways in process.

use mimalloc::MiMalloc;
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    sluice::run()
}
