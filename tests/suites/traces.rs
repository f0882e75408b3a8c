//! What a trace tells of a request, and what it does not; whose child it is, and who are its children.

use crate::{
    collector::{Collector, PARENT, TRACE, child, traced},
    support::{
        CHAT, CHAT_REPLY, DONE, before_spare, begin, by_limited, chat, chat_stream, chat_to, chat_with,
        delta, finish, in_flight, seeded, usage,
    },
};
use serde_json::{Value, json};
use sluice_tests::{
    client::Request,
    gateway::{Config, Gateway, KEY, hash},
    sse::Stream,
    upstream::{Answer, Gate, Upstream},
};

/// The log lines of requests.
fn lines(gateway: &Gateway) -> Vec<Value> {
    let text = gateway.log.text();
    let all = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    all.filter(|line| line["event"] == "request").collect()
}

/// What is left of attributes when those that are times have been looked at and taken out.
fn without_times(attributes: &Value) -> Value {
    let mut rest = attributes.clone();
    for name in ["sluice.overhead", "sluice.time_to_first_token", "gen_ai.response.time_to_first_chunk"] {
        if let Some(time) = rest.as_object_mut().unwrap().remove(name) {
            let time = time.as_f64().unwrap();
            assert!((0.0..20.0).contains(&time), "{name} {time}");
        }
    }
    rest
}

#[tokio::test]
async fn a_request_is_a_span_and_its_try_a_span_in_it() {
    let (upstream, collector) = (Upstream::script([Answer::json(CHAT_REPLY)]).await, Collector::new().await);
    let config = traced(&upstream, &collector).provider("trace: true").price("m", 1_000);
    let gateway = config.start().await;
    let request = child(chat(), PARENT).header("x-request-id", "mine-1").header("tracestate", "vendor=1");
    let _ = request.send(gateway.api).await.expect(200);

    let spans = collector.sent(2).await;
    let (server, tried) = (&spans[0], &spans[1]);
    assert_eq!((server.kind, &*server.name), ("server", "POST /v1/chat/completions"));
    assert_eq!((tried.kind, &*tried.name), ("client", "chat m"));
    assert_eq!((&*server.trace, &*server.parent), (TRACE, "b7ad6b7169203331"));
    assert_eq!((&*tried.trace, &tried.parent), (TRACE, &server.id));
    assert!(server.remote_parent && !tried.remote_parent);
    assert!(!server.failed && !tried.failed);
    assert!(server.start <= tried.start && tried.start < tried.end && tried.end <= server.end, "{spans:#?}");
    assert_eq!(
        without_times(&server.is),
        json!({
            "http.request.method": "POST", "http.route": CHAT, "url.path": CHAT, "url.scheme": "http",
            "http.response.status_code": 200, "client.address": "127.0.0.1",
            "sluice.request.id": "mine-1", "sluice.endpoint": "chat", "sluice.outcome": "ok",
            "sluice.tenant": "default", "sluice.key": "test", "sluice.model": "m", "sluice.provider": "up",
            "sluice.stream": false, "sluice.cache.result": "bypass", "sluice.attempts": 1,
            "sluice.tokens.input": 3, "sluice.tokens.output": 1, "sluice.tokens.source": "provider",
            "sluice.cost.usd": 0.004,
        })
    );
    assert_eq!(
        without_times(&tried.is),
        json!({
            "gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai_compatible",
            "gen_ai.request.model": "m", "gen_ai.usage.input_tokens": 3, "gen_ai.usage.output_tokens": 1,
            "gen_ai.response.finish_reasons": ["stop"],
            "http.request.method": "POST", "http.response.status_code": 200,
            "server.address": "127.0.0.1", "server.port": upstream.address().port(),
            "sluice.provider": "up", "sluice.outcome": "ok", "sluice.tokens.source": "provider",
            "sluice.cost.usd": 0.004,
        })
    );
    assert_eq!(server.resource["service.name"], "sluice");
    assert_eq!(server.resource["service.version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(server.resource["service.instance.id"].as_str().unwrap().len(), 36);

    let got = upstream.request();
    assert_eq!(
        got.header("traceparent"),
        Some(&*format!("00-{TRACE}-{}-01", tried.id)),
        "the try's own span"
    );
    assert_eq!(got.header("tracestate"), None);
    assert_eq!(lines(&gateway)[0]["trace_id"], TRACE);
    gateway.metric_is("sluice_trace_spans_exported_total", 2.0).await;
}

#[tokio::test]
async fn a_failover_is_two_tries_each_with_a_span_of_its_own() {
    let up = Upstream::script([Answer::error(500, "{\"error\":{\"message\":\"quoted hi\"}}")]).await;
    let (spare, collector) = (Upstream::script([Answer::json(CHAT_REPLY)]).await, Collector::new().await);
    let config = before_spare(&up.base_url(), &spare, "first_byte: 5s").provider("trace: true");
    let gateway = config.section(&collector.section(", sample: 0%")).start().await;
    let _ = child(chat_to("both"), "no parent").send(gateway.api).await.expect(200);

    let spans = collector.sent(3).await;
    let (server, first, second) = (&spans[0], &spans[1], &spans[2]);
    assert!(!server.failed && first.failed && !second.failed, "{spans:#?}");
    assert_eq!((&server.is["sluice.attempts"], &server.is["sluice.provider"]), (&json!(2), &json!("spare")));
    assert_eq!(first.is["error.type"], "server_error");
    assert_eq!(
        (&first.is["sluice.provider"], &first.is["http.response.status_code"]),
        (&json!("up"), &json!(500))
    );
    assert_eq!((&second.is["sluice.provider"], &second.is["error.type"]), (&json!("spare"), &Value::Null));
    assert!(first.end <= second.start, "{spans:#?}");
    for tried in [first, second] {
        assert_eq!((&tried.parent, &tried.trace), (&server.id, &server.trace));
    }
    assert_ne!(first.id, second.id);
    // What is no parent begins a trace of our own, which nobody is told to keep by a share of 0%.
    assert_eq!((server.parent.as_str(), lines(&gateway)[0]["trace_id"].as_str()), ("", Some(&*server.trace)));
    assert_eq!(up.request().header("traceparent"), Some(&*format!("00-{}-{}-00", server.trace, first.id)));
    assert_eq!(spare.request().header("traceparent"), None, "only where the provider has `trace: true`");
}

#[tokio::test]
async fn a_stream_tells_when_it_began_and_why_it_ended() {
    let events = [delta("one"), delta(" two"), finish(), usage(), DONE.into()].concat();
    let up =
        Answer::stream().wait(60).send(delta("one")).wait(40).send(events[delta("one").len()..].to_owned());
    let (upstream, collector) = (Upstream::script([up.close()]).await, Collector::new().await);
    let gateway = traced(&upstream, &collector).start().await;
    let mut stream = Stream::open(gateway.api, &child(chat_stream(), PARENT)).await;
    assert!(stream.rest().await.done());

    let spans = collector.sent(2).await;
    let (server, tried) = (&spans[0], &spans[1]);
    assert_eq!(server.is["sluice.stream"], true);
    let first = tried.is["gen_ai.response.time_to_first_chunk"].as_f64().unwrap();
    assert!((0.05..5.0).contains(&first), "{first}");
    assert!(server.is["sluice.time_to_first_token"].as_f64().unwrap() >= first);
    assert_eq!(
        (&tried.is["gen_ai.request.stream"], &tried.is["sluice.outcome"]),
        (&json!(true), &json!("ok"))
    );
    assert_eq!(tried.is["gen_ai.response.finish_reasons"], json!(["stop"]));
    assert_eq!(tried.is["gen_ai.usage.output_tokens"], 2);
    assert!(tried.end - tried.start >= 90_000_000, "to the stream's last byte: {tried:#?}");
}

#[tokio::test]
async fn the_cache_is_an_event_and_a_stored_answer_has_no_try() {
    let (upstream, collector) = (Upstream::script([Answer::json(CHAT_REPLY)]).await, Collector::new().await);
    let gateway = traced(&upstream, &collector).section("cache: {mode: seeded}").start().await;
    for body in [seeded(1, ""), seeded(1, ""), chat()] {
        let _ = child(body, PARENT).send(gateway.api).await.expect(200);
    }
    let spans = collector.sent(5).await;
    let told: Vec<_> = spans[..3].iter().map(|server| server.events.clone()).collect();
    let cache = |is: Value| vec![("sluice.cache".to_owned(), is)];
    assert_eq!(told[0], cache(json!({"sluice.cache.result": "miss"})));
    assert_eq!(told[1], cache(json!({"sluice.cache.result": "hit", "sluice.cache.tier": "memory"})));
    assert_eq!(told[2], cache(json!({"sluice.cache.result": "bypass", "sluice.cache.reason": "no-seed"})));
    let hit = &spans[1];
    assert_eq!((&hit.is["sluice.attempts"], &hit.is["sluice.cache.result"]), (&json!(0), &json!("hit")));
    assert_eq!(spans[3..].iter().filter(|tried| tried.parent == hit.id).count(), 0);
    for server in &spans[..3] {
        assert!((server.start..=server.end).contains(&server.moments[0]), "{server:#?}");
    }
}

#[tokio::test]
async fn a_limit_that_holds_a_request_up_is_an_event() {
    let gate = Gate::new();
    let upstream = Upstream::script([Answer::new().gate(&gate).then(Answer::json(CHAT_REPLY))]).await;
    let collector = Collector::new().await;
    let limits = "limits: {concurrency: 1, queue: {max_wait: 20s, size: 1}}";
    let config = traced(&upstream, &collector);
    let gateway =
        config.key("limited", crate::support::LIMITED, &format!("models: [\"*\"], {limits}")).start().await;
    let first = begin([by_limited(chat()).send(gateway.api)]).remove(0);
    in_flight(&gateway, 1).await;
    let second = begin([by_limited(chat()).send(gateway.api)]).remove(0);
    in_flight(&gateway, 2).await;
    let _ = by_limited(chat()).send(gateway.api).await.expect(429);
    gate.open();
    for request in [first, second] {
        let _ = request.await.unwrap().expect(200);
    }

    let spans = collector.sent(5).await;
    let event = |server: usize| spans[server].events.iter().find(|(name, _)| name == "sluice.limit").cloned();
    assert_eq!(event(0), None);
    let queued = event(1).expect("an event").1;
    assert_eq!(queued["sluice.limit.decision"], "queued");
    assert!(queued["sluice.limit.wait"].as_f64().unwrap() > 0.0, "{queued}");
    let limited = event(2).expect("an event").1;
    assert_eq!(limited, json!({"sluice.limit.decision": "limited", "sluice.limit.name": "concurrency"}));
    let refused = &spans[2];
    assert_eq!(
        (&refused.is["sluice.outcome"], &refused.is["http.response.status_code"]),
        (&json!("limited"), &json!(429))
    );
    assert!(!refused.failed && refused.is["error.type"].is_null(), "the client's own doing: {refused:#?}");
}

#[tokio::test]
async fn what_failed_says_so() {
    let upstream = Upstream::script([Answer::error(500, "{}")]).await;
    let collector = Collector::new().await;
    let gateway = traced(&upstream, &collector).section("resilience: {attempts: 1}").start().await;
    let _ = gateway.post(CHAT, chat()).await.expect(502);
    let spans = collector.sent(2).await;
    assert!(spans[0].failed && spans[1].failed, "{spans:#?}");
    let error = lines(&gateway)[0]["error"].clone();
    assert!(error.is_string() && spans[0].is["error.type"] == error, "{spans:#?}");
    assert_eq!(spans[0].is["sluice.outcome"], "upstream_error");
}

#[tokio::test]
async fn a_parent_that_is_none_begins_a_new_trace() {
    let (upstream, collector) = (Upstream::script([Answer::json(CHAT_REPLY)]).await, Collector::new().await);
    let gateway = traced(&upstream, &collector).start().await;
    for bad in ["", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331", &PARENT.to_uppercase()] {
        let _ = child(chat(), bad).send(gateway.api).await.expect(200);
    }
    let twice = child(chat(), PARENT).header("traceparent", PARENT);
    let _ = twice.send(gateway.api).await.expect(200);
    let spans = collector.sent(8).await;
    let lines = lines(&gateway);
    for (server, line) in spans[..4].iter().zip(&lines) {
        assert_eq!(server.parent, "");
        assert_ne!(server.trace, TRACE);
        assert_eq!(line["trace_id"], server.trace);
    }
    assert_ne!(spans[0].trace, spans[1].trace);
}

#[tokio::test]
async fn paths_and_models_that_clients_make_up_are_not_told() {
    let (upstream, collector) = (Upstream::script([Answer::json(CHAT_REPLY)]).await, Collector::new().await);
    let gateway = traced(&upstream, &collector).start().await;
    for path in ["/v1/models/made-up", "/made/up", "/v1/models"] {
        let _ = gateway.get(path).await;
    }
    let spans = collector.sent(3).await;
    let names: Vec<_> = spans.iter().map(|span| &*span.name).collect();
    assert_eq!(names, ["GET /v1/models/{model}", "GET", "GET /v1/models"]);
    assert_eq!(
        spans.iter().map(|span| &span.is["url.path"]).collect::<Vec<_>>(),
        [&json!(null), &json!(null), &json!("/v1/models")]
    );
    assert!(!format!("{spans:?}").contains("made"), "{spans:#?}");
}

#[tokio::test]
async fn no_prompt_no_answer_no_secret_and_no_header_is_told() {
    let upstream = Upstream::script([
        Answer::error(400, "{\"error\":{\"message\":\"the prompt was: hush-prompt\"}}"),
        Answer::error(500, "{\"error\":{\"message\":\"sk-provider-secret\"}}"),
        Answer::json(CHAT_REPLY.replace("\"hi\"", "\"hush-answer\"")),
    ])
    .await;
    let collector = Collector::new().await;
    let section = collector.section(", sample: 100%, headers: {x-token: hush-collector}");
    let config = Config::to(&upstream).provider("headers: {x-team: hush-team}").section(&section);
    let gateway = config.section("resilience: {attempts: 1}").start().await;
    let body = chat_with(",\"user\":\"hush-user\"").replace("\"hi\"", "\"hush-prompt\"");
    for _ in 0..3 {
        let request =
            child(body.clone(), PARENT).header("x-custom", "hush-header").header("cookie", "hush-cookie");
        let _ = request.header("user-agent", "hush-agent").send(gateway.api).await;
    }
    let stranger = Request::post(CHAT, chat()).bearer("hush-key").send(gateway.api);
    let _ = stranger.await.expect(401);
    let _ = collector.sent(7).await;
    for request in collector.0.requests() {
        assert_eq!(request.header("x-token"), Some("hush-collector"));
        let said = String::from_utf8_lossy(&request.body);
        for secret in ["hush", KEY, "sk-provider-secret", &hash(KEY)] {
            assert!(!said.contains(secret), "{secret}: {said}");
        }
    }
    assert!(!gateway.log.text().contains("hush-collector"));
}

#[tokio::test]
async fn without_traces_a_client_s_own_is_in_the_log_and_goes_on_as_it_came() {
    let upstream = Upstream::script([Answer::json(CHAT_REPLY)]).await;
    let gateway = Config::to(&upstream).provider("trace: true").start().await;
    let unsampled = PARENT.replace("-01", "-00");
    for parent in [PARENT, &unsampled, "what ever"] {
        let _ = child(chat(), parent).send(gateway.api).await.expect(200);
    }
    let _ = gateway.post(CHAT, chat()).await.expect(200);
    let sent: Vec<_> = upstream.requests();
    let sent: Vec<_> = sent.iter().map(|request| request.header("traceparent")).collect();
    assert_eq!(sent, [Some(PARENT), Some(&*unsampled), Some("what ever"), None]);
    let told: Vec<_> = lines(&gateway).into_iter().map(|line| line["trace_id"].clone()).collect();
    assert_eq!(told, [json!(TRACE), json!(TRACE), Value::Null, Value::Null]);
}

#[tokio::test]
async fn a_client_that_leaves_is_told_of_as_one_that_left() {
    let upstream = Upstream::script([Answer::chunked().chunk(delta("one")).hang()]).await;
    let collector = Collector::new().await;
    let gateway = traced(&upstream, &collector).start().await;
    let mut stream = Stream::open(gateway.api, &child(chat_stream(), PARENT)).await;
    let _ = stream.event().await;
    drop(stream);
    let spans = collector.sent(2).await;
    for span in &spans {
        assert_eq!(span.is["sluice.outcome"], "cancelled", "{spans:#?}");
        assert!(!span.failed && span.is["error.type"].is_null());
    }
}
