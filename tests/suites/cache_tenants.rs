//! No answer crosses a scope, and none is given to a request that it was not made for.
//!
//! Requests are drawn at random as a [`Wish`], which knows what they mean, and written down in a spelling that is
//! drawn as well. Every answer of the upstream has a number and says what it was made for. So of all clients who
//! were given the same number it can be asked whether they wanted the same and might share it.

use crate::support::{CHAT, DONE, begin, cached, delta, finish, saying, seeded, usage};
use serde_json::Value;
use sluice_tests::{
    client::{Client, Request},
    gateway::{Config, Gateway, KEY},
    redis::Redis,
    upstream::{Answer, Upstream},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
};

/// Secret, tenant, and whether its answers are its own.
const KEYS: [(&str, &str, bool); 6] = [
    ("sk-sluice-a1", "a", false),
    ("sk-sluice-a2", "a", false),
    ("sk-sluice-a3", "a", true),
    ("sk-sluice-b1", "b", false),
    ("sk-sluice-b2", "b", true),
    ("sk-sluice-b3", "b", true),
];
const NAMESPACES: [&str; 4] = ["", "", "a", "b"];
const SEEDS: [i64; 5] = [1, 2, 3, 9_007_199_254_740_992, 9_007_199_254_740_993];
const TEXTS: [&str; 6] = ["hi", "hi ", "Hi", "é", "e\u{301}", "a\\b\"c"];
const STOPS: [&[&str]; 4] = [&[], &["a"], &["a", "b"], &["b", "a"]];

/// SplitMix64: the same draws in every run.
struct Draw(u64);

impl Draw {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        usize::try_from((z ^ (z >> 31)) % n as u64).unwrap()
    }

    fn of<T: Copy>(&mut self, list: &[T]) -> T {
        list[self.below(list.len())]
    }

    fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }
}

/// What decides an answer.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Wish {
    alias: &'static str,
    asked: Asked,
}

/// The part of it that the upstream sees.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Asked {
    seed: i64,
    texts: Vec<String>,
    /// In tenths.
    temperature: Option<i64>,
    stop: Vec<String>,
    max_tokens: Option<i64>,
    unknown: Option<bool>,
}

/// Who may share an answer.
type Scope = (String, &'static str);

impl Wish {
    fn draw(draw: &mut Draw) -> Self {
        let mut wish = Self {
            alias: "m",
            asked: Asked {
                seed: draw.of(&SEEDS),
                texts: vec![draw.of(&TEXTS).into()],
                temperature: None,
                stop: Vec::new(),
                max_tokens: None,
                unknown: None,
            },
        };
        for _ in 0..draw.below(3) {
            wish.change(draw);
        }
        wish
    }

    /// Changes one thing, or draws what was there.
    fn change(&mut self, draw: &mut Draw) {
        let asked = &mut self.asked;
        match draw.below(8) {
            0 => self.alias = draw.of(&["m", "n"]),
            1 => asked.seed = draw.of(&SEEDS),
            2 => asked.texts[0] = draw.of(&TEXTS).into(),
            3 if asked.texts.len() < 3 => asked.texts.push(draw.of(&TEXTS).into()),
            3 | 4 => asked.temperature = draw.of(&[None, Some(0), Some(5), Some(10)]),
            5 => asked.stop = draw.of(&STOPS).iter().map(|&stop| stop.to_owned()).collect(),
            6 => asked.max_tokens = draw.of(&[None, Some(1), Some(10)]),
            _ => asked.unknown = draw.of(&[None, Some(true), Some(false)]),
        }
    }

    /// One of its many spellings.
    fn write(&self, draw: &mut Draw, stream: bool) -> String {
        let asked = &self.asked;
        let messages: Vec<String> = asked.texts.iter().map(|text| message(text, draw)).collect();
        let mut members = vec![
            ("model", format!("\"{}\"", self.alias)),
            ("seed", asked.seed.to_string()),
            ("messages", format!("[{}]", messages.join(","))),
        ];
        if let Some(tenths) = asked.temperature {
            let spelled: &[&str] = match tenths {
                0 => &["0", "0.0", "-0", "0e5"],
                5 => &["0.5", "0.50", "5e-1", "5.0E-1"],
                _ => &["1", "1.0", "1e0", "10E-1"],
            };
            members.push(("temperature", draw.of(spelled).into()));
        }
        if !asked.stop.is_empty() {
            members.push(("stop", serde_json::to_string(&asked.stop).unwrap()));
        }
        if let Some(max) = asked.max_tokens {
            members.push(("max_tokens", max.to_string()));
        }
        if let Some(unknown) = asked.unknown {
            members.push(("nobody_knows_this", unknown.to_string()));
        }
        if stream || draw.chance(20) {
            members.push(("stream", stream.to_string()));
        }
        if stream && draw.chance(50) {
            members.push(("stream_options", format!("{{\"include_usage\":{}}}", draw.chance(50))));
        }
        for (name, value) in [
            ("user", "\"somebody\""),
            ("metadata", "{\"a\":\"b\"}"),
            ("store", "false"),
            ("service_tier", "\"flex\""),
            ("top_p", "null"),
            ("safety_identifier", "\"x\""),
        ] {
            if draw.chance(10) {
                members.push((name, value.into()));
            }
        }
        for n in (1..members.len()).rev() {
            members.swap(n, draw.below(n + 1));
        }
        let space = draw.of(&["", " ", "\n  "]);
        let members: Vec<String> =
            members.iter().map(|(name, value)| format!("{space}\"{name}\":{space}{value}")).collect();
        format!("{{{}{space}}}", members.join(","))
    }
}

fn message(text: &str, draw: &mut Draw) -> String {
    let plain = serde_json::to_string(text).unwrap();
    let escaped: String = text.encode_utf16().map(|unit| format!("\\u{unit:04x}")).collect();
    let content = if draw.chance(20) { format!("\"{escaped}\"") } else { plain };
    let hint = if draw.chance(10) { ",\"cache_control\":{\"type\":\"ephemeral\"}" } else { "" };
    if draw.chance(50) {
        format!("{{\"role\":\"user\",\"content\":{content}{hint}}}")
    } else {
        format!("{{\"content\":{content},\"role\":\"user\"{hint}}}")
    }
}

impl Asked {
    /// Reads what an upstream was sent.
    fn read(body: &Value) -> Self {
        let list = |value: &Value, text: fn(&Value) -> &Value| -> Vec<String> {
            let items = value.as_array().map(Vec::as_slice).unwrap_or_default();
            items.iter().map(|item| text(item).as_str().unwrap().to_owned()).collect()
        };
        Self {
            seed: body["seed"].as_i64().unwrap(),
            texts: list(&body["messages"], |message| &message["content"]),
            temperature: body["temperature"].as_f64().map(|value| (value * 10.0).round() as i64),
            stop: list(&body["stop"], |stop| stop),
            max_tokens: body["max_tokens"].as_i64(),
            unknown: body["nobody_knows_this"].as_bool(),
        }
    }

    fn digest(&self) -> String {
        blake3::hash(format!("{self:?}").as_bytes()).to_hex()[..16].to_owned()
    }
}

/// Answers with a number, and what it was made for.
async fn upstream() -> Upstream {
    Upstream::with(|n, request| {
        let made_for = Asked::read(&request.json()).digest();
        match request.json()["stream"] == true {
            true => {
                let events = [
                    delta(&format!("<{n}")),
                    delta(&format!(":{made_for}>")),
                    finish(),
                    usage(),
                    DONE.into(),
                ];
                let mut answer = Answer::chunked();
                for event in events {
                    answer = answer.chunk(event);
                }
                answer.last_chunk()
            }
            false => Answer::json(saying(&format!("<{n}:{made_for}>"))),
        }
    })
    .await
}

fn with_keys(mut config: Config) -> Config {
    config = config
        .section("tenants: [{name: a}, {name: b}]")
        .model_entry("{name: n, targets: [{provider: up, model: m}]}");
    for (secret, tenant, own) in KEYS {
        let scope = if own { ", cache: {scope: key}" } else { "" };
        let name = secret.rsplit('-').next().unwrap();
        config = config.key(name, secret, &format!("models: [\"*\"], tenant: {tenant}{scope}"));
    }
    config
}

/// One of two requests of a pair.
struct Ask {
    scope: Scope,
    wish: Wish,
    request: Request,
}

fn draw_ask(
    draw: &mut Draw,
    wish: Wish,
    (secret, tenant, own): (&str, &str, bool),
    namespace: &'static str,
) -> Ask {
    let stream = draw.chance(40);
    let mut request = Request::post(CHAT, wish.write(draw, stream)).bearer(secret);
    if !namespace.is_empty() {
        request = request.header("x-sluice-cache-namespace", namespace);
    }
    let who = if own { format!("key {secret}") } else { format!("tenant {tenant}") };
    Ask { scope: (who, namespace), wish, request }
}

/// Two requests that are equal, or nearly.
fn draw_pair(draw: &mut Draw) -> [Ask; 2] {
    let (wish, key, namespace) = (Wish::draw(draw), draw.of(&KEYS), draw.of(&NAMESPACES));
    let mut other = wish.clone();
    if draw.chance(40) {
        other.change(draw);
    }
    let other_key = if draw.chance(60) { draw.of(&KEYS) } else { key };
    let other_namespace = if draw.chance(15) { draw.of(&NAMESPACES) } else { namespace };
    let one = draw_ask(draw, wish, key, namespace);
    [one, draw_ask(draw, other, other_key, other_namespace)]
}

/// What was given to whom, by the number of the answer.
type Given = BTreeMap<u64, BTreeSet<(Scope, Wish)>>;

/// One client that asks for `pairs` pairs: one after the other, or both at once on two connections.
async fn client(apis: Vec<SocketAddr>, mut draw: Draw, pairs: usize) -> Vec<(u64, Scope, Wish)> {
    let mut connections = Vec::new();
    for api in &apis {
        connections.push([Client::connect(*api).await, Client::connect(*api).await]);
    }
    let mut given = Vec::new();
    for _ in 0..pairs {
        let [one, two] = draw_pair(&mut draw);
        let [left, right] = &mut connections[draw.below(apis.len())];
        left.send(&one.request.wire()).await;
        let together = draw.chance(50);
        if together {
            right.send(&two.request.wire()).await;
        }
        let first = left.answer().await;
        if !together {
            right.send(&two.request.wire()).await;
        }
        let second = right.answer().await;
        for (ask, answer) in [(one, first), (two, second)] {
            let text = answer.expect(200).text();
            let (number, made_for) = read(&text);
            assert_eq!(made_for, ask.wish.asked.digest(), "made for another request: {:?}\n{text}", ask.wish);
            given.push((number, ask.scope, ask.wish));
        }
    }
    given
}

/// Number and digest of an answer, plain or streamed in two pieces.
fn read(text: &str) -> (u64, String) {
    let after = |start: &str| text.split(start).nth(1).unwrap_or_else(|| panic!("no {start} in {text}"));
    let number = after("<").split(|c: char| !c.is_ascii_digit()).next().unwrap();
    let end = text.find('>').unwrap();
    (number.parse().unwrap(), text[end - 16..end].to_owned())
}

async fn draw_all(gateways: &[&Gateway], seed: u64, pairs: usize) -> Given {
    let apis: Vec<SocketAddr> = gateways.iter().map(|gateway| gateway.api).collect();
    let clients = begin((0..4).map(|n| client(apis.clone(), Draw(seed * 1_000 + n), pairs / 4)));
    let mut all = Given::new();
    for client in clients {
        for (number, scope, wish) in client.await.expect("all answered") {
            all.entry(number).or_default().insert((scope, wish));
        }
    }
    for (number, holders) in &all {
        assert_eq!(holders.len(), 1, "answer {number} of draw {seed} was given to {holders:#?}");
    }
    all
}

/// 2,500 pairs: every answer has one scope and one request, and every scope and request one answer.
async fn no_answer_crosses(seed: u64) {
    let upstream = upstream().await;
    let gateway = with_keys(cached(&upstream, "")).start().await;
    let pairs = 2_500;
    let all = draw_all(&[&gateway], seed, pairs).await;
    let distinct: BTreeSet<_> = all.values().flatten().collect();
    assert_eq!(distinct.len(), all.len(), "a scope and a request had two answers");
    assert_eq!(upstream.calls(), all.len());
    assert!((pairs / 4..pairs * 7 / 4).contains(&all.len()), "hits and misses both: {}", all.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_answer_crosses_a_scope_in_the_first_quarter_of_ten_thousand_pairs() {
    no_answer_crosses(1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_answer_crosses_a_scope_in_the_second_quarter() {
    no_answer_crosses(2).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_answer_crosses_a_scope_in_the_third_quarter() {
    no_answer_crosses(3).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_answer_crosses_a_scope_in_the_last_quarter() {
    no_answer_crosses(4).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_answer_crosses_a_scope_between_two_gateways_over_redis() {
    let (upstream, redis) = (upstream().await, Redis::start());
    // Without a first tier everything is read from the second one.
    let section = format!("redis: {{urls: [\"{}\"], timeout: 500ms}}", redis.url());
    let config = with_keys(cached(&upstream, ", memory: 0B")).section(&section);
    let (one, two) = (config.start().await, config.start().await);
    let all = draw_all(&[&one, &two], 5, 1_500).await;
    assert!(all.len() < 2_600, "{} answers for 3,000 requests", all.len());
    let hits = "sluice_cache_requests_total{model=\"m\",result=\"hit\",tier=\"redis\"}";
    assert!(one.metric(hits).await > 50.0 && two.metric(hits).await > 50.0);
}

/// Who is given the answer that `KEY` got, with this scope.
async fn sharers(scope: &str) -> Vec<&'static str> {
    let upstream = upstream().await;
    let config = with_keys(cached(&upstream, &format!(", scope: {scope}"))).key(
        "sibling",
        "sk-sluice-sibling",
        "models: [\"*\"]",
    );
    let gateway = config.start().await;
    let of = |key: &str| Request::post(CHAT, seeded(1, "")).bearer(key).send(gateway.api);
    let first = of(KEY).await.expect(200);
    let mut sharers = Vec::new();
    for key in ["sk-sluice-sibling", "sk-sluice-a1", "sk-sluice-b1"] {
        let answer = of(key).await.expect(200);
        assert_eq!(answer.body == first.body, answer.get("x-sluice-cache") == "hit");
        if answer.body == first.body {
            sharers.push(key.rsplit('-').next().unwrap());
        }
    }
    sharers
}

#[tokio::test]
async fn the_scope_says_who_shares() {
    assert_eq!(sharers("key").await, [""; 0]);
    assert_eq!(sharers("tenant").await, ["sibling"]);
    assert_eq!(sharers("global").await, ["sibling", "a1", "b1"]);
}
