//! The bodies of answers: complete ones, and those that a [`Source`] hands out step by step.
//!
//! A source only says what comes next; pauses, flushes and the count of pieces are done here, once for all
//! kinds.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use tokio::time::{Sleep, sleep};

use crate::clock::ExactTimer;
use crate::spent::Spent;
use crate::stats::Ticket;

/// What a streamed body does next.
#[derive(Debug)]
pub(crate) enum Step {
    /// Sends a piece of the answer's content, in a write of its own.
    Piece(Bytes),
    /// Sends something else.
    Send(Bytes),
    /// Waits, to the millisecond.
    Pause(Duration),
    /// Waits until a time on the monotonic clock, exactly.
    PauseUntil(u64),
    /// The body is complete.
    End,
    /// The connection is dropped.
    Cut,
    /// Nothing more, ever.
    Hang,
}

/// What is asked for the steps of a streamed body.
pub(crate) trait Source: Send {
    /// The next step; not called again after an end.
    fn next(&mut self) -> Step;

    /// What has been spent on what was handed out so far; nothing if it is no model's answer.
    fn spent(&self) -> Option<Spent>;
}

/// The body of an answer.
pub(crate) enum Body {
    /// All of it at once.
    Full(Option<Bytes>),
    /// Step by step.
    Streamed(Box<Streamed>),
}

impl Body {
    /// A body that is all there.
    pub(crate) fn full(bytes: impl Into<Bytes>) -> Self {
        Self::Full(Some(bytes.into()))
    }

    /// A body that a source hands out; the ticket notes whether it was heard to its end.
    pub(crate) fn streamed(source: impl Source + 'static, ticket: Ticket) -> Self {
        let source = Box::new(source);
        Self::Streamed(Box::new(Streamed {
            source,
            pause: None,
            timer: None,
            unflushed: false,
            cut: false,
            ticket,
        }))
    }
}

/// A body on its way out.
pub(crate) struct Streamed {
    source: Box<dyn Source>,
    pause: Option<Pause>,
    /// Made at the first exact pause and kept for the next ones.
    timer: Option<ExactTimer>,
    unflushed: bool,
    cut: bool,
    ticket: Ticket,
}

enum Pause {
    Coarse(Pin<Box<Sleep>>),
    /// Until the timer ends.
    Exact,
    Forever,
}

impl Streamed {
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        loop {
            if let Some(pause) = &mut self.pause {
                match (pause, &mut self.timer) {
                    (Pause::Coarse(sleep), _) => ready!(sleep.as_mut().poll(cx)),
                    (Pause::Exact, Some(timer)) => ready!(timer.poll(cx)),
                    (Pause::Exact, None) => {}
                    (Pause::Forever, _) => return Poll::Pending,
                }
                self.pause = None;
            }
            // hyper writes what it has when a body is pending. Without this, pieces that are ready at once
            // would leave in one write, and what was sent before a cut would never leave at all.
            if std::mem::take(&mut self.unflushed) {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            if self.cut {
                self.ticket.finish();
                return Poll::Ready(Some(Err(io::Error::other("cut on purpose"))));
            }
            match self.source.next() {
                Step::Piece(bytes) => {
                    self.ticket.count_chunk();
                    self.unflushed = true;
                    return Poll::Ready(Some(Ok(Frame::data(bytes))));
                }
                Step::Send(bytes) => return Poll::Ready(Some(Ok(Frame::data(bytes)))),
                Step::Pause(pause) => {
                    self.pause = Some(Pause::Coarse(Box::pin(sleep(pause))));
                }
                Step::PauseUntil(nanos) => {
                    let timer = match &mut self.timer {
                        Some(timer) => timer,
                        none => none.insert(ExactTimer::new()?),
                    };
                    timer.set(nanos)?;
                    self.pause = Some(Pause::Exact);
                }
                Step::Hang => self.pause = Some(Pause::Forever),
                Step::End => {
                    self.ticket.finish();
                    return Poll::Ready(None);
                }
                Step::Cut => {
                    self.cut = true;
                    self.unflushed = true;
                }
            }
        }
    }
}

/// However a body ends, this is when it is known how far it came.
impl Drop for Streamed {
    fn drop(&mut self) {
        self.ticket.settle(self.source.spent());
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        match self.get_mut() {
            Self::Full(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Self::Streamed(streamed) => streamed.poll_next(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Self::Full(None))
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Full(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64)),
            Self::Streamed(_) => SizeHint::default(),
        }
    }
}
