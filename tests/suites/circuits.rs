//! Circuits: a target that keeps failing is left alone, nobody pays for it, and it comes back by itself.

use crate::support::{
    CHAT, CHAT_REPLY, all, before_spare, begin, chat, chat_events, chat_stream, chat_to, circuits, delta,
    well,
};
use sluice_tests::{
    client::{Answer as Reply, Client, Request},
    eventually,
    gateway::{Config, Gateway, KEY},
    soon,
    sse::Stream,
    upstream::{Absent, Answer, Gate, Received, Upstream},
};
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::time::sleep;

const TIMEOUTS: &str = "connect: 1s, first_byte: 10s, idle: 10s";
/// What a first byte may take where a target hangs, in milliseconds.
const HANG: u64 = 500;
/// Failures that open a circuit, as nothing else is said.
const STREAK: usize = 5;

async fn both(gateway: &Gateway) -> Reply {
    gateway.post(CHAT, chat_to("both")).await
}

/// A switch that an upstream's script looks at.
#[derive(Clone, Default)]
struct Switch(Arc<AtomicBool>);

impl Switch {
    fn on(&self) {
        self.0.store(true, Ordering::SeqCst);
    }

    /// Answers well once it is on, else like this.
    fn or(&self, ill: Answer) -> impl Fn(usize, &Received) -> Answer + Send + Sync + 'static {
        let own = self.clone();
        move |_, _| if own.0.load(Ordering::SeqCst) { Answer::json(CHAT_REPLY) } else { ill.clone() }
    }
}

/// How often the gateway tried `up` in vain.
async fn in_vain(gateway: &Gateway, outcome: &str) -> usize {
    let text = gateway.ask_admin("/metrics").await.expect(200).text();
    let lines = text.lines().filter(|line| {
        line.starts_with("sluice_upstream_attempts_total{")
            && line.contains("provider=\"up\"")
            && line.contains(&format!("outcome=\"{outcome}\""))
    });
    lines.map(|line| line.rsplit_once(' ').unwrap().1.parse::<f64>().unwrap() as usize).sum()
}

/// The primary is dead in this way: everybody is answered by the spare one. Five pay for finding out; in the 4.2 s
/// after that (open for 1 s, 1.5 s, 2.25 s) only two probes do, and nobody else.
async fn dies(first: &str, spare: &Upstream, outcome: &str, timeouts: &str) -> Gateway {
    let gateway = before_spare(first, spare, timeouts).start().await;
    for _ in 0..STREAK {
        let reply = both(&gateway).await.expect(200);
        assert_eq!((reply.get("x-sluice-provider"), reply.get("x-sluice-attempts")), ("spare", "2"));
        assert!(reply.took < Duration::from_millis(HANG + 2_000), "{:?}", reply.took);
    }
    assert_eq!(circuits(&gateway, "up", "open").await, 1.0);
    let (opened, mut paid, mut asked, mut quick) = (Instant::now(), 0, 0, Vec::new());
    while opened.elapsed() < Duration::from_millis(4_200) {
        let begun = Instant::now();
        let reply = both(&gateway).await.expect(200);
        assert_eq!(reply.get("x-sluice-provider"), "spare");
        asked += 1;
        match reply.get("x-sluice-attempts") {
            "1" => quick.push(begun.elapsed()),
            _ => paid += 1,
        }
        sleep(Duration::from_millis(10)).await;
    }
    let probes = in_vain(&gateway, outcome).await - STREAK;
    println!("{outcome}: {probes} probes in 4.2 s, {paid} of {asked} requests paid for them");
    assert!((1..=2).contains(&probes), "{probes} probes");
    assert_eq!(paid, probes, "nobody else pays");
    quick.sort();
    assert!(quick[quick.len() / 2] < Duration::from_millis(500), "{:?}", quick[quick.len() / 2]);
    gateway
}

/// It has come back: so does the traffic, within 5 s, and stays.
async fn returns(gateway: &Gateway) {
    let begun = Instant::now();
    loop {
        let reply = both(gateway).await.expect(200);
        if reply.get("x-sluice-provider") == "up" {
            break;
        }
        assert!(begun.elapsed() < Duration::from_secs(5), "not back");
        sleep(Duration::from_millis(20)).await;
    }
    println!("back after {:?}", begun.elapsed());
    for _ in 0..20 {
        let reply = both(gateway).await.expect(200);
        assert_eq!((reply.get("x-sluice-provider"), reply.get("x-sluice-attempts")), ("up", "1"));
    }
    assert_eq!(circuits(gateway, "up", "closed").await, 1.0);
}

#[tokio::test]
async fn a_primary_that_refuses_sees_only_probes_and_its_traffic_comes_back() {
    let (absent, spare) = (Absent::new(), well().await);
    let gateway = dies(&absent.base_url(), &spare, "connect_error", TIMEOUTS).await;
    let _up = absent.comes(|_, _| Answer::json(CHAT_REPLY));
    returns(&gateway).await;
}

#[tokio::test]
async fn a_primary_that_hangs_sees_only_probes_and_its_traffic_comes_back() {
    let (alive, spare) = (Switch::default(), well().await);
    let up = Upstream::with(alive.or(Answer::new().hang())).await;
    let gateway = dies(&up.base_url(), &spare, "timeout", &format!("first_byte: {HANG}ms")).await;
    alive.on();
    returns(&gateway).await;
}

#[tokio::test]
async fn a_primary_that_answers_500_sees_only_probes_and_its_traffic_comes_back() {
    let (alive, spare) = (Switch::default(), well().await);
    let up = Upstream::with(alive.or(Answer::error(500, "{}"))).await;
    let gateway = dies(&up.base_url(), &spare, "server_error", TIMEOUTS).await;
    alive.on();
    returns(&gateway).await;
}

#[tokio::test]
async fn what_clients_and_limits_bring_about_opens_no_circuit() {
    for status in [400, 401, 403, 404, 413, 422, 429] {
        let (alive, spare) = (Switch::default(), well().await);
        let up = Upstream::with(alive.or(Answer::error(status, "{}"))).await;
        // A refused key is left alone for a while, which is another matter: each request has one that was not yet.
        let keys: Vec<String> = (0..30).map(|n| format!("{{name: k{n}, value: sk-{n}}}")).collect();
        let config = Config::to(&spare)
            .also_with("pool", &up.base_url(), &format!(", keys: [{}]", keys.join(", ")))
            .model_entry(
                "{name: both, targets: [{provider: pool, model: m}, {provider: up, model: m, priority: 1}]}",
            );
        let gateway = config.start().await;
        for _ in 0..30 {
            let _ = both(&gateway).await;
        }
        assert!(up.calls() >= 30, "{status}: {} calls", up.calls());
        assert_eq!(circuits(&gateway, "pool", "open").await, 0.0, "{status}");
    }
}

#[tokio::test]
async fn clients_that_leave_open_no_circuit() {
    let (alive, spare) = (Switch::default(), well().await);
    let up = Upstream::with(alive.or(Answer::new().hang())).await;
    let gateway = before_spare(&up.base_url(), &spare, "first_byte: 30s").start().await;
    let mut clients = Vec::new();
    for _ in 0..30 {
        let mut client = Client::connect(gateway.api).await;
        client.send(&Request::post(CHAT, chat_to("both")).bearer(KEY).wire()).await;
        clients.push(client);
    }
    up.called(30).await;
    drop(clients);
    up.left(30).await;
    alive.on();
    let reply = both(&gateway).await.expect(200);
    assert_eq!((reply.get("x-sluice-provider"), reply.get("x-sluice-attempts")), ("up", "1"));
    assert_eq!(circuits(&gateway, "up", "open").await, 0.0);
}

/// An upstream that fails as this pattern of `F` says, over and over.
async fn failing(pattern: &'static str) -> Upstream {
    Upstream::with(move |n, _| match pattern.as_bytes()[n % pattern.len()] {
        b'F' => Answer::error(500, "{}"),
        _ => Answer::json(CHAT_REPLY),
    })
    .await
}

#[tokio::test]
async fn more_than_half_of_twenty_opens_a_circuit_and_half_does_not() {
    for (pattern, expected) in [("SFFSF", 20), ("SF", 60), ("SFFFF", 20), ("SSSSFFFF", 60)] {
        let (up, spare) = (failing(pattern).await, well().await);
        // Long enough for no probe to be among them.
        let config = before_spare(&up.base_url(), &spare, TIMEOUTS);
        let gateway = config.section("resilience: {circuit: {open_for: 60s, window: 60s}}").start().await;
        for _ in 0..60 {
            let _ = both(&gateway).await.expect(200);
        }
        assert_eq!(up.calls(), expected, "{pattern}");
    }
}

#[tokio::test]
async fn streams_that_break_midway_open_a_circuit() {
    let up = Upstream::script([Answer::stream().send(delta("a")).wait(10).reset()]).await;
    let spare = Upstream::script([Answer::sse(chat_events(&["b"]))]).await;
    let rules = "resilience: {circuit: {open_for: 60s}}";
    let gateway = before_spare(&up.base_url(), &spare, TIMEOUTS).section(rules).start().await;
    let request = Request::post(CHAT, chat_stream().replace("\"m\"", "\"both\"")).bearer(KEY);
    for _ in 0..STREAK {
        let _ = Stream::open(gateway.api, &request).await.rest().await.error();
    }
    assert!(Stream::open(gateway.api, &request).await.rest().await.done());
    assert_eq!((up.calls(), circuits(&gateway, "up", "open").await), (STREAK, 1.0));
}

#[tokio::test]
async fn when_all_circuits_are_open_the_best_target_is_asked_anyway() {
    let (alive, ill) = (Switch::default(), Answer::error(500, "{}"));
    let (up, spare) = (Upstream::with(alive.or(ill.clone())).await, Upstream::with(alive.or(ill)).await);
    let rules = "resilience: {circuit: {consecutive_failures: 2, open_for: 60s}}";
    let gateway = before_spare(&up.base_url(), &spare, TIMEOUTS).section(rules).start().await;
    for _ in 0..3 {
        let _ = both(&gateway).await.expect(502);
    }
    assert_eq!([circuits(&gateway, "up", "open").await, circuits(&gateway, "spare", "open").await], [1.0; 2]);
    let before = up.calls() + spare.calls();
    let reply = both(&gateway).await.expect(502);
    assert_eq!(reply.get("x-sluice-attempts"), "1", "one long shot");
    assert_eq!(up.calls() + spare.calls(), before + 1);
    alive.on();
    let reply = both(&gateway).await.expect(200);
    assert_eq!((reply.get("x-sluice-provider"), reply.get("x-sluice-attempts")), ("up", "1"), "the best");
    let _ = gateway.post(CHAT, chat()).await.expect(200);
    assert_eq!(circuits(&gateway, "up", "closed").await, 1.0, "an answer closes it, whoever asked");
}

#[tokio::test]
async fn a_lone_target_with_an_open_circuit_is_still_asked() {
    let alive = Switch::default();
    let up = Upstream::with(alive.or(Answer::error(500, "{}"))).await;
    let gateway = Config::to(&up).section("resilience: {circuit: {open_for: 60s}}").start().await;
    while circuits(&gateway, "up", "open").await < 1.0 {
        let _ = gateway.post(CHAT, chat()).await.expect(502);
    }
    assert_eq!(up.calls(), STREAK);
    alive.on();
    let _ = gateway.post(CHAT, chat()).await.expect(200);
}

#[tokio::test]
async fn a_half_open_circuit_lets_one_probe_through_and_others_go_on() {
    let gate = Gate::new();
    let held = Answer::new().gate(&gate).then(Answer::json(CHAT_REPLY));
    let up = Upstream::script([Answer::error(500, "{}"), held, Answer::json(CHAT_REPLY)]).await;
    let spare = well().await;
    let config = before_spare(&up.base_url(), &spare, "first_byte: 30s");
    let rules = "resilience: {circuit: {consecutive_failures: 1, open_for: 300ms}}";
    let gateway = config.section(rules).start().await;
    let _ = both(&gateway).await.expect(200);
    let ask = || Request::post(CHAT, chat_to("both")).bearer(KEY).send(gateway.api);
    let mut asked = Vec::new();
    while up.calls() < 2 {
        asked.extend(begin([ask()]));
        sleep(Duration::from_millis(20)).await;
    }
    for reply in all((0..30).map(|_| ask())).await {
        let reply = reply.expect(200);
        assert_eq!((reply.get("x-sluice-provider"), reply.get("x-sluice-attempts")), ("spare", "1"));
    }
    assert_eq!(up.calls(), 2, "one probe");
    gate.open();
    let mut by_up = 0;
    for reply in asked {
        by_up += usize::from(reply.await.unwrap().expect(200).get("x-sluice-provider") == "up");
    }
    assert_eq!(by_up, 1, "the probe was somebody's request");
    assert_eq!(both(&gateway).await.expect(200).get("x-sluice-provider"), "up");
}

#[tokio::test]
async fn a_probe_whose_client_leaves_says_nothing_and_the_next_one_probes() {
    let up =
        Upstream::script([Answer::error(500, "{}"), Answer::new().hang(), Answer::json(CHAT_REPLY)]).await;
    let spare = well().await;
    let config = before_spare(&up.base_url(), &spare, "first_byte: 30s");
    let rules = "resilience: {circuit: {consecutive_failures: 1, open_for: 300ms}}";
    let gateway = config.section(rules).start().await;
    let _ = both(&gateway).await.expect(200);
    let mut clients = Vec::new();
    while up.calls() < 2 {
        let mut client = Client::connect(gateway.api).await;
        client.send(&Request::post(CHAT, chat_to("both")).bearer(KEY).wire()).await;
        clients.push(client);
        sleep(Duration::from_millis(20)).await;
    }
    drop(clients);
    up.left(1).await;
    eventually("nobody is served", || gateway.log.text().contains("cancelled")).await;
    let reply = both(&gateway).await.expect(200);
    assert_eq!((reply.get("x-sluice-provider"), reply.get("x-sluice-attempts")), ("up", "1"));
}

#[tokio::test]
async fn another_model_of_the_same_provider_is_not_affected() {
    let up = Upstream::with(|_, request| match request.json()["model"].as_str() {
        Some("m") => Answer::error(500, "{}"),
        _ => Answer::json(CHAT_REPLY),
    })
    .await;
    let spare = well().await;
    let gateway = before_spare(&up.base_url(), &spare, TIMEOUTS)
        .model_entry(
            "{name: n, targets: [{provider: up, model: n}, {provider: spare, model: n, priority: 1}]}",
        )
        .section("resilience: {circuit: {open_for: 60s}}")
        .start()
        .await;
    for _ in 0..10 {
        assert_eq!(both(&gateway).await.expect(200).get("x-sluice-provider"), "spare");
        let reply = gateway.post(CHAT, chat_to("n")).await.expect(200);
        assert_eq!((reply.get("x-sluice-provider"), reply.get("x-sluice-attempts")), ("up", "1"));
    }
    assert_eq!(up.calls(), STREAK + 10);
}

#[tokio::test]
async fn a_reload_keeps_what_is_known_of_a_target() {
    let (alive, spare) = (Switch::default(), well().await);
    let up = Upstream::with(alive.or(Answer::error(500, "{}"))).await;
    let config = |open: &str, model: &str| {
        let rules = format!("resilience: {{circuit: {{consecutive_failures: 3, open_for: {open}}}}}");
        before_spare(&up.base_url(), &spare, TIMEOUTS).model(model).section(&rules)
    };
    let gateway = config("60s", "one").start().await;
    // Two of three before a reload, the third one after.
    for _ in 0..2 {
        let _ = both(&gateway).await.expect(200);
    }
    gateway.apply(&config("60s", "two"));
    let _ = both(&gateway).await.expect(200);
    assert_eq!((up.calls(), circuits(&gateway, "up", "open").await), (3, 1.0));
    gateway.apply(&config("60s", "three"));
    alive.on();
    for _ in 0..5 {
        let reply = both(&gateway).await.expect(200);
        assert_eq!((reply.get("x-sluice-provider"), reply.get("x-sluice-attempts")), ("spare", "1"));
    }
    assert_eq!(up.calls(), 3, "open before, open after");
}

#[tokio::test]
async fn a_probe_that_hangs_does_not_keep_a_target_that_is_well_away() {
    // hangs for the first two calls, then well
    let up = Upstream::with(|n, _| if n < 2 { Answer::new().hang() } else { Answer::json(CHAT_REPLY) }).await;
    let spare = well().await;
    let gateway = before_spare(&up.base_url(), &spare, "first_byte: 8s")
        .section("resilience: {circuit: {consecutive_failures: 1}}")
        .start()
        .await;
    let _ = gateway.post(CHAT, chat_to("both")).await.expect(200);
    tokio::time::sleep(Duration::from_millis(1100)).await;
    let probe = begin([Request::post(CHAT, chat_to("both")).bearer(KEY).send(gateway.api)]);
    up.called(2).await;
    let begun = Instant::now();
    while gateway.post(CHAT, chat_to("both")).await.expect(200).get("x-sluice-provider") != "up" {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    drop(probe);
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
}

/// Two requests at once: one opens the circuit of what `model` leads to, and after it the other is told of a limit.
async fn opens_and_rests(gateway: &Gateway, model: &str, up: &Upstream, gates: &[Gate; 2]) {
    let ask = || Request::post(CHAT, chat_to(model)).bearer(KEY).send(gateway.api);
    let asked = begin([ask(), ask()]);
    up.called(2).await;
    gates[0].open();
    soon("an open circuit", async { while circuits(gateway, "pool", "open").await == 0.0 {} }).await;
    gates[1].open();
    for reply in asked {
        let status = reply.await.unwrap().status();
        assert!([429, 502].contains(&status), "{status}");
    }
}

#[tokio::test]
async fn a_target_whose_circuit_is_open_and_whose_key_rests_is_a_limit_and_no_fault() {
    let gates = [Gate::new(), Gate::new()];
    let held = gates.clone();
    let limit = Answer::status(429, &["retry-after: 60"], "{}");
    let up = Upstream::with(move |n, _| match n {
        0 => Answer::new().gate(&held[0]).then(Answer::error(500, "{}")),
        1 => Answer::new().gate(&held[1]).then(limit.clone()),
        _ => Answer::json(CHAT_REPLY),
    })
    .await;
    let spare = Upstream::script([Answer::error(500, "{}"), Answer::json(CHAT_REPLY)]).await;
    let pool = "{provider: pool, model: m}";
    let gateway = Config::to(&spare)
        .also_with("pool", &up.base_url(), ", keys: [{name: a, value: sk-a}]")
        .model_entry(&format!("{{name: one, targets: [{pool}]}}"))
        .model_entry("{name: other, targets: [{provider: up, model: m}]}")
        .model_entry(&format!("{{name: both, targets: [{pool}, {{provider: up, model: m, priority: 1}}]}}"))
        .section("resilience: {attempts: 1, circuit: {consecutive_failures: 1, open_for: 60s}}")
        .start()
        .await;
    opens_and_rests(&gateway, "one", &up, &gates).await;
    for _ in 0..3 {
        let reply = gateway.post(CHAT, chat_to("one")).await.expect(429);
        let seconds: u64 = reply.get("retry-after").parse().expect("whole seconds");
        assert!((1..=60).contains(&seconds), "{seconds}");
        assert!(reply.message().contains("rate-limited upstream"), "{}", reply.message());
    }
    assert_eq!(up.calls(), 2, "nobody is asked meanwhile");
    // The other target's circuit is open, too, but its key is free.
    let _ = gateway.post(CHAT, chat_to("other")).await.expect(502);
    assert_eq!(circuits(&gateway, "up", "open").await, 1.0);
    let reply = both(&gateway).await.expect(200);
    assert_eq!((reply.get("x-sluice-provider"), reply.get("x-sluice-attempts")), ("up", "1"));
    assert_eq!((up.calls(), spare.calls()), (2, 2));
}

#[tokio::test]
async fn a_model_behind_a_wildcard_that_fails_opens_only_its_own_circuit() {
    let up = Upstream::with(|_, request| match request.json()["model"] == "ill" {
        true => Answer::error(500, "{}"),
        false => Answer::json(CHAT_REPLY),
    })
    .await;
    let spare = well().await;
    let targets = r#"[{provider: up, model: "{rest}"}, {provider: spare, model: "{rest}", priority: 1}]"#;
    let gateway = Config::to(&up)
        .also("spare", &spare.base_url())
        .model_entry(&format!("{{name: \"w/*\", targets: {targets}}}"))
        .section("resilience: {circuit: {open_for: 60s}}")
        .start()
        .await;
    for n in 0..STREAK + 3 {
        let reply = gateway.post(CHAT, chat_to("w/ill")).await.expect(200);
        let tries = if n < STREAK { "2" } else { "1" };
        assert_eq!((reply.get("x-sluice-provider"), reply.get("x-sluice-attempts")), ("spare", tries), "{n}");
        let reply = gateway.post(CHAT, chat_to("w/fit")).await.expect(200);
        assert_eq!((reply.get("x-sluice-provider"), reply.get("x-sluice-attempts")), ("up", "1"), "{n}");
    }
    assert_eq!(circuits(&gateway, "up", "open").await, 1.0);
}
