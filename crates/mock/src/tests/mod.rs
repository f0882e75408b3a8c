//! The mock over real sockets, spoken to in raw bytes by a client that notices how an answer ends.

mod azure;
mod bench;
mod chat;
mod completions;
mod control;
mod embeddings;
mod faults;
mod http;
mod manners;
mod messages;
mod messages_checked;
mod messages_thinking;
mod responses;
mod spent;
mod strict;

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::{Mock, MockHandle, Options};

/// What the provider at a path requires of a request's headers.
pub(crate) fn headers(path: &str) -> &'static str {
    match path {
        path if path.contains("/messages") => "x-api-key: k\r\nanthropic-version: 2023-06-01\r\n",
        path if path.starts_with("/openai/") => "api-key: k\r\n",
        _ => "",
    }
}

/// A mock that serves until dropped.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) handle: MockHandle,
    _task: JoinSet<()>,
}

/// An answer, complete or not.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
    /// The body ended as its framing says.
    pub(crate) complete: bool,
}

impl Server {
    pub(crate) fn start() -> Self {
        Self::with(Options::default())
    }

    pub(crate) fn with(options: Options) -> Self {
        let mock = Mock::bind("127.0.0.1:0".parse().unwrap(), options).unwrap();
        let (address, handle) = (mock.local_addr(), mock.handle());
        let mut task = JoinSet::new();
        task.spawn(mock.serve());
        Self { address, handle, _task: task }
    }

    /// Sends a request on a connection of its own and reads until the connection ends, or for a while.
    pub(crate) async fn send(
        &self,
        method: &str,
        path: &str,
        headers: &str,
        body: &str,
        patience: Duration,
    ) -> Answer {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        let length = body.len();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: mock\r\nconnection: close\r\n{headers}content-length: {length}\r\n\r\n{body}"
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut received = Vec::new();
        // Patience that runs out and a connection that breaks are both for the caller to see in what arrived.
        let _ = tokio::time::timeout(patience, stream.read_to_end(&mut received)).await;
        Answer::read(&received)
    }

    /// Sends a body with the headers that its path asks for.
    pub(crate) async fn raw(&self, path: &str, body: &str) -> Answer {
        self.send("POST", path, headers(path), body, Duration::from_secs(10)).await
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Answer {
        self.raw(path, &body.to_string()).await
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send("GET", path, "", "", Duration::from_secs(10)).await
    }
}

impl Answer {
    fn read(received: &[u8]) -> Self {
        let text = String::from_utf8_lossy(received);
        let Some((head, rest)) = text.split_once("\r\n\r\n") else {
            return Self { status: 0, head: String::new(), body: text.into_owned(), complete: false };
        };
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        let length: Option<usize> =
            head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
        let (body, complete) = match length {
            Some(length) => (rest.to_owned(), rest.len() == length),
            None => unchunk(rest),
        };
        Self { status, head: head.to_owned(), body, complete }
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|fault| panic!("{fault}: {self:?}"))
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }

    /// The documents of the stream's events, `[DONE]` left out.
    pub(crate) fn events(&self) -> Vec<Value> {
        let data =
            self.body.lines().filter_map(|line| line.strip_prefix("data: ")).filter(|data| *data != "[DONE]");
        data.map(|data| serde_json::from_str(data).unwrap()).collect()
    }

    /// The names of the stream's events.
    pub(crate) fn names(&self) -> Vec<&str> {
        self.body.lines().filter_map(|line| line.strip_prefix("event: ")).collect()
    }

    pub(crate) fn is_done(&self) -> bool {
        self.complete && self.body.ends_with("data: [DONE]\n\n")
    }

    /// All strings at a JSON pointer in the stream's events, put together.
    pub(crate) fn joined(&self, pointer: &str) -> String {
        self.events().iter().filter_map(|event| event.pointer(pointer)?.as_str().map(str::to_owned)).collect()
    }
}

fn unchunk(mut rest: &str) -> (String, bool) {
    let mut body = String::new();
    while let Some((size, after)) = rest.split_once("\r\n") {
        let size = usize::from_str_radix(size, 16).unwrap();
        if size == 0 {
            return (body, true);
        }
        let Some(chunk) = after.get(..size) else { break };
        body.push_str(chunk);
        rest = after.get(size + 2..).unwrap_or_default();
    }
    (body, false)
}
