//! Does one operation a number of times: under callgrind, by `tests/run instructions`.
//!
//! `micro` alone tells as JSON what there is, and which of the processor's features the code finds: libraries choose
//! by them how they search and hash.

use sluice_tests::micro::{self, Operation};
use std::process::ExitCode;

fn main() -> ExitCode {
    let mut operations = micro::operations();
    operations.push(micro::request());
    let mut args = std::env::args().skip(1);
    let (Some(name), times) = (args.next(), args.next()) else {
        println!("{}", told(&operations));
        return ExitCode::SUCCESS;
    };
    let found = operations.iter().find(|operation| operation.name == name);
    let (Some(operation), Some(times)) = (found, times.and_then(|times| times.parse::<u64>().ok())) else {
        eprintln!("usage: micro [OPERATION TIMES]; there is no such operation, or that is no number");
        return ExitCode::from(2);
    };
    let mut work = (operation.make)();
    (0..times).for_each(|_| work());
    ExitCode::SUCCESS
}

fn told(operations: &[Operation]) -> serde_json::Value {
    let operations = operations.iter().map(|operation| {
        serde_json::json!({"name": operation.name, "units": operation.units, "times": operation.times})
    });
    serde_json::json!({"operations": operations.collect::<Vec<_>>(), "features": features()})
}

/// Those that decide what code runs.
#[cfg(target_arch = "x86_64")]
fn features() -> Vec<&'static str> {
    let all = [
        ("sse4.1", is_x86_feature_detected!("sse4.1")),
        ("sse4.2", is_x86_feature_detected!("sse4.2")),
        ("avx2", is_x86_feature_detected!("avx2")),
        ("avx512f", is_x86_feature_detected!("avx512f")),
    ];
    all.into_iter().filter_map(|(name, is_there)| is_there.then_some(name)).collect()
}

#[cfg(not(target_arch = "x86_64"))]
fn features() -> Vec<&'static str> {
    Vec::new()
}
