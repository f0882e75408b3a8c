//! The log of a flight: pieces in their order, who reads how far, and what is known of the answer.
//!
//! Plain data under the flight's lock. It keeps everything until the answer outgrows what may be kept; from then
//! on it keeps what somebody still has to read, within a window.

use super::{End, Next};
use crate::{
    cache::entry::{Entry, Giver},
    error::Broken,
    telemetry::exchange::Recorder,
};
use bytes::{Bytes, BytesMut};
use smallvec::SmallVec;
use std::{
    collections::VecDeque,
    ops::Range,
    sync::Arc,
    task::{Context, Waker},
};

/// Unread bytes that a reader may have outstanding before it is cut off from an answer that is too large to be
/// kept whole. A lone reader is never cut: then nothing is read ahead of it.
pub(super) const WINDOW: usize = 4 << 20;
/// Pieces that wait for a reader are joined up to this: a write costs more than a copy.
const JOIN: usize = 64 << 10;

/// Whole events.
#[derive(Debug, Clone)]
pub struct Piece {
    /// As they came.
    pub bytes: Bytes,
    /// They carry nothing but usage: for those whose clients asked for it.
    pub usage_only: bool,
}

/// See the module.
#[derive(Default)]
pub(super) struct Log {
    pub(super) pieces: VecDeque<Piece>,
    /// Index of the first piece that is still kept.
    pub(super) first: usize,
    pub(super) bytes: usize,
    pub(super) begun: bool,
    pub(super) giver: Option<Giver>,
    pub(super) outgrown: bool,
    /// The terminal event has come.
    pub(super) terminal: bool,
    /// The whole answer, once its terminal event has come and if it was kept whole.
    pub(super) complete: Option<Arc<Entry>>,
    pub(super) end: Option<End>,
    /// Nobody reads it and nobody may join.
    pub(super) closed: bool,
    pub(super) readers: Vec<Option<Seat>>,
    /// Record of the request that began the flight, until its reader fetches it.
    pub(super) record: Option<Recorder>,
    /// That reader is gone: its record is told about when the flight ends, with the outcome in it.
    pub(super) orphaned: bool,
}

/// One reader's place.
pub(super) struct Seat {
    /// Next piece.
    next: usize,
    waker: Option<Waker>,
}

impl Log {
    pub(super) fn live(&self) -> usize {
        self.readers.iter().flatten().count()
    }

    pub(super) fn last(&self) -> usize {
        self.first + self.pieces.len()
    }

    pub(super) fn seat(&mut self) -> usize {
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

    /// A seat for one who has no use for what has come so far.
    pub(super) fn seat_at_the_end(&mut self) -> usize {
        let (seat, last) = (self.seat(), self.last());
        if let Some(Some(own)) = self.readers.get_mut(seat) {
            own.next = last;
        }
        seat
    }

    /// Everybody who waits, but for one.
    pub(super) fn wakers(&mut self, but: Option<usize>) -> SmallVec<[Waker; 4]> {
        let others = self.readers.iter_mut().enumerate().filter(|(index, _)| Some(*index) != but);
        others.filter_map(|(_, seat)| seat.as_mut()?.waker.take()).collect()
    }

    /// Lets go of what every reader has had, and of readers who are too far behind.
    pub(super) fn trim(&mut self) {
        let lone = self.live() <= 1;
        while self.bytes > WINDOW && !lone {
            self.drop_first();
        }
        let least = self.readers.iter().flatten().map(|seat| seat.next).min().unwrap_or(self.last());
        while self.first < least && !self.pieces.is_empty() {
            self.drop_first();
        }
    }

    pub(super) fn drop_first(&mut self) {
        if let Some(piece) = self.pieces.pop_front() {
            self.first += 1;
            self.bytes -= piece.bytes.len();
        }
    }

    /// The whole log as one text.
    pub(super) fn join(&self) -> (Bytes, Vec<Range<usize>>) {
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

    /// What a reader has not had yet, or the end.
    pub(super) fn unread(&mut self, seat: usize, wants_usage: bool) -> Option<Next> {
        let (first, outgrown) = (self.first, self.outgrown);
        let own = self.readers.get_mut(seat)?.as_mut()?;
        let Some(mut at) = own.next.checked_sub(first) else {
            return Some(Next::End(End::Broken(Broken::too_slow())));
        };
        let wanted = |piece: &&Piece| wants_usage || !piece.usage_only;
        let begin = at;
        let mut size = 0;
        while let Some(piece) = self.pieces.get(at).filter(|_| size < JOIN) {
            size += if wanted(&piece) { piece.bytes.len() } else { 0 };
            at += 1;
        }
        own.next = first + at;
        let mut pieces = self.pieces.range(begin..at).filter(wanted);
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
            self.trim();
        }
        match events {
            Some(events) => Some(Next::Events(events)),
            None if at < self.pieces.len() => self.unread(seat, wants_usage),
            None => self.end.clone().map(Next::End),
        }
    }

    /// Notes whom to wake for a reader.
    pub(super) fn wait(&mut self, seat: usize, cx: &Context<'_>) {
        if let Some(Some(seat)) = self.readers.get_mut(seat) {
            match &mut seat.waker {
                Some(waker) => waker.clone_from(cx.waker()),
                none => *none = Some(cx.waker().clone()),
            }
        }
    }

    /// A reader has had every piece so far.
    pub(super) fn has_all(&self, seat: usize) -> bool {
        let last = self.last();
        self.readers.get(seat).and_then(Option::as_ref).is_some_and(|seat| seat.next == last)
    }
}
