//! One HTTP/1.1 connection to an upstream, without a task of its own.
//!
//! It moves when whoever waits for its answer is polled: bytes of the upstream wake the request that they are for, and
//! nobody in between. HTTP is hyper's; where connections rest between two requests is `lanes`'.

use crate::upstream::{body::RequestBody, connect::UpstreamIo, signal::Signal, tally::Tally};
use http::{Request, Response};
use hyper::{
    body::Incoming,
    client::conn::{
        TrySendError,
        http1::{Builder, Connection, SendRequest},
    },
};
use hyper_util::rt::TokioIo;
use std::{
    future::{Future, poll_fn},
    pin::{Pin, pin},
    task::{Context, Poll, Waker},
};

/// Larger response heads are refused.
pub const MAX_HEAD: usize = 256 << 10;

/// See the module.
pub struct Lane {
    sender: SendRequest<RequestBody>,
    /// Gone once it has ended.
    connection: Option<Connection<TokioIo<UpstreamIo>, RequestBody>>,
    signal: Signal,
    tally: Tally,
}

/// No head of an answer came.
pub struct Unanswered {
    /// The request, where not a byte of it was sent.
    pub unsent: Option<Request<RequestBody>>,
    /// What the connection has carried.
    pub tally: Tally,
}

impl Lane {
    /// Opens HTTP on a new connection; nothing is sent yet.
    ///
    /// # Errors
    /// None that is known: hyper keeps the possibility.
    pub async fn open(io: TokioIo<UpstreamIo>) -> Result<Box<Self>, hyper::Error> {
        let tally = io.inner().tally().clone();
        let (sender, connection) = Builder::new().max_buf_size(MAX_HEAD).handshake(io).await?;
        Ok(Box::new(Self { sender, connection: Some(connection), signal: Signal::default(), tally }))
    }

    /// Sends a request and waits for the head of its answer. Dropped before, it closes the connection.
    ///
    /// # Errors
    /// The connection ended first.
    pub fn ask(
        mut self: Box<Self>,
        request: Request<RequestBody>,
    ) -> impl Future<Output = Result<(Response<Incoming>, Box<Self>), Unanswered>> {
        let answer = self.sender.try_send_request(request);
        // What is to be sent has raised nothing where the connection did not wait for it yet.
        self.signal.raise();
        self.brings(answer)
    }

    async fn brings(
        mut self: Box<Self>,
        answer: impl Future<Output = Result<Response<Incoming>, TrySendError<Request<RequestBody>>>>,
    ) -> Result<(Response<Incoming>, Box<Self>), Unanswered> {
        let mut answer = pin!(answer);
        let answered = poll_fn(|cx| self.watch(cx, |cx| answer.as_mut().poll(cx)));
        match answered.await {
            Ok(response) => Ok((response, self)),
            Err(mut fault) => Err(Unanswered { unsent: fault.take_message(), tally: self.tally.clone() }),
        }
    }

    /// Looks for something that only the connection brings, and moves that as long as there is anything to move. The
    /// task is woken when there is more.
    pub fn watch<T>(
        &mut self,
        cx: &mut Context<'_>,
        mut look: impl FnMut(&mut Context<'_>) -> Poll<T>,
    ) -> Poll<T> {
        let Self { connection, signal, .. } = self;
        let inner = &mut Context::from_waker(signal.waker());
        // Nobody but the connection brings it, and that is moved here.
        let quiet = &mut Context::from_waker(Waker::noop());
        signal.watch(cx, || look(quiet), || drive(connection, inner))
    }

    /// The task that it moved with has nothing to do with it any more.
    pub fn leave(&self) {
        self.signal.forget();
    }

    /// Can it take a request?
    #[must_use]
    pub fn is_free(&self) -> bool {
        self.connection.is_some() && self.sender.is_ready()
    }

    /// Has the upstream closed it while it rested? Nobody is woken.
    pub fn has_ended(&mut self) -> bool {
        drive(&mut self.connection, &mut Context::from_waker(self.signal.waker()));
        !self.is_free()
    }
}

/// Reads and writes what can be.
fn drive(connection: &mut Option<Connection<TokioIo<UpstreamIo>, RequestBody>>, cx: &mut Context<'_>) {
    if let Some(moving) = connection
        && Pin::new(moving).poll(cx).is_ready()
    {
        // Whoever still waits on it is told by its drop.
        *connection = None;
    }
}
