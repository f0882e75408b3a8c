//! Connections that send one request after the other, and what their clients saw.
//!
//! A gateway that goes away is waited for: the request that met the closed door is the client's loss, and whether
//! the gateway had accepted it is for its log to say.

use crate::{chunked::Chunked, plan::Plan, ways::Leaves};
use std::{
    cell::{Cell, RefCell},
    io,
    net::SocketAddr,
    rc::Rc,
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::JoinSet,
    time::{sleep, timeout},
};

/// Longer than anything that the mock is told to do.
const PATIENCE: Duration = Duration::from_secs(30);

/// What a client saw of its request.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) enum Seen {
    /// It was not sent.
    Nothing,
    /// The connection ended before an answer began.
    Silence,
    /// An answer that was whole as far as HTTP tells.
    Answer(u16),
    /// An answer that broke off.
    Half(u16),
    /// No end within [`PATIENCE`].
    Hung,
    /// It did not stay to see.
    Left(Option<u16>),
}

impl Seen {
    /// The status that it saw, if it saw one.
    pub(crate) fn status(self) -> Option<u16> {
        match self {
            Self::Answer(status) | Self::Half(status) => Some(status),
            Self::Left(status) => status,
            Self::Nothing | Self::Silence | Self::Hung => None,
        }
    }
}

/// All clients: the requests that may still be sent, and what was seen of those that were.
pub(crate) struct Crowd {
    gateway: SocketAddr,
    pub(crate) seed: u64,
    next: Cell<u32>,
    /// The first number that is not sent.
    end: Cell<u32>,
    closed: Cell<bool>,
    seen: RefCell<Vec<Seen>>,
}

impl Crowd {
    pub(crate) fn new(gateway: SocketAddr, seed: u64) -> Self {
        let (next, end, closed) = (Cell::new(0), Cell::new(0), Cell::new(false));
        Self { gateway, seed, next, end, closed, seen: RefCell::default() }
    }

    /// So many more requests may be sent.
    pub(crate) fn open(&self, more: u32) {
        self.end.set(self.next.get().saturating_add(more));
        self.closed.set(false);
    }

    /// Everybody goes home.
    pub(crate) fn close(&self) {
        self.closed.set(true);
    }

    /// Waits until so many requests have begun.
    pub(crate) async fn has_begun(&self, count: u32) {
        while self.next.get() < count {
            sleep(Duration::from_millis(2)).await;
        }
    }

    /// What was seen, by the number of the request.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.borrow().clone()
    }

    fn take(&self) -> Option<u32> {
        let n = self.next.get();
        if self.closed.get() || n >= self.end.get() {
            return None;
        }
        self.next.set(n + 1);
        self.seen.borrow_mut().push(Seen::Nothing);
        Some(n)
    }

    fn note(&self, n: u32, seen: Seen) {
        self.seen.borrow_mut()[n as usize] = seen;
    }
}

/// Starts so many connections.
pub(crate) fn spawn(crowd: &Rc<Crowd>, conns: usize) -> JoinSet<()> {
    let mut workers = JoinSet::new();
    for _ in 0..conns {
        workers.spawn_local(send_all(Rc::clone(crowd)));
    }
    workers
}

/// Waits for their ends. A closed crowd is not waited for.
pub(crate) async fn join(mut workers: JoinSet<()>, crowd: &Crowd) {
    if crowd.closed.get() {
        return workers.shutdown().await;
    }
    while let Some(ended) = workers.join_next().await {
        ended.expect("a client that does not panic");
    }
}

async fn send_all(crowd: Rc<Crowd>) {
    let mut kept = None;
    loop {
        let mut connection = match kept.take() {
            Some(connection) => connection,
            None => match Connection::open(crowd.gateway).await {
                Ok(connection) => connection,
                // It is being started again.
                Err(_) if !crowd.closed.get() => {
                    sleep(Duration::from_millis(10)).await;
                    continue;
                }
                Err(_) => return,
            },
        };
        let Some(n) = crowd.take() else { return };
        let seen = connection.exchange(&Plan::draw(crowd.seed, n)).await;
        crowd.note(n, seen);
        kept = (matches!(seen, Seen::Answer(_)) && !connection.closes).then_some(connection);
    }
}

struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
    status: Option<u16>,
    /// The gateway has said that it takes no more on it.
    closes: bool,
}

enum End {
    Whole,
    /// So many events as were wanted.
    Enough,
}

impl Connection {
    async fn open(gateway: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(gateway).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, buffer: Vec::with_capacity(16 << 10), status: None, closes: false })
    }

    /// Sends a request and does with the answer what the plan says.
    async fn exchange(&mut self, plan: &Plan) -> Seen {
        self.status = None;
        let body = match plan.leaves {
            Leaves::Uploading => &plan.body[..plan.body.len() / 2],
            _ => &plan.body,
        };
        if self.stream.write_all(&[&plan.head, body].concat()).await.is_err() {
            return Seen::Silence;
        }
        let (time, events) = match plan.leaves {
            Leaves::Never => (PATIENCE, u32::MAX),
            Leaves::Reading(_) => (PATIENCE, plan.moment),
            Leaves::Waiting(_) => (Duration::from_millis(plan.moment.into()), u32::MAX),
            Leaves::Uploading | Leaves::AtOnce => return self.leave(plan),
        };
        match timeout(time, self.answer(events)).await {
            Ok(Ok(End::Whole)) => Seen::Answer(self.status.unwrap_or_default()),
            Ok(Ok(End::Enough)) => self.leave(plan),
            Ok(Err(_)) => self.status.map_or(Seen::Silence, Seen::Half),
            Err(_) if plan.leaves == Leaves::Never => Seen::Hung,
            Err(_) => self.leave(plan),
        }
    }

    /// The connection is closed when it is dropped: with a FIN, or at once.
    fn leave(&mut self, plan: &Plan) -> Seen {
        if plan.resets {
            // Without it, it is a FIN after all.
            let _ = self.stream.set_zero_linger();
        }
        Seen::Left(self.status)
    }

    /// Reads an answer to its end, or until so many events have come.
    async fn answer(&mut self, most_events: u32) -> io::Result<End> {
        self.buffer.clear();
        let mut framing = loop {
            self.fill().await?;
            if let Some(framing) = self.head()? {
                break framing;
            }
        };
        let mut events = 0;
        loop {
            let whole = match &mut framing {
                Framing::Length(left) => {
                    *left = left.saturating_sub(self.buffer.len());
                    *left == 0
                }
                Framing::Chunked(chunks) => {
                    let count = |data: &[u8]| events += memchr::memmem::find_iter(data, b"data: {").count();
                    chunks.feed(&self.buffer, count).map_err(io::Error::other)?;
                    chunks.done()
                }
            };
            if whole {
                return Ok(End::Whole);
            }
            if events >= most_events as usize {
                return Ok(End::Enough);
            }
            self.buffer.clear();
            self.fill().await?;
        }
    }

    async fn fill(&mut self) -> io::Result<()> {
        match self.stream.read_buf(&mut self.buffer).await? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(()),
        }
    }

    /// Reads the head, once it is there, and leaves in the buffer what is behind it.
    fn head(&mut self) -> io::Result<Option<Framing>> {
        let mut headers = [httparse::EMPTY_HEADER; 64];
        let mut response = httparse::Response::new(&mut headers);
        let parsed = response.parse(&self.buffer).map_err(io::Error::other)?;
        let httparse::Status::Complete(length) = parsed else { return Ok(None) };
        let value = |name: &str| {
            let header = response.headers.iter().find(|header| header.name.eq_ignore_ascii_case(name))?;
            std::str::from_utf8(header.value).ok()
        };
        let framing = match value("content-length").and_then(|text| text.parse().ok()) {
            Some(length) => Framing::Length(length),
            None if value("transfer-encoding").is_some() => Framing::Chunked(Chunked::default()),
            None => return Err(io::Error::other("an answer without a length")),
        };
        self.closes = value("connection").is_some_and(|text| text.eq_ignore_ascii_case("close"));
        self.status = response.code;
        self.buffer.drain(..length);
        Ok(Some(framing))
    }
}

enum Framing {
    Length(usize),
    Chunked(Chunked),
}
