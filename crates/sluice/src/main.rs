//! The `sluice` command; everything is in the library, so that tests can start gateways in process.

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

use std::process::ExitCode;

fn main() -> ExitCode {
    sluice::run()
}
