//! Sentinel and cluster with real processes; settings that can never work.

use super::super::{
    LinkState, Op, RedisLink, Trouble,
    testing::{Bench, Server, get, pretender, set, settings, wait_for},
};
use super::*;
use ::redis::Script;
use std::time::Instant;
use tokio::time::sleep;

fn refused(mode: RedisMode, urls: &[&str]) -> LinkError {
    let urls: Vec<String> = urls.iter().map(ToString::to_string).collect();
    Connector::new(&settings(mode, &urls)).err().unwrap()
}

#[test]
fn settings_that_can_never_work_are_named_without_their_secrets() {
    use RedisMode::{Cluster, Sentinel, Single};
    assert_eq!(refused(Single, &["http://:secret@host"]), LinkError::Address { index: 0 });
    assert_eq!(refused(Cluster, &["redis://a", "redis://:secret@b:port"]), LinkError::Address { index: 1 });
    assert_eq!(refused(Single, &[]), LinkError::Count);
    assert_eq!(refused(Single, &["redis://a", "redis://b"]), LinkError::Count);
    assert_eq!(refused(Cluster, &["redis://:one@a", "redis://:two@b"]), LinkError::Mixed);
    assert_eq!(refused(Cluster, &["redis+unix:///tmp/redis"]), LinkError::Mixed);
    let mut nameless = settings(Sentinel, &["redis://a".to_owned()]);
    nameless.master = None;
    assert_eq!(Connector::new(&nameless).err(), Some(LinkError::NoMaster));
    let message = refused(Cluster, &["redis://a", "redis://:secret@b:port"]).to_string();
    assert_eq!(message, "redis.urls[1] is not the address of a Redis server");
}

#[test]
fn the_usual_addresses_work() {
    for url in [
        "redis://host",
        "rediss://user:word@host:6380/2",
        "redis+unix:///run/redis.sock",
        "redis://[::1]:6379",
    ] {
        assert!(Connector::new(&settings(RedisMode::Single, &[url.to_owned()])).is_ok(), "{url}");
    }
    assert!(Connector::new(&settings(RedisMode::Sentinel, &["rediss://:w@a:26379/1".to_owned()])).is_ok());
}

#[tokio::test]
async fn tls_fails_as_a_connection_and_not_as_a_panic() {
    let tasks = tokio_util::task::TaskTracker::new();
    let url = pretender(&tasks, 9, None).await.replace("redis://", "rediss://");
    let outcome = Connector::new(&settings(RedisMode::Single, &[url])).unwrap().connect().await;
    assert_eq!(outcome.err(), Some(Trouble::Io));
}

/// Sets and reads a value until that works; returns how long it took.
async fn usable(link: &RedisLink, value: &str) -> Duration {
    let start = Instant::now();
    loop {
        let stored = link.run::<()>(Op::Set, &set("{t}k", value)).await;
        if stored.is_ok() {
            let (read,): (Option<String>,) = link.run(Op::Get, &get("{t}k")).await.unwrap();
            assert_eq!(read.as_deref(), Some(value));
            return start.elapsed();
        }
        assert!(start.elapsed() < Duration::from_secs(20), "{stored:?}");
        sleep(Duration::from_millis(20)).await;
    }
}

/// A master, its replica, and a Sentinel that knows both.
fn watched_pair(password: Option<&str>) -> (Server, Server, Server) {
    let word = password.map_or_else(Vec::new, |p| vec!["--requirepass", p, "--masterauth", p]);
    let master = Server::start(&word);
    let of = format!("127.0.0.1 {}", master.port);
    let replica =
        Server::start(&[&word[..], &["--replicaof", &of, "--repl-diskless-sync-delay", "0"]].concat());
    let sentinel = Server::sentinel(master.port);
    if let Some(password) = password {
        sentinel.tell(&format!("SENTINEL SET main auth-pass {password}"));
    }
    let known = format!("{}", replica.port);
    wait_for("the replica is known and in step", || {
        let replicas = sentinel.tell("SENTINEL REPLICAS main");
        replicas.contains(&known) && replicas.contains("master-link-status\r\n$2\r\nok")
    });
    (master, replica, sentinel)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_link_follows_a_failover() {
    let (mut master, replica, sentinel) = watched_pair(None);
    let bench = Bench::connected(&settings(RedisMode::Sentinel, &[sentinel.url()])).await;
    usable(&bench.link, "one").await;
    master.kill();
    let took = usable(&bench.link, "two").await;
    assert!(replica.tell("GET {t}k").contains("two"), "the replica leads now");
    println!("failover: {took:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_master_that_was_replaced_is_left_at_once() {
    let (master, replica, sentinel) = watched_pair(None);
    let bench = Bench::connected(&settings(RedisMode::Sentinel, &[sentinel.url()])).await;
    usable(&bench.link, "one").await;
    // Replaced without its clients being cut off, as Sentinel itself would do.
    replica.tell("REPLICAOF NO ONE");
    master.tell(&format!("REPLICAOF 127.0.0.1 {}", replica.port));
    let outcome = bench.link.run::<()>(Op::Set, &set("{t}k", "two")).await;
    assert!(matches!(outcome, Err(Trouble::Refused(_) | Trouble::Io | Trouble::Away)), "{outcome:?}");
    assert_eq!(bench.link.state(), LinkState::Away);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn servers_may_have_a_password_that_their_sentinel_has_not() {
    let (_master, _replica, sentinel) = watched_pair(Some("word"));
    let url = format!("redis://:word@127.0.0.1:{}", sentinel.port);
    let bench = Bench::connected(&settings(RedisMode::Sentinel, &[url])).await;
    usable(&bench.link, "one").await;
}

/// Two masters that share the slots.
fn cluster_of_two() -> [Server; 2] {
    let options = [
        "--cluster-enabled",
        "yes",
        "--cluster-node-timeout",
        "500",
        "--cluster-require-full-coverage",
        "no",
    ];
    let nodes = [Server::start(&options), Server::start(&options)];
    nodes[0].tell("CLUSTER ADDSLOTSRANGE 0 8191");
    nodes[1].tell("CLUSTER ADDSLOTSRANGE 8192 16383");
    nodes[0].tell(&format!("CLUSTER MEET 127.0.0.1 {}", nodes[1].port));
    wait_for("both know all slots", || {
        nodes.iter().all(|n| {
            let info = n.tell("CLUSTER INFO");
            info.contains("cluster_slots_ok:16384") && info.contains("cluster_state:ok")
        })
    });
    nodes
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cluster_is_one_link() {
    let [first, mut second] = cluster_of_two();
    let bench = Bench::connected(&settings(RedisMode::Cluster, &[first.url()])).await;
    for number in 0..50 {
        let (key, value) = (format!("k{number}"), format!("v{number}"));
        bench.link.run::<()>(Op::Set, &set(&key, &value)).await.unwrap();
        let (read,): (String,) = bench.link.run(Op::Get, &get(&key)).await.unwrap();
        assert_eq!(read, value);
    }
    let script = Script::new("return redis.call('INCR', KEYS[1])");
    for key in ["{a}n", "{b}n", "{c}n", "{d}n"] {
        let count: u64 = bench.link.script(Op::Limit, &script.key(key)).await.unwrap();
        assert_eq!(count, 1);
    }
    let mut both = get("a");
    both.cmd("GET").arg("b");
    let crossed = bench.link.run::<(Option<String>, Option<String>)>(Op::Get, &both).await;
    assert_eq!(crossed.map_err(Trouble::as_str), Err("crossslot"));
    // What one node holds stays in use when the other dies; no call takes long.
    second.kill();
    let mut served = 0;
    for number in 0..50 {
        let start = Instant::now();
        let read = bench.link.run::<(Option<String>,)>(Op::Get, &get(&format!("k{number}"))).await;
        assert!(start.elapsed() < Duration::from_millis(500), "{read:?}");
        served += u32::from(read.is_ok());
    }
    assert!(served > 5, "{served} of 50");
    second.restart();
    let start = Instant::now();
    loop {
        let mut whole = true;
        for number in 0..50 {
            whole &= bench.link.run::<(Option<String>,)>(Op::Get, &get(&format!("k{number}"))).await.is_ok();
        }
        if whole {
            break;
        }
        assert!(start.elapsed() < Duration::from_secs(8), "not whole again");
        sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cluster_that_hangs_is_away_and_comes_back() {
    let nodes = cluster_of_two();
    let bench = Bench::connected(&settings(RedisMode::Cluster, &[nodes[0].url(), nodes[1].url()])).await;
    usable(&bench.link, "one").await;
    nodes.iter().for_each(Server::pause);
    for _ in 0..20 {
        let start = Instant::now();
        bench.link.run::<(Option<String>,)>(Op::Get, &get("k")).await.unwrap_err();
        assert!(start.elapsed() < Duration::from_millis(500));
    }
    assert_eq!(bench.link.state(), LinkState::Away);
    sleep(Duration::from_secs(1)).await;
    nodes.iter().for_each(Server::resume);
    assert!(usable(&bench.link, "two").await < Duration::from_secs(5));
}
