//! A reload of the real process: by signal and by the admin listener, taken whole or not at all, and told; and the
//! log level, which needs none.

use crate::support::{CHAT, CHAT_REPLY, chat, chat_stream_request, delta};
use sluice_tests::{
    client::{Answer as Got, Request},
    gateway::{Config, KEY, metric},
    replica::Replica,
    sse::Stream,
    upstream::{Answer, Upstream},
};

const TAKEN: &str = "sluice_config_reloads_total{result=\"ok\"}";
const REJECTED: &str = "sluice_config_reloads_total{result=\"rejected\"}";
const SUCCESSFUL: &str = "sluice_config_last_reload_successful";
const SINCE: &str = "sluice_config_last_reload_success_timestamp_seconds";

const NEW: &str = "sk-sluice-new";

async fn reload(sluice: &Replica) -> Got {
    Request::post("/-/reload", "").send(sluice.admin).await
}

async fn ask(sluice: &Replica, key: &str) -> u16 {
    Request::post(CHAT, chat()).bearer(key).send(sluice.api).await.status()
}

async fn hash(sluice: &Replica) -> String {
    Request::get("/status").send(sluice.admin).await.json()["config_hash"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn sighup_and_the_admin_call_put_the_file_in_force() {
    let upstream = Upstream::script([Answer::json(CHAT_REPLY)]).await;
    let config = Config::to(&upstream);
    let sluice = Replica::start(&config).await;
    assert_eq!((metric(sluice.admin, TAKEN).await, metric(sluice.admin, SUCCESSFUL).await), (0.0, 1.0));
    let first = metric(sluice.admin, SINCE).await;
    assert!(first > 1.7e9, "{first}");
    let before = hash(&sluice).await;

    assert_eq!(ask(&sluice, NEW).await, 401);
    sluice.write(&config.clone().key("new", NEW, "models: [\"*\"]"));
    sluice.signal("HUP");
    sluice.says("\"event\":\"configuration reloaded\",\"who\":\"SIGHUP\"").await;
    assert_eq!(ask(&sluice, NEW).await, 200);
    let between = hash(&sluice).await;
    assert_ne!(between, before);

    // A key that is taken out is refused at once.
    sluice.write(&config);
    let answer = reload(&sluice).await.expect(200).json();
    assert_eq!(
        (&answer["changes"][0], &answer["config_hash"]),
        (&"- keys[new]".into(), &before.as_str().into())
    );
    assert_eq!((ask(&sluice, NEW).await, ask(&sluice, KEY).await), (401, 200));
    let again = reload(&sluice).await.expect(200).json();
    assert_eq!(again["changed"], false);
    // The file is watched, too, and may have been taken for that besides.
    assert!(metric(sluice.admin, TAKEN).await >= 3.0);
    assert!(metric(sluice.admin, SINCE).await >= first);
}

#[tokio::test]
async fn a_secret_that_was_changed_is_a_change() {
    let upstream = Upstream::script([Answer::json(CHAT_REPLY)]).await;
    let with = |secret: &str| Config::to(&upstream).provider(&format!("headers: {{x-team: {secret}}}"));
    let sluice = Replica::start(&with("one")).await;
    // The hash is that of what may be shown.
    let before = hash(&sluice).await;
    for (secret, changed) in [("two", true), ("two", false)] {
        sluice.write(&with(secret));
        let answer = reload(&sluice).await.expect(200).json();
        assert_eq!((&answer["changed"], &answer["config_hash"]), (&changed.into(), &before.as_str().into()));
    }
}

#[tokio::test]
async fn what_is_not_valid_changes_nothing_and_says_why() {
    let upstream = Upstream::script([Answer::json(CHAT_REPLY)]).await;
    let config = Config::to(&upstream);
    let sluice = Replica::start(&config).await;
    let before = hash(&sluice).await;

    sluice.write(&config.clone().section("resilience: {atempts: 2}"));
    let refused = reload(&sluice).await.expect(422);
    assert_eq!(refused.code(), "config_rejected");
    let message = refused.message();
    assert!(message.contains("atempts") && message.contains("sluice.yaml:"), "{message}");
    assert!(!message.contains("sk-provider-secret"), "{message}");
    assert!(message.ends_with("The old configuration stays in force."), "{message}");
    assert_eq!(metric(sluice.admin, SUCCESSFUL).await, 0.0);

    sluice.signal("HUP");
    sluice
        .says("\"event\":\"reload rejected; the old configuration stays in force\",\"who\":\"SIGHUP\"")
        .await;
    assert!(metric(sluice.admin, REJECTED).await >= 2.0);
    assert_eq!((hash(&sluice).await, ask(&sluice, KEY).await), (before, 200));

    sluice.write(&config);
    let _ = reload(&sluice).await.expect(200);
    assert_eq!(metric(sluice.admin, SUCCESSFUL).await, 1.0);
}

#[tokio::test]
async fn what_needs_a_restart_is_named_and_nothing_else_is_changed() {
    let upstream = Upstream::script([Answer::json(CHAT_REPLY)]).await;
    let config = Config::to(&upstream);
    let sluice = Replica::start(&config).await;
    let wanted = config.listener("max_connections: 7").key("new", NEW, "models: [\"*\"]");
    sluice.write(&wanted.section("ledger: {retention: 9d}"));
    let refused = reload(&sluice).await.expect(409);
    assert_eq!(refused.code(), "restart_needed");
    let named = "listeners.api.max_connections, ledger.retention cannot change while the gateway runs";
    assert!(refused.message().starts_with(named), "{}", refused.message());
    assert_eq!(ask(&sluice, NEW).await, 401);
    assert!(metric(sluice.admin, REJECTED).await >= 1.0);
}

#[tokio::test]
async fn a_stream_goes_on_through_reloads_of_either_kind() {
    let pause = |answer: Answer, text: &str| answer.wait(300).chunk(delta(text));
    let upstream = Upstream::with(move |_, _| {
        let begun = Answer::chunked().chunk(delta("a"));
        let rest = ["b", "c", "d"].into_iter().fold(begun, pause);
        rest.chunk("data: [DONE]\n\n").last_chunk()
    })
    .await;
    let config = Config::to(&upstream);
    let sluice = Replica::start(&config).await;
    let mut stream = Stream::open(sluice.api, &chat_stream_request()).await;
    stream.event().await;
    for round in 0..3 {
        // The key that asked is gone, too: what runs has been let in.
        sluice.write(&config.clone().open());
        let _ = reload(&sluice).await.expect(200);
        sluice.write(&config.clone().section(&format!("nonsense_{round}: 1")));
        let _ = reload(&sluice).await.expect(422);
    }
    assert!(stream.rest().await.done());
}

#[tokio::test]
async fn a_reload_takes_nothing_and_wants_to_be_asked_properly() {
    let upstream = Upstream::script([Answer::json(CHAT_REPLY)]).await;
    let sluice = Replica::start(&Config::to(&upstream)).await;
    assert_eq!(Request::get("/-/reload").send(sluice.admin).await.status(), 405);
    for (path, body) in [("/-/reload?force=true", ""), ("/-/reload", "{\"file\": \"/etc/passwd\"}")] {
        let refused = Request::post(path, body).send(sluice.admin).await.expect(400);
        assert_eq!(refused.code(), "bad_reload");
    }
    assert_eq!(metric(sluice.admin, TAKEN).await, 0.0);
}

#[tokio::test]
async fn the_log_level_changes_while_the_process_runs() {
    let upstream = Upstream::script([Answer::json(CHAT_REPLY)]).await;
    let config = Config::to(&upstream);
    let sluice = Replica::start(&config).await;
    let level = |level: &str| Request::post("/-/log-level", format!("{{\"level\": \"{level}\"}}"));
    let lines = || sluice.printed("\"event\":\"request\"");

    assert_eq!(ask(&sluice, KEY).await, 200);
    sluice.says("\"event\":\"request\"").await;
    let answer = level("warn").send(sluice.admin).await.expect(200).json();
    assert_eq!((&answer["level"], &answer["was"]), (&"warn".into(), &"info".into()));
    for _ in 0..3 {
        assert_eq!(ask(&sluice, KEY).await, 200);
    }
    // A reload that says nothing new about it leaves what an operator has set.
    let _ = reload(&sluice).await.expect(200);
    assert_eq!(ask(&sluice, KEY).await, 200);
    let answer = level("debug").send(sluice.admin).await.expect(200).json();
    assert_eq!(answer["was"], "warn");
    let _ = Request::post("/-/log-level", "{\"level\": \"loud\"}").send(sluice.admin).await.expect(400);
    assert_eq!(ask(&sluice, KEY).await, 200);
    // In the order of the events: one before, none meanwhile, one after.
    sluice.says_times("\"event\":\"request\"", 2).await;
    assert_eq!((lines(), sluice.printed("configuration reloaded")), (2, 0));

    // A file that says something new is followed.
    sluice.write(&config.section("telemetry: {logs: {level: error}}"));
    let _ = reload(&sluice).await.expect(200);
    assert_eq!(ask(&sluice, KEY).await, 200);
    let answer = level("info").send(sluice.admin).await.expect(200).json();
    assert_eq!((answer["was"].as_str(), lines()), (Some("error"), 2));
}
