//! Whatever Redis does, every request is answered, nobody waits for it for long, and it is used again soon.

use crate::support::{CHAT, all, begin, cached, counting, seeded};
use sluice_tests::{
    client::{Client, Request},
    eventually,
    gateway::{Gateway, KEY},
    redis::Redis,
    soon,
    upstream::Upstream,
};
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicI64, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::task::JoinHandle;

/// The bound of a request, whatever Redis does; one in a hundred may wait for a busy machine instead.
const SLOWEST: Duration = Duration::from_millis(500);
/// What a median may differ by. Far less than a wait for Redis, and more than the noise.
const NOISE: Duration = Duration::from_millis(20);

async fn before(upstream: &Upstream, redis: &Redis) -> Gateway {
    cached(upstream, "").section(&format!("redis: {{urls: [\"{}\"]}}", redis.url())).start().await
}

/// Clients that ask without a pause, each on its connection: half of it new, half of it known.
struct Load {
    over: Arc<AtomicBool>,
    seed: Arc<AtomicI64>,
    clients: Vec<JoinHandle<Vec<Duration>>>,
}

impl Load {
    fn start(gateway: &Gateway) -> Self {
        let (over, seed) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicI64::new(0)));
        let (api, shared) = (gateway.api, (over.clone(), seed.clone()));
        let client = move |(over, seed): (Arc<AtomicBool>, Arc<AtomicI64>)| async move {
            let (mut client, mut times) = (Client::connect(api).await, Vec::new());
            while !over.load(Ordering::SeqCst) {
                let next = seed.fetch_add(1, Ordering::SeqCst);
                for seed in [next, next / 2] {
                    client.send(&Request::post(CHAT, seeded(seed, "")).bearer(KEY).wire()).await;
                    let answer = client.answer().await.expect(200);
                    assert!(answer.text().contains("answer"), "{}", answer.text());
                    times.push(answer.took);
                }
            }
            times
        };
        let clients = begin((0..4).map(|_| client(shared.clone())));
        Self { over, seed, clients }
    }

    /// Waits until so many more were asked.
    async fn go_on(&self, n: i64) {
        let goal = self.seed.load(Ordering::SeqCst) + n;
        eventually("requests", || self.seed.load(Ordering::SeqCst) >= goal).await;
    }

    /// All were answered, each within the bound.
    async fn stop(self) {
        self.over.store(true, Ordering::SeqCst);
        for client in self.clients {
            let times = client.await.expect("every request is answered");
            let slow = times.iter().filter(|&&took| took > SLOWEST).count();
            assert!(slow <= times.len() / 100, "{slow} of {}: {:?}", times.len(), times.iter().max());
        }
    }
}

/// The median of fifty requests that nobody asked before.
async fn median(gateway: &Gateway, from: i64) -> Duration {
    let mut client = Client::connect(gateway.api).await;
    let mut times = Vec::new();
    for seed in from..from + 50 {
        client.send(&Request::post(CHAT, seeded(seed, "")).bearer(KEY).wire()).await;
        let answer = client.answer().await.expect(200);
        assert_eq!(answer.get("x-sluice-cache"), "miss");
        times.push(answer.took);
    }
    times.sort();
    times[25]
}

async fn up(gateway: &Gateway, up: bool) {
    let value = f64::from(u8::from(up));
    soon("the state of Redis", async { while gateway.metric("sluice_redis_up").await != value {} }).await;
}

fn entries(redis: &Redis) -> usize {
    redis.keys("sluice:cache:*").len()
}

/// Waits until a new answer reaches Redis and is read back from there; tells how long that took.
async fn used_again(gateway: &Gateway, redis: &Redis, from: i64) -> Duration {
    let began = Instant::now();
    let known = entries(redis);
    let mut seed = from;
    soon("a new entry", async {
        while entries(redis) <= known {
            let _ = gateway.post(CHAT, seeded(seed, "")).await.expect(200);
            seed += 1;
        }
    })
    .await;
    let took = began.elapsed();
    let looked = "sluice_cache_lookup_duration_seconds_count{result=\"miss\",tier=\"redis\"}";
    let before = gateway.metric(looked).await;
    soon("a look into Redis", async {
        while gateway.metric(looked).await == before {
            let _ = gateway.post(CHAT, seeded(seed, "")).await.expect(200);
            seed += 1;
        }
    })
    .await;
    took.max(began.elapsed())
}

/// Redis goes under load, and comes back under load.
async fn an_outage(mut redis: Redis, goes: fn(&mut Redis), comes_back: fn(&mut Redis)) {
    let upstream = counting().await;
    let gateway = before(&upstream, &redis).await;
    up(&gateway, true).await;
    let usual = median(&gateway, 1_000_000).await;
    let load = Load::start(&gateway);
    load.go_on(50).await;
    goes(&mut redis);
    load.go_on(50).await;
    up(&gateway, false).await;
    load.go_on(50).await;
    load.stop().await;
    let without = median(&gateway, 2_000_000).await;
    assert!(without < usual + NOISE, "{usual:?} before, {without:?} without");

    let load = Load::start(&gateway);
    comes_back(&mut redis);
    let took = used_again(&gateway, &redis, 3_000_000).await;
    load.stop().await;
    assert!(took < Duration::from_secs(5), "{took:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redis_killed_under_load_costs_no_request_and_no_time() {
    an_outage(Redis::start(), Redis::kill, Redis::restart).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redis_that_hangs_under_load_costs_no_request_and_little_time() {
    an_outage(Redis::start(), |redis| redis.pause(), |redis| redis.resume()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_first_calls_of_a_hanging_redis_wait_as_long_as_was_said_and_no_other_does() {
    let (upstream, redis) = (counting().await, Redis::start());
    let section = format!("redis: {{urls: [\"{}\"], timeout: 150ms}}", redis.url());
    let gateway = cached(&upstream, "").section(&section).start().await;
    up(&gateway, true).await;
    let _ = used_again(&gateway, &redis, 1_000_000).await;
    redis.pause();
    let timeouts = "sluice_redis_errors_total{kind=\"timeout\",op=\"get\"}";
    assert_eq!(gateway.metric(timeouts).await, 0.0);
    for seed in 0..40 {
        let _ = gateway.post(CHAT, seeded(seed, "")).await.expect(200);
    }
    let waited = gateway.metric(timeouts).await;
    assert!((1.0..=5.0).contains(&waited), "{waited} of 40 waited");
    redis.resume();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_redis_costs_no_request_and_still_gives_what_it_has() {
    let (upstream, redis) = (counting().await, Redis::start());
    let gateway = before(&upstream, &redis).await;
    up(&gateway, true).await;
    let kept = gateway.post(CHAT, seeded(-1, "")).await.expect(200);
    eventually("an entry", || entries(&redis) == 1).await;
    redis.fill(true);
    let load = Load::start(&gateway);
    load.go_on(100).await;
    load.stop().await;
    assert_eq!(entries(&redis), 1);
    let refused = "sluice_cache_stores_total{result=\"error\",tier=\"redis\"}";
    assert!(gateway.metric(refused).await > 0.0);
    assert_eq!(gateway.metric("sluice_redis_up").await, 1.0, "it is full, not away");
    let other = before(&upstream, &redis).await;
    let request = Request::post(CHAT, seeded(-1, "")).bearer(KEY).header("cache-control", "only-if-cached");
    soon("what it has", async { while request.send(other.api).await.status() != 200 {} }).await;
    assert_eq!(request.send(other.api).await.body, kept.body);
    redis.fill(false);
    let took = used_again(&gateway, &redis, 3_000_000).await;
    assert!(took < Duration::from_secs(5), "{took:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn flushing_under_load_costs_no_request() {
    let (upstream, redis) = (counting().await, Redis::start());
    let gateway = before(&upstream, &redis).await;
    up(&gateway, true).await;
    let load = Load::start(&gateway);
    for _ in 0..10 {
        load.go_on(20).await;
        redis.flush();
    }
    load.stop().await;
    assert_eq!(gateway.metric("sluice_redis_up").await, 1.0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn entries_that_rot_under_load_cost_no_request() {
    let (upstream, redis) = (counting().await, Redis::start());
    // Without a first tier everything known is read from Redis.
    let config =
        cached(&upstream, ", memory: 0B").section(&format!("redis: {{urls: [\"{}\"]}}", redis.url()));
    let (one, two) = (config.start().await, config.start().await);
    let loads = [Load::start(&one), Load::start(&two)];
    for n in 0..10_usize {
        loads[n % 2].go_on(20).await;
        for (at, key) in
            redis.keys("sluice:cache:*").into_iter().enumerate().filter(|(at, _)| at % 3 == n % 3)
        {
            redis.put(&key, &vec![b'x'; at % 300]);
        }
    }
    for load in loads {
        load.stop().await;
    }
    assert!(two.metric("sluice_cache_invalid_total{reason=\"version\"}").await > 0.0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gateway_starts_without_redis_and_uses_it_when_it_comes() {
    let (upstream, mut redis) = (counting().await, Redis::start());
    redis.kill();
    let gateway = before(&upstream, &redis).await;
    let first = gateway.post(CHAT, seeded(-1, "")).await.expect(200);
    assert!(first.took < SLOWEST, "{:?}", first.took);
    assert_eq!(gateway.post(CHAT, seeded(-1, "")).await.get("x-sluice-cache"), "hit", "the first tier works");
    assert_eq!(gateway.ask_admin("/readyz").await.status(), 200);
    redis.restart();
    let took = used_again(&gateway, &redis, 0).await;
    assert!(took < Duration::from_secs(5), "{took:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_that_leave_while_redis_is_asked_shift_no_reply() {
    let (upstream, redis) = (counting().await, Redis::start());
    let section = format!("redis: {{urls: [\"{}\"], timeout: 5s}}", redis.url());
    let config = cached(&upstream, "").section(&section);
    let (one, two) = (config.start().await, config.start().await);
    for gateway in [&one, &two] {
        up(gateway, true).await;
    }
    let mut known = Vec::new();
    for seed in 0..60 {
        known.push(one.post(CHAT, seeded(seed, "")).await.expect(200).body);
    }
    eventually("60 entries", || entries(&redis) == 60).await;
    let _ = used_again(&two, &redis, 1_000_000).await;
    let api = two.api;
    let all = all((0..60).map(|seed| {
        let known = known[usize::try_from(seed).unwrap()].clone();
        async move {
            let request = Request::post(CHAT, seeded(seed, "")).bearer(KEY);
            if seed % 2 == 0 {
                let mut client = Client::connect(api).await;
                client.send(&request.wire()).await;
                client.reset();
            } else {
                let answer = request.send(api).await.expect(200);
                assert_eq!((answer.get("x-sluice-cache"), &answer.body), ("hit", &known), "{seed}");
            }
        }
    }))
    .await;
    assert_eq!(all.len(), 60);
}
