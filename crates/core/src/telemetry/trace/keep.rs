//! Which requests' traces are kept: decided at the end, when it is known how they went.
//!
//! Always: what failed, what had to be tried again, what was slow, and what the caller keeps on its side. Of the rest
//! the configured share, by the trace's id; where a caller says that it does not keep the trace, none.

use super::{ids::TraceId, names, parent::Parent};
use crate::telemetry::{
    exchange::Exchange,
    labels::{AttemptOutcome, Outcome},
    line::Ended,
};
use std::time::Duration;

/// What is kept.
#[derive(Debug, Clone, Copy)]
pub(super) struct Keep {
    /// Of requests that went well, 0 to 1.
    pub(super) share: f64,
    /// So long a client waits for an answer, or for the next piece of it, before that is slow.
    pub(super) slow: Duration,
}

impl Keep {
    /// Is it kept however it goes? Told to upstreams, which may keep their part then.
    pub(super) fn at_the_start(&self, trace: TraceId, parent: Option<&Parent>) -> bool {
        parent.map_or_else(|| trace.draw_of() < self.share, |parent| parent.sampled)
    }

    /// Is it kept for how it went?
    pub(super) fn at_the_end(&self, x: &Exchange, ended: &Ended<'_>) -> bool {
        let again = |outcome| names::try_failed(outcome) && outcome != AttemptOutcome::ClientError;
        names::failed(x.outcome)
            || x.attempts.iter().any(|attempt| again(attempt.outcome))
            || waited(x, ended) >= self.slow
    }
}

/// How long the client waited for something to read: for the whole of a plain answer, for the first content of a
/// stream, or for more of it. Its own slowness is not ours.
fn waited(x: &Exchange, ended: &Ended<'_>) -> Duration {
    let stream = x.streaming.as_ref();
    match stream.and_then(|stream| Some((stream, stream.first_content?))) {
        Some((stream, first)) => first.saturating_duration_since(x.started).max(stream.max_gap),
        // A replayed stream has no events of an upstream's; one whose client left has waited to its end.
        None if x.stream && x.outcome == Outcome::Ok && x.cache.is_given() => Duration::ZERO,
        None => ended.total.saturating_sub(x.client_wait),
    }
}

#[cfg(test)]
#[path = "keep_tests.rs"]
mod tests;
