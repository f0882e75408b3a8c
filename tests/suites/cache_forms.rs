//! One stored answer serves clients who want it plain and clients who want a stream.

use crate::support::{
    CHAT, COMPLETION_REPLY, COMPLETIONS, DONE, RESPONSES, cached, counting, delta, finish, numbered_events,
    saying, seeded, usage,
};
use serde_json::{Value, json};
use sluice_tests::{
    client::Request,
    eventually,
    gateway::{Gateway, KEY},
    sse::{Events, Stream},
    upstream::{Answer, Upstream},
};

const STREAM: &str = ",\"stream\":true";
const WITH_USAGE: &str = ",\"stream\":true,\"stream_options\":{\"include_usage\":true}";

/// A whole stream, and what its head says of the cache.
async fn stream(gateway: &Gateway, path: &str, body: String) -> (String, Events) {
    let mut stream = Stream::open(gateway.api, &Request::post(path, body).bearer(KEY)).await;
    assert_eq!(stream.head.status, 200);
    assert!(stream.head.get("content-type").starts_with("text/event-stream"), "{:?}", stream.head);
    let word = stream.head.get("x-sluice-cache").to_owned();
    (word, stream.rest().await)
}

/// The text that a chat stream spells, and the finish reasons in it.
fn spelled(events: &Events) -> (String, Vec<Value>) {
    let choices = || events.events.iter().map(|event| event.json()["choices"][0].clone());
    let text = choices().filter_map(|choice| Some(choice["delta"]["content"].as_str()?.to_owned())).collect();
    (text, choices().map(|choice| choice["finish_reason"].clone()).filter(|end| !end.is_null()).collect())
}

fn usages(events: &Events) -> Vec<Value> {
    events.events.iter().map(|event| event.json()["usage"].clone()).filter(|usage| !usage.is_null()).collect()
}

#[tokio::test]
async fn a_stream_is_given_again_byte_for_byte() {
    let upstream = counting().await;
    let gateway = cached(&upstream, "").start().await;
    for told in ["miss", "hit", "hit"] {
        let (word, events) = stream(&gateway, CHAT, seeded(1, STREAM)).await;
        assert_eq!((word.as_str(), events.bytes()), (told, numbered_events(0, false).into()));
    }
    assert_eq!(upstream.calls(), 1);
}

#[tokio::test]
async fn a_hit_as_a_stream_has_the_headers_of_a_stream_and_of_a_hit() {
    let upstream = counting().await;
    let gateway = cached(&upstream, "").start().await;
    let request = Request::post(CHAT, seeded(1, STREAM)).bearer(KEY);
    let mut first = Stream::open(gateway.api, &request).await;
    assert!(first.rest().await.done());
    assert_eq!(first.head.get("cache-status"), "sluice; fwd=uri-miss");
    let hit = Stream::open(gateway.api, &request).await.head;
    for (name, value) in [
        ("x-sluice-cache", "hit"),
        ("age", "0"),
        ("x-sluice-attempts", "0"),
        ("x-sluice-provider", "up"),
        ("cache-control", "no-cache, no-store"),
        ("x-accel-buffering", "no"),
        ("content-type", first.head.get("content-type")),
    ] {
        assert_eq!(hit.get(name), value, "{name}");
    }
    assert!(hit.get("cache-status").starts_with("sluice; hit; ttl="), "{hit:?}");
}

#[tokio::test]
async fn a_stored_stream_is_assembled_for_a_plain_client() {
    let upstream = counting().await;
    let gateway = cached(&upstream, "").start().await;
    let _ = stream(&gateway, CHAT, seeded(1, STREAM)).await;
    let plain = gateway.post(CHAT, seeded(1, "")).await.expect(200);
    assert_eq!(plain.get("x-sluice-cache"), "hit");
    assert_eq!(plain.get("content-type"), "application/json");
    let reply = plain.json();
    assert_eq!(
        (&reply["id"], &reply["object"], &reply["model"]),
        (&json!("c-1"), &json!("chat.completion"), &json!("m"))
    );
    let choice = json!({"role": "assistant", "content": "answer 0"});
    assert_eq!(reply["choices"][0]["message"]["content"], choice["content"], "{reply}");
    assert_eq!(reply["choices"][0]["message"]["role"], "assistant", "{reply}");
    assert_eq!(reply["choices"][0]["finish_reason"], "stop");
    assert_eq!(reply["usage"]["total_tokens"], 5, "a plain answer tells its tokens: {reply}");
    assert_eq!(upstream.calls(), 1);
}

#[tokio::test]
async fn a_stored_plain_answer_is_given_as_a_stream() {
    let upstream = counting().await;
    let gateway = cached(&upstream, "").start().await;
    let plain = gateway.post(CHAT, seeded(1, "")).await.expect(200);
    let (word, events) = stream(&gateway, CHAT, seeded(1, STREAM)).await;
    assert_eq!(word, "hit");
    assert!(events.done(), "{events:?}");
    assert_eq!(spelled(&events), ("answer 0".into(), vec![json!("stop")]));
    assert_eq!(usages(&events), Vec::<Value>::new(), "nobody asked for usage");
    let (_, told) = stream(&gateway, CHAT, seeded(1, WITH_USAGE)).await;
    assert_eq!(usages(&told), [plain.json()["usage"].clone()]);
    assert!(told.done());
    for event in events.events.iter().filter(|event| !event.is_done()) {
        assert_eq!(
            (&event.json()["id"], &event.json()["object"]),
            (&json!("c-1"), &json!("chat.completion.chunk"))
        );
    }
    assert_eq!(upstream.calls(), 1);
}

#[tokio::test]
async fn usage_is_told_to_those_who_asked_for_it_whoever_came_first() {
    for (first, other) in [(STREAM, WITH_USAGE), (WITH_USAGE, STREAM)] {
        let upstream = counting().await;
        let gateway = cached(&upstream, "").start().await;
        for (more, told) in [(first, "miss"), (other, "hit"), (first, "hit")] {
            let (word, events) = stream(&gateway, CHAT, seeded(1, more)).await;
            assert_eq!(
                (word.as_str(), events.bytes()),
                (told, numbered_events(0, more == WITH_USAGE).into())
            );
        }
        assert_eq!(upstream.calls(), 1);
    }
}

#[tokio::test]
async fn tool_calls_survive_both_ways() {
    let piece = |call: &str| delta("x").replace("\"content\":\"x\"", &format!("\"tool_calls\":[{call}]"));
    let streamed = [
        piece(r#"{"index":0,"id":"call-1","type":"function","function":{"name":"f","arguments":""}}"#),
        piece(r#"{"index":0,"function":{"arguments":"{\"a\":"}}"#),
        piece(r#"{"index":0,"function":{"arguments":"1}"}}"#),
        finish().replace("stop", "tool_calls"),
        usage(),
        DONE.into(),
    ]
    .concat();
    let whole =
        json!([{"id": "call-1", "type": "function", "function": {"name": "f", "arguments": "{\"a\":1}"}}]);
    let plain = saying("x")
        .replace("\"content\":\"x\"", &format!("\"content\":null,\"tool_calls\":{whole}"))
        .replace("stop", "tool_calls");
    let upstream = Upstream::with(move |_, request| match request.json()["stream"].as_bool() {
        Some(true) => Answer::sse(streamed.clone()),
        _ => Answer::json(&plain),
    })
    .await;
    let gateway = cached(&upstream, "").start().await;
    let _ = stream(&gateway, CHAT, seeded(1, STREAM)).await;
    let from_stream = gateway.post(CHAT, seeded(1, "")).await.expect(200);
    assert_eq!(from_stream.get("x-sluice-cache"), "hit");
    let mut calls = from_stream.json()["choices"][0]["message"]["tool_calls"].clone();
    calls[0].as_object_mut().unwrap().remove("index");
    assert_eq!(calls, whole);

    let _ = gateway.post(CHAT, seeded(2, "")).await.expect(200);
    let (word, events) = stream(&gateway, CHAT, seeded(2, STREAM)).await;
    assert_eq!(word, "hit");
    let deltas =
        events.events.iter().map(|event| event.json()["choices"][0]["delta"]["tool_calls"][0].clone());
    let deltas: Vec<Value> = deltas.filter(|call| !call.is_null()).collect();
    let arguments: String = deltas.iter().filter_map(|call| call["function"]["arguments"].as_str()).collect();
    assert_eq!(
        (arguments.as_str(), &deltas[0]["id"], &deltas[0]["index"]),
        ("{\"a\":1}", &json!("call-1"), &json!(0))
    );
    assert_eq!(spelled(&events).1, [json!("tool_calls")]);
    assert_eq!(upstream.calls(), 2);
}

#[tokio::test]
async fn completions_are_kept_in_both_forms_too() {
    let upstream = Upstream::script([Answer::json(COMPLETION_REPLY)]).await;
    let gateway = cached(&upstream, "").start().await;
    let body = |more: &str| format!(r#"{{"model":"m","prompt":"Once","seed":3{more}}}"#);
    let _ = gateway.post(COMPLETIONS, body("")).await.expect(200);
    let again = gateway.post("/openai/v1/completions", body("")).await.expect(200);
    assert_eq!((again.get("x-sluice-cache"), again.text().as_str()), ("hit", COMPLETION_REPLY));
    let (word, events) = stream(&gateway, COMPLETIONS, body(STREAM)).await;
    let text: String = events
        .events
        .iter()
        .filter_map(|event| Some(event.json()["choices"][0]["text"].as_str()?.to_owned()))
        .collect();
    assert_eq!((word.as_str(), text.as_str(), events.done()), ("hit", " upon", true));
    let chat = gateway.post(CHAT, seeded(3, "")).await;
    assert_ne!(chat.get("x-sluice-cache"), "hit", "another endpoint is another request");
}

#[tokio::test]
async fn responses_that_leave_nothing_behind_are_kept() {
    let reply = r#"{"id":"r","object":"response","status":"completed","output":[{"type":"message","id":"o","status":"completed","role":"assistant","content":[{"type":"output_text","text":"hi","annotations":[]}]}],"usage":{"input_tokens":1,"output_tokens":1,"total_tokens":2}}"#;
    let upstream = Upstream::script([Answer::json(reply)]).await;
    let gateway = cached(&upstream, "").start().await;
    for (more, told) in [
        ("", "bypass; reason=stateful"),
        (",\"store\":true", "bypass; reason=store"),
        (",\"store\":false,\"previous_response_id\":\"r\"", "bypass; reason=stateful"),
        (",\"store\":false", "miss"),
        (",\"store\":false", "hit"),
    ] {
        let body = format!(r#"{{"model":"m","input":"x","seed":1{more}}}"#);
        let answer = gateway.post(RESPONSES, body).await.expect(200);
        assert_eq!((answer.get("x-sluice-cache"), answer.text().as_str()), (told, reply), "{more}");
    }
}

#[tokio::test]
async fn a_stream_of_responses_is_kept_and_serves_plain_clients() {
    let done = r#"{"id":"r","object":"response","status":"completed","output":[{"type":"message","id":"o","status":"completed","role":"assistant","content":[{"type":"output_text","text":"hi","annotations":[]}]}],"usage":{"input_tokens":1,"output_tokens":1,"total_tokens":2}}"#;
    let event = |kind: &str, members: &str| {
        format!("event: response.{kind}\ndata: {{\"type\":\"response.{kind}\",{members}}}\n\n")
    };
    let begun = r#""response":{"id":"r","object":"response","status":"in_progress","output":[]}"#;
    let text = r#""item_id":"o","output_index":0,"content_index":0,"delta":"hi""#;
    let whole = [
        event("created", begun),
        event("output_text.delta", text),
        event("completed", &format!("\"response\":{done}")),
    ]
    .concat();
    // The terminal event is all that counts: this upstream does not end the body behind it.
    let answer = Answer::chunked().chunk(&whole).hang();
    let upstream = Upstream::script([answer, Answer::error(400, "{}")]).await;
    let gateway = cached(&upstream, "").start().await;
    let body = |more: &str| format!(r#"{{"model":"m","input":"x","seed":1,"store":false{more}}}"#);
    let request = Request::post(RESPONSES, body(STREAM)).bearer(KEY);
    let mut first = Stream::open(gateway.api, &request).await;
    for _ in 0..3 {
        let _ = first.event().await;
    }
    drop(first);
    let (word, events) = stream(&gateway, RESPONSES, body(STREAM)).await;
    assert_eq!((word.as_str(), events.bytes()), ("hit", whole.into()));
    let plain = gateway.post(RESPONSES, body("")).await.expect(200);
    assert_eq!((plain.get("x-sluice-cache"), plain.text().as_str()), ("hit", done));
    assert_eq!(upstream.calls(), 1);
}

#[tokio::test]
async fn a_stream_in_an_odd_framing_is_kept_as_it_came() {
    // A byte order mark, comments, carriage returns, no blank behind a colon, one event in several lines.
    let first = delta("hi").replace("data: ", "data:").replace('\n', "\r\n");
    let lines = finish().replace("\"created\"", "\r\ndata: \"created\"").replace("\n\n", "\r\n\r\n");
    let told = usage().replace('\n', "\r\n");
    let odd = format!("\u{feff}: hello\r\n\r\n{first}: c\r\n{lines}{told}data: [DONE]\r\n\r\n");
    let upstream = Upstream::script([Answer::sse(odd.clone()), Answer::error(400, "{}")]).await;
    let gateway = cached(&upstream, "").start().await;
    let asked = gateway.post(CHAT, seeded(1, STREAM)).await.expect(200);
    let again = gateway.post(CHAT, seeded(1, STREAM)).await.expect(200);
    assert_eq!((asked.get("x-sluice-cache"), again.get("x-sluice-cache")), ("miss", "hit"));
    assert_eq!((asked.text(), again.text()), (odd.replace(&told, ""), odd.replace(&told, "")));
    let with_usage = gateway.post(CHAT, seeded(1, WITH_USAGE)).await.expect(200);
    assert_eq!((with_usage.get("x-sluice-cache"), with_usage.text()), ("hit", odd));
    let plain = gateway.post(CHAT, seeded(1, "")).await.expect(200);
    assert_eq!(plain.get("x-sluice-cache"), "hit");
    assert_eq!(plain.json()["choices"][0]["message"]["content"], "hi");
    assert_eq!(plain.json()["usage"]["total_tokens"], 5);
}

/// The lines of all requests so far, once there are so many: outcome and what the cache did.
async fn outcomes(gateway: &Gateway, n: usize) -> Vec<[Value; 2]> {
    let requests = || gateway.log.text().matches("\"event\":\"request\"").count();
    eventually(&format!("{n} lines"), || requests() == n).await;
    let log = gateway.log.text();
    let lines = log.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let requests = lines.filter(|line| line["event"] == "request");
    requests.map(|line| [line["outcome"].clone(), line["cache"].clone()]).collect()
}

#[tokio::test]
async fn a_client_that_leaves_after_the_last_event_has_had_everything() {
    let upstream = counting().await;
    let gateway = cached(&upstream, ", replay: paced").start().await;
    let _ = gateway.post(CHAT, seeded(1, STREAM)).await.expect(200);
    let request = Request::post(CHAT, seeded(1, STREAM)).bearer(KEY);
    let mut paced = Stream::open(gateway.api, &request).await;
    while !paced.event().await.is_done() {}
    drop(paced);
    assert_eq!(outcomes(&gateway, 2).await, [[json!("ok"), json!("miss")], [json!("ok"), json!("hit")]]);

    // The same where the upstream's body goes on behind it, whether the answer is kept or is too large for that.
    let events = delta(&"x".repeat(5_000)) + &finish() + DONE;
    for max in ["1MiB", "1KiB"] {
        let upstream = Upstream::script([Answer::chunked().chunk(&events).hang()]).await;
        let gateway = cached(&upstream, &format!(", max_entry: {max}")).start().await;
        let mut stream = Stream::open(gateway.api, &request).await;
        while !stream.event().await.is_done() {}
        drop(stream);
        assert_eq!(outcomes(&gateway, 1).await, [[json!("ok"), json!("miss")]], "{max}");
        let tried = "sluice_upstream_attempts_total{outcome=\"ok\",provider=\"up\",upstream_model=\"m\"}";
        assert_eq!(gateway.metric(tried).await, 1.0, "{max}");
    }
}

#[tokio::test]
async fn a_replay_at_a_reading_pace_is_the_same_stream() {
    let upstream = counting().await;
    let gateway = cached(&upstream, ", replay: paced").start().await;
    let (_, first) = stream(&gateway, CHAT, seeded(1, STREAM)).await;
    let (word, paced) = stream(&gateway, CHAT, seeded(1, STREAM)).await;
    assert_eq!((word.as_str(), paced.bytes()), ("hit", first.bytes()));
    let at: Vec<_> = paced.events.iter().map(|event| event.at).collect();
    assert!(at[at.len() - 1].duration_since(at[0]).as_millis() >= 20, "not all at once: {at:?}");
}
