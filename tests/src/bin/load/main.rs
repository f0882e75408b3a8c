//! The benchmark's load generator: closed loop or fixed rate, streams or not, one thread, one JSON object.
//!
//! It writes raw HTTP/1.1 and reads only what it must, so that the gateway is the busy side. Every body is
//! unique unless `--distinct` is given, so no cache answers by accident. It does not link the test harness.

#[path = "../../chunked.rs"]
mod chunked;
mod clock;
mod plan;
mod scan;
mod tally;
mod worker;

use clap::Parser;
use plan::{Args, Plan};
use std::{rc::Rc, time::Duration};
use tally::Tally;

fn main() -> std::io::Result<()> {
    let args = Args::parse();
    let grace = Duration::from_secs_f64(args.warmup + args.duration + args.grace);
    let conns = args.conns;
    let plan = Rc::new(Plan::new(&args, clock::now()));
    let tally = Rc::new(Tally::new(plan.measure_from));

    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    tokio::task::LocalSet::new().block_on(&runtime, async {
        let mut workers = tokio::task::JoinSet::new();
        for index in 0..conns {
            workers.spawn_local(worker::run(Rc::clone(&plan), Rc::clone(&tally), plan.opens(index)));
        }
        let finished = async { while workers.join_next().await.is_some() {} };
        // Streams that have not ended by then are given up, and what they measured still counts.
        let _ = tokio::time::timeout(grace, finished).await;
    });
    println!("{}", tally.report(&plan));
    Ok(())
}
