//! How often a request asks for memory, and what a client key keeps of it: pinned, since each time costs, and a few
//! more are never noticed otherwise.
//!
//! A whole gateway with every usual feature on: keys, a model right, limits in memory of key, tenant, model and
//! provider, the cache, metrics, a line in a file, a usage record. It runs on a runtime of its own, whose threads are
//! counted; client and upstream run on another, whose threads are not. One request after the other over one kept
//! connection, and each chunk of a stream only when the client has the one before: so that the figures are those of
//! the code and not of the machine's mood.
//!
//! What a key keeps is measured on gateways of their own, with many keys and nothing else.
//!
//! `cargo test -p sluice-tests --test allocations -- --nocapture` prints them; with `--ignored` it tells where the
//! allocations of each kind of request come from.

mod counting;
mod sites;
mod stage;

use counting::Count;
use sluice::StartOptions;
use sluice_config::{Loaded, Options, Source};
use sluice_core::{LedgerPlace, LogSink};
use stage::Stage;
use std::{
    fmt::Write as _,
    path::Path,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

/// What a plain request may have, in a build of tests; the goal is 40. Lower each of these with what is saved.
const PLAIN: u32 = 31;
/// An answer from the memory.
const HIT: u32 = 21;
/// A stream of one chunk with content.
const STREAM: u32 = 44;
/// Each further chunk.
const CHUNK: u32 = 0;

/// Bytes that a client key keeps: its entry, its counters, its part of what a reload compares.
const KEY: usize = 2_000;

/// What happens once in a while, on the average.
const NOW_AND_THEN: f64 = 2.0;

/// Requests before the count: connections, buffers and series are there then.
const WARM_UP: usize = 300;
const REQUESTS: usize = 1000;
/// Streams of each round; the difference between their lengths is what chunks cost.
const STREAMS: usize = 50;
/// Requests whose backtraces are captured.
const WATCHED: usize = 10;

/// One test at a time: the counters are the process's.
fn alone() -> MutexGuard<'static, ()> {
    static ONE: Mutex<()> = Mutex::new(());
    counting::mark(counting::Side::Harness);
    ONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Allocations of a call of `ask`, as the middle one of `times` calls has them: what happens once in a while, whatever
/// is asked, is nobody's (dates, gauges, buffers that grow).
fn cost(times: usize, mut ask: impl FnMut()) -> f64 {
    let first = Count::now();
    let mut before = first;
    let mut each: Vec<u64> = (0..times)
        .map(|_| {
            ask();
            let now = Count::now();
            now.gateway - std::mem::replace(&mut before, now).gateway
        })
        .collect();
    println!(
        "  {:8.2} by its writers of lines and records",
        (before.writers - first.writers) as f64 / times as f64
    );
    each.sort_unstable();
    let (middle, average) = (each[times / 2] as f64, (before.gateway - first.gateway) as f64 / times as f64);
    println!("  {average:8.2} on the average");
    assert!(average <= middle + NOW_AND_THEN, "{average:.2} on the average, and {middle} in the middle");
    middle
}

fn at_most(what: &str, cost: f64, bound: u32) {
    println!("  {cost:8.2} allocations: {what}");
    assert!(cost <= f64::from(bound), "{what}: {cost:.2} allocations, {bound} until now");
}

#[test]
fn a_plain_request_allocates_no_more_than_it_did() {
    let _alone = alone();
    let mut stage = Stage::set();
    (0..WARM_UP).for_each(|_| stage.plain());
    at_most("a plain request", cost(REQUESTS, || stage.plain()), PLAIN);
}

#[test]
fn an_answer_from_the_memory_allocates_no_more_than_it_did() {
    let _alone = alone();
    let mut stage = Stage::set();
    stage.miss();
    (0..WARM_UP).for_each(|_| stage.hit());
    at_most("an answer from the memory", cost(REQUESTS, || stage.hit()), HIT);
}

#[test]
fn a_chunk_of_a_stream_allocates_no_more_than_it_did() {
    let _alone = alone();
    let mut stage = Stage::set();
    (0..STREAMS).for_each(|_| stage.stream(100));
    let short = cost(STREAMS, || stage.stream(1));
    let long = cost(STREAMS, || stage.stream(101));
    at_most("a stream of one chunk", short, STREAM);
    at_most("a chunk of a stream", ((long - short) / 100.0).round(), CHUNK);
}

#[test]
fn a_key_keeps_no_more_memory_than_it_did() {
    let _alone = alone();
    // What only the first gateway makes is there then.
    kept_with(1);
    let each = (kept_with(1_001) - kept_with(1)) / 1_000;
    println!("  {each:8} bytes: a client key");
    assert!(each <= KEY, "a client key: {each} bytes, {KEY} until now");
}

/// Bytes that a gateway keeps that has read a configuration with so many keys.
fn kept_with(keys: usize) -> usize {
    let before = counting::held();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let mut yaml = "listeners: {api: {bind: '127.0.0.1:0'}, admin: {bind: '127.0.0.1:0'}}
providers: [{name: p, kind: openai_compatible, base_url: 'http://127.0.0.1:1/v1', allow_private: true}]
models: [{name: m, targets: [{provider: p, model: m}]}]
telemetry: {metrics: {max_keys: 5000}}
keys:\n"
        .to_owned();
    for n in 0..keys {
        writeln!(yaml, "- {{name: k{n}, hash: 'blake3:{n:064x}', models: ['*']}}").unwrap();
    }
    let source = Source::Text { name: "keys", text: &yaml, base: Path::new(".") };
    let Loaded { settings, effective, .. } = sluice_config::load(source, &Options::default()).unwrap();
    drop(yaml);
    let options = StartOptions::new(LogSink::to(Box::new(std::io::sink())), LedgerPlace::Memory);
    let running = runtime.block_on(sluice::start(settings, options)).unwrap();
    let kept = counting::held() - before;
    runtime.block_on(running.stop(Duration::ZERO, Duration::ZERO));
    drop(effective);
    kept
}

#[test]
#[ignore = "tells where allocations come from; there is nothing to fail"]
fn where_allocations_come_from() {
    let _alone = alone();
    let mut stage = Stage::set();
    stage.miss();
    type Ask = fn(&mut Stage);
    let kinds: [(&str, Ask); 3] = [
        ("a plain request", Stage::plain),
        ("an answer from the memory", Stage::hit),
        ("a stream of 10 chunks", |stage| stage.stream(10)),
    ];
    for (what, ask) in kinds {
        (0..WARM_UP).for_each(|_| ask(&mut stage));
        stage.settle();
        sites::watch(true);
        (0..WATCHED).for_each(|_| ask(&mut stage));
        stage.settle();
        sites::watch(false);
        println!("\n{what}: {}", sites::report(WATCHED));
    }
}
