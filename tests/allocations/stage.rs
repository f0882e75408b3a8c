//! The gateway under count with an upstream and a client, and the kinds of requests that it is asked.

use crate::counting::{self, Side};
use sluice::{Running, StartOptions};
use sluice_core::{LedgerPlace, LogSink};
use sluice_tests::{
    client::{Client, Request},
    gateway::{self, Config},
    upstream::{Answer, Gate, Upstream},
};
use std::{
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::runtime::{Builder, Runtime};

/// The secret of the key with a tenant and limits.
const KEY: &str = "sk-sluice-counted";
const LIMITS: &str =
    "limits: {requests: {rate: 1000000000/min}, tokens: {rate: 100000000000/min}, concurrency: 1000}";

/// Everything in its place.
pub(crate) struct Stage {
    client: Client,
    /// Opened by the client: the upstream sends the next chunk then.
    gates: Arc<Mutex<Vec<Gate>>>,
    upstream: Upstream,
    harness: Runtime,
    running: Option<Running>,
    gateway: Runtime,
    plain: Vec<u8>,
    streamed: Vec<u8>,
    seeded: Vec<u8>,
}

impl Stage {
    /// Starts it all.
    pub(crate) fn set() -> Self {
        let harness = runtime(Side::Harness);
        let gates: Arc<Mutex<Vec<Gate>>> = Arc::default();
        let shared = Arc::clone(&gates);
        let upstream = harness.block_on(Upstream::with(move |_, request| {
            if request.text().contains(r#""stream":true"#) {
                stream(&shared.lock().expect("lock"))
            } else {
                plain()
            }
        }));
        let gateway = runtime(Side::Gateway);
        let logs = LogSink::to(Box::new(tempfile::tempfile().expect("a file")));
        let settings = gateway::settings(&config(&upstream).yaml("127.0.0.1:0", "127.0.0.1:0"));
        let started = gateway.block_on(sluice::start(settings, StartOptions::new(logs, LedgerPlace::Memory)));
        let running = started.expect("a gateway");
        let client = harness.block_on(Client::connect(running.api));
        Self {
            client,
            gates,
            upstream,
            harness,
            running: Some(running),
            gateway,
            plain: request(""),
            streamed: request(r#","stream":true"#),
            seeded: request(r#","seed":1"#),
        }
    }

    /// A request that the cache has no part in.
    pub(crate) fn plain(&mut self) {
        self.ask(&self.plain.clone(), "bypass; reason=no-seed");
    }

    /// Puts the answer into the cache.
    pub(crate) fn miss(&mut self) {
        self.ask(&self.seeded.clone(), "miss");
    }

    /// The same answer from there.
    pub(crate) fn hit(&mut self) {
        self.ask(&self.seeded.clone(), "hit");
    }

    /// A stream of so many chunks with content, each sent when the one before has arrived.
    pub(crate) fn stream(&mut self, chunks: usize) {
        let gates: Vec<Gate> = (0..=chunks).map(|_| Gate::new()).collect();
        self.gates.lock().expect("lock").clone_from(&gates);
        let Self { client, harness, streamed, .. } = self;
        harness.block_on(async {
            client.send(streamed).await;
            assert_eq!(client.head().await.status, 200);
            let mut gates = gates.iter();
            while client.piece().await.expect("a whole stream").is_some() {
                if let Some(gate) = gates.next() {
                    gate.open();
                }
            }
            assert_eq!(gates.count(), 0, "chunks came together");
        });
    }

    /// Until what a request leaves behind is done.
    pub(crate) fn settle(&self) {
        self.harness.block_on(async { tokio::time::sleep(Duration::from_millis(50)).await });
    }

    fn ask(&mut self, wire: &[u8], verdict: &str) {
        let answer = self.harness.block_on(async {
            self.client.send(wire).await;
            self.client.answer().await
        });
        let said = answer.expect(200).get("x-sluice-cache").to_owned();
        assert!(said.starts_with(verdict), "{said}");
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        println!(
            "  {} calls of the upstream over {} connections",
            self.upstream.calls(),
            self.upstream.connections()
        );
        if let Some(running) = self.running.take() {
            self.gateway.block_on(running.stop(Duration::ZERO, Duration::ZERO));
        }
    }
}

/// One thread, which works for `side`.
fn runtime(side: Side) -> Runtime {
    let mut builder = Builder::new_multi_thread();
    builder.worker_threads(1).enable_all().on_thread_start(move || counting::mark(side));
    builder.build().expect("a runtime")
}

fn config(upstream: &Upstream) -> Config {
    Config::to(upstream)
        .provider(LIMITS)
        .price("m", 2)
        .tenant("t", LIMITS)
        .key("counted", KEY, &format!("tenant: t, models: [m, limited], {LIMITS}"))
        .model_entry(&format!("{{name: limited, {LIMITS}, targets: [{{provider: up, model: m}}]}}"))
        .section("cache: {mode: seeded, memory: 64MiB}")
}

/// Some 1 KB, as they are.
fn request(members: &str) -> Vec<u8> {
    let text = "The quick brown fox jumps over the lazy dog. ".repeat(20);
    let body = format!(
        r#"{{"model":"limited","messages":[{{"role":"system","content":"Answer in one word."}},{{"role":"user","content":"{text}"}}],"temperature":0.5,"max_tokens":100{members}}}"#
    );
    Request::post("/v1/chat/completions", body)
        .bearer(KEY)
        .header("user-agent", "OpenAI/Python 2.0.0")
        .header("accept", "application/json")
        .wire()
        .to_vec()
}

/// An answer of some 1 KB in one write.
fn plain() -> Answer {
    let text = "The quick brown fox jumps over the lazy dog. ".repeat(15);
    let body = format!(
        r#"{{"id":"chatcmpl-1","object":"chat.completion","created":1700000000,"model":"m","choices":[{{"index":0,"message":{{"role":"assistant","content":"{text}"}},"logprobs":null,"finish_reason":"stop"}}],"usage":{{"prompt_tokens":250,"completion_tokens":150,"total_tokens":400}}}}"#
    );
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    Answer::new().send(head + &body)
}

/// A chunk for each gate but the last, before which the usage comes and the end.
fn stream(gates: &[Gate]) -> Answer {
    let event = |rest: &str| {
        format!(
            "data: {{\"id\":\"chatcmpl-1\",\"object\":\"chat.completion.chunk\",\"created\":1700000000,\"model\":\"m\",{rest}}}\n\n"
        )
    };
    let content =
        event(r#""choices":[{"index":0,"delta":{"content":" word"},"logprobs":null,"finish_reason":null}]"#);
    let usage =
        event(r#""choices":[],"usage":{"prompt_tokens":250,"completion_tokens":100,"total_tokens":350}"#);
    let end = event(r#""choices":[{"index":0,"delta":{},"logprobs":null,"finish_reason":"stop"}]"#);
    let (_, between) = gates.split_last().expect("a gate");
    let answer = between.iter().fold(Answer::chunked(), |answer, gate| answer.chunk(&content).gate(gate));
    answer.chunk(end + &usage + "data: [DONE]\n\n").last_chunk()
}
