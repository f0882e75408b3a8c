//! A raw-TCP upstream that does exactly what its script says, and remembers what it was sent.
//!
//! It speaks bytes, not HTTP: an answer is a list of [`Step`]s, so it can pause between any two bytes, reset,
//! lie about its length, or say nothing. Requests are read whole (length or chunks) before the script runs.

use crate::{chunked::Chunked, eventually, process::free_port};
use bytes::{Bytes, BytesMut};
use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpSocket, TcpStream},
    sync::watch,
    task::JoinHandle,
};

/// One thing that an upstream does.
#[derive(Debug, Clone)]
pub enum Step {
    /// Sends these bytes.
    Send(Bytes),
    /// Sends these bytes one by one, so far apart.
    Drip(Bytes, Duration),
    /// Sends these bytes so many times, or until the peer leaves.
    Repeat(Bytes, usize),
    /// Waits.
    Wait(Duration),
    /// Waits until the test opens the gate.
    Gate(Gate),
    /// Does nothing until the peer leaves.
    Hang,
    /// Closes the connection with a FIN.
    Close,
    /// Closes the connection with a RST.
    Reset,
}

/// Holds answers up until the test opens it; clones are the same gate.
#[derive(Debug, Clone, Default)]
pub struct Gate(Arc<watch::Sender<bool>>);

impl Gate {
    /// A closed one.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Lets everybody through, those who come later too.
    pub fn open(&self) {
        self.0.send_replace(true);
    }

    async fn opened(&self) {
        self.0.subscribe().wait_for(|open| *open).await.expect("a gate");
    }
}

/// What is done for one request.
#[derive(Debug, Clone, Default)]
pub struct Answer {
    steps: Vec<Step>,
}

impl Answer {
    /// Nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A whole answer with its length; `headers` are lines without their end.
    #[must_use]
    pub fn status(status: u16, headers: &[&str], body: impl AsRef<[u8]>) -> Self {
        let body = body.as_ref();
        let mut head = format!("HTTP/1.1 {status} Scripted\r\ncontent-length: {}\r\n", body.len());
        for line in headers {
            head.push_str(line);
            head.push_str("\r\n");
        }
        head.push_str("\r\n");
        Self::new().send(head).send(Bytes::copy_from_slice(body))
    }

    /// 200 with JSON.
    #[must_use]
    pub fn json(body: impl AsRef<[u8]>) -> Self {
        Self::status(200, &["content-type: application/json"], body)
    }

    /// An error with JSON.
    #[must_use]
    pub fn error(status: u16, body: &str) -> Self {
        Self::status(status, &["content-type: application/json"], body)
    }

    /// The head of a stream whose end is the connection's: what follows needs no chunk heads.
    #[must_use]
    pub fn stream() -> Self {
        Self::new().send("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n")
    }

    /// A whole stream of these bytes, ended by [`Step::Close`].
    #[must_use]
    pub fn sse(events: impl Into<Bytes>) -> Self {
        Self::stream().send(events).close()
    }

    /// The head of a chunked stream; go on with [`Answer::chunk`] and [`Answer::last_chunk`].
    #[must_use]
    pub fn chunked() -> Self {
        Self::new()
            .send("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n")
    }

    /// One chunk.
    #[must_use]
    pub fn chunk(self, data: impl AsRef<[u8]>) -> Self {
        let data = data.as_ref();
        let mut wire = format!("{:x}\r\n", data.len()).into_bytes();
        wire.extend_from_slice(data);
        wire.extend_from_slice(b"\r\n");
        self.send(wire)
    }

    /// The end of a chunked body.
    #[must_use]
    pub fn last_chunk(self) -> Self {
        self.send("0\r\n\r\n")
    }

    /// Then does what `other` does.
    #[must_use]
    pub fn then(mut self, other: Self) -> Self {
        self.steps.extend(other.steps);
        self
    }

    /// Adds a step.
    #[must_use]
    pub fn step(mut self, step: Step) -> Self {
        self.steps.push(step);
        self
    }

    /// [`Step::Send`].
    #[must_use]
    pub fn send(self, bytes: impl Into<Bytes>) -> Self {
        self.step(Step::Send(bytes.into()))
    }

    /// [`Step::Drip`].
    #[must_use]
    pub fn drip(self, bytes: impl Into<Bytes>, every: Duration) -> Self {
        self.step(Step::Drip(bytes.into(), every))
    }

    /// [`Step::Repeat`].
    #[must_use]
    pub fn repeat(self, bytes: impl Into<Bytes>, times: usize) -> Self {
        self.step(Step::Repeat(bytes.into(), times))
    }

    /// [`Step::Wait`] in milliseconds.
    #[must_use]
    pub fn wait(self, ms: u64) -> Self {
        self.step(Step::Wait(Duration::from_millis(ms)))
    }

    /// [`Step::Gate`].
    #[must_use]
    pub fn gate(self, gate: &Gate) -> Self {
        self.step(Step::Gate(gate.clone()))
    }

    /// [`Step::Hang`].
    #[must_use]
    pub fn hang(self) -> Self {
        self.step(Step::Hang)
    }

    /// [`Step::Close`].
    #[must_use]
    pub fn close(self) -> Self {
        self.step(Step::Close)
    }

    /// [`Step::Reset`].
    #[must_use]
    pub fn reset(self) -> Self {
        self.step(Step::Reset)
    }
}

/// One request as it arrived.
#[derive(Debug, Clone)]
pub struct Received {
    /// Request line and headers, exactly.
    pub head: String,
    /// The body without its framing.
    pub body: Bytes,
    /// Which connection, counted from 0.
    pub connection: usize,
}

impl Received {
    /// The value of a header, `None` when there is none.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().skip(1).find_map(|line| {
            let (have, value) = line.split_once(':')?;
            have.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    /// Names of all headers, in lower case and sorted.
    #[must_use]
    pub fn header_names(&self) -> Vec<String> {
        let lines = self.head.lines().skip(1).filter_map(|line| line.split_once(':'));
        let mut names: Vec<String> = lines.map(|(name, _)| name.to_ascii_lowercase()).collect();
        names.sort();
        names
    }

    /// The body as text.
    #[must_use]
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("UTF-8")
    }

    /// The body as JSON.
    #[must_use]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).expect("JSON")
    }
}

type Choose = dyn Fn(usize, &Received) -> Answer + Send + Sync;

struct State {
    choose: Box<Choose>,
    received: Mutex<Vec<Received>>,
    connections: AtomicUsize,
    open: AtomicUsize,
    sent: AtomicUsize,
    peer_left: Mutex<Vec<Instant>>,
}

/// The scripted upstream; it ends with its last handle.
pub struct Upstream {
    address: SocketAddr,
    state: Arc<State>,
    server: JoinHandle<()>,
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Upstream {
    /// The n-th request gets the n-th answer; the last answer repeats.
    pub async fn script(answers: impl IntoIterator<Item = Answer>) -> Self {
        let answers: Vec<Answer> = answers.into_iter().collect();
        Self::with(move |n, _| answers[n.min(answers.len() - 1)].clone()).await
    }

    /// Every request gets what `choose` says for its number and content.
    pub async fn with(choose: impl Fn(usize, &Received) -> Answer + Send + Sync + 'static) -> Self {
        Absent::new().comes(choose)
    }

    /// The same on a listener of the test's.
    pub fn on(
        listener: TcpListener,
        choose: impl Fn(usize, &Received) -> Answer + Send + Sync + 'static,
    ) -> Self {
        Self::serve(listener, Box::new(choose))
    }

    fn serve(listener: TcpListener, choose: Box<Choose>) -> Self {
        let address = listener.local_addr().expect("address");
        let state = Arc::new(State {
            choose,
            received: Mutex::default(),
            connections: AtomicUsize::new(0),
            open: AtomicUsize::new(0),
            sent: AtomicUsize::new(0),
            peer_left: Mutex::default(),
        });
        let shared = Arc::clone(&state);
        let server = spawn(async move {
            let mut connections = tokio::task::JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                connections.spawn(connection(stream, Arc::clone(&shared)));
            }
        });
        Self { address, state, server }
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What a provider's `base_url` says.
    #[must_use]
    pub fn base_url(&self) -> String {
        format!("http://{}/v1", self.address)
    }

    /// All requests so far.
    #[must_use]
    pub fn requests(&self) -> Vec<Received> {
        self.state.received.lock().expect("lock").clone()
    }

    /// How many requests came so far.
    #[must_use]
    pub fn calls(&self) -> usize {
        self.state.received.lock().expect("lock").len()
    }

    /// The only request so far.
    #[must_use]
    #[track_caller]
    pub fn request(&self) -> Received {
        let mut all = self.requests();
        assert_eq!(all.len(), 1, "upstream calls");
        all.remove(0)
    }

    /// Waits until `n` requests have come.
    pub async fn called(&self, n: usize) {
        eventually(&format!("{n} upstream calls"), || self.calls() >= n).await;
    }

    /// How many connections were accepted.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.state.connections.load(Ordering::SeqCst)
    }

    /// How many connections are open now.
    #[must_use]
    pub fn open(&self) -> usize {
        self.state.open.load(Ordering::SeqCst)
    }

    /// How many bytes the peer has taken by [`Step::Repeat`].
    #[must_use]
    pub fn sent(&self) -> usize {
        self.state.sent.load(Ordering::SeqCst)
    }

    /// Waits until the peer has left in the middle of `n` answers, and says when it left the last of them.
    pub async fn left(&self, n: usize) -> Instant {
        eventually(&format!("the gateway left {n} answers"), || self.peer_left().len() >= n).await;
        self.peer_left()[n - 1]
    }

    /// When the peer left in the middle of an answer, each time.
    #[must_use]
    pub fn peer_left(&self) -> Vec<Instant> {
        self.state.peer_left.lock().expect("lock").clone()
    }
}

/// A base URL that nobody listens at.
#[must_use]
pub fn nobody() -> String {
    format!("http://127.0.0.1:{}/v1", free_port())
}

/// An upstream that refuses connections until it comes: its address is taken, and nobody listens there.
pub struct Absent(TcpSocket);

impl Absent {
    /// Takes an address.
    #[must_use]
    #[expect(clippy::new_without_default, reason = "it takes a port, which is more than a default should do")]
    pub fn new() -> Self {
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.bind(SocketAddr::from(([127, 0, 0, 1], 0))).expect("bind");
        Self(socket)
    }

    /// What a provider's `base_url` says.
    #[must_use]
    pub fn base_url(&self) -> String {
        format!("http://{}/v1", self.0.local_addr().expect("address"))
    }

    /// Listens from now on, and gives every request what `choose` says for its number and content.
    #[must_use]
    pub fn comes(self, choose: impl Fn(usize, &Received) -> Answer + Send + Sync + 'static) -> Upstream {
        Upstream::serve(self.0.listen(1024).expect("listen"), Box::new(choose))
    }
}

#[expect(clippy::disallowed_methods, reason = "the handle is kept and aborted with its owner")]
fn spawn(task: impl Future<Output = ()> + Send + 'static) -> JoinHandle<()> {
    tokio::spawn(task)
}

async fn connection(mut stream: TcpStream, state: Arc<State>) {
    let number = state.connections.fetch_add(1, Ordering::SeqCst);
    state.open.fetch_add(1, Ordering::SeqCst);
    stream.set_nodelay(true).expect("nodelay");
    let mut buffer = BytesMut::new();
    while let Some(request) = read_request(&mut stream, &mut buffer, number).await {
        let n = {
            let mut received = state.received.lock().expect("lock");
            received.push(request.clone());
            received.len() - 1
        };
        let answer = (state.choose)(n, &request);
        match run(&mut stream, answer, &state.sent).await {
            Then::KeepAlive => {}
            Then::Ended => break,
            Then::PeerLeft => {
                state.peer_left.lock().expect("lock").push(Instant::now());
                break;
            }
        }
    }
    state.open.fetch_sub(1, Ordering::SeqCst);
}

enum Then {
    KeepAlive,
    Ended,
    PeerLeft,
}

async fn run(stream: &mut TcpStream, answer: Answer, sent: &AtomicUsize) -> Then {
    for step in answer.steps {
        let stays = match step {
            Step::Send(bytes) => stream.write_all(&bytes).await.is_ok(),
            Step::Drip(bytes, every) => drip(stream, &bytes, every).await,
            Step::Repeat(bytes, times) => repeat(stream, &bytes, times, sent).await,
            Step::Wait(time) => wait(stream, time).await,
            Step::Gate(gate) => tokio::select! {
                () = gate.opened() => true,
                () = peer_leaves(stream) => false,
            },
            Step::Hang => wait(stream, Duration::from_secs(3600)).await,
            Step::Close => {
                let _ = stream.shutdown().await;
                return Then::Ended;
            }
            Step::Reset => {
                stream.set_zero_linger().expect("linger");
                return Then::Ended;
            }
        };
        if !stays {
            return Then::PeerLeft;
        }
    }
    Then::KeepAlive
}

async fn drip(stream: &mut TcpStream, bytes: &[u8], every: Duration) -> bool {
    for byte in bytes {
        if stream.write_all(&[*byte]).await.is_err() || !wait(stream, every).await {
            return false;
        }
    }
    true
}

async fn repeat(stream: &mut TcpStream, bytes: &[u8], times: usize, sent: &AtomicUsize) -> bool {
    for _ in 0..times {
        if stream.write_all(bytes).await.is_err() {
            return false;
        }
        sent.fetch_add(bytes.len(), Ordering::SeqCst);
    }
    true
}

/// Waits, but not longer than the peer stays.
async fn wait(stream: &mut TcpStream, time: Duration) -> bool {
    tokio::select! {
        () = tokio::time::sleep(time) => true,
        () = peer_leaves(stream) => false,
    }
}

async fn peer_leaves(stream: &TcpStream) {
    let mut byte = [0];
    while matches!(stream.peek(&mut byte).await, Ok(n) if n > 0) {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// The next request; `None` when the peer closed.
async fn read_request(stream: &mut TcpStream, buffer: &mut BytesMut, connection: usize) -> Option<Received> {
    let end = loop {
        if let Some(at) = memchr::memmem::find(buffer, b"\r\n\r\n") {
            break at + 4;
        }
        fill(stream, buffer).await?;
    };
    let head = String::from_utf8_lossy(&buffer.split_to(end)).trim_end().to_owned();
    let mut request = Received { head, body: Bytes::new(), connection };
    let body = if request.header("transfer-encoding").is_some() {
        read_chunks(stream, buffer).await?
    } else {
        let length = request.header("content-length").map_or(0, |n| n.parse().expect("a length"));
        while buffer.len() < length {
            fill(stream, buffer).await?;
        }
        buffer.split_to(length)
    };
    request.body = body.freeze();
    Some(request)
}

async fn read_chunks(stream: &mut TcpStream, buffer: &mut BytesMut) -> Option<BytesMut> {
    let (mut reader, mut body) = (Chunked::default(), BytesMut::new());
    loop {
        let used = reader.feed(buffer, |piece| body.extend_from_slice(piece)).expect("chunks");
        let _ = buffer.split_to(used);
        if reader.done() {
            return Some(body);
        }
        fill(stream, buffer).await?;
    }
}

async fn fill(stream: &mut TcpStream, buffer: &mut BytesMut) -> Option<()> {
    buffer.reserve(64 * 1024);
    (stream.read_buf(buffer).await.ok()? > 0).then_some(())
}
