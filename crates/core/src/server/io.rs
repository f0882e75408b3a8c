//! A client connection's bytes, with the timers that HTTP libraries leave out.
//!
//! Cut are: a head that drips, a connection that idles too long, a client that stops reading. After a refusal
//! that left a body unread, the rest is read and thrown away for a moment, so that the client gets to see the
//! refusal instead of a reset.

use crate::timer::{LazyTimer, now};
use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    task::{Context, Poll},
    time::{Duration, Instant},
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    sync::Notify,
    time::timeout,
};

/// How long a connection may wait for its next request.
const KEEP_ALIVE: Duration = Duration::from_secs(75);
/// How long a client may take no byte.
const WRITE_STALL: Duration = Duration::from_secs(60);
/// What a client gets to send its first request, or its next after an answer, while its gateway ends.
const NEXT_REQUEST: Duration = Duration::from_secs(1);
/// How long, and how much of, an unread body is thrown away.
const LINGER: Duration = Duration::from_secs(2);
const LINGER_BYTES: usize = 32 << 20;

/// Shared between a connection's bytes and the requests on it.
#[derive(Debug, Default)]
pub struct ConnState {
    busy: AtomicBool,
    /// Requests that have begun.
    requests: AtomicU32,
    /// Tells whoever waits in [`Self::rested`] of each beginning and end of a request.
    turned: Notify,
    unread: AtomicBool,
}

impl ConnState {
    /// A request has arrived; the connection is busy until the mark is dropped.
    #[must_use]
    pub fn busy(self: &Arc<Self>) -> Busy {
        self.busy.store(true, Ordering::Relaxed);
        self.requests.fetch_add(1, Ordering::Relaxed);
        self.turned.notify_one();
        Busy(self.clone())
    }

    /// Waits until the connection may be closed without its client running into it.
    ///
    /// At once, when it has served and serves nothing now. A client that has just come gets a moment for its first
    /// request, and one whose answer has just ended for its next: nobody has told it not to, if that answer began before
    /// the drain, and its request may be on its way already.
    pub async fn rested(&self) {
        let busy = || self.busy.load(Ordering::Relaxed);
        let begun = || self.requests.load(Ordering::Relaxed);
        let mut expected = busy() || begun() == 0;
        while expected {
            while busy() {
                self.turned.notified().await;
            }
            let before = begun();
            let next = async {
                while begun() == before {
                    self.turned.notified().await;
                }
            };
            expected = timeout(NEXT_REQUEST, next).await.is_ok();
        }
    }

    /// The connection ends with an unread body on it.
    pub fn leave_unread(&self) {
        self.unread.store(true, Ordering::Relaxed);
    }
}

/// Marks a connection as serving a request.
#[derive(Debug)]
pub struct Busy(Arc<ConnState>);

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.busy.store(false, Ordering::Relaxed);
        self.0.turned.notify_one();
    }
}

/// See the module.
pub struct ClientIo<S> {
    stream: S,
    state: Arc<ConnState>,
    header_timeout: Duration,
    timer: LazyTimer,
    /// Bytes moved last, in either direction.
    active: Instant,
    /// A head has begun to arrive.
    head_since: Option<Instant>,
    /// The request whose head came last; a newer one means that the head is whole.
    seen: u32,
    /// The client takes no byte since.
    stalled_since: Option<Instant>,
    linger: Option<Linger>,
}

struct Linger {
    until: Instant,
    left: usize,
}

impl<S> ClientIo<S> {
    /// Guards a connection.
    pub fn new(stream: S, state: Arc<ConnState>, header_timeout: Duration) -> Self {
        Self {
            stream,
            state,
            header_timeout,
            timer: LazyTimer::default(),
            active: now(),
            head_since: None,
            seen: 0,
            stalled_since: None,
            linger: None,
        }
    }

    fn busy(&self) -> bool {
        self.state.busy.load(Ordering::Relaxed)
    }

    /// A request that has begun since the last look had a whole head.
    fn note_requests(&mut self) {
        let begun = self.state.requests.load(Ordering::Relaxed);
        if begun != self.seen {
            self.seen = begun;
            self.head_since = None;
        }
    }

    /// Bytes came: while nothing is served they are the beginning of a head.
    fn arrived(&mut self) {
        self.active = now();
        self.note_requests();
        if !self.busy() {
            self.head_since.get_or_insert(self.active);
        }
    }

    fn sent(&mut self) {
        self.active = now();
        self.stalled_since = None;
    }

    /// No bytes: is it time to give up? The timer is armed even while a request is served, because nobody asks
    /// again when it ends.
    fn poll_read_deadline(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.note_requests();
        loop {
            let due = match self.head_since {
                Some(since) => since + self.header_timeout,
                // A new connection that says nothing is held to the time of a head, an old one may rest longer.
                None if self.seen == 0 => self.active + self.header_timeout,
                None => self.active + KEEP_ALIVE,
            };
            std::task::ready!(self.timer.poll_due(cx, due));
            if !self.busy() {
                return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
            }
            self.active = now();
        }
    }

    fn poll_write_deadline(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let since = *self.stalled_since.get_or_insert_with(now);
        self.timer.poll_due(cx, since + WRITE_STALL).map(|()| Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for ClientIo<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        match Pin::new(&mut self.stream).poll_read(cx, buf) {
            Poll::Ready(done) => {
                if buf.filled().len() > before {
                    self.arrived();
                }
                Poll::Ready(done)
            }
            Poll::Pending => self.poll_read_deadline(cx),
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for ClientIo<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match Pin::new(&mut self.stream).poll_write(cx, bytes) {
            Poll::Ready(done) => {
                self.sent();
                Poll::Ready(done)
            }
            Poll::Pending => self.poll_write_deadline(cx),
        }
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match Pin::new(&mut self.stream).poll_write_vectored(cx, parts) {
            Poll::Ready(done) => {
                self.sent();
                Poll::Ready(done)
            }
            Poll::Pending => self.poll_write_deadline(cx),
        }
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if this.linger.is_none() {
            std::task::ready!(Pin::new(&mut this.stream).poll_shutdown(cx))?;
            if !this.state.unread.load(Ordering::Relaxed) {
                return Poll::Ready(Ok(()));
            }
        }
        let linger = this.linger.get_or_insert_with(|| Linger { until: now() + LINGER, left: LINGER_BYTES });
        let mut scratch = [0; 8 << 10];
        loop {
            let mut buf = ReadBuf::new(&mut scratch);
            match Pin::new(&mut this.stream).poll_read(cx, &mut buf) {
                Poll::Ready(Ok(())) if !buf.filled().is_empty() && linger.left > buf.filled().len() => {
                    linger.left -= buf.filled().len();
                }
                Poll::Ready(_) => return Poll::Ready(Ok(())),
                Poll::Pending => return this.timer.poll_due(cx, linger.until).map(Ok),
            }
        }
    }
}

#[cfg(test)]
#[path = "io_tests.rs"]
mod tests;
