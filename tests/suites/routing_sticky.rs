//! Requests that belong together meet the same target, and the same key of its pool: sessions and prompt prefixes.

use crate::support::{CHAT, CHAT_REPLY, chat_with};
use serde_json::{Value, json};
use sluice_tests::{
    client::{Answer as Reply, Request},
    gateway::{Config, Gateway, KEY},
    upstream::{Answer, Received, Upstream},
};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

/// How often each place was met.
type Seen = Arc<Mutex<BTreeMap<String, usize>>>;

/// Three upstreams that count what they answer, by target and key; those that are named are down.
struct Trio {
    upstreams: Vec<Upstream>,
    seen: Seen,
    down: Arc<Mutex<String>>,
}

const NAMES: [&str; 3] = ["up", "two", "three"];

impl Trio {
    async fn new() -> Self {
        let (seen, down) = (Arc::new(Mutex::new(BTreeMap::new())), Arc::new(Mutex::new(String::new())));
        let mut upstreams = Vec::new();
        for name in NAMES {
            let (seen, down) = (Seen::clone(&seen), Arc::<Mutex<String>>::clone(&down));
            let answer = move |_: usize, request: &Received| {
                if *down.lock().unwrap() == name {
                    return Answer::error(500, "{}");
                }
                let key = request.header("authorization").unwrap_or("none").to_owned();
                *seen.lock().unwrap().entry(format!("{name} {key}")).or_default() += 1;
                Answer::json(CHAT_REPLY)
            };
            upstreams.push(Upstream::with(answer).await);
        }
        Self { upstreams, seen, down }
    }

    /// A gateway whose model `shared` has all of them as targets; the latter two with a pool of three keys.
    async fn gateway(&self, members: &str) -> Gateway {
        self.config(members).start().await
    }

    fn config(&self, members: &str) -> Config {
        let pool = ", keys: [{name: a, value: sk-a}, {name: b, value: sk-b}, {name: c, value: sk-c}]";
        let mut config = Config::to(&self.upstreams[0]);
        for (name, upstream) in NAMES.iter().zip(&self.upstreams).skip(1) {
            config = config.also_with(name, &upstream.base_url(), pool);
        }
        let targets: Vec<String> =
            NAMES.iter().map(|name| format!("{{provider: {name}, model: a}}")).collect();
        config
            .model_entry(&format!("{{name: shared, targets: [{}]{members}}}", targets.join(", ")))
            .key("second", "sk-second", "models: [\"*\"], tenant: another")
            .tenant("another", "limits: {}")
            .section("resilience: {circuit: {open_for: 300ms, consecutive_failures: 2}}")
    }

    /// What was answered since the last time, by target and key.
    fn seen(&self) -> BTreeMap<String, usize> {
        std::mem::take(&mut *self.seen.lock().unwrap())
    }

    /// The share of the place that was met most often.
    fn share(&self) -> f64 {
        let seen = self.seen();
        let total: usize = seen.values().sum();
        *seen.values().max().expect("an answer") as f64 / total as f64
    }

    fn down(&self, name: &str) {
        *self.down.lock().unwrap() = name.to_owned();
    }
}

const SESSION: &str = ", strategy: session";
const AFFINITY: &str = ", prompt_cache_affinity: true";

fn plain() -> String {
    chat_with("").replace("\"m\"", "\"shared\"")
}

async fn session(gateway: &Gateway, name: &str) -> Reply {
    let request = Request::post(CHAT, plain()).bearer(KEY).header("x-sluice-session", name);
    request.send(gateway.api).await.expect(200)
}

#[tokio::test]
async fn a_session_by_header_stays_on_one_target_and_one_key() {
    let trio = Trio::new().await;
    let gateway = trio.gateway(SESSION).await;
    for name in ["one", "two", "three"] {
        for _ in 0..200 {
            let _ = session(&gateway, name).await;
        }
        let share = trio.share();
        println!("session {name}: {:.1} %", 100.0 * share);
        assert!(share >= 0.99, "{share}");
    }
}

#[tokio::test]
async fn a_session_by_user_stays_on_one_target() {
    let trio = Trio::new().await;
    let gateway = trio.gateway(SESSION).await;
    for n in 0..200 {
        let body =
            chat_with(&format!(",\"user\":\"u-1\",\"max_tokens\":{}", n + 1)).replace("\"m\"", "\"shared\"");
        let _ = gateway.post(CHAT, body).await.expect(200);
    }
    let share = trio.share();
    println!("user: {:.1} %", 100.0 * share);
    assert!(share >= 0.99, "{share}");
}

#[tokio::test]
async fn sessions_spread_and_requests_without_one_do_too() {
    let trio = Trio::new().await;
    let gateway = trio.gateway(SESSION).await;
    for n in 0..120 {
        let _ = session(&gateway, &format!("s-{n}")).await;
    }
    let targets = |seen: &BTreeMap<String, usize>| {
        let of = |name: &&str| {
            seen.iter().filter(|(place, _)| place.starts_with(&format!("{name} "))).map(|(_, n)| n).sum()
        };
        NAMES.iter().map(of).collect::<Vec<usize>>()
    };
    let sessions = targets(&trio.seen());
    for _ in 0..120 {
        let _ = gateway.post(CHAT, plain()).await.expect(200);
    }
    let none = targets(&trio.seen());
    println!("of 120: sessions {sessions:?}, none {none:?}");
    assert!(sessions.iter().chain(&none).all(|count| (20..=60).contains(count)), "{sessions:?} {none:?}");
}

#[tokio::test]
async fn while_a_sessions_target_is_down_the_next_one_answers_and_it_comes_back() {
    let trio = Trio::new().await;
    let gateway = trio.gateway(SESSION).await;
    let home = session(&gateway, "s").await.get("x-sluice-provider").to_owned();
    trio.down(&home);
    let shelter = session(&gateway, "s").await.get("x-sluice-provider").to_owned();
    assert_ne!(shelter, home);
    for _ in 0..10 {
        assert_eq!(session(&gateway, "s").await.get("x-sluice-provider"), shelter, "together there, too");
    }
    trio.down("");
    let begun = std::time::Instant::now();
    while session(&gateway, "s").await.get("x-sluice-provider") != home {
        assert!(begun.elapsed() < std::time::Duration::from_secs(5), "not back");
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    for _ in 0..20 {
        assert_eq!(session(&gateway, "s").await.get("x-sluice-provider"), home);
    }
}

/// A conversation of so many turns under these instructions, with marks for the prompt cache on them and on the
/// latest message, as agents set them.
fn conversation(instructions: &str, turns: usize) -> Value {
    let mark = json!({"type": "ephemeral"});
    let head =
        json!({"role": "system", "content": [{"type": "text", "text": instructions, "cache_control": mark}]});
    let mut messages = vec![head];
    for turn in 0..turns {
        messages.push(json!({"role": "user", "content": format!("question {turn}")}));
        messages.push(json!({"role": "assistant", "content": format!("answer {turn}")}));
    }
    messages.push(json!({"role": "user", "content": [{"type": "text", "text": format!("question {turns}"), "cache_control": mark}]}));
    let tool = json!({"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}});
    json!({"model": "shared", "tools": [tool], "messages": messages})
}

#[tokio::test]
async fn a_growing_conversation_stays_on_one_target_and_one_key() {
    let trio = Trio::new().await;
    let gateway = trio.gateway(AFFINITY).await;
    for instructions in ["You read code.", "You write code.", "You test code."] {
        for turns in 0..100 {
            let _ = gateway.post(CHAT, conversation(instructions, turns).to_string()).await.expect(200);
        }
        let share = trio.share();
        println!("{instructions} {:.1} % on one target and key", 100.0 * share);
        assert!(share >= 0.99, "{share}");
    }
}

#[tokio::test]
async fn different_prefixes_spread_over_targets_and_keys() {
    let trio = Trio::new().await;
    let gateway = trio.gateway(AFFINITY).await;
    for n in 0..180 {
        let _ = gateway
            .post(CHAT, conversation(&format!("You are number {n}."), 1).to_string())
            .await
            .expect(200);
    }
    let seen = trio.seen();
    println!("180 prefixes: {seen:?}");
    assert_eq!(seen.len(), 7, "one key, and twice three");
    let (alone, pooled): (Vec<_>, Vec<_>) = seen.iter().partition(|(place, _)| place.starts_with("up "));
    assert!(alone.iter().all(|(_, count)| (35..=85).contains(*count)), "{seen:?}");
    assert!(pooled.iter().all(|(_, count)| (6..=40).contains(*count)), "{seen:?}");
}

#[tokio::test]
async fn a_prefix_binds_only_within_a_tenant() {
    let trio = Trio::new().await;
    let gateway = trio.gateway(AFFINITY).await;
    let mut apart = 0;
    for n in 0..30 {
        let body = conversation(&format!("You are number {n}."), 1).to_string();
        let mut places = Vec::new();
        for key in [KEY, "sk-second"] {
            let _ = Request::post(CHAT, body.clone()).bearer(key).send(gateway.api).await.expect(200);
            places.push(trio.seen().into_keys().next().unwrap());
        }
        apart += usize::from(places[0] != places[1]);
    }
    assert!(apart > 10, "{apart} of 30 apart");
}

#[tokio::test]
async fn while_a_prefixs_target_is_down_the_next_one_answers_and_it_comes_back() {
    let trio = Trio::new().await;
    let gateway = trio.gateway(AFFINITY).await;
    let ask = async |turns| {
        let reply = gateway.post(CHAT, conversation("You read code.", turns).to_string()).await.expect(200);
        reply.get("x-sluice-provider").to_owned()
    };
    let home = ask(0).await;
    let own_key = trio.seen();
    trio.down(&home);
    let shelter = ask(1).await;
    assert_ne!(shelter, home);
    for turns in 2..10 {
        assert_eq!(ask(turns).await, shelter);
    }
    assert_eq!(trio.seen().len(), 1, "on one key there, too");
    trio.down("");
    let begun = std::time::Instant::now();
    while ask(10).await != home {
        assert!(begun.elapsed() < std::time::Duration::from_secs(5), "not back");
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    trio.seen();
    let _ = ask(11).await;
    assert_eq!(trio.seen(), own_key, "with the key that it had");
}

#[tokio::test]
async fn a_prefix_binds_with_and_without_a_seed_where_there_is_a_cache() {
    let trio = Trio::new().await;
    let gateway = trio.config(AFFINITY).section("cache: {mode: seeded}").start().await;
    for n in 0..30 {
        let mut places = Vec::new();
        for seed in [Value::Null, json!(7), json!(8), Value::Null] {
            let mut body = conversation(&format!("You are number {n}."), 1);
            if !seed.is_null() {
                body["seed"] = seed;
            }
            let _ = gateway.post(CHAT, body.to_string()).await.expect(200);
            places.extend(trio.seen().into_keys());
        }
        assert_eq!(places.len(), 4, "each was asked for");
        assert!(places.iter().all(|place| *place == places[0]), "{n}: {places:?}");
    }
}
