//! The second tier: gateways share answers over Redis, and believe nothing there that is not theirs.

use crate::support::{CHAT, begin, cached, counting, in_flight, numbered_events, seeded};
use sluice_tests::{
    client::{Answer as Reply, Request},
    gateway::{Config, Gateway, KEY},
    process::{Process, command, free_port},
    redis::{self, Redis},
    soon,
    sse::{Events, Stream},
    upstream::Upstream,
};
use std::net::SocketAddr;

const STREAM: &str = ",\"stream\":true";

fn shared(upstream: &Upstream, redis: &Redis) -> Config {
    // Patient: what is asked here is not what happens when the machine is busy.
    cached(upstream, "").section(&format!("redis: {{urls: [\"{}\"], timeout: 2s}}", redis.url()))
}

async fn ask(api: SocketAddr, seed: i64, more: &str) -> Reply {
    Request::post(CHAT, seeded(seed, more)).bearer(KEY).send(api).await.expect(200)
}

/// Starts a gateway that looks into Redis from its first request on.
async fn start(config: &Config) -> Gateway {
    let gateway = config.start().await;
    let looked = "sluice_cache_lookup_duration_seconds_count{result=\"miss\",tier=\"redis\"}";
    let request = Request::post(CHAT, seeded(-1, "")).bearer(KEY).header("cache-control", "only-if-cached");
    soon("a look into Redis", async {
        while gateway.metric(looked).await == 0.0 {
            let _ = request.send(gateway.api).await.expect(504);
        }
    })
    .await;
    gateway
}

/// Only a stored answer will do; waits until there is one.
async fn stored(api: SocketAddr, seed: i64, more: &str) -> Reply {
    let request =
        Request::post(CHAT, seeded(seed, more)).bearer(KEY).header("cache-control", "only-if-cached");
    soon("a stored answer", async {
        loop {
            let answer = request.send(api).await;
            if answer.status() != 504 {
                return answer.expect(200);
            }
        }
    })
    .await
}

/// The names of all stored answers, once there are so many.
async fn entries(redis: &Redis, n: usize) -> Vec<String> {
    let mut keys = Vec::new();
    sluice_tests::eventually(&format!("{n} entries"), || {
        keys = redis.keys("sluice:cache:*");
        keys.len() == n
    })
    .await;
    keys
}

fn tier(answer: &Reply) -> &str {
    answer.get("cache-status").rsplit("detail=").next().unwrap_or_default()
}

/// The gateway as a process of its own.
struct Replica {
    process: Process,
    api: SocketAddr,
    _folder: tempfile::TempDir,
}

async fn replica(config: &Config) -> Replica {
    let local = || SocketAddr::from(([127, 0, 0, 1], free_port()));
    let (api, admin) = (local(), local());
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sluice.yaml");
    std::fs::write(&path, config.yaml(&api.to_string(), &admin.to_string())).unwrap();
    let process = Process::start(command(&["serve", "--config", path.to_str().unwrap()]));
    process.listens(api).await;
    soon("Redis", async {
        while !Request::get("/metrics").send(admin).await.text().contains("sluice_redis_up 1") {}
    })
    .await;
    Replica { process, api, _folder: folder }
}

#[tokio::test]
async fn two_processes_share_answers_and_a_restart_keeps_them() {
    let (upstream, redis) = (counting().await, Redis::start());
    let config = shared(&upstream, &redis);
    let (one, two) = (replica(&config).await, replica(&config).await);
    let plain = ask(one.api, 1, "").await;
    let stream = ask(one.api, 2, STREAM).await;
    assert_eq!((plain.get("x-sluice-cache"), stream.get("x-sluice-cache")), ("miss", "miss"));
    let _ = entries(&redis, 2).await;
    for (seed, more, body) in [(1, "", &plain.body), (2, STREAM, &stream.body)] {
        let hit = stored(two.api, seed, more).await;
        assert_eq!((hit.get("x-sluice-cache"), tier(&hit), &hit.body), ("hit", "redis", body));
        assert_eq!((hit.get("x-sluice-provider"), hit.get("x-sluice-attempts")), ("up", "0"));
        let again = ask(two.api, seed, more).await;
        assert_eq!((tier(&again), &again.body), ("memory", body), "and now it is there, too");
    }
    let as_stream = ask(two.api, 1, STREAM).await;
    assert_eq!(as_stream.get("x-sluice-cache"), "hit");
    assert!(as_stream.text().ends_with("data: [DONE]\n\n"));

    one.process.signal("KILL");
    drop(one);
    let reborn = replica(&config).await;
    for (seed, more, body) in [(1, "", &plain.body), (2, STREAM, &stream.body)] {
        let hit = stored(reborn.api, seed, more).await;
        assert_eq!((tier(&hit), &hit.body), ("redis", body));
    }
    assert_eq!(upstream.calls(), 2);
}

#[tokio::test]
async fn a_miss_here_asks_redis_before_the_upstream() {
    let (upstream, redis) = (counting().await, Redis::start());
    let config = shared(&upstream, &redis);
    let (one, two) = (start(&config).await, start(&config).await);
    let _ = ask(one.api, 1, STREAM).await;
    let _ = entries(&redis, 1).await;
    let _ = stored(two.api, 1, STREAM).await;
    for seed in 2..10 {
        let first = ask(one.api, seed, STREAM).await;
        let _ = entries(&redis, usize::try_from(seed).unwrap()).await;
        let second = ask(two.api, seed, STREAM).await;
        assert_eq!((tier(&second), &second.body), ("redis", &first.body));
    }
    assert_eq!(upstream.calls(), 9);
    let hits = "sluice_cache_requests_total{model=\"m\",result=\"hit\",tier=\"redis\"}";
    assert_eq!(two.metric(hits).await, 9.0);
    assert_eq!(two.metric("sluice_redis_up").await, 1.0);
}

#[tokio::test]
async fn many_who_ask_at_once_ask_redis_once() {
    let (upstream, redis) = (counting().await, Redis::start());
    let config = shared(&upstream, &redis);
    let (one, two) = (start(&config).await, start(&config).await);
    let first = ask(one.api, 1, STREAM).await;
    let _ = entries(&redis, 1).await;
    let looked = "sluice_redis_op_duration_seconds_count{op=\"get\"}";
    let before = two.metric(looked).await;
    let api = two.api;
    // Replies of a paused server all come later, so that everybody is there before the first one.
    redis.pause();
    let asked = begin((0..30).map(|n| async move { ask(api, 1, ["", STREAM][n % 2]).await }));
    in_flight(&two, 30).await;
    redis.resume();
    for (n, asked) in asked.into_iter().enumerate() {
        let answer = asked.await.unwrap();
        assert!(["hit", "coalesced"].contains(&answer.get("x-sluice-cache")), "{:?}", answer.head);
        assert!(n % 2 == 0 || answer.body == first.body);
    }
    assert_eq!((two.metric(looked).await - before, upstream.calls()), (1.0, 1));
}

#[tokio::test]
async fn usage_asked_for_or_not_is_kept_apart_over_redis_too() {
    let (upstream, redis) = (counting().await, Redis::start());
    let config = shared(&upstream, &redis);
    let (one, two) = (start(&config).await, start(&config).await);
    let _ = ask(one.api, 1, STREAM).await;
    let told = ",\"stream\":true,\"stream_options\":{\"include_usage\":true}";
    assert_eq!(stored(two.api, 1, told).await.text(), numbered_events(0, true));
    assert_eq!(stored(two.api, 1, STREAM).await.text(), numbered_events(0, false));
}

#[tokio::test]
async fn what_comes_from_redis_is_replayed_at_a_reading_pace_too() {
    let (upstream, redis) = (counting().await, Redis::start());
    let config = cached(&upstream, ", replay: paced")
        .section(&format!("redis: {{urls: [\"{}\"], timeout: 2s}}", redis.url()));
    let (one, two) = (start(&config).await, start(&config).await);
    let _ = ask(one.api, 1, STREAM).await;
    let _ = entries(&redis, 1).await;
    let mut stream = Stream::open(two.api, &Request::post(CHAT, seeded(1, STREAM)).bearer(KEY)).await;
    assert!(stream.head.get("cache-status").ends_with("detail=redis"), "{:?}", stream.head);
    let Events { events, .. } = stream.rest().await;
    let (first, last) = (&events[0], &events[events.len() - 1]);
    assert!(
        last.is_done() && last.at.duration_since(first.at).as_millis() >= 20,
        "not all at once: {events:?}"
    );
}

#[tokio::test]
async fn an_entry_has_a_name_that_tells_nothing_and_a_life_of_its_own() {
    let (upstream, redis) = (counting().await, Redis::start());
    let config =
        cached(&upstream, "").section(&format!("redis: {{urls: [\"{}\"], key_prefix: mine}}", redis.url()));
    let (one, two) = (start(&config).await, start(&config).await);
    let request = Request::post(CHAT, seeded(1, "")).bearer(KEY).header("x-sluice-cache-ttl", "100");
    let _ = request.send(one.api).await.expect(200);
    let _ = stored(two.api, 1, "").await;
    let keys = redis.keys("*");
    let entry =
        keys.iter().find_map(|key| key.strip_prefix("mine:cache:2:")).unwrap_or_else(|| panic!("{keys:?}"));
    assert!(entry.len() == 64 && entry.bytes().all(|byte| byte.is_ascii_hexdigit()), "{entry}");
    assert!(keys.iter().all(|key| key.starts_with("mine:")), "{keys:?}");
    let redis::Reply::Number(left) = redis.ask(&[b"PTTL", format!("mine:cache:2:{entry}").as_bytes()]) else {
        panic!("no life")
    };
    assert!((80_000..=100_000).contains(&left), "{left}");
}

#[tokio::test]
async fn age_counts_from_the_first_storing() {
    let (upstream, redis) = (counting().await, Redis::start());
    let config = shared(&upstream, &redis);
    let one = start(&config).await;
    let _ = ask(one.api, 1, "").await;
    soon("an age", async { while ask(one.api, 1, "").await.get("age") == "0" {} }).await;
    let two = start(&config).await;
    let age: u64 = stored(two.api, 1, "").await.get("age").parse().unwrap();
    assert!((1..10).contains(&age), "{age}");
    let too_old = Request::post(CHAT, seeded(1, "")).bearer(KEY).header("cache-control", "max-age=0");
    assert_eq!(too_old.send(two.api).await.get("x-sluice-cache"), "miss");
}

/// An answer is stored, its entry is made `bad`, and a gateway that never saw it asks.
async fn is_a_miss(name: &str, reason: Option<&str>, bad: impl FnOnce(&Redis, &str)) {
    let (upstream, redis) = (counting().await, Redis::start());
    let config = shared(&upstream, &redis);
    let one = start(&config).await;
    let first = ask(one.api, 1, STREAM).await;
    let key = entries(&redis, 1).await.remove(0);
    let sound = redis.get(&key).unwrap();
    let two = start(&config).await;
    let calls = upstream.calls();
    bad(&redis, &key);
    let fresh = ask(two.api, 1, STREAM).await;
    assert_eq!((fresh.get("x-sluice-cache"), upstream.calls()), ("miss", calls + 1), "{name}");
    assert!(fresh.text().ends_with("data: [DONE]\n\n") && fresh.body != first.body, "{name}");
    // The new answer takes the place of what was bad.
    let three = start(&config).await;
    let again = stored(three.api, 1, STREAM).await;
    assert_eq!((tier(&again), &again.body), ("redis", &fresh.body), "{name}");
    assert_ne!(redis.get(&key).unwrap(), sound, "{name}");
    if let Some(reason) = reason {
        let series = format!("sluice_cache_invalid_total{{reason=\"{reason}\"}}");
        assert_eq!(two.metric(&series).await, 1.0, "{name}: {}", invalid(&two).await);
    }
}

/// What was not believed, for the reader of a failure.
async fn invalid(gateway: &Gateway) -> String {
    let text = gateway.ask_admin("/metrics").await.text();
    text.lines().filter(|line| line.starts_with("sluice_cache_invalid_total")).collect()
}

#[tokio::test]
async fn what_was_changed_by_one_bit_is_a_miss() {
    for (name, at, reason) in [
        ("the magic", 0, "version"),
        ("the checksum", 5, "checksum"),
        ("the key", 50, "checksum"),
        ("the flags", 77, "checksum"),
        ("the generation", 80, "checksum"),
        ("a name", 136, "checksum"),
    ] {
        let flip = |redis: &Redis, key: &str| {
            let mut entry = redis.get(key).unwrap();
            entry[at] ^= 1;
            redis.put(key, &entry);
        };
        is_a_miss(name, Some(reason), flip).await;
    }
    let last = |redis: &Redis, key: &str| {
        let mut entry = redis.get(key).unwrap();
        *entry.last_mut().unwrap() ^= 0x20;
        redis.put(key, &entry);
    };
    is_a_miss("the body", Some("checksum"), last).await;
}

#[tokio::test]
async fn what_was_cut_or_grown_is_a_miss() {
    for length in [1, 4, 40, 130] {
        let cut = |redis: &Redis, key: &str| redis.put(key, &redis.get(key).unwrap()[..length]);
        is_a_miss(&format!("{length} bytes"), None, cut).await;
    }
    is_a_miss("one byte less", Some("truncated"), |redis, key| {
        let entry = redis.get(key).unwrap();
        redis.put(key, &entry[..entry.len() - 1]);
    })
    .await;
    is_a_miss("one byte more", Some("checksum"), |redis, key| {
        redis.put(key, &[redis.get(key).unwrap(), b"x".into()].concat());
    })
    .await;
    is_a_miss("huge", Some("too_large"), |redis, key| redis.put(key, &vec![b'x'; 5 << 20])).await;
}

#[tokio::test]
async fn what_is_not_an_entry_is_a_miss() {
    is_a_miss("nothing", None, |redis, key| redis.put(key, b"")).await;
    is_a_miss("text", Some("version"), |redis, key| redis.put(key, &b"not an entry ".repeat(20))).await;
    is_a_miss("the answer itself", Some("version"), |redis, key| {
        redis.put(key, numbered_events(0, false).as_bytes());
    })
    .await;
    is_a_miss("a list", Some("wrong_type"), |redis, key| {
        let _ = redis.ask(&[b"DEL", key.as_bytes()]);
        assert_eq!(redis.ask(&[b"RPUSH", key.as_bytes(), b"x"]), redis::Reply::Number(1));
    })
    .await;
}

#[tokio::test]
async fn an_entry_of_another_format_version_is_a_miss_and_no_error() {
    for version in [0, 1, 255] {
        is_a_miss(&format!("version {version}"), Some("version"), |redis, key| {
            let mut entry = redis.get(key).unwrap();
            entry[4] = version;
            let mut sum = blake3::Hasher::new();
            let sum = sum.update(&entry[..5]).update(&entry[37..]).finalize();
            entry[5..37].copy_from_slice(sum.as_bytes());
            redis.put(key, &entry);
        })
        .await;
    }
}

#[tokio::test]
async fn entries_swapped_between_tenants_are_misses_on_both_sides() {
    let (upstream, redis) = (counting().await, Redis::start());
    let config = shared(&upstream, &redis).section("tenants: [{name: other}]").key(
        "other",
        "sk-sluice-other",
        "models: [\"*\"], tenant: other",
    );
    let one = start(&config).await;
    let of = |key: &str| Request::post(CHAT, seeded(1, "")).bearer(key);
    let mine = of(KEY).send(one.api).await.expect(200);
    let theirs = of("sk-sluice-other").send(one.api).await.expect(200);
    let keys = entries(&redis, 2).await;
    let [a, b] = [0, 1].map(|n| redis.get(&keys[n]).unwrap());
    redis.put(&keys[0], &b);
    redis.put(&keys[1], &a);
    let two = start(&config).await;
    for key in [KEY, "sk-sluice-other"] {
        let answer = of(key).send(two.api).await.expect(200);
        assert_eq!(answer.get("x-sluice-cache"), "miss");
        assert!(answer.body != mine.body && answer.body != theirs.body);
    }
    assert_eq!(two.metric("sluice_cache_invalid_total{reason=\"binding\"}").await, 2.0);
}

#[tokio::test]
async fn a_purge_here_reaches_the_other_replica() {
    for (what, purged) in [
        ("{\"all\":true}", [true, true, true]),
        ("{\"tenant\":\"other\"}", [false, true, false]),
        ("{\"model\":\"n\"}", [false, false, true]),
        ("{\"key\":\"test\"}", [true, false, true]),
    ] {
        let (upstream, redis) = (counting().await, Redis::start());
        let config = shared(&upstream, &redis).model("n").section("tenants: [{name: other}]").key(
            "other",
            "sk-sluice-other",
            "models: [\"*\"], tenant: other",
        );
        let (one, two) = (start(&config).await, start(&config).await);
        let of = |api: SocketAddr, key: &str, model: &str| {
            let body = seeded(1, "").replace("\"m\"", &format!("\"{model}\""));
            Request::post(CHAT, body).bearer(key).header("cache-control", "only-if-cached").send(api)
        };
        let kinds = [(KEY, "m"), ("sk-sluice-other", "m"), (KEY, "n")];
        for (key, model) in kinds {
            let body = seeded(1, "").replace("\"m\"", &format!("\"{model}\""));
            let _ = Request::post(CHAT, body).bearer(key).send(one.api).await.expect(200);
            soon("the other has it", async { while of(two.api, key, model).await.status() != 200 {} }).await;
        }
        let request = Request::post("/-/cache/purge", what.to_owned());
        let answer = request.send(one.admin).await;
        assert!(answer.status() < 300, "{what}: {} {}", answer.status(), answer.text());
        let three = start(&config).await;
        for ((key, model), purged) in kinds.into_iter().zip(purged) {
            let expected = if purged { 504 } else { 200 };
            assert_eq!(of(one.api, key, model).await.status(), expected, "{what} {key} {model}, at once");
            soon("the other follows", async { while of(two.api, key, model).await.status() != expected {} })
                .await;
            assert_eq!(of(three.api, key, model).await.status(), expected, "{what} {key} {model}, a new one");
        }
    }
}
