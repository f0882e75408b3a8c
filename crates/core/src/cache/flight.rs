//! One answer under way, for everybody who asked the same: an append-only log of its pieces, read by index.
//!
//! No task and no channel: whoever needs the next piece polls the source, and everybody who waits is woken when
//! one has come. So the fastest reader sets the pace, a reader that does not read holds nobody up, any reader may
//! leave (the one who began it, too), and with the last one the upstream is let go. A piece is a slice of
//! what arrived; readers share it.
//!
//! What the source does (look-ups, upstreams, storing) is not known here.

mod log;
mod reader;

pub use log::Piece;
pub use reader::{Next, Opening, Reader};

use crate::{
    cache::{
        entry::{Entry, Giver},
        flights::Flights,
        generations::Generation,
        key::CacheKey,
    },
    error::{Broken, GatewayError},
    state::unclaimed::Place,
    telemetry::exchange::Recorder,
};
use bytes::Bytes;
use log::Log;
use smallvec::SmallVec;
use std::{
    ops::Range,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, TryLockError,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
};

/// Where the pieces come from.
pub trait Source: Send {
    /// The next thing that happened. Not asked again after [`Progress::End`].
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Progress>;
    /// The log is whole: `events` is all of it, `usage` where events that only carry usage stand in it. What
    /// comes back serves readers who want another form of the answer.
    fn complete(&mut self, events: Bytes, usage: Vec<Range<usize>>) -> Arc<Entry>;
    /// The log outgrew what may be kept: [`complete`](Self::complete) is not called.
    fn outgrown(&mut self);
    /// Nobody reads any more. Room for its being read to its end all the same, where that is wanted; asked once.
    fn goes_on(&mut self) -> Option<Place> {
        None
    }
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
    /// The piece with the terminal event: the log is whole, whatever the connection still does.
    Last(Piece),
    /// The same, of an answer that is not kept.
    LastUnkept(Piece),
    /// The end. The record is there unless the answer had begun before.
    End(End, Option<Recorder>),
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

/// One answer under way.
pub struct Flight {
    source: Mutex<Option<Box<dyn Source>>>,
    log: Mutex<Log>,
    /// Somebody found the source taken.
    missed: AtomicBool,
    /// What requests must have in common to read it together.
    terms: Terms,
    /// The body of the request that began it.
    asked: Bytes,
    /// Bytes that are kept of it.
    limit: usize,
    /// Where others find it; absent for one that nobody may join.
    listed: Option<(Arc<Flights>, CacheKey)>,
}

/// What two requests with one key must have in common to read one flight.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terms {
    /// Nothing that concerns them was purged between the two.
    pub generation: Generation,
    /// Usage in the stream, where the upstream sends it only to those who ask.
    pub usage: Option<bool>,
}

impl Flight {
    /// A flight that waits for its source; `limit` is the largest answer that is kept whole, `asked` the body of
    /// the request that begins it.
    #[must_use]
    pub fn new(
        limit: usize,
        terms: Terms,
        asked: Bytes,
        listed: Option<(Arc<Flights>, CacheKey)>,
    ) -> Arc<Self> {
        let (source, log) = (Mutex::new(None), Mutex::new(Log::default()));
        Arc::new(Self { source, log, missed: AtomicBool::new(false), terms, asked, limit, listed })
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

    /// One more reader, from the first piece on; `None` when it is over, has failed, has let go of its beginning
    /// or is not for this reader.
    #[must_use]
    pub fn join(self: &Arc<Self>, terms: &Terms, wants_usage: bool) -> Option<Reader> {
        let mut log = self.log();
        let failed = matches!(log.end, Some(End::Failed(_) | End::Broken(_)));
        if log.closed || log.outgrown || failed || self.terms != *terms {
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
        let Some(mut guard) = self.try_source() else { return Poll::Pending };
        let Some(source) = guard.as_mut() else { return Poll::Pending };
        // It may have ended while we came here.
        if self.log().end.is_some() {
            return Poll::Ready(());
        }
        let waker = Waker::from(self.clone());
        let mut cx = Context::from_waker(&waker);
        // A fault of the source's is no fault of whoever happens to ask it.
        let progress = match catch_unwind(AssertUnwindSafe(|| source.poll_next(&mut cx))) {
            Ok(Poll::Ready(progress)) => progress,
            Ok(Poll::Pending) => {
                drop(guard);
                // Whoever found the source taken meanwhile may have been the one whom it woke.
                if self.missed.swap(false, Ordering::AcqRel) {
                    let wakers = self.log().wakers(Some(seat));
                    wakers.into_iter().for_each(Waker::wake);
                }
                return Poll::Pending;
            }
            Err(_) => self.fault(&mut **source),
        };
        let over = self.take(progress, &mut **source);
        let orphan = {
            let mut log = self.log();
            if log.end.is_some() && log.orphaned { log.record.take() } else { None }
        };
        if let Some(mut orphan) = orphan {
            source.settle(&mut orphan);
            orphan.finish_left();
        }
        // Before anybody is woken: who found the source taken would else wait for ever.
        drop(guard);
        if over {
            self.unlist();
        }
        let wakers = self.log().wakers(Some(seat));
        wakers.into_iter().for_each(Waker::wake);
        Poll::Ready(())
    }

    /// The source, unless somebody else asks it right now, who then wakes everybody when that is over.
    fn try_source(&self) -> Option<MutexGuard<'_, Option<Box<dyn Source>>>> {
        let attempt = || match self.source.try_lock() {
            Ok(guard) => Some(guard),
            Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        };
        attempt().or_else(|| {
            self.missed.store(true, Ordering::Release);
            // It may have been let go before that was seen.
            attempt()
        })
    }

    /// The source has panicked: the flight ends, and the request whose walk it was has lost its record.
    fn fault(&self, source: &mut dyn Source) -> Progress {
        // What is left of it may be in any state.
        let _ = catch_unwind(AssertUnwindSafe(|| source.cancel()));
        let broken = Broken::fault();
        let end = if self.log().begun { End::Broken(broken) } else { End::Failed(broken.error) };
        Progress::End(end, None)
    }

    /// Writes down what has happened; says whether nobody else may join from now on.
    fn take(&self, progress: Progress, source: &mut dyn Source) -> bool {
        let mut log = self.log();
        match progress {
            Progress::Begun(recorder, giver) => {
                log.begun = true;
                log.giver = giver;
                log.record = Some(recorder);
                false
            }
            Progress::Piece(piece) => self.append(&mut log, piece, source),
            Progress::LastUnkept(piece) => {
                let appended = self.append(&mut log, piece, source);
                log.terminal = true;
                appended
            }
            Progress::Last(piece) => {
                self.append(&mut log, piece, source);
                log.terminal = true;
                if !log.outgrown {
                    let (events, usage) = log.join();
                    // Looked at and stored without the log's lock: readers go on meanwhile.
                    drop(log);
                    let made = catch_unwind(AssertUnwindSafe(|| source.complete(events, usage)));
                    self.log().complete = made.ok();
                }
                true
            }
            Progress::End(end, record) => {
                log.end = Some(end);
                if let Some(record) = record {
                    log.record = Some(record);
                }
                true
            }
        }
    }

    /// Adds a piece; says whether the log has just outgrown what may be kept.
    fn append(&self, log: &mut Log, piece: Piece, source: &mut dyn Source) -> bool {
        log.bytes += piece.bytes.len();
        log.pieces.push_back(piece);
        let outgrows = log.bytes > self.limit && !log.outgrown;
        if outgrows {
            log.outgrown = true;
            source.outgrown();
        }
        if log.outgrown {
            log.trim();
        }
        outgrows
    }

    /// A reader goes. With the last one goes the upstream, unless that is to be read to its end.
    fn leave(self: &Arc<Self>, seat: usize, leads: bool) {
        let mut log = self.log();
        if let Some(place) = log.readers.get_mut(seat) {
            *place = None;
        }
        log.orphaned |= leads;
        let last = log.live() == 0;
        // Closed before: then it is one who read for nobody that goes.
        let may_go_on = last && !log.closed;
        log.closed |= last;
        if log.outgrown {
            log.trim();
        }
        let ended = log.end.is_some();
        // The record of a reader that never fetched it.
        let orphan = if log.orphaned && (last || ended) { log.record.take() } else { None };
        // Whoever was about to ask the source may be the one that left.
        let wakers = if ended { SmallVec::new() } else { log.wakers(None) };
        drop(log);
        wakers.into_iter().for_each(Waker::wake);
        if last {
            self.unlist();
        }
        if (last && !ended) || orphan.is_some() {
            let mut guard = self.source();
            if let Some(source) = guard.as_mut() {
                if may_go_on
                    && !ended
                    && let Some(place) = source.goes_on()
                {
                    // Its end tells about the record.
                    self.log().record = orphan;
                    drop(guard);
                    return place.fill(reader::read_on(Reader::of_nobody(self)));
                }
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

#[cfg(test)]
#[path = "flight_tests.rs"]
mod tests;
