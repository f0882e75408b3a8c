//! The clients: some hold a stream open and open the next when it has ended, others ask at fixed times, each on a
//! connection that it keeps as long as it may, as ordinary clients do. Nobody tries anything twice.

use crate::house::MAIN;
use serde_json::json;
use sluice_tests::client::{Client, Request};
use std::{
    fmt,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::{
    task::JoinSet,
    time::{Instant, MissedTickBehavior, interval_at, sleep},
};

/// Between two chunks of a stream.
pub(crate) const GAP: Duration = Duration::from_millis(100);
/// Chunks of a stream; with the gap, how long one lasts.
const CHUNKS: usize = 50;
/// Requests in a second of one client.
const EACH: usize = 5;
/// One request in so many can be found in the cache.
const SEEDED: u64 = 4;

static NEXT: AtomicU64 = AtomicU64::new(0);

/// What the upstream sends as a stream, piece by piece.
pub(crate) fn chunks() -> Vec<String> {
    let chunk = |n: usize| {
        let delta = json!({"index": 0, "delta": {"content": format!("word {n} ")}, "finish_reason": null});
        format!(
            "data: {}\n\n",
            json!({"id": "s", "object": "chat.completion.chunk", "created": 1, "model": "paced", "choices": [delta]})
        )
    };
    let end = json!({"index": 0, "delta": {}, "finish_reason": "stop"});
    let end = json!({"id": "s", "object": "chat.completion.chunk", "created": 1, "model": "paced", "choices": [end]});
    let usage = json!({"prompt_tokens": 5, "completion_tokens": CHUNKS, "total_tokens": CHUNKS + 5});
    let usage = json!({"id": "s", "object": "chat.completion.chunk", "created": 1, "model": "paced", "choices": [], "usage": usage});
    let tail = [format!("data: {end}\n\n"), format!("data: {usage}\n\ndata: [DONE]\n\n")];
    (0..CHUNKS).map(chunk).chain(tail).collect()
}

/// A new request's id, told apart from those of others.
fn id() -> String {
    format!("steady-{}", NEXT.fetch_add(1, Ordering::Relaxed))
}

/// Was it one of these clients that asked?
pub(crate) fn is_ours(id: &str) -> bool {
    id.starts_with("steady-")
}

/// What clients saw.
#[derive(Default)]
pub(crate) struct Seen {
    /// Of all that was asked.
    pub(crate) ids: Vec<String>,
    streams: usize,
    requests: usize,
    wrong: Vec<String>,
}

impl Seen {
    /// Was every answer right?
    pub(crate) fn is_clean(&self) -> bool {
        self.wrong.is_empty() && self.streams > 0 && self.requests > 0
    }

    fn add(&mut self, other: Self) {
        self.ids.extend(other.ids);
        self.streams += other.streams;
        self.requests += other.requests;
        self.wrong.extend(other.wrong);
    }
}

impl fmt::Display for Seen {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "{} streams, {} requests, {} failed",
            self.streams,
            self.requests,
            self.wrong.len()
        )?;
        self.wrong.iter().take(10).try_for_each(|wrong| write!(formatter, "\n  {wrong}"))
    }
}

/// Clients under way.
pub(crate) struct Load {
    over: Arc<AtomicBool>,
    clients: JoinSet<Seen>,
}

impl Load {
    /// So many streams at once and so many other requests in a second; returns once all streams are open.
    pub(crate) async fn start(to: SocketAddr, streams: usize, rate: usize) -> Self {
        let over = Arc::new(AtomicBool::new(false));
        let mut clients = JoinSet::new();
        let whole: Arc<str> = chunks().concat().into();
        for n in 0..streams {
            // Not all at once, so that at any moment some begin and some end.
            let first = GAP * u32::try_from(n % CHUNKS).unwrap_or_default();
            clients.spawn(streaming(to, first, Arc::clone(&whole), Arc::clone(&over)));
        }
        let asking = rate.div_ceil(EACH);
        for n in 0..asking {
            let first = Duration::from_secs(1) / EACH as u32 * n as u32 / asking as u32;
            clients.spawn(asking_often(to, first, Arc::clone(&over)));
        }
        sleep(GAP * CHUNKS as u32 + Duration::from_secs(1)).await;
        Self { over, clients }
    }

    /// Lets everybody finish.
    pub(crate) async fn stop(mut self) -> Seen {
        self.over.store(true, Ordering::Relaxed);
        let mut seen = Seen::default();
        while let Some(client) = self.clients.join_next().await {
            match client {
                Ok(saw) => seen.add(saw),
                Err(fault) => seen.wrong.push(format!("a client broke: {fault}")),
            }
        }
        seen
    }
}

fn chat(body: &serde_json::Value, id: &str, key: &str) -> Request {
    Request::post("/v1/chat/completions", body.to_string()).bearer(key).set("x-request-id", id)
}

/// A client's connection, kept as long as the gateway lets it.
struct Kept {
    to: SocketAddr,
    open: Option<Client>,
}

impl Kept {
    fn new(to: SocketAddr) -> Self {
        Self { to, open: None }
    }

    async fn take(&mut self) -> Client {
        match self.open.take().filter(|client| !client.is_over()) {
            Some(client) => client,
            None => Client::connect(self.to).await,
        }
    }
}

async fn streaming(to: SocketAddr, first: Duration, whole: Arc<str>, over: Arc<AtomicBool>) -> Seen {
    sleep(first).await;
    let mut seen = Seen::default();
    let body = json!({
        "model": "paced", "stream": true, "stream_options": {"include_usage": true},
        "messages": [{"role": "user", "content": "Say some words"}],
    });
    let mut kept = Kept::new(to);
    while !over.load(Ordering::Relaxed) {
        let id = id();
        let mut client = kept.take().await;
        let (mut got, mut closes, mut why) = (Vec::new(), true, "no answer");
        if client.try_send(&chat(&body, &id, MAIN).wire()).await
            && let Some(head) = client.try_head().await
        {
            closes = head.get("connection") == "close";
            why = loop {
                match client.piece().await {
                    Ok(Some((piece, _))) => got.extend_from_slice(&piece),
                    Ok(None) => break "other bytes than the upstream's",
                    Err(_) => break "cut",
                }
            };
        }
        seen.streams += 1;
        if got != whole.as_bytes() {
            let tail = String::from_utf8_lossy(&got[got.len().saturating_sub(200)..]).into_owned();
            seen.wrong.push(format!("stream {id}: {why} after {} bytes: {tail:?}", got.len()));
        } else if !closes {
            kept.open = Some(client);
        }
        seen.ids.push(id);
    }
    seen
}

async fn asking_often(to: SocketAddr, first: Duration, over: Arc<AtomicBool>) -> Seen {
    let mut seen = Seen::default();
    let mut kept = Kept::new(to);
    let mut times = interval_at(Instant::now() + first, Duration::from_secs(1) / EACH as u32);
    times.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while !over.load(Ordering::Relaxed) {
        times.tick().await;
        let id = id();
        let n = NEXT.load(Ordering::Relaxed);
        let mut body =
            json!({"model": "plain", "messages": [{"role": "user", "content": format!("Say {}", n % 97)}]});
        if n.is_multiple_of(SEEDED) {
            body["seed"] = 7.into();
        }
        let mut client = kept.take().await;
        let answer = client.try_ask(&chat(&body, &id, MAIN).wire()).await;
        seen.requests += 1;
        match answer {
            Some(answer) if answer.status() == 200 && answer.text().contains("\"chat.completion\"") => {
                if answer.get("connection") != "close" {
                    kept.open = Some(client);
                }
            }
            Some(answer) => seen.wrong.push(format!("request {id}: {}: {}", answer.status(), answer.text())),
            None => seen.wrong.push(format!("request {id}: no answer")),
        }
        seen.ids.push(id);
    }
    seen
}

/// The status of a single request with this key, which is not one of those that are counted.
pub(crate) async fn status(to: SocketAddr, key: &str) -> u16 {
    let body = json!({"model": "plain", "messages": [{"role": "user", "content": "Who am I?"}]});
    chat(&body, "a-key", key).send(to).await.status()
}
