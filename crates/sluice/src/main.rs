//! The `sluice` command; everything is in the library, so that tests can start gateways in process.

use std::process::ExitCode;

fn main() -> ExitCode {
    sluice::run()
}
