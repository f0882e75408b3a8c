//! What an upstream's status means: deliver it, try the next target, or tell the client.
//!
//! One table. Texts and bodies are the attempt's.

use crate::{error::ErrorKind, telemetry::labels::AttemptOutcome};

/// What follows from a status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// An answer.
    Deliver,
    /// A failure.
    Fail(Verdict),
}

/// What follows from a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verdict {
    /// How the try counts.
    pub outcome: AttemptOutcome,
    /// What the client is told if nothing better comes.
    pub kind: ErrorKind,
    /// May the next target be tried?
    pub next: bool,
    /// May the same target be tried again? Nothing says that it has done, or would do, any work for the request.
    pub again: bool,
}

const fn fail(outcome: AttemptOutcome, kind: ErrorKind, next: bool) -> Class {
    Class::Fail(Verdict { outcome, kind, next, again: false })
}

const fn again(kind: ErrorKind) -> Class {
    Class::Fail(Verdict { outcome: AttemptOutcome::ServerError, kind, next: true, again: true })
}

/// Reads a status.
#[must_use]
pub const fn status(status: u16) -> Class {
    use AttemptOutcome::{AuthError, BadResponse, ClientError, RateLimited, ServerError, Timeout};
    match status {
        200..=299 => Class::Deliver,
        // Another target may know the model.
        404 => fail(ClientError, ErrorKind::UpstreamRefused(404), true),
        // The request itself: every target would say the same.
        400 | 409 | 413 | 415 | 422 => fail(ClientError, ErrorKind::UpstreamRefused(status), false),
        // Our credential or our bill, never the client's.
        401..=403 => fail(AuthError, ErrorKind::UpstreamAuth, true),
        408 | 504 => fail(Timeout, ErrorKind::UpstreamTimeout, true),
        429 => fail(RateLimited, ErrorKind::UpstreamLimited, true),
        503 | 529 => again(ErrorKind::UpstreamOverloaded),
        500 | 502 => again(ErrorKind::UpstreamFailed),
        500..=599 => fail(ServerError, ErrorKind::UpstreamFailed, true),
        // Redirects are never followed: they would carry a credential to an address nobody configured.
        _ => fail(BadResponse, ErrorKind::BadAnswer, true),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_status_has_its_meaning() {
        for (code, told, next, again) in [
            (400, 400, false, false),
            (404, 404, true, false),
            (409, 409, false, false),
            (413, 413, false, false),
            (422, 422, false, false),
            (401, 502, true, false),
            (402, 502, true, false),
            (403, 502, true, false),
            (408, 504, true, false),
            (429, 429, true, false),
            (500, 502, true, true),
            (501, 502, true, false),
            (502, 502, true, true),
            (503, 503, true, true),
            (504, 504, true, false),
            (529, 503, true, true),
            (301, 502, true, false),
            (418, 502, true, false),
        ] {
            let Class::Fail(verdict) = status(code) else { panic!("{code} is delivered") };
            let seen = (verdict.kind.status(), verdict.next, verdict.again);
            assert_eq!(seen, (told, next, again), "{code}");
        }
        assert_eq!(status(200), Class::Deliver);
    }
}
