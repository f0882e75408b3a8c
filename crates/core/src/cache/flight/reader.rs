//! One reader's way through a flight.

use super::{End, Flight};
use crate::{
    cache::entry::{Entry, Giver},
    telemetry::exchange::Recorder,
};
use bytes::Bytes;
use sluice_protocol::usage::Usage;
use std::{
    future::poll_fn,
    sync::Arc,
    task::{Context, Poll},
};

/// What a reader got.
#[derive(Debug)]
pub enum Next {
    /// Events.
    Events(Bytes),
    /// The end.
    End(End),
}

/// What is known of a flight before its pieces are read.
#[derive(Debug)]
pub enum Opening {
    /// A stream.
    Stream,
    /// A stream, whole already.
    Complete(Arc<Entry>),
    /// It ended without having begun.
    End(End),
    /// It has grown too large to be kept, so it can only be read as it came.
    Outgrown,
}

/// One reader of a flight. Dropping it is leaving.
pub struct Reader {
    pub(super) flight: Arc<Flight>,
    pub(super) seat: usize,
    pub(super) wants_usage: bool,
    pub(super) leads: bool,
}

impl Reader {
    /// One who reads on when nobody else does any more.
    pub(super) fn of_nobody(flight: &Arc<Flight>) -> Self {
        let seat = flight.log().seat_at_the_end();
        Self { flight: flight.clone(), seat, wants_usage: false, leads: false }
    }

    /// Did the request of this reader begin the flight?
    #[must_use]
    pub fn leads(&self) -> bool {
        self.leads
    }

    /// The body of the request that began the flight.
    #[must_use]
    pub fn asked(&self) -> &Bytes {
        &self.flight.asked
    }

    /// Who gives the answer, once it has begun.
    #[must_use]
    pub fn giver(&self) -> Option<Giver> {
        self.flight.log().giver.clone()
    }

    /// Tokens of the answer, once it is whole.
    #[must_use]
    pub fn usage(&self) -> Option<Usage> {
        self.flight.log().complete.as_ref().and_then(|entry| entry.usage)
    }

    /// Waits until it is known what the answer is; the record comes along for the reader who leads.
    pub fn poll_opening(&mut self, cx: &mut Context<'_>) -> Poll<(Opening, Option<Recorder>)> {
        loop {
            let mut log = self.flight.log();
            let opening = if let Some(entry) = &log.complete {
                Some(Opening::Complete(entry.clone()))
            } else if log.begun && log.outgrown {
                Some(Opening::Outgrown)
            } else if log.begun {
                Some(Opening::Stream)
            } else {
                log.end.clone().map(Opening::End)
            };
            if let Some(opening) = opening {
                let record = if self.leads { log.record.take() } else { None };
                return Poll::Ready((opening, record));
            }
            log.wait(self.seat, cx);
            drop(log);
            std::task::ready!(self.flight.drive(self.seat));
        }
    }

    /// Waits until the whole answer is there; for readers who want it in another form than it comes in.
    pub fn poll_whole(&mut self, cx: &mut Context<'_>) -> Poll<Opening> {
        loop {
            let mut log = self.flight.log();
            if let Some(entry) = &log.complete {
                return Poll::Ready(Opening::Complete(entry.clone()));
            }
            if log.outgrown {
                return Poll::Ready(Opening::Outgrown);
            }
            if let Some(end) = &log.end {
                return Poll::Ready(Opening::End(end.clone()));
            }
            log.wait(self.seat, cx);
            drop(log);
            std::task::ready!(self.flight.drive(self.seat));
        }
    }

    /// The next events, or the end.
    pub fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Next> {
        loop {
            let mut log = self.flight.log();
            if let Some(next) = log.unread(self.seat, self.wants_usage) {
                return Poll::Ready(next);
            }
            log.wait(self.seat, cx);
            drop(log);
            std::task::ready!(self.flight.drive(self.seat));
        }
    }

    /// The terminal event has been read: whatever follows, this reader has the whole answer.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        let log = self.flight.log();
        log.has_all(self.seat) && (log.terminal || matches!(log.end, Some(End::Whole)))
    }

    /// Writes what the upstream did so far into the record of the request that began the flight.
    pub fn settle(&self, recorder: &mut Recorder) {
        if let Some(source) = self.flight.source().as_ref() {
            source.settle(recorder);
        }
    }

    /// The request that began the flight is over before the flight is, with the outcome that its record holds.
    /// It is told about now when nobody else reads, else when the flight ends: what the upstream still does is
    /// this request's doing.
    pub fn leave(self, recorder: Recorder) {
        self.flight.log().record = Some(recorder);
    }

    /// Has the flight ended?
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.flight.log().end.is_some()
    }
}

/// Reads what nobody waits for, to its end.
pub(super) async fn read_on(mut reader: Reader) {
    while let Next::Events(_) = poll_fn(|cx| reader.poll_next(cx)).await {}
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.flight.leave(self.seat, self.leads);
    }
}
