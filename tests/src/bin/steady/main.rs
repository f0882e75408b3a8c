//! Changes under load: are configurations reloaded, replicas restarted and Redis lost without a client noticing?
//!
//! Starts `sluice mock`, Redis and gateways (the binaries beside this one), keeps streams open and asks at a fixed
//! rate, and meanwhile
//! 1. reloads one gateway many times, by its watched file, by signal and by its admin listener, with configurations
//!    that are valid and others that are not, and takes a key away;
//! 2. restarts each of three replicas behind a TCP balancer, one after the other, and kills Redis for a while.
//!
//! Every answer has to be right to the byte, every stream whole, and every request one record in a ledger.
//!
//! - `load`: the clients, and what they saw
//! - `house`: processes, configuration, folder
//! - `changes`: the configurations of the reloads
//! - `balancer`: what stands before replicas

mod balancer;
mod changes;
mod house;
mod load;

use balancer::Balancer;
use changes::{BAD, GOOD, Way};
use clap::Parser;
use house::{Gateway, House};
use load::{Load, Seen};
use std::{
    net::SocketAddr,
    process::ExitCode,
    time::{Duration, Instant},
};
use tokio::time::sleep;

/// How long a removed key may still work: the debounce of a file that changes, and slack for a busy machine.
const KEY_GONE: Duration = Duration::from_secs(3);
/// How long Redis is away.
const REDIS_AWAY: Duration = Duration::from_secs(4);

/// Proves that changes under load go unnoticed.
#[derive(Parser)]
struct Args {
    /// Streams that are open all the time.
    #[arg(long, default_value_t = 200)]
    streams: usize,
    /// Other requests in a second.
    #[arg(long, default_value_t = 500)]
    rate: usize,
    /// Reloads that are valid; there are as many that are not.
    #[arg(long, default_value_t = 20)]
    reloads: usize,
    /// Replicas.
    #[arg(long, default_value_t = 3)]
    replicas: usize,
}

fn main() -> ExitCode {
    let args = Args::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime");
    let clean = runtime.block_on(async {
        let house = House::new().await;
        let reloaded = reloads(&args, &house).await;
        let restarted = restarts(&args, &house).await;
        reloaded && restarted
    });
    if clean {
        println!("\nall as it should be");
        ExitCode::SUCCESS
    } else {
        println!("\nNOT as it should be");
        ExitCode::FAILURE
    }
}

/// Reloads of one gateway under load.
async fn reloads(args: &Args, house: &House) -> bool {
    let mut gateway = house.gateway("reloaded", &changes::good(0));
    gateway.start().await;
    let load = Load::start(gateway.api, args.streams, args.rate).await;
    let mut done = Vec::new();
    for n in 0..args.reloads {
        done.push(reload(house, &gateway, true, n).await);
        done.push(reload(house, &gateway, false, n).await);
    }
    let slowest = done.iter().max().copied().unwrap_or_default();
    let gone = key_gone(house, &gateway).await;
    let seen = load.stop().await;
    let counted =
        ["ok", "rejected"].map(|result| format!("sluice_config_reloads_total{{result=\"{result}\"}}"));
    let [taken, refused] = [gateway.metric(&counted[0]).await, gateway.metric(&counted[1]).await];
    gateway.stop().await;
    println!(
        "{taken} reloads taken and {refused} refused, {} streams open and {} requests/s: {seen}",
        args.streams, args.rate
    );
    println!(
        "  the slowest took {} ms with its debounce; a removed key was refused after {} ms",
        slowest.as_millis(),
        gone.as_millis()
    );
    let mut clean = seen.is_clean();
    clean &= expect("reloads", [taken, refused].iter().all(|count| *count as usize >= args.reloads));
    clean &= expect("a removed key is refused in time", gone < KEY_GONE);
    clean & recorded(&seen, &[&gateway])
}

/// One reload; how long it was until it was told as taken or refused.
async fn reload(house: &House, gateway: &Gateway, valid: bool, n: usize) -> Duration {
    // Not the same way for the same configuration each time.
    let way = [Way::File, Way::Signal, Way::Admin][(n + n / BAD.len()) % 3];
    let text = if valid { GOOD[(n + 1) % GOOD.len()](n + 1) } else { BAD[n % BAD.len()].to_owned() };
    let before = gateway.last_reload().await;
    let began = Instant::now();
    house.write(gateway, &text);
    match way {
        Way::File => {}
        Way::Signal => gateway.signal("HUP"),
        Way::Admin => gateway.ask_to_reload().await,
    }
    loop {
        let told = gateway.last_reload().await;
        if told != before {
            let result = if valid { "ok" } else { "rejected" };
            assert_eq!(told["result"], result, "reload {n} by {way:?}: {told}\n{text}");
            return began.elapsed();
        }
        assert!(began.elapsed() < Duration::from_secs(30), "reload {n} by {way:?} did nothing");
        sleep(Duration::from_millis(5)).await;
    }
}

/// Takes the spare key out of the file, and waits until it is refused.
async fn key_gone(house: &House, gateway: &Gateway) -> Duration {
    house.write(gateway, &changes::good(0));
    // Until the changes before lie still, too.
    sleep(KEY_GONE).await;
    assert_eq!(load::status(gateway.api, house::SPARE).await, 200);
    house.write(gateway, &changes::without_spare());
    let began = Instant::now();
    while load::status(gateway.api, house::SPARE).await != 401 && began.elapsed() < 2 * KEY_GONE {
        sleep(Duration::from_millis(5)).await;
    }
    began.elapsed()
}

/// Restarts of all replicas under load, one after the other, and Redis away.
async fn restarts(args: &Args, house: &House) -> bool {
    let names: Vec<String> = (0..args.replicas).map(|n| format!("replica-{n}")).collect();
    let mut replicas: Vec<Gateway> =
        names.iter().map(|name| house.gateway(name, &changes::good(0))).collect();
    for replica in &mut replicas {
        replica.start().await;
    }
    let places: Vec<(SocketAddr, SocketAddr)> =
        replicas.iter().map(|replica| (replica.api, replica.admin)).collect();
    let balancer = Balancer::start(&places).await;
    let load = Load::start(balancer.address, args.streams, args.rate).await;
    let began = Instant::now();
    for replica in &mut replicas {
        replica.stop().await;
        replica.start().await;
        balancer.knows(replica.api).await;
    }
    let took = began.elapsed();
    sleep(Duration::from_secs(1)).await;
    house.redis_away(REDIS_AWAY).await;
    sleep(Duration::from_secs(2)).await;
    let seen = load.stop().await;
    replicas.iter().for_each(|replica| replica.signal("TERM"));
    for replica in &mut replicas {
        replica.ended().await;
    }
    println!(
        "{} replicas restarted one after the other in {:.1} s, then Redis away for {} s, {} streams open and {} requests/s: {seen}",
        args.replicas,
        took.as_secs_f64(),
        REDIS_AWAY.as_secs(),
        args.streams,
        args.rate
    );
    let all: Vec<&Gateway> = replicas.iter().collect();
    seen.is_clean() & recorded(&seen, &all)
}

/// Has every request left one record, with a good end?
fn recorded(seen: &Seen, gateways: &[&Gateway]) -> bool {
    let mut asked: Vec<&str> = seen.ids.iter().map(String::as_str).collect();
    asked.sort_unstable();
    let records: Vec<(String, String)> = gateways.iter().flat_map(|gateway| gateway.records()).collect();
    let mut recorded: Vec<&str> = records
        .iter()
        .filter(|(_, end)| end == "ok")
        .map(|(id, _)| id.as_str())
        .filter(|id| load::is_ours(id))
        .collect();
    recorded.sort_unstable();
    println!("  {} requests asked, {} recorded as answered", asked.len(), recorded.len());
    expect("one record for each request", asked == recorded)
}

fn expect(what: &str, holds: bool) -> bool {
    if !holds {
        println!("  BROKEN: {what}");
    }
    holds
}
