//! The body that hyper reads: one enum, no boxed body, no channel, no task.

use crate::{
    reply::stream::StreamReply,
    server::io::Busy,
    telemetry::{exchange::Recorder, labels::Outcome},
};
use bytes::Bytes;
use http::StatusCode;
use http_body::{Body, Frame, SizeHint};
use std::{
    convert::Infallible,
    pin::Pin,
    task::{Context, Poll},
};

/// An answer's body. Holds the request's record and tells about it when the last byte is handed over, or on drop.
pub struct ReplyBody {
    kind: Kind,
    /// The connection is busy as long as this lives.
    busy: Option<Busy>,
}

enum Kind {
    Full {
        bytes: Bytes,
        close: Option<(Recorder, Outcome)>,
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
        Self { kind: Kind::Full { bytes, close: Some((recorder, outcome)) }, busy: None }
    }

    /// A whole body whose request has been told about already.
    #[must_use]
    pub fn untold(bytes: Bytes) -> Self {
        Self { kind: Kind::Untold(Some(bytes)), busy: None }
    }

    /// A stream.
    #[must_use]
    pub fn stream(stream: StreamReply) -> Self {
        Self { kind: Kind::Stream(Box::new(stream)), busy: None }
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

impl Body for ReplyBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match &mut self.kind {
            Kind::Stream(stream) => {
                stream.poll_next(cx).map(|bytes| bytes.map(|bytes| Ok(Frame::data(bytes))))
            }
            Kind::Untold(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Kind::Full { bytes, close } => Poll::Ready(close.take().map(|(recorder, outcome)| {
                recorder.finish(outcome);
                Ok(Frame::data(std::mem::take(bytes)))
            })),
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(&self.kind, Kind::Full { close: None, .. } | Kind::Untold(None))
    }

    fn size_hint(&self) -> SizeHint {
        match &self.kind {
            Kind::Full { bytes, .. } => SizeHint::with_exact(bytes.len() as u64),
            Kind::Untold(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64)),
            Kind::Stream(_) => SizeHint::default(),
        }
    }
}
