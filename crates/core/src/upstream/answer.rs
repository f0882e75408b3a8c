//! The body of an upstream's answer, which moves the connection that it comes on.
//!
//! When it has come whole, the connection goes to rest; dropped before, it is closed with what would still come.

use crate::upstream::{
    connections::Carried,
    lane::Lane,
    lanes::{Address, Lanes},
};
use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use std::{
    pin::Pin,
    task::{Context, Poll},
};

/// See the module.
pub struct AnswerBody {
    incoming: Incoming,
    /// The connection, until it rests; none where a task of its own moves it.
    line: Option<Line>,
    _carried: Carried,
}

struct Line {
    lane: Box<Lane>,
    home: Lanes,
    address: Address,
}

impl AnswerBody {
    /// The answer of a request whose connection moves by itself.
    #[must_use]
    pub fn apart(incoming: Incoming, carried: Carried) -> Self {
        Self { incoming, line: None, _carried: carried }
    }

    /// The answer that comes on `lane`, which rests at `home` afterwards.
    #[must_use]
    pub fn on(lane: Box<Lane>, incoming: Incoming, home: Lanes, address: Address, carried: Carried) -> Self {
        let mut body = Self { incoming, line: Some(Line { lane, home, address }), _carried: carried };
        if body.incoming.is_end_stream() {
            body.rest();
        }
        body
    }

    /// Nothing more comes: the connection is free for another request, unless it ends with this one.
    fn rest(&mut self) {
        if let Some(Line { lane, home, address }) = self.line.take()
            && lane.is_free()
        {
            lane.leave();
            home.rest(&address, lane);
        }
    }
}

impl Body for AnswerBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let this = &mut *self;
        let incoming = &mut this.incoming;
        let polled = match &mut this.line {
            Some(line) => line.lane.watch(cx, |cx| Pin::new(&mut *incoming).poll_frame(cx)),
            None => Pin::new(incoming).poll_frame(cx),
        };
        match &polled {
            Poll::Ready(None) => self.rest(),
            // Its length was told, and this was the last of it.
            Poll::Ready(Some(Ok(_))) if self.incoming.is_end_stream() => self.rest(),
            _ => {}
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}
