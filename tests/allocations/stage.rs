//! The gateway under count with an upstream and a client, and the kinds of requests that it is asked.

use crate::counting::{self, Side};
use sluice::{Running, StartOptions};
use sluice_core::{LedgerPlace, LogSink};
use sluice_tests::{
    client::Client,
    everyday, gateway,
    micro::inputs,
    upstream::{Answer, Gate, Upstream},
};
use std::{
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::runtime::{Builder, Runtime};

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
                Answer::new().send(everyday::answer())
            }
        }));
        let gateway = runtime(Side::Gateway);
        let logs = LogSink::to(Box::new(tempfile::tempfile().expect("a file")));
        let settings =
            gateway::settings(&everyday::config(&upstream.base_url()).yaml("127.0.0.1:0", "127.0.0.1:0"));
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
            plain: everyday::request(""),
            streamed: everyday::request(r#","stream":true"#),
            seeded: everyday::request(r#","seed":1"#),
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

/// A chunk for each gate but the last, before which the usage comes and the end.
fn stream(gates: &[Gate]) -> Answer {
    let content = inputs::content(" word");
    let (_, between) = gates.split_last().expect("a gate");
    let answer = between.iter().fold(Answer::chunked(), |answer, gate| answer.chunk(&content).gate(gate));
    answer.chunk(inputs::ending().concat()).last_chunk()
}
