//! A raw HTTP/1.1 client: it sends exactly the bytes it is given and times what comes back.
//!
//! No pool, no redirects, no opinions about what a valid request is: half of the suites send invalid ones.

use crate::{chunked::Chunked, soon};
use bytes::{Buf, Bytes, BytesMut};
use std::{
    io::{self, ErrorKind},
    net::SocketAddr,
    time::{Duration, Instant},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
};

/// A request being written; every part can be replaced by nonsense.
#[derive(Debug, Clone)]
pub struct Request {
    line: String,
    headers: Vec<(String, String)>,
    body: Bytes,
}

impl Request {
    /// A request without a body.
    #[must_use]
    pub fn new(method: &str, path: &str) -> Self {
        Self {
            line: format!("{method} {path} HTTP/1.1"),
            headers: vec![("host".into(), "127.0.0.1".into())],
            body: Bytes::new(),
        }
    }

    /// `GET`.
    #[must_use]
    pub fn get(path: &str) -> Self {
        Self::new("GET", path)
    }

    /// `POST` of JSON with its length.
    #[must_use]
    pub fn post(path: &str, body: impl Into<Bytes>) -> Self {
        let body = body.into();
        let mut request = Self::new("POST", path)
            .header("content-type", "application/json")
            .header("content-length", &body.len().to_string());
        request.body = body;
        request
    }

    /// Adds a header, even when one of that name is there.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Replaces a header, or adds it.
    #[must_use]
    pub fn set(self, name: &str, value: &str) -> Self {
        self.without(name).header(name, value)
    }

    /// Removes a header.
    #[must_use]
    pub fn without(mut self, name: &str) -> Self {
        self.headers.retain(|(have, _)| !have.eq_ignore_ascii_case(name));
        self
    }

    /// `Authorization: Bearer …`.
    #[must_use]
    pub fn bearer(self, key: &str) -> Self {
        self.set("authorization", &format!("Bearer {key}"))
    }

    /// The head as it goes over the wire.
    #[must_use]
    pub fn head(&self) -> Bytes {
        let mut text = format!("{}\r\n", self.line);
        for (name, value) in &self.headers {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
        text.push_str("\r\n");
        text.into()
    }

    /// Head and body as they go over the wire.
    #[must_use]
    pub fn wire(&self) -> Bytes {
        [self.head(), self.body.clone()].concat().into()
    }

    /// Sends it on a new connection and reads the whole answer.
    pub fn send(&self, to: SocketAddr) -> impl Future<Output = Answer> + Send + use<> {
        let wire = self.wire();
        async move {
            let mut client = Client::connect(to).await;
            client.send(&wire).await;
            client.answer().await
        }
    }
}

/// Status line and headers of an answer.
#[derive(Debug, Clone)]
pub struct Head {
    /// Status code.
    pub status: u16,
    /// Headers in their order, names in lower case.
    pub headers: Vec<(String, String)>,
}

impl Head {
    /// The value of a header, the empty text when there is none.
    #[must_use]
    pub fn get(&self, name: &str) -> &str {
        self.headers.iter().find(|(have, _)| have == name).map_or("", |(_, value)| value)
    }

    /// Is the header there?
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.headers.iter().any(|(have, _)| have == name)
    }
}

/// A whole answer.
#[derive(Debug, Clone)]
pub struct Answer {
    /// Status line and headers.
    pub head: Head,
    /// The body without its framing.
    pub body: Bytes,
    /// From the call to the last byte.
    pub took: Duration,
}

impl Answer {
    /// Status code.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.head.status
    }

    /// See [`Head::get`].
    #[must_use]
    pub fn get(&self, name: &str) -> &str {
        self.head.get(name)
    }

    /// The body as text.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    #[must_use]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|e| panic!("not JSON ({e}): {self:?}"))
    }

    /// `error.code` of an error body.
    #[must_use]
    pub fn code(&self) -> String {
        self.json()["error"]["code"].as_str().unwrap_or_default().into()
    }

    /// `error.message` of an error body.
    #[must_use]
    pub fn message(&self) -> String {
        self.json()["error"]["message"].as_str().unwrap_or_default().into()
    }

    /// Fails unless the status is `expected`; gives the answer back for more questions.
    #[must_use]
    #[track_caller]
    pub fn expect(self, expected: u16) -> Self {
        assert_eq!(self.status(), expected, "{}", self.text());
        self
    }
}

/// How the end of a body is known.
#[derive(Debug)]
enum Framing {
    Length(usize),
    Chunked(Chunked),
    Close,
}

/// One connection.
#[derive(Debug)]
pub struct Client {
    stream: TcpStream,
    buffer: BytesMut,
    framing: Framing,
}

impl Client {
    /// Connects with TCP_NODELAY.
    pub async fn connect(to: SocketAddr) -> Self {
        Self::dial(to).await.expect("connect")
    }

    /// The same where perhaps nobody listens.
    ///
    /// # Errors
    /// What the system says.
    pub async fn dial(to: SocketAddr) -> io::Result<Self> {
        let stream = soon("connect", TcpStream::connect(to)).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, buffer: BytesMut::new(), framing: Framing::Length(0) })
    }

    /// Connects with a receive buffer so small that the sender soon notices when nothing is read.
    pub async fn connect_narrow(to: SocketAddr) -> Self {
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.set_recv_buffer_size(4096).expect("a buffer");
        let stream = soon("connect", socket.connect(to)).await.expect("connect");
        Self { stream, buffer: BytesMut::new(), framing: Framing::Length(0) }
    }

    /// Has the peer closed an idle connection? A client asks itself that before it uses one again.
    #[must_use]
    pub fn is_over(&self) -> bool {
        let mut byte = [0];
        !matches!(self.stream.try_read(&mut byte), Err(error) if error.kind() == ErrorKind::WouldBlock)
    }

    /// Takes one byte off the connection, for whatever is read next.
    pub async fn byte(&mut self) {
        let byte = soon("a byte", self.stream.read_u8()).await.expect("a byte");
        self.buffer.extend_from_slice(&[byte]);
    }

    /// Sends exactly these bytes.
    pub async fn send(&mut self, bytes: &[u8]) {
        soon("send", self.stream.write_all(bytes)).await.expect("send");
    }

    /// Sends these bytes; false when the peer closed before it took them all.
    pub async fn try_send(&mut self, bytes: &[u8]) -> bool {
        soon("send", self.stream.write_all(bytes)).await.is_ok()
    }

    /// Says that nothing more will be sent, and keeps reading.
    pub async fn half_close(&mut self) {
        self.stream.shutdown().await.expect("half-close");
    }

    /// Leaves with a reset instead of a FIN.
    pub fn reset(self) {
        self.stream.set_zero_linger().expect("linger");
    }

    /// The next head, whatever its status; `None` when the peer closed without one.
    pub async fn try_head(&mut self) -> Option<Head> {
        soon("a response head", async {
            loop {
                if let Some((head, length)) = parse(&self.buffer) {
                    self.buffer.advance(length);
                    self.framing = framing(&head);
                    return Some(head);
                }
                if !self.fill().await {
                    return None;
                }
            }
        })
        .await
    }

    /// The next head.
    pub async fn head(&mut self) -> Head {
        self.try_head().await.expect("the peer closed without an answer")
    }

    /// The next piece of the body and when it came; `None` at the body's end.
    ///
    /// # Errors
    /// When the connection ended before the body did.
    pub async fn piece(&mut self) -> Result<Option<(Bytes, Instant)>, Truncated> {
        loop {
            match &mut self.framing {
                Framing::Length(0) => return Ok(None),
                Framing::Length(left) if !self.buffer.is_empty() => {
                    let piece = self.buffer.split_to((*left).min(self.buffer.len())).freeze();
                    *left -= piece.len();
                    return Ok(Some((piece, Instant::now())));
                }
                Framing::Close if !self.buffer.is_empty() => {
                    return Ok(Some((self.buffer.split().freeze(), Instant::now())));
                }
                Framing::Chunked(reader) => {
                    let mut data = Vec::new();
                    let used =
                        reader.feed(&self.buffer, |piece| data.extend_from_slice(piece)).expect("chunks");
                    self.buffer.advance(used);
                    if !data.is_empty() {
                        return Ok(Some((data.into(), Instant::now())));
                    }
                    if reader.done() {
                        return Ok(None);
                    }
                }
                Framing::Length(_) | Framing::Close => {}
            }
            if !soon("more of the body", self.fill()).await {
                return if matches!(self.framing, Framing::Close) { Ok(None) } else { Err(Truncated) };
            }
        }
    }

    /// The rest of the body.
    pub async fn body(&mut self) -> Bytes {
        let mut body = BytesMut::new();
        while let Some((piece, _)) = self.piece().await.expect("the body was cut") {
            body.extend_from_slice(&piece);
        }
        body.freeze()
    }

    /// Head and body.
    pub async fn answer(&mut self) -> Answer {
        let start = Instant::now();
        let head = self.head().await;
        let body = self.body().await;
        Answer { head, body, took: start.elapsed() }
    }

    /// Sends a whole request and reads its answer; `None` when the connection broke in between.
    pub async fn try_ask(&mut self, wire: &[u8]) -> Option<Answer> {
        let start = Instant::now();
        if !self.try_send(wire).await {
            return None;
        }
        let head = self.try_head().await?;
        let mut body = BytesMut::new();
        while let Some((piece, _)) = self.piece().await.ok()? {
            body.extend_from_slice(&piece);
        }
        Some(Answer { head, body: body.freeze(), took: start.elapsed() })
    }

    /// Waits until the peer closes; what it still sends is thrown away.
    pub async fn closed(&mut self) {
        soon("the peer's close", async {
            while self.fill().await {
                self.buffer.clear();
            }
        })
        .await;
    }

    /// Reads once; false at the connection's end.
    async fn fill(&mut self) -> bool {
        self.buffer.reserve(16 * 1024);
        matches!(self.stream.read_buf(&mut self.buffer).await, Ok(n) if n > 0)
    }
}

/// The connection ended in the middle of a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Truncated;

fn parse(bytes: &[u8]) -> Option<(Head, usize)> {
    let mut headers = [httparse::EMPTY_HEADER; 128];
    let mut response = httparse::Response::new(&mut headers);
    let httparse::Status::Complete(length) = response.parse(bytes).expect("a response head") else {
        return None;
    };
    let headers = response
        .headers
        .iter()
        .map(|h| (h.name.to_ascii_lowercase(), String::from_utf8_lossy(h.value).into_owned()))
        .collect();
    Some((Head { status: response.code.expect("a status"), headers }, length))
}

fn framing(head: &Head) -> Framing {
    if head.status < 200 || matches!(head.status, 204 | 304) {
        Framing::Length(0)
    } else if head.get("transfer-encoding") == "chunked" {
        Framing::Chunked(Chunked::default())
    } else if head.has("content-length") {
        Framing::Length(head.get("content-length").parse().expect("a length"))
    } else {
        Framing::Close
    }
}
