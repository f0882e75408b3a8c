//! One answer under way, for everybody who asked the same: an append-only log of its pieces, read by index.
//!
//! No task and no channel: whoever needs the next piece polls the source, and everybody who waits is woken when
//! one has come. So the fastest reader sets the pace, a reader that does not read holds nobody up, any reader may
//! leave (the one who began it, too), and with the last one the upstream is let go. A piece is a slice of
//! what arrived; readers share it.
//!
//! What the source does (look-ups, upstreams, storing) is not known here.

use crate::{
    cache::{entry::Entry, flights::Flights, key::CacheKey},
    error::{Broken, GatewayError},
    telemetry::exchange::Recorder,
};
use bytes::{Bytes, BytesMut};
use http::HeaderValue;
use sluice_protocol::usage::Usage;
use smallvec::SmallVec;
use std::{
    collections::VecDeque,
    ops::Range,
    sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError},
    task::{Context, Poll, Wake, Waker},
};

/// Unread bytes that a reader may have outstanding before it is cut off from an answer that is too large to be
/// kept whole. A lone reader is never cut: then nothing is read ahead of it.
const WINDOW: usize = 4 << 20;
/// Pieces that wait for a reader are joined up to this: a write costs more than a copy.
const JOIN: usize = 64 << 10;

/// Where the pieces come from.
pub trait Source: Send {
    /// The next thing that happened. Not asked again after [`Progress::End`].
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Progress>;
    /// The log is whole: `events` is all of it, `usage` where events that only carry usage stand in it. What
    /// comes back serves readers who want another form of the answer.
    fn complete(&mut self, events: Bytes, usage: Vec<Range<usize>>) -> Arc<Entry>;
    /// The log outgrew what may be kept: [`complete`](Self::complete) will not be called.
    fn outgrown(&mut self);
    /// Nobody reads any more: the upstream is let go. Not asked for anything afterwards but to settle.
    fn cancel(&mut self);
    /// Writes what the upstream did into the record of the request that began the flight.
    fn settle(&self, recorder: &mut Recorder);
}

/// What a source reports.
pub enum Progress {
    /// The answer is a stream and has begun; its pieces follow. Holds the record of the request that began it,
    /// and who gives the answer.
    Begun(Recorder, Option<Giver>),
    /// A piece.
    Piece(Piece),
    /// The terminal event has been given: the log is whole, whatever the connection still does.
    Complete,
    /// The end. The record is there unless the answer had begun before.
    End(End, Option<Recorder>),
}

/// Who gives an answer: header texts.
#[derive(Debug, Clone)]
pub struct Giver {
    /// The provider's name.
    pub provider: HeaderValue,
    /// The upstream's name of the model.
    pub model: HeaderValue,
}

/// Whole events.
#[derive(Debug, Clone)]
pub struct Piece {
    /// As they came.
    pub bytes: Bytes,
    /// They carry nothing but usage: for those whose clients asked for it.
    pub usage_only: bool,
}

/// How a flight ended.
#[derive(Debug, Clone)]
pub enum End {
    /// The stream is whole.
    Whole,
    /// A whole answer that did not come as a stream, and whether it is stored now.
    Plain(Arc<Entry>, bool),
    /// Somebody had stored the answer already.
    Found(Arc<Entry>),
    /// The stream broke after it had begun.
    Broken(Broken),
    /// There was no answer.
    Failed(GatewayError),
}

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

/// One answer under way.
pub struct Flight {
    source: Mutex<Option<Box<dyn Source>>>,
    log: Mutex<Log>,
    /// Bytes that are kept of it.
    limit: usize,
    /// Where others find it; absent for one that nobody may join.
    listed: Option<(Arc<Flights>, CacheKey)>,
}

#[derive(Default)]
struct Log {
    pieces: VecDeque<Piece>,
    /// Index of the first piece that is still kept.
    first: usize,
    bytes: usize,
    begun: bool,
    giver: Option<Giver>,
    outgrown: bool,
    /// The whole answer, once its terminal event has come.
    complete: Option<Arc<Entry>>,
    end: Option<End>,
    /// Nobody reads it and nobody may join.
    closed: bool,
    readers: Vec<Option<Seat>>,
    /// Record of the request that began the flight, until its reader fetches it.
    record: Option<Recorder>,
    /// That reader is gone: its record is told about when the flight ends.
    orphaned: bool,
}

struct Seat {
    /// Next piece.
    next: usize,
    waker: Option<Waker>,
}

impl Log {
    fn live(&self) -> usize {
        self.readers.iter().flatten().count()
    }

    fn last(&self) -> usize {
        self.first + self.pieces.len()
    }

    fn seat(&mut self) -> usize {
        let seat = Seat { next: self.first, waker: None };
        match self.readers.iter().position(Option::is_none) {
            Some(free) => {
                if let Some(place) = self.readers.get_mut(free) {
                    *place = Some(seat);
                }
                free
            }
            None => {
                self.readers.push(Some(seat));
                self.readers.len() - 1
            }
        }
    }

    /// Everybody who waits, but for one.
    fn wakers(&mut self, but: Option<usize>) -> SmallVec<[Waker; 4]> {
        let others = self.readers.iter_mut().enumerate().filter(|(index, _)| Some(*index) != but);
        others.filter_map(|(_, seat)| seat.as_mut()?.waker.take()).collect()
    }

    /// Lets go of what every reader has had, and of readers who are too far behind.
    fn trim(&mut self) {
        let lone = self.live() <= 1;
        while self.bytes > WINDOW && !lone {
            self.drop_first();
        }
        let least = self.readers.iter().flatten().map(|seat| seat.next).min().unwrap_or(self.last());
        while self.first < least && !self.pieces.is_empty() {
            self.drop_first();
        }
    }

    fn drop_first(&mut self) {
        if let Some(piece) = self.pieces.pop_front() {
            self.first += 1;
            self.bytes -= piece.bytes.len();
        }
    }

    /// The whole log as one text.
    fn join(&self) -> (Bytes, Vec<Range<usize>>) {
        let mut all = BytesMut::with_capacity(self.bytes);
        let mut usage = Vec::new();
        for piece in &self.pieces {
            let from = all.len();
            all.extend_from_slice(&piece.bytes);
            if piece.usage_only {
                usage.push(from..all.len());
            }
        }
        (all.freeze(), usage)
    }
}

impl Flight {
    /// A flight that waits for its source; `limit` is the largest answer that is kept whole.
    #[must_use]
    pub fn new(limit: usize, listed: Option<(Arc<Flights>, CacheKey)>) -> Arc<Self> {
        Arc::new(Self { source: Mutex::new(None), log: Mutex::new(Log::default()), limit, listed })
    }

    /// Takes off. The reader is the one of the request that begins the flight.
    #[must_use]
    pub fn launch(self: &Arc<Self>, source: Box<dyn Source>, wants_usage: bool) -> Reader {
        *self.source() = Some(source);
        let mut log = self.log();
        let seat = log.seat();
        let wakers = log.wakers(Some(seat));
        drop(log);
        wakers.into_iter().for_each(Waker::wake);
        Reader { flight: self.clone(), seat, wants_usage, leads: true }
    }

    /// One more reader, from the first piece on; `None` when it is over or has let go of its beginning.
    #[must_use]
    pub fn join(self: &Arc<Self>, wants_usage: bool) -> Option<Reader> {
        let mut log = self.log();
        if log.closed || log.outgrown {
            return None;
        }
        let seat = log.seat();
        Some(Reader { flight: self.clone(), seat, wants_usage, leads: false })
    }

    /// Ends a flight that never got its source.
    pub fn abandon(&self, error: GatewayError) {
        let mut log = self.log();
        log.end.get_or_insert(End::Failed(error));
        let wakers = log.wakers(None);
        drop(log);
        self.unlist();
        wakers.into_iter().for_each(Waker::wake);
    }

    /// Nobody else may join from now on.
    fn unlist(&self) {
        if let Some((flights, key)) = &self.listed {
            flights.remove(key, self);
        }
    }

    fn log(&self) -> MutexGuard<'_, Log> {
        // A panic of a source is answered where it happens; the log itself is never left half-written.
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn source(&self) -> MutexGuard<'_, Option<Box<dyn Source>>> {
        self.source.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks the source once. Ready when something was added to the log.
    fn drive(self: &Arc<Self>, seat: usize) -> Poll<()> {
        let mut source = match self.source.try_lock() {
            Ok(source) => source,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            // Somebody else asks right now, and wakes us when something has come.
            Err(TryLockError::WouldBlock) => return Poll::Pending,
        };
        let Some(source) = source.as_mut() else { return Poll::Pending };
        // It may have ended while we came here.
        if self.log().end.is_some() {
            return Poll::Ready(());
        }
        let waker = Waker::from(self.clone());
        let progress = std::task::ready!(source.poll_next(&mut Context::from_waker(&waker)));
        let mut log = self.log();
        let mut over = false;
        match progress {
            Progress::Begun(recorder, giver) => {
                log.begun = true;
                log.giver = giver;
                log.record = Some(recorder);
            }
            Progress::Piece(piece) => {
                log.bytes += piece.bytes.len();
                log.pieces.push_back(piece);
                if log.bytes > self.limit && !log.outgrown {
                    log.outgrown = true;
                    over = true;
                    source.outgrown();
                }
                if log.outgrown {
                    log.trim();
                }
            }
            Progress::Complete if log.outgrown => {}
            Progress::Complete => {
                let (events, usage) = log.join();
                // Looked at and stored without the log's lock: readers go on meanwhile.
                drop(log);
                let entry = source.complete(events, usage);
                log = self.log();
                log.complete = Some(entry);
                over = true;
            }
            Progress::End(end, record) => {
                log.end = Some(end);
                if let Some(record) = record {
                    log.record = Some(record);
                }
                over = true;
            }
        }
        let orphan = if log.end.is_some() && log.orphaned { log.record.take() } else { None };
        let wakers = log.wakers(Some(seat));
        drop(log);
        if let Some(mut orphan) = orphan {
            source.settle(&mut orphan);
            orphan.finish_left();
        }
        if over {
            self.unlist();
        }
        wakers.into_iter().for_each(Waker::wake);
        Poll::Ready(())
    }

    /// A reader goes. With the last one goes the upstream.
    fn leave(&self, seat: usize, leads: bool) {
        let mut log = self.log();
        if let Some(place) = log.readers.get_mut(seat) {
            *place = None;
        }
        log.orphaned |= leads;
        let last = log.live() == 0;
        if last {
            log.closed = true;
        }
        if log.outgrown {
            log.trim();
        }
        let ended = log.end.is_some();
        // The record of a reader that never fetched it.
        let orphan = if log.orphaned && (last || ended) { log.record.take() } else { None };
        // Whoever was about to ask the source may be the one that left.
        let wakers = log.wakers(None);
        drop(log);
        wakers.into_iter().for_each(Waker::wake);
        if last {
            self.unlist();
        }
        if (last && !ended) || orphan.is_some() {
            let mut source = self.source();
            if let Some(source) = source.as_mut() {
                if last && !ended {
                    source.cancel();
                }
                if let Some(mut orphan) = orphan {
                    source.settle(&mut orphan);
                    orphan.finish_left();
                }
            }
        }
    }
}

/// Something has come from the source's side: everybody who waits looks.
impl Wake for Flight {
    fn wake(self: Arc<Self>) {
        let wakers = self.log().wakers(None);
        wakers.into_iter().for_each(Waker::wake);
    }
}

/// One reader of a flight. Dropping it is leaving.
pub struct Reader {
    flight: Arc<Flight>,
    seat: usize,
    wants_usage: bool,
    leads: bool,
}

impl Reader {
    /// Did the request of this reader begin the flight?
    #[must_use]
    pub fn leads(&self) -> bool {
        self.leads
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
            self.wait(&mut log, cx);
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
            self.wait(&mut log, cx);
            drop(log);
            std::task::ready!(self.flight.drive(self.seat));
        }
    }

    /// The next events, or the end.
    pub fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Next> {
        loop {
            let mut log = self.flight.log();
            if let Some(next) = self.unread(&mut log) {
                return Poll::Ready(next);
            }
            self.wait(&mut log, cx);
            drop(log);
            std::task::ready!(self.flight.drive(self.seat));
        }
    }

    /// What is in the log already.
    fn unread(&self, log: &mut Log) -> Option<Next> {
        let (first, outgrown) = (log.first, log.outgrown);
        let seat = log.readers.get_mut(self.seat)?.as_mut()?;
        let Some(mut at) = seat.next.checked_sub(first) else {
            return Some(Next::End(End::Broken(Broken::too_slow())));
        };
        let wanted = |piece: &&Piece| self.wants_usage || !piece.usage_only;
        let begin = at;
        let mut size = 0;
        while let Some(piece) = log.pieces.get(at).filter(|_| size < JOIN) {
            size += if wanted(&piece) { piece.bytes.len() } else { 0 };
            at += 1;
        }
        seat.next = first + at;
        let mut pieces = log.pieces.range(begin..at).filter(wanted);
        let events = match (pieces.next(), pieces.next()) {
            (None, _) => None,
            (Some(only), None) => Some(only.bytes.clone()),
            (Some(one), Some(two)) => {
                let mut joined = BytesMut::with_capacity(size);
                for piece in [one, two].into_iter().chain(pieces) {
                    joined.extend_from_slice(&piece.bytes);
                }
                Some(joined.freeze())
            }
        };
        if outgrown {
            log.trim();
        }
        match events {
            Some(events) => Some(Next::Events(events)),
            None if at < log.pieces.len() => self.unread(log),
            None => log.end.clone().map(Next::End),
        }
    }

    /// The terminal event has been read: whatever follows, this reader has the whole answer.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        let log = self.flight.log();
        let read_all =
            log.readers.get(self.seat).and_then(Option::as_ref).is_some_and(|seat| seat.next == log.last());
        read_all && (log.complete.is_some() || matches!(log.end, Some(End::Whole)))
    }

    /// Writes what the upstream did so far into the record of the request that began the flight.
    pub fn settle(&self, recorder: &mut Recorder) {
        if let Some(source) = self.flight.source().as_ref() {
            source.settle(recorder);
        }
    }

    /// The client of the request that began the flight has left. Its record is told about now when nobody else
    /// reads, else when the flight ends: what the upstream still does is this request's doing.
    pub fn leave(self, recorder: Recorder) {
        self.flight.log().record = Some(recorder);
    }

    fn wait(&self, log: &mut Log, cx: &Context<'_>) {
        if let Some(Some(seat)) = log.readers.get_mut(self.seat) {
            match &mut seat.waker {
                Some(waker) => waker.clone_from(cx.waker()),
                none => *none = Some(cx.waker().clone()),
            }
        }
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.flight.leave(self.seat, self.leads);
    }
}

#[cfg(test)]
#[path = "flight_tests.rs"]
mod tests;
