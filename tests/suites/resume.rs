//! A stream whose upstream dies after content was delivered: another target goes on with it, and the client sees no
//! seam; or it ends with an error, and never with wrong text.

use crate::support::{CHAT, COMPLETIONS, DONE};
use serde_json::{Value, json};
use sluice_tests::{
    client::Request,
    gateway::{Config, Gateway, KEY},
    ledger::Bookkeeper,
    sse::{Event, Events, Stream},
    upstream::{Answer, Received, Upstream},
};

/// Events of a whole stream: 47 with text, the finish, usage, the end mark.
const EVENTS: usize = 50;
const WORDS: usize = EVENTS - 3;
const PROMPT_TOKENS: usize = 10;

fn word(n: usize) -> String {
    // Escapes and characters of several bytes are cut and joined, too.
    match n % 5 {
        0 => format!(" \"{n}\""),
        1 => format!(" é{n}"),
        2 => format!(" w{n}\n"),
        3 => format!(" \u{1f600}{n}"),
        _ => format!(" \\{n}"),
    }
}

fn text() -> String {
    (0..WORDS).map(word).collect()
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Chat,
    Completions,
}

impl Kind {
    fn event(self, id: &str, choices: &Value, usage: &Value) -> String {
        let object = if self == Self::Chat { "chat.completion.chunk" } else { "text_completion" };
        let mut chunk =
            json!({"id": id, "object": object, "created": id.len(), "model": id, "choices": choices});
        if !usage.is_null() {
            chunk["usage"] = usage.clone();
        }
        format!("data: {chunk}\n\n")
    }

    fn text(self, id: &str, text: &str, first: bool) -> String {
        let choice = match self {
            Self::Chat if first => {
                json!({"index": 0, "delta": {"role": "assistant", "content": text}, "finish_reason": null})
            }
            Self::Chat => json!({"index": 0, "delta": {"content": text}, "finish_reason": null}),
            Self::Completions => json!({"index": 0, "text": text, "logprobs": null, "finish_reason": null}),
        };
        self.event(id, &json!([choice]), &Value::Null)
    }

    fn finish(self, id: &str) -> String {
        let choice = match self {
            Self::Chat => json!({"index": 0, "delta": {}, "finish_reason": "stop"}),
            Self::Completions => json!({"index": 0, "text": "", "logprobs": null, "finish_reason": "stop"}),
        };
        self.event(id, &json!([choice]), &Value::Null)
    }

    /// A whole stream of these words.
    fn events(self, id: &str, words: &[String], usage: &Value) -> Vec<String> {
        let texts = words.iter().enumerate().map(|(n, word)| self.text(id, word, n == 0));
        let usage = self.event(id, &json!([]), usage);
        texts.chain([self.finish(id), usage, DONE.to_owned()]).collect()
    }

    fn told(chunk: &Value) -> String {
        let choice = &chunk["choices"][0];
        let text = choice["delta"]["content"].as_str().or_else(|| choice["text"].as_str());
        text.unwrap_or_default().to_owned()
    }
}

fn counted(prompt: usize, completion: usize) -> Value {
    json!({"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion})
}

/// An upstream that dies after so many events.
async fn dying(kind: Kind, after: usize) -> Upstream {
    let words: Vec<String> = (0..WORDS).map(word).collect();
    let events = kind.events("first", &words, &counted(PROMPT_TOKENS, WORDS));
    Upstream::script([Answer::stream().send(events[..after].concat()).wait(2).reset()]).await
}

/// An upstream that says the same in other pieces.
async fn repeating(kind: Kind) -> Upstream {
    let all: Vec<char> = text().chars().collect();
    let pieces: Vec<String> = all.chunks(4).map(|chars| chars.iter().collect()).collect();
    Upstream::script([Answer::sse(kind.events("second", &pieces, &counted(PROMPT_TOKENS, WORDS)).concat())])
        .await
}

/// An upstream that goes on where the prompt ends.
async fn continuing() -> Upstream {
    Upstream::with(|_, request: &Received| {
        let body = request.json();
        let so_far = body["prompt"].as_str().unwrap().strip_prefix("Once").unwrap().to_owned();
        let begun = (0..=WORDS).find(|n| (0..*n).map(word).collect::<String>() == so_far);
        let begun = begun.unwrap_or_else(|| panic!("what the client has: {so_far:?}"));
        assert_eq!(body["max_tokens"], json!(100 - begun));
        let rest: Vec<String> = (begun..WORDS).map(word).collect();
        let usage = counted(PROMPT_TOKENS + begun, WORDS - begun);
        Answer::sse(Kind::Completions.events("second", &rest, &usage).concat())
    })
    .await
}

async fn gateway(first: &Upstream, second: &Upstream, resume: &str) -> Gateway {
    config(first, second, resume).start().await
}

fn config(first: &Upstream, second: &Upstream, resume: &str) -> Config {
    let targets = "[{provider: up, model: m}, {provider: spare, model: m, priority: 1}]";
    Config::to(first)
        .timeouts("connect: 500ms, first_byte: 400ms, idle: 400ms")
        .also("spare", &second.base_url())
        .model_entry(&format!("{{name: both, targets: {targets}, resume: {resume}}}"))
}

fn request(kind: Kind, more: &str) -> Request {
    let asked = r#""model":"both","stream":true,"stream_options":{"include_usage":true},"max_tokens":100"#;
    match kind {
        Kind::Chat => {
            Request::post(CHAT, format!(r#"{{{asked},"messages":[{{"role":"user","content":"hi"}}]{more}}}"#))
        }
        Kind::Completions => Request::post(COMPLETIONS, format!(r#"{{{asked},"prompt":"Once"{more}}}"#)),
    }
    .bearer(KEY)
}

/// One answer, as if nothing had happened.
#[track_caller]
fn is_whole(events: &Events, kind: Kind, after: usize, usage: &Value) {
    let chunks: Vec<Value> = events.events.iter().map(Event::json).filter(|chunk| !chunk.is_null()).collect();
    let said: String = chunks.iter().map(Kind::told).collect();
    assert_eq!(said, text(), "died after {after}");
    assert_eq!(
        events.events.iter().filter(|event| event.is_done()).count(),
        1,
        "died after {after}: {events:?}"
    );
    assert!(events.done());
    let finishes = chunks.iter().filter(|chunk| chunk["choices"][0]["finish_reason"] == "stop").count();
    assert_eq!(finishes, 1, "died after {after}");
    let roles = chunks.iter().filter(|chunk| !chunk["choices"][0]["delta"]["role"].is_null()).count();
    assert_eq!(roles, usize::from(kind == Kind::Chat), "died after {after}");
    let first = &chunks[0];
    assert!(chunks.iter().all(|chunk| chunk["id"] == first["id"] && chunk["created"] == first["created"]));
    let told: Vec<&Value> =
        chunks.iter().map(|chunk| &chunk["usage"]).filter(|usage| !usage.is_null()).collect();
    assert_eq!(told, [usage], "died after {after}");
}

/// Comments that say that another has gone on; heartbeats are others.
fn seams(events: &Events) -> usize {
    events.events.iter().filter(|event| event.raw.starts_with(b": resumed by spare")).count()
}

async fn repeated(kind: Kind) {
    for after in 0..=EVENTS {
        let (first, second) = (dying(kind, after).await, repeating(kind).await);
        let gateway = gateway(&first, &second, "deterministic").await;
        let events = Stream::open(gateway.api, &request(kind, ",\"seed\":7")).await.rest().await;
        is_whole(&events, kind, after, &counted(PROMPT_TOKENS, WORDS));
        // Before any content it is a failover like any other; once all has been said, nobody is asked.
        assert_eq!(second.calls(), usize::from(after < EVENTS - 1), "died after {after}");
        assert_eq!(seams(&events), usize::from((1..EVENTS - 1).contains(&after)), "died after {after}");
    }
}

#[tokio::test]
async fn a_seeded_chat_goes_on_wherever_it_breaks() {
    repeated(Kind::Chat).await;
}

#[tokio::test]
async fn a_seeded_completion_goes_on_wherever_it_breaks() {
    repeated(Kind::Completions).await;
}

#[tokio::test]
async fn a_plain_completion_goes_on_wherever_it_breaks() {
    for after in 0..=EVENTS {
        // After its finish there is nothing to go on with, and usage that never came is not made up.
        if after == EVENTS - 2 {
            continue;
        }
        let (first, second) = (dying(Kind::Completions, after).await, continuing().await);
        let gateway = gateway(&first, &second, "completions").await;
        let events = Stream::open(gateway.api, &request(Kind::Completions, "")).await.rest().await;
        is_whole(&events, Kind::Completions, after, &counted(PROMPT_TOKENS, WORDS));
        assert_eq!(second.calls(), usize::from(after < EVENTS - 2), "died after {after}");
    }
}

#[tokio::test]
async fn a_plain_completion_that_breaks_between_its_finish_and_its_usage_is_whole_without_usage() {
    let (first, second) = (dying(Kind::Completions, EVENTS - 2).await, continuing().await);
    let gateway = gateway(&first, &second, "completions").await;
    let events = Stream::open(gateway.api, &request(Kind::Completions, "")).await.rest().await;
    assert!(events.done(), "{events:?}");
    assert_eq!(second.calls(), 0);
}

#[tokio::test]
async fn another_answer_is_an_error_and_never_wrong_text() {
    for after in [1, 5, 20, WORDS] {
        // It differs in one character of what the client has.
        let mut pieces: Vec<String> = (0..WORDS).map(word).collect();
        pieces[after - 1].insert(1, '!');
        let events = Kind::Chat.events("second", &pieces, &counted(PROMPT_TOKENS, WORDS)).concat();
        let (first, second) = (dying(Kind::Chat, after).await, Upstream::script([Answer::sse(events)]).await);
        let gateway = gateway(&first, &second, "deterministic").await;
        let events = Stream::open(gateway.api, &request(Kind::Chat, ",\"seed\":7")).await.rest().await;
        let _ = events.error();
        let said: String = events.events.iter().map(|event| Kind::told(&event.json())).collect();
        assert_eq!(said, (0..after).map(word).collect::<String>());
        assert_eq!(second.calls(), 1);
    }
    // One that ends before it has said what the client has.
    let few = Kind::Chat.events("second", &[word(0)], &counted(PROMPT_TOKENS, 1)).concat();
    let (first, second) = (dying(Kind::Chat, 20).await, Upstream::script([Answer::sse(few)]).await);
    let gateway = gateway(&first, &second, "deterministic").await;
    let _ = Stream::open(gateway.api, &request(Kind::Chat, ",\"seed\":7")).await.rest().await.error();
}

#[tokio::test]
async fn what_cannot_be_gone_on_with_is_an_error_and_nobody_else_is_asked() {
    let call = json!([{"index": 0, "delta": {"tool_calls": [{"index": 0, "id": "c", "type": "function",
        "function": {"name": "f", "arguments": "{"}}]}, "finish_reason": null}]);
    let call = Kind::Chat.event("first", &call, &Value::Null);
    let tool = || async { Upstream::script([Answer::stream().send(call.clone()).wait(2).reset()]).await };
    for (first, resume, kind, more, why) in [
        (dying(Kind::Chat, 5).await, "none", Kind::Chat, ",\"seed\":7", "off"),
        (dying(Kind::Chat, 5).await, "deterministic", Kind::Chat, "", "not repeatable"),
        (dying(Kind::Chat, 5).await, "completions", Kind::Chat, ",\"seed\":7", "no completion"),
        (tool().await, "deterministic", Kind::Chat, ",\"seed\":7", "a tool call is open"),
        (dying(Kind::Chat, 5).await, "deterministic", Kind::Chat, ",\"seed\":7,\"n\":2", "two answers"),
        (
            dying(Kind::Chat, 5).await,
            "deterministic",
            Kind::Chat,
            ",\"seed\":7,\"logprobs\":true",
            "logprobs",
        ),
        (dying(Kind::Completions, 5).await, "completions", Kind::Completions, ",\"echo\":true", "echo"),
    ] {
        let second = repeating(kind).await;
        let gateway = gateway(&first, &second, resume).await;
        let events = Stream::open(gateway.api, &request(kind, more)).await.rest().await;
        let _ = events.error();
        assert_eq!(second.calls(), 0, "{why}");
    }
}

#[tokio::test]
async fn the_seam_is_told_in_the_record_the_metric_and_the_log_and_both_tries_are_paid() {
    let (first, second) = (dying(Kind::Completions, 20).await, continuing().await);
    let prices = "prices: [{provider: up, model: m, input: 1, output: 1}, {provider: spare, model: m, input: 1, output: 1}]";
    let keeper = Bookkeeper::start(&config(&first, &second, "completions").section(prices)).await;
    let events = Stream::open(keeper.api, &request(Kind::Completions, "")).await.rest().await;
    assert!(events.done(), "{events:?}");
    let metric = "sluice_streams_resumed_total{model=\"both\",result=\"ok\"}";
    keeper.metric_is(metric, 1.0).await;
    let record = keeper.record().await;
    let tries = record["attempts"].as_array().unwrap();
    assert_eq!(tries.len(), 2, "{record:#}");
    assert_eq!((&tries[0]["provider"], &tries[0]["outcome"]), (&json!("up"), &json!("bad_response")));
    assert_eq!((&tries[1]["provider"], &tries[1]["outcome"]), (&json!("spare"), &json!("ok")));
    assert_eq!(tries[1]["reason"], "resumed", "{record:#}");
    // The first by estimate: its prompt and twenty words; the second by its own count.
    assert_eq!(tries[1]["output"], json!(WORDS - 20), "{record:#}");
    assert!(tries[0]["output"].as_u64().unwrap() >= 20, "{record:#}");
    assert_eq!(record["end"], "ok");
}

#[tokio::test]
async fn a_stream_that_breaks_twice_is_gone_on_with_twice() {
    let words: Vec<String> = (0..WORDS).map(word).collect();
    let events = Kind::Chat.events("second", &words, &counted(PROMPT_TOKENS, WORDS));
    let first = dying(Kind::Chat, 10).await;
    // The second dies further on, and answers when it is asked again.
    let again = Answer::sse(events.concat());
    let second =
        Upstream::script([Answer::stream().send(events[..30].concat()).wait(2).reset(), again]).await;
    let gateway = gateway(&first, &second, "deterministic").await;
    let events = Stream::open(gateway.api, &request(Kind::Chat, ",\"seed\":7")).await.rest().await;
    is_whole(&events, Kind::Chat, 10, &counted(PROMPT_TOKENS, WORDS));
}

#[tokio::test]
async fn a_stream_that_falls_silent_is_gone_on_with_elsewhere() {
    let words: Vec<String> = (0..WORDS).map(word).collect();
    let events = Kind::Chat.events("first", &words, &counted(PROMPT_TOKENS, WORDS));
    let first = Upstream::script([Answer::stream().send(events[..10].concat()).hang()]).await;
    let second = repeating(Kind::Chat).await;
    let gateway = gateway(&first, &second, "deterministic").await;
    let events = Stream::open(gateway.api, &request(Kind::Chat, ",\"seed\":7")).await.rest().await;
    is_whole(&events, Kind::Chat, 10, &counted(PROMPT_TOKENS, WORDS));
    first.left(1).await;
}

#[tokio::test]
async fn readers_of_one_answer_are_gone_on_with_together_and_it_is_not_kept() {
    let (first, second) = (dying(Kind::Chat, 20).await, repeating(Kind::Chat).await);
    let gateway = config(&first, &second, "deterministic").section("cache: {}").start().await;
    let asked = request(Kind::Chat, ",\"seed\":7");
    let events = Stream::open(gateway.api, &asked).await.rest().await;
    is_whole(&events, Kind::Chat, 20, &counted(PROMPT_TOKENS, WORDS));
    let calls = first.calls();
    let events = Stream::open(gateway.api, &asked).await.rest().await;
    is_whole(&events, Kind::Chat, 20, &counted(PROMPT_TOKENS, WORDS));
    assert_eq!(first.calls(), calls + 1, "what two upstreams said between them is no stored answer");
}

/// The same request by somebody who does not want usage.
fn without_usage() -> Request {
    let body = r#"{"model":"both","stream":true,"messages":[{"role":"user","content":"hi"}],"seed":7}"#;
    Request::post(CHAT, body).bearer(KEY)
}

#[tokio::test]
async fn a_stream_that_breaks_after_its_finish_is_whole_and_not_kept() {
    // Before its usage, which others may want of a stored answer, and after it.
    for after in [EVENTS - 2, EVENTS - 1] {
        let (first, second) = (dying(Kind::Chat, after).await, repeating(Kind::Chat).await);
        let gateway = config(&first, &second, "deterministic").section("cache: {}").start().await;
        for calls in 1..=2 {
            let mut stream = Stream::open(gateway.api, &without_usage()).await;
            assert_eq!(stream.head.get("x-sluice-cache"), "miss", "died after {after}");
            let events = stream.rest().await;
            assert!(events.done(), "{events:?}");
            let said: String = events.events.iter().map(|event| Kind::told(&event.json())).collect();
            assert_eq!(said, text(), "died after {after}");
            assert_eq!(first.calls(), calls, "died after {after}");
        }
    }
}

#[tokio::test]
async fn an_error_after_the_finish_stays_an_error_where_nobody_goes_on() {
    let words: Vec<String> = (0..WORDS).map(word).collect();
    let events = Kind::Chat.events("first", &words, &Value::Null);
    let error = "data: {\"error\":{\"message\":\"no more\",\"type\":\"server_error\"}}\n\n";
    let answer = Answer::sse(events[..EVENTS - 2].concat() + error);
    for asked in [without_usage(), request(Kind::Chat, ",\"seed\":7")] {
        let first = Upstream::script([answer.clone()]).await;
        let second = Upstream::script([Answer::error(500, "{}")]).await;
        let gateway = gateway(&first, &second, "deterministic").await;
        let events = Stream::open(gateway.api, &asked).await.rest().await;
        let _ = events.error();
        let said: String = events.events.iter().map(|event| Kind::told(&event.json())).collect();
        assert_eq!(said, text());
    }
}

#[tokio::test]
async fn a_stream_that_breaks_after_its_finish_is_whole_without_another() {
    let (first, second) = (dying(Kind::Chat, EVENTS - 2).await, repeating(Kind::Chat).await);
    let gateway = gateway(&first, &second, "deterministic").await;
    let events = Stream::open(gateway.api, &without_usage()).await.rest().await;
    assert!(events.done(), "{events:?}");
    let said: String = events.events.iter().map(|event| Kind::told(&event.json())).collect();
    assert_eq!(said, text());
    assert_eq!((first.calls(), second.calls()), (1, 0));
}

#[tokio::test]
async fn an_answer_that_only_lacks_its_usage_is_whole_where_nobody_can_tell_it() {
    for cache in ["", "cache: {}"] {
        let first = dying(Kind::Chat, EVENTS - 2).await;
        let second = Upstream::script([Answer::error(500, "{}")]).await;
        let mut config = config(&first, &second, "deterministic");
        if !cache.is_empty() {
            config = config.section(cache);
        }
        let gateway = config.start().await;
        let events = Stream::open(gateway.api, &request(Kind::Chat, ",\"seed\":7")).await.rest().await;
        let said: String = events.events.iter().map(|event| Kind::told(&event.json())).collect();
        assert_eq!(said, text());
        assert!(events.done(), "{events:?}");
        assert!(second.calls() > 0, "it was asked");
    }
}
