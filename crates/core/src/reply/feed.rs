//! Where a stream's events come from: its own upstream, a flight, or a stored answer.

use crate::{
    cache::{
        flight::{End, Next, Reader},
        replay::Slices,
        store::Recalled,
    },
    error::Broken,
    telemetry::{exchange::Recorder, labels::AttemptOutcome},
    timer::{LazyTimer, now},
    upstream::{
        relay::Relay,
        stream::{Ending, Step},
    },
};
use bytes::Bytes;
use sluice_protocol::sse::Decoder;
use std::{
    task::{Context, Poll},
    time::{Duration, Instant},
};

/// Between two events of a replay at a reading pace.
const PACE: Duration = Duration::from_millis(20);

/// A source of events.
pub enum Feed {
    /// A stream that only this client reads.
    Own(Box<Relay>),
    /// A stream that others may read, too.
    Shared(Reader),
    /// A stored answer, at once or paced.
    Stored(Stored),
}

/// What a feed brought.
pub enum Fed {
    /// Whole events.
    Events(Bytes),
    /// The end of a whole answer.
    Whole,
    /// The end of one that is not.
    Broken(Broken),
}

impl Feed {
    /// The next events, or the end.
    pub fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Fed> {
        Poll::Ready(match self {
            Self::Own(events) => match std::task::ready!(events.poll_step(cx)) {
                Step::Events(piece) => Fed::Events(piece.bytes),
                Step::End(Ending::Whole) => Fed::Whole,
                Step::End(ending) => Fed::Broken(events.broken(&ending)),
            },
            Self::Shared(reader) => match std::task::ready!(reader.poll_next(cx)) {
                Next::Events(bytes) => Fed::Events(bytes),
                Next::End(End::Whole) => Fed::Whole,
                Next::End(End::Broken(broken)) => Fed::Broken(broken),
                Next::End(End::Plain(..) | End::Found(_) | End::Failed(_)) => Fed::Broken(Broken::fault()),
            },
            Self::Stored(stored) => std::task::ready!(stored.poll_next(cx)).map_or(Fed::Whole, Fed::Events),
        })
    }

    /// The client has had the terminal event.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        match self {
            Self::Own(events) => events.is_complete(),
            Self::Shared(reader) => reader.is_complete(),
            Self::Stored(stored) => stored.is_over(),
        }
    }

    /// Writes what was read into the record: tokens, pace, how the try went.
    pub fn settle(&self, recorder: &mut Recorder, attempt: AttemptOutcome) {
        match self {
            Self::Own(events) => events.settle(recorder, attempt, Instant::now()),
            Self::Shared(reader) if reader.leads() => reader.settle(recorder),
            Self::Shared(reader) => recorder.cache.saved = reader.usage(),
            Self::Stored(_) => {}
        }
    }
}

/// A stored answer on its way out.
pub struct Stored {
    slices: <Slices as IntoIterator>::IntoIter,
    paced: Option<Paced>,
}

struct Paced {
    events: Decoder,
    timer: LazyTimer,
    due: Instant,
}

impl Recalled {
    /// A stream of it.
    #[must_use]
    pub fn feed(self) -> Feed {
        Feed::Stored(if self.paced { Stored::paced(self.slices) } else { Stored::instant(self.slices) })
    }
}

impl Stored {
    /// All of it at once.
    #[must_use]
    pub fn instant(slices: Slices) -> Self {
        Self { slices: slices.into_iter(), paced: None }
    }

    /// Event by event.
    #[must_use]
    pub fn paced(slices: Slices) -> Self {
        let longest = slices.iter().map(Bytes::len).sum();
        let mut events = Decoder::new(longest);
        slices.into_iter().for_each(|slice| events.push(slice));
        let paced = Paced { events, timer: LazyTimer::default(), due: now() };
        Self { slices: Slices::new().into_iter(), paced: Some(paced) }
    }

    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        let Some(paced) = &mut self.paced else { return Poll::Ready(self.slices.next()) };
        std::task::ready!(paced.timer.poll_due(cx, paced.due));
        paced.due = now() + PACE;
        // What was stored was read event by event before.
        let next = paced.events.next().ok().flatten();
        // Known at once, so that a client that leaves after the last event has had everything.
        if paced.events.remainder() == 0 {
            self.paced = None;
        }
        Poll::Ready(next.map(|event| event.raw))
    }

    fn is_over(&self) -> bool {
        self.paced.is_none() && self.slices.len() == 0
    }
}
