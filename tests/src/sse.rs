//! Reads a streamed answer event by event, with arrival times.

use crate::client::{Client, Head, Request, Truncated};
use bytes::{Bytes, BytesMut};
use std::{net::SocketAddr, time::Instant};

/// One event as it stood on the wire.
#[derive(Debug, Clone)]
pub struct Event {
    /// All its lines, with the blank line that ends it.
    pub raw: Bytes,
    /// When its last byte was read.
    pub at: Instant,
}

impl Event {
    /// What stands after `data:`; empty for comments.
    #[must_use]
    pub fn data(&self) -> String {
        let text = String::from_utf8_lossy(&self.raw);
        let lines = text.lines().filter_map(|line| line.strip_prefix("data:"));
        lines.map(|data| data.strip_prefix(' ').unwrap_or(data)).collect::<Vec<_>>().join("\n")
    }

    /// The data as JSON; null for comments and `[DONE]`.
    #[must_use]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.data()).unwrap_or_default()
    }

    /// A line that starts with a colon: a heartbeat.
    #[must_use]
    pub fn is_comment(&self) -> bool {
        self.raw.starts_with(b":")
    }

    /// `data: [DONE]`.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.data() == "[DONE]"
    }

    /// An in-band error.
    #[must_use]
    pub fn is_error(&self) -> bool {
        !self.json()["error"].is_null() || self.json()["type"] == "error"
    }
}

/// A streamed answer being read.
#[derive(Debug)]
pub struct Stream {
    /// Status line and headers.
    pub head: Head,
    /// The connection, to leave it in the middle.
    pub client: Client,
    buffer: BytesMut,
}

impl Stream {
    /// Sends a request and reads the head of its answer.
    pub async fn open(to: SocketAddr, request: &Request) -> Self {
        let mut client = Client::connect(to).await;
        client.send(&request.wire()).await;
        Self::on(client).await
    }

    /// Reads the head of the answer to what was sent on this connection.
    pub async fn on(mut client: Client) -> Self {
        let head = client.head().await;
        Self { head, client, buffer: BytesMut::new() }
    }

    /// The next event; `None` at the body's end.
    ///
    /// # Errors
    /// When the connection was cut.
    pub async fn next(&mut self) -> Result<Option<Event>, Truncated> {
        loop {
            if let Some(end) = event_end(&self.buffer) {
                return Ok(Some(Event { raw: self.buffer.split_to(end).freeze(), at: Instant::now() }));
            }
            match self.client.piece().await? {
                Some((piece, _)) => self.buffer.extend_from_slice(&piece),
                None if self.buffer.is_empty() => return Ok(None),
                None => {
                    return Ok(Some(Event { raw: self.buffer.split().freeze(), at: Instant::now() }));
                }
            }
        }
    }

    /// The next event that is there for sure.
    pub async fn event(&mut self) -> Event {
        self.next().await.expect("the stream was cut").expect("the stream ended")
    }

    /// All events up to the end.
    pub async fn rest(&mut self) -> Events {
        let mut events = Vec::new();
        loop {
            match self.next().await {
                Ok(Some(event)) => events.push(event),
                Ok(None) => return Events { events, cut: false },
                Err(Truncated) => return Events { events, cut: true },
            }
        }
    }
}

/// A stream that was read to its end.
#[derive(Debug)]
pub struct Events {
    /// In their order.
    pub events: Vec<Event>,
    /// The connection ended before the body did.
    pub cut: bool,
}

impl Events {
    /// The bytes as they came, comments left out.
    #[must_use]
    pub fn bytes(&self) -> Bytes {
        let events = self.events.iter().filter(|event| !event.is_comment());
        events.flat_map(|event| event.raw.clone()).collect()
    }

    /// Did it end with `[DONE]`?
    #[must_use]
    pub fn done(&self) -> bool {
        self.events.last().is_some_and(Event::is_done)
    }

    /// The last event's error; fails when the stream ended in any other way.
    #[must_use]
    #[track_caller]
    pub fn error(&self) -> serde_json::Value {
        assert!(!self.cut, "cut instead of ended: {self:?}");
        assert!(!self.events.iter().any(Event::is_done), "an error and [DONE]: {self:?}");
        let last = self.events.last().unwrap_or_else(|| panic!("an empty stream"));
        assert!(last.is_error(), "no error event at the end: {self:?}");
        last.json()
    }
}

/// The end of the first event: after its blank line, whichever line ending it uses.
fn event_end(bytes: &[u8]) -> Option<usize> {
    let ends = [&b"\n\n"[..], b"\r\n\r\n", b"\r\r"];
    ends.iter().filter_map(|end| memchr::memmem::find(bytes, end).map(|at| at + end.len())).min()
}
