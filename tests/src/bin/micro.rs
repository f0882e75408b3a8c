//! Does one operation a number of times: under callgrind, by `tests/run instructions`. `micro cost` does each for a
//! moment, and tells as JSON how many microseconds of CPU one of it takes; `micro telling` does so for the end of
//! requests.
//!
//! `micro` alone tells as JSON what there is, and which of the processor's features the code finds: libraries choose
//! by them how they search and hash.

use sluice_tests::{
    micro::{self, Operation},
    telling,
};
use std::process::ExitCode;

/// So long each operation is done at a time, in microseconds of CPU, and how often.
const MOMENT: f64 = 10_000.0;
const MOMENTS: usize = 9;

fn main() -> ExitCode {
    let mut operations = micro::operations();
    operations.push(micro::request());
    let mut args = std::env::args().skip(1);
    let (Some(name), times) = (args.next(), args.next()) else {
        println!("{}", told(&operations));
        return ExitCode::SUCCESS;
    };
    if name == "cost" {
        let costs: serde_json::Map<_, _> =
            micro::operations().iter().map(|one| (one.name.to_owned(), cost(one).into())).collect();
        println!("{}", serde_json::Value::from(costs));
        return ExitCode::SUCCESS;
    }
    if name == "telling" {
        println!("{}", telling::report());
        return ExitCode::SUCCESS;
    }
    let found = operations.iter().find(|operation| operation.name == name);
    let (Some(operation), Some(times)) = (found, times.and_then(|times| times.parse::<u64>().ok())) else {
        eprintln!(
            "usage: micro [cost | telling | OPERATION TIMES]; there is no such operation, or that is no number"
        );
        return ExitCode::from(2);
    };
    let mut work = (operation.make)();
    (0..times).for_each(|_| work());
    ExitCode::SUCCESS
}

/// Microseconds of CPU of one unit: the median of some moments.
fn cost(operation: &Operation) -> f64 {
    let mut work = (operation.make)();
    let mut costs: Vec<f64> = (0..MOMENTS)
        .map(|_| {
            let (begin, mut times) = (micro::cpu(), 0_u64);
            loop {
                (0..operation.times).for_each(|_| work());
                times += operation.times;
                let spent = micro::cpu() - begin;
                if spent >= MOMENT {
                    break spent / (times * operation.units) as f64;
                }
            }
        })
        .collect();
    costs.sort_by(f64::total_cmp);
    costs.get(MOMENTS / 2).copied().unwrap_or_default()
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
