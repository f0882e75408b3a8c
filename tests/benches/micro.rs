//! What each operation of a request takes: `cargo bench -p sluice-tests --bench micro`.
//!
//! For people who change one of them; seconds are never judged. `tests/run instructions` judges, by instructions.

use divan::{Bencher, counter::ItemsCount};
use sluice_tests::micro::{self, Operation};

fn main() {
    divan::main();
}

/// Ours.
#[divan::bench(args = micro::operations())]
fn operation(bencher: Bencher<'_, '_>, operation: &Operation) {
    bencher.counter(ItemsCount::new(operation.units)).bench_local((operation.make)());
}

/// What others do with the same bodies.
#[divan::bench(args = micro::references())]
fn reference(bencher: Bencher<'_, '_>, operation: &Operation) {
    bencher.bench_local((operation.make)());
}
