//! Bodies on the upstream's side: a spliced request going out, a bounded answer coming in.

use crate::{
    gather::Gather,
    timer::LazyTimer,
    upstream::{answer::AnswerBody, errand::Outgoing},
};
use bytes::{Bytes, BytesMut};
use http_body::{Body, Frame, SizeHint};
use std::{
    convert::Infallible,
    future::poll_fn,
    pin::{Pin, pin},
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
    time::{Duration, Instant},
};

/// Whether and when a request has begun to go out. Clones tell of the same request.
#[derive(Debug, Clone, Default)]
pub struct Sent(Arc<Sending>);

#[derive(Debug, Default)]
struct Sending {
    begun: OnceLock<Instant>,
    last: AtomicBool,
}

impl Sent {
    /// There was a connection, and the request went out on it.
    #[must_use]
    pub fn has_begun(&self) -> bool {
        self.0.begun.get().is_some()
    }

    /// When it began.
    #[must_use]
    pub fn at(&self) -> Option<Instant> {
        self.0.begun.get().copied()
    }

    pub(crate) fn begin(&self) {
        self.0.begun.get_or_init(Instant::now);
    }

    /// Nobody waits for the answer any more: the request is not to go out once more.
    pub(crate) fn forbid_repeat(&self) {
        self.0.last.store(true, Ordering::Relaxed);
    }

    /// May the request go out once more, should its connection die?
    pub(crate) fn may_repeat(&self) -> bool {
        !self.0.last.load(Ordering::Relaxed)
    }

    /// Is it told of the same request?
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

/// A request's body as segments of the client's own bytes: nothing is copied together.
pub struct RequestBody {
    outgoing: Arc<Outgoing>,
    /// The next segment.
    next: usize,
    left: u64,
    sent: Sent,
}

impl RequestBody {
    /// The body of a request, which tells when it begins to be sent.
    #[must_use]
    pub fn new(outgoing: Arc<Outgoing>, sent: Sent) -> Self {
        let left = outgoing.body.len() as u64;
        Self { outgoing, next: 0, left, sent }
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.sent.begin();
        let segment = self.outgoing.body.iter().nth(self.next).cloned();
        Poll::Ready(segment.map(|bytes| {
            self.next += 1;
            self.left = self.left.saturating_sub(bytes.len() as u64);
            Ok(Frame::data(bytes))
        }))
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}

/// Why an answer's body could not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReadFault {
    /// Larger than allowed.
    TooLarge,
    /// Silent for too long, or too long as a whole.
    Timeout,
    /// Cut, or wrongly framed.
    Broken,
}

/// Timers of a body: silence, and the whole. The clock is read only by whoever has to wait.
pub struct ReadClock {
    idle: Duration,
    end: Instant,
    timer: LazyTimer,
}

impl ReadClock {
    /// Allows for so much silence, and for the whole until then.
    #[must_use]
    pub fn new(idle: Duration, end: Instant) -> Self {
        Self { idle, end, timer: LazyTimer::default() }
    }

    /// Whatever still comes, the body ends by then.
    pub fn end_by(&mut self, end: Instant) {
        self.end = self.end.min(end);
    }

    /// Ready when the silence, in which somebody waits `since` then, or the whole has lasted too long.
    pub fn poll_expired(&mut self, cx: &mut Context<'_>, since: Instant) -> Poll<()> {
        self.timer.poll_due(cx, (since + self.idle).min(self.end))
    }
}

/// Reads a whole body within a limit and its timers.
///
/// # Errors
/// When it is larger than `limit`, too slow, or broken.
pub async fn read_all(body: AnswerBody, limit: usize, mut clock: ReadClock) -> Result<Bytes, ReadFault> {
    if body.size_hint().lower() > limit as u64 {
        return Err(ReadFault::TooLarge);
    }
    let mut gather = Gather::new(body.size_hint().lower());
    let mut body = pin!(body);
    loop {
        let mut since = None;
        let frame = poll_fn(|cx| match body.as_mut().poll_frame(cx) {
            Poll::Ready(frame) => Poll::Ready(Ok(frame)),
            Poll::Pending => {
                let since = *since.get_or_insert_with(Instant::now);
                clock.poll_expired(cx, since).map(|()| Err(ReadFault::Timeout))
            }
        })
        .await?;
        let Some(frame) = frame else { return Ok(gather.finish()) };
        let Ok(data) = frame.map_err(|_| ReadFault::Broken)?.into_data() else { continue };
        if gather.len() + data.len() > limit {
            return Err(ReadFault::TooLarge);
        }
        gather.push(data);
    }
}

/// Reads what comes of a body within a limit and a time, and returns that.
pub async fn read_some(body: impl Body<Data = Bytes>, limit: usize, patience: Duration) -> Bytes {
    let mut body = pin!(body);
    let mut read = BytesMut::new();
    let all = async {
        while let Some(Ok(frame)) = poll_fn(|cx| body.as_mut().poll_frame(cx)).await {
            let Ok(data) = frame.into_data() else { continue };
            let room = limit.saturating_sub(read.len());
            read.extend_from_slice(data.get(..room).unwrap_or(&data));
            if data.len() >= room {
                break;
            }
        }
    };
    // Too slow: what has come is enough.
    tokio::time::timeout(patience, all).await.ok();
    read.freeze()
}
