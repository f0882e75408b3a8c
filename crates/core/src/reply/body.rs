//! The body that hyper reads: one enum, no boxed body, no channel, no task.

use crate::{
    cache::replay::Slices,
    reply::stream::StreamReply,
    server::io::Busy,
    telemetry::{
        exchange::Recorder,
        labels::{AbortPhase, Outcome},
    },
};
use bytes::Bytes;
use http::StatusCode;
use http_body::{Body, Frame, SizeHint};
use std::{
    convert::Infallible,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    task::{Context, Poll},
};

/// A whole body is handed over in pieces, so that a client that reads slowly is seen to do so, and one that
/// leaves half-way is not taken for one that got everything. Each is written out before the next is handed over, so
/// that a connection's buffer, which never shrinks, does not grow with the answer.
pub(super) const PIECE: usize = 32 << 10;

/// An answer's body. Holds the request's record and tells about it when the last byte is handed over, or on drop.
pub struct ReplyBody {
    kind: Kind,
    /// A whole piece was handed over, and hyper is to write it out.
    flushing: bool,
    /// The connection is busy as long as this lives.
    busy: Option<Busy>,
}

enum Kind {
    Full {
        bytes: Bytes,
        close: Option<(Recorder, Outcome)>,
    },
    /// A whole answer that was there already, as slices of it.
    Slices {
        slices: <Slices as IntoIterator>::IntoIter,
        now: Bytes,
        /// Its length is told; a stream's is not.
        sized: bool,
        close: Option<Recorder>,
    },
    /// A body without a record.
    Untold(Option<Bytes>),
    Stream(Box<StreamReply>),
}

impl ReplyBody {
    /// A whole body.
    #[must_use]
    pub fn full(bytes: Bytes, mut recorder: Recorder, status: StatusCode, outcome: Outcome) -> Self {
        recorder.status = status.as_u16();
        recorder.response_bytes = bytes.len() as u64;
        if recorder.head_only || status == StatusCode::NO_CONTENT {
            // The body will not be asked for.
            recorder.finish(outcome);
            return Self::untold(bytes);
        }
        Self { kind: Kind::Full { bytes, close: Some((recorder, outcome)) }, flushing: false, busy: None }
    }

    /// A whole answer with status 200 that was there already.
    #[must_use]
    pub fn slices(slices: Slices, mut recorder: Recorder, sized: bool) -> Self {
        recorder.status = 200;
        recorder.phase = if sized { recorder.phase } else { AbortPhase::Stream };
        recorder.response_bytes = slices.iter().map(|slice| slice.len() as u64).sum();
        let close = if recorder.head_only {
            recorder.finish(Outcome::Ok);
            None
        } else {
            Some(recorder)
        };
        let mut slices = slices.into_iter();
        let now = slices.next().unwrap_or_default();
        Self { kind: Kind::Slices { slices, now, sized, close }, flushing: false, busy: None }
    }

    /// A whole body whose request has been told about already.
    #[must_use]
    pub fn untold(bytes: Bytes) -> Self {
        Self { kind: Kind::Untold(Some(bytes)), flushing: false, busy: None }
    }

    /// A stream.
    #[must_use]
    pub fn stream(stream: StreamReply) -> Self {
        Self { kind: Kind::Stream(Box::new(stream)), flushing: false, busy: None }
    }

    /// The answer goes out while the request's body is still on its way: the connection cannot be used again,
    /// since what would follow on it is that body.
    #[must_use]
    pub fn left_body_unread(&self) -> bool {
        matches!(&self.kind, Kind::Full { close: Some((recorder, _)), .. } if recorder.body_left)
    }

    /// Keeps the connection marked as busy until the body is gone.
    #[must_use]
    pub fn hold(mut self, busy: Busy) -> Self {
        self.busy = Some(busy);
        self
    }
}

/// A panic inside a stream ends that stream with an error, and nothing else.
fn poll_guarded(stream: &mut StreamReply, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
    match catch_unwind(AssertUnwindSafe(|| stream.poll_next(cx))) {
        Ok(polled) => polled,
        Err(_) => {
            stream.panicked();
            stream.poll_next(cx)
        }
    }
}

impl Body for ReplyBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if std::mem::take(&mut self.flushing) {
            // hyper writes what it has when there is nothing more for now.
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let next = match &mut self.kind {
            Kind::Stream(stream) => std::task::ready!(poll_guarded(stream, cx)),
            Kind::Untold(bytes) => bytes.take(),
            Kind::Slices { slices, now, close, .. } => {
                let piece = close.is_some().then(|| now.split_to(now.len().min(PIECE)));
                if now.is_empty() {
                    match slices.next() {
                        Some(next) => *now = next,
                        None => {
                            if let Some(recorder) = close.take() {
                                recorder.finish(Outcome::Ok);
                            }
                        }
                    }
                }
                piece
            }
            Kind::Full { bytes, close } => {
                let piece = close.is_some().then(|| bytes.split_to(bytes.len().min(PIECE)));
                if bytes.is_empty()
                    && let Some((recorder, outcome)) = close.take()
                {
                    recorder.finish(outcome);
                }
                piece
            }
        };
        self.flushing = !self.is_end_stream() && next.as_ref().is_some_and(|piece| piece.len() == PIECE);
        Poll::Ready(next.map(|bytes| Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        matches!(
            &self.kind,
            Kind::Full { close: None, .. } | Kind::Slices { close: None, .. } | Kind::Untold(None)
        )
    }

    fn size_hint(&self) -> SizeHint {
        match &self.kind {
            Kind::Full { bytes, .. } => SizeHint::with_exact(bytes.len() as u64),
            Kind::Untold(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64)),
            Kind::Slices { slices, now, sized: true, .. } => {
                let rest: usize = slices.as_slice().iter().map(Bytes::len).sum();
                SizeHint::with_exact((now.len() + rest) as u64)
            }
            Kind::Slices { .. } | Kind::Stream(_) => SizeHint::default(),
        }
    }
}
