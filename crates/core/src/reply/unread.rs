//! Answers whose clients have left, read to their end so that what they cost is known.
//!
//! A walk that is dropped while it waits for such an answer goes on behind the requests' backs, and so does a stream
//! that has begun. What comes is thrown away; the request stays one that its client cancelled, its record is told
//! about at the end, and what it holds of limits it holds until then.

use crate::{
    app::App,
    reply::feed::{Fed, Feed},
    telemetry::{
        exchange::{OpenGauge, Recorder},
        labels::{AttemptOutcome, Outcome, StreamEnd},
    },
    upstream::{
        abandoned::Leaving,
        attempt::Delivery,
        failover::{Walk, Walked},
    },
};
use futures_util::FutureExt;
use std::{
    future::Future,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    thread::panicking,
};

/// A walk that may go on after it was dropped.
pub struct Watched {
    /// Absent once it has ended.
    walk: Option<Walk>,
    leaving: Arc<Leaving>,
    app: Arc<App>,
}

impl Watched {
    /// Goes on without its client when the walk waits for a provider that wants that.
    #[must_use]
    pub fn new(walk: Walk, leaving: Arc<Leaving>, app: Arc<App>) -> Self {
        Self { walk: Some(walk), leaving, app }
    }
}

impl Future for Watched {
    type Output = Walked;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Walked> {
        let Some(walk) = &mut self.walk else { return Poll::Pending };
        let walked = std::task::ready!(walk.as_mut().poll(cx));
        self.walk = None;
        Poll::Ready(walked)
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        let Some(walk) = self.walk.take() else { return };
        // A panic is no client that left, and what is left of the walk may be in any state.
        if !panicking()
            && self.leaving.leave()
            && let Some(place) = self.app.unclaimed().place()
        {
            place.fill(read_on(walk, self.app.clone()));
        }
    }
}

/// Sees a walk through that nobody waits for.
async fn read_on(walk: Walk, app: Arc<App>) {
    let Ok(Walked { mut recorder, result }) = AssertUnwindSafe(walk).catch_unwind().await else {
        // The record went with the walk, which told about it.
        app.metrics.panics.inc();
        return;
    };
    match result {
        Ok(Delivery::Stream { events, .. }) => {
            let open = OpenGauge::new(&recorder);
            let feed = Feed::Own(events);
            return Unread::new(feed, recorder, open).await;
        }
        Ok(Delivery::Plain { facts, .. }) => recorder.answered(&facts),
        // Nothing of it was asked for on behalf of this request alone; or there is no answer.
        Ok(Delivery::Shared(_) | Delivery::Recalled(_)) | Err(_) => {}
    }
    recorder.finish(Outcome::Cancelled);
}

/// A stream that has begun and that nobody reads any more.
pub struct Unread {
    feed: Feed,
    /// Absent once it has been told about.
    recorder: Option<Recorder>,
    open: Option<OpenGauge>,
}

impl Unread {
    /// Will be read to its end, or settled when it is dropped before.
    #[must_use]
    pub fn new(feed: Feed, recorder: Recorder, open: Option<OpenGauge>) -> Self {
        Self { feed, recorder: Some(recorder), open }
    }

    fn close(&mut self, outcome: Outcome, attempt: AttemptOutcome) {
        self.open = None;
        let Some(mut recorder) = self.recorder.take() else { return };
        self.feed.settle(&mut recorder, attempt);
        recorder.streaming.get_or_insert_default().end = Some(StreamEnd::ClientDisconnect);
        recorder.finish(outcome);
    }

    /// Throws away what comes until the end, and says how the try went.
    fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<AttemptOutcome> {
        loop {
            match std::task::ready!(self.feed.poll_next(cx)) {
                Fed::Events(_) => {}
                Fed::Whole => return Poll::Ready(AttemptOutcome::Ok),
                Fed::Broken(broken) => return Poll::Ready(broken.attempt),
            }
        }
    }
}

impl Future for Unread {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        match catch_unwind(AssertUnwindSafe(|| self.poll_end(cx))) {
            Ok(polled) => {
                let attempt = std::task::ready!(polled);
                self.close(Outcome::Cancelled, attempt);
            }
            Err(_) => {
                if let Some(recorder) = &self.recorder {
                    recorder.app().metrics.panics.inc();
                }
                self.close(Outcome::GatewayError, AttemptOutcome::Cancelled);
            }
        }
        Poll::Ready(())
    }
}

/// Given up: what has come counts.
impl Drop for Unread {
    fn drop(&mut self) {
        self.close(Outcome::Cancelled, AttemptOutcome::Cancelled);
    }
}

#[cfg(test)]
#[path = "unread_tests.rs"]
mod tests;
