//! The ledger under load: does every accepted request leave exactly one record, with the tokens that were bought?
//!
//! Starts `sluice mock` and the gateway (the binaries beside this one), and sends plain and streamed requests over
//! raw HTTP/1.1. A fifth of the clients leave at some moment, a tenth of the upstream's answers are faults, and
//! twice the gateway is drained by SIGTERM and started again on its ledger. Then log, ledger and the upstream's own
//! counts have to tell the same. In the end the gateway is killed under load, twice. What is asked when and what
//! the mock answers is drawn from a seed.
//!
//! - `ways`: the kinds of requests, and what may be expected of their sums
//! - `plan`: the nth request
//! - `client`: connections, and what their clients saw
//! - `house`: processes, configuration, folder
//! - `books`: what the ledger, the log, `sluice usage` and the mock say
//! - `checks`, `sums`: whether they say the same

mod books;
mod checks;
#[path = "../../chunked.rs"]
mod chunked;
mod client;
mod house;
mod plan;
mod sums;
mod ways;

use checks::Findings;
use clap::Parser;
use client::Crowd;
use house::{Gateway, House};
use std::{
    process::ExitCode,
    rc::Rc,
    time::{Duration, Instant, SystemTime},
};

/// How long the load lasts before the gateway is killed: longer than what may be lost.
const BEFORE_KILL: Duration = Duration::from_millis(3_500);

/// Proves the usage ledger under load, drains and kills.
#[derive(Parser)]
struct Args {
    /// Requests, beside those under which the gateway is killed.
    #[arg(long, default_value_t = 20_000)]
    requests: u32,
    /// Connections.
    #[arg(long, default_value_t = 64)]
    conns: usize,
    /// Drains under load.
    #[arg(long, default_value_t = 2)]
    drains: u32,
    /// Kills under load.
    #[arg(long, default_value_t = 2)]
    kills: u32,
    /// What requests and faults are drawn from.
    #[arg(long, default_value_t = 7)]
    seed: u64,
}

fn main() -> ExitCode {
    let args = Args::parse();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let mut findings = Findings::default();
    let house = House::new();
    tokio::task::LocalSet::new().block_on(&runtime, async {
        let crowd = Rc::new(Crowd::new(house.api, args.seed));
        load(&args, &house, &crowd, &mut findings).await;
        for _ in 0..args.kills {
            kill(&args, &house, &crowd, &mut findings).await;
        }
    });
    if findings.is_empty() {
        println!("\nall as it should be");
        return ExitCode::SUCCESS;
    }
    let folder = house.keep();
    println!("\n{findings}\nconfiguration, logs and ledger are kept in {}", folder.display());
    ExitCode::FAILURE
}

/// The requests with drains in between, and the comparison of all that was told of them.
async fn load(args: &Args, house: &House, crowd: &Rc<Crowd>, findings: &mut Findings) {
    let begun = Instant::now();
    let mut gateway = house.serve().await;
    crowd.open(args.requests);
    let workers = client::spawn(crowd, args.conns);
    for drain in 1..=args.drains {
        let at = u64::from(args.requests) * u64::from(drain) / u64::from(args.drains + 1);
        crowd.has_begun(at as u32).await;
        stop(gateway, &format!("drain {drain}"), findings).await;
        gateway = house.serve().await;
    }
    client::join(workers, crowd).await;
    let took = begun.elapsed();
    stop(gateway, "the last drain", findings).await;
    println!(
        "{} requests over {} connections in {:.1} s, {} drains in between",
        args.requests,
        args.conns,
        took.as_secs_f64(),
        args.drains
    );
    let spent = house.mock_counts().await;
    let log = books::Log::read(house.logs());
    let ledger = books::Ledger::open(&house.ledger());
    checks::each_exactly_once(crowd, &log, &ledger, findings);
    sums::agree(&spent, &ledger, findings);
    checks::the_ledger_agrees_with_itself(house, &ledger, findings);
}

async fn stop(gateway: Gateway, what: &str, findings: &mut Findings) {
    let status = gateway.drained().await;
    findings.unless(status.code() == Some(0), || format!("{what}: the gateway ended with {status}"));
}

/// Load, and then no gateway any more.
async fn kill(args: &Args, house: &House, crowd: &Rc<Crowd>, findings: &mut Findings) {
    let before = books::Ledger::open(&house.ledger()).ids();
    let gateway = house.serve().await;
    crowd.open(u32::MAX);
    let workers = client::spawn(crowd, args.conns);
    tokio::time::sleep(BEFORE_KILL).await;
    let at = SystemTime::now();
    let log = gateway.killed();
    crowd.close();
    client::join(workers, crowd).await;
    checks::little_is_lost(&before, &log, at, &house.ledger(), findings);
    checks::the_ledger_agrees_with_itself(house, &books::Ledger::open(&house.ledger()), findings);
}
