//! Bodies and streams that most suites use.

use serde_json::Value;
use sluice_tests::{
    client::Request,
    eventually,
    gateway::{Config, Gateway, KEY},
    soon,
    upstream::{Answer, Gate, Upstream},
};
use tokio::task::JoinHandle;

pub const CHAT: &str = "/v1/chat/completions";
pub const COMPLETIONS: &str = "/v1/completions";
pub const STRICT: &str = "/openai/v1/completions";
pub const RESPONSES: &str = "/v1/responses";
pub const EMBEDDINGS: &str = "/v1/embeddings";

/// A plain answer of a chat upstream.
pub const CHAT_REPLY: &str = r#"{"id":"c-1","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"hi"},"finish_reason":"stop"}],"usage":{"prompt_tokens":3,"completion_tokens":1,"total_tokens":4}}"#;
/// A plain answer of a completions upstream.
pub const COMPLETION_REPLY: &str = r#"{"id":"cmpl-1","object":"text_completion","created":1,"model":"m","choices":[{"index":0,"text":" upon","logprobs":null,"finish_reason":"stop"}],"usage":{"prompt_tokens":3,"completion_tokens":1,"total_tokens":4}}"#;
pub const DONE: &str = "data: [DONE]\n\n";

/// A chat request for model `m`.
pub fn chat() -> String {
    r#"{"model":"m","messages":[{"role":"user","content":"hi"}]}"#.into()
}

/// The same as a stream.
pub fn chat_stream() -> String {
    r#"{"model":"m","messages":[{"role":"user","content":"hi"}],"stream":true}"#.into()
}

/// A completion request for model `m` with more members, `,"name":value`.
pub fn completion(more: &str) -> String {
    format!(r#"{{"model":"m","prompt":"Once"{more}}}"#)
}

/// A streamed chat request, ready to send.
pub fn chat_stream_request() -> Request {
    Request::post(CHAT, chat_stream()).bearer(KEY)
}

/// An event of a chat stream with this text.
pub fn delta(text: &str) -> String {
    format!(
        "data: {{\"id\":\"c-1\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"m\",\
         \"choices\":[{{\"index\":0,\"delta\":{{\"content\":\"{text}\"}},\"finish_reason\":null}}]}}\n\n"
    )
}

/// The event that finishes the only choice.
pub fn finish() -> String {
    "data: {\"id\":\"c-1\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"m\",\
     \"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n"
        .into()
}

/// The event that holds only usage.
pub fn usage() -> String {
    "data: {\"id\":\"c-1\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"m\",\"choices\":[],\
     \"usage\":{\"prompt_tokens\":3,\"completion_tokens\":2,\"total_tokens\":5}}\n\n"
        .into()
}

/// A whole chat stream of these texts, without usage.
pub fn chat_events(texts: &[&str]) -> String {
    let mut events: String = texts.iter().map(|text| delta(text)).collect();
    events.push_str(&finish());
    events.push_str(DONE);
    events
}

/// A chat request with a seed and more members, `,"name":value`.
pub fn seeded(seed: i64, more: &str) -> String {
    format!(r#"{{"model":"m","messages":[{{"role":"user","content":"hi"}}],"seed":{seed}{more}}}"#)
}

/// A plain chat answer with this text.
pub fn saying(text: &str) -> String {
    CHAT_REPLY.replace("\"hi\"", &format!("\"{text}\""))
}

/// An upstream that gives every request another answer, as a stream where one is asked for; with usage where
/// that is asked for.
pub async fn counting() -> Upstream {
    Upstream::with(|n, request| {
        if request.json()["stream"] != true {
            return Answer::json(saying(&format!("answer {n}")));
        }
        let told = request.json()["stream_options"]["include_usage"] == true;
        Answer::sse(numbered_events(n, told))
    })
    .await
}

/// The stream that [`counting`] gives to request `n`.
pub fn numbered_events(n: usize, told: bool) -> String {
    let told = if told { usage() } else { String::new() };
    [delta("answer"), delta(&format!(" {n}")), finish(), told, DONE.into()].concat()
}

/// A gateway before this upstream whose cache has these further members, `, name: value`.
pub fn cached(upstream: &Upstream, members: &str) -> Config {
    Config::to(upstream).section(&format!("cache: {{mode: seeded{members}}}"))
}

/// A stream whose first event comes at once, and the rest when the gate is opened.
pub fn gated(gate: &Gate, first: &str, rest: &str) -> Answer {
    Answer::chunked().chunk(first).gate(gate).chunk(rest).last_chunk()
}

/// Waits until so many chat requests are being served.
pub async fn in_flight(gateway: &Gateway, n: usize) {
    soon(&format!("{n} requests in flight"), async {
        while gateway.metric("sluice_requests_in_flight{endpoint=\"chat\"}").await != n as f64 {}
    })
    .await;
}

/// Waits until so many clients are connected: one that left is gone for the gateway, too.
pub async fn connected(gateway: &Gateway, n: usize) {
    soon(&format!("{n} clients"), async {
        while gateway.metric("sluice_client_connections").await != n as f64 {}
    })
    .await;
}

/// Starts them all at once, and gives their results in that order.
pub async fn all<T: Send + 'static>(
    futures: impl IntoIterator<Item = impl Future<Output = T> + Send + 'static>,
) -> Vec<T> {
    let mut results = Vec::new();
    for task in begin(futures) {
        results.push(task.await.expect("a task that ends"));
    }
    results
}

/// Starts them all at once.
#[expect(clippy::disallowed_methods, reason = "the handles are given back")]
pub fn begin<T: Send + 'static>(
    futures: impl IntoIterator<Item = impl Future<Output = T> + Send + 'static>,
) -> Vec<JoinHandle<T>> {
    futures.into_iter().map(tokio::spawn).collect()
}

/// The secret of the key that [`limited`] adds.
pub const LIMITED: &str = "sk-sluice-limited";

/// What [`chat`] is estimated at, in tokens.
pub const PROMPT: u64 = 8;

/// A gateway with a key `limited` that has these further members, such as `limits: {…}`.
pub fn limited(upstream: &Upstream, members: &str) -> Config {
    Config::to(upstream).key("limited", LIMITED, &format!("models: [\"*\"], {members}"))
}

/// The same with a tenant `team` and a model `smart`, where the limits `limits: {…}` are those of one scope: `key`,
/// `tenant`, `model` or `provider`; of none when the name is another.
pub fn limited_at(scope: &str, upstream: &Upstream, limits: &str) -> Config {
    let of = |name| if name == scope { limits } else { "limits: {}" };
    limited(upstream, &format!("tenant: team, {}", of("key")))
        .tenant("team", of("tenant"))
        .model_entry(&format!("{{name: smart, targets: [{{provider: up, model: m}}], {}}}", of("model")))
        .provider(of("provider"))
}

/// A chat request for model `m` with more members, `,"name":value`.
pub fn chat_with(more: &str) -> String {
    format!(r#"{{"model":"m","messages":[{{"role":"user","content":"hi"}}]{more}}}"#)
}

/// [`chat`] for another model.
pub fn chat_to(model: &str) -> String {
    chat().replace("\"m\"", &format!("\"{model}\""))
}

/// A chat request that so many tokens are reserved for.
pub fn chat_of(tokens: u64) -> String {
    chat_with(&format!(",\"max_tokens\":{}", tokens - PROMPT))
}

/// A plain chat answer that has used so many tokens.
pub fn having_used(prompt: u64, completion: u64) -> String {
    let known = r#""prompt_tokens":3,"completion_tokens":1,"total_tokens":4"#;
    let total = prompt + completion;
    let told = format!(r#""prompt_tokens":{prompt},"completion_tokens":{completion},"total_tokens":{total}"#);
    CHAT_REPLY.replace(known, &told)
}

/// A chat request with the key `limited`.
pub fn by_limited(body: String) -> Request {
    Request::post(CHAT, body).bearer(LIMITED)
}

/// What an answer says is left, of `requests` or of `tokens`.
pub fn left(answer: &sluice_tests::client::Answer, of: &str) -> u64 {
    answer.get(&format!("x-ratelimit-remaining-{of}")).parse().expect("a number")
}

/// A gateway whose model `both` asks this base URL first, as `up`, and then `spare`.
pub fn before_spare(first: &str, spare: &Upstream, timeouts: &str) -> Config {
    Config::to_url(first).timeouts(timeouts).also("spare", &spare.base_url()).model_entry(
        "{name: both, targets: [{provider: up, model: m}, {provider: spare, model: m, priority: 1}]}",
    )
}

/// How often a circuit of this provider has come into a state.
pub async fn circuits(gateway: &Gateway, provider: &str, to: &str) -> f64 {
    let series = format!("sluice_circuit_transitions_total{{provider=\"{provider}\",to=\"{to}\"}}");
    gateway.metric(&series).await
}

/// An upstream that is well.
pub async fn well() -> Upstream {
    Upstream::script([Answer::json(CHAT_REPLY)]).await
}

/// The log line of the request with this id; its metrics have been counted when it is there.
pub async fn line(gateway: &Gateway, id: &str) -> Value {
    eventually("a log line", || gateway.log.text().contains(id)).await;
    let log = gateway.log.text();
    serde_json::from_str(log.lines().find(|line| line.contains(id)).unwrap()).unwrap()
}
