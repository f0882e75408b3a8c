//! A failed try: what it was, what a client may be told of it, and whether another target may be asked.

use crate::{
    error::{Broken, ErrorKind, GatewayError},
    state::provider::Provider,
    telemetry::labels::{AttemptOutcome, Outcome, StreamEnd},
    upstream::{body::ReadFault, classify::Verdict, client::SendError, stream::Ending},
};
use http::HeaderMap;
use sluice_config::model::Secret;
use sluice_protocol::upstream_error::{self, retry};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Bytes of an upstream's text in a summary of failed tries.
pub const EXCERPT: usize = 200;
/// Bytes of an upstream's word on the request itself.
const REFUSAL: usize = 2048;

/// The client's own time was over: says nothing to others who ask the same.
pub const OUT_OF_TIME: &str = "out_of_time";

/// A failed try.
#[derive(Debug, Clone)]
pub struct Failure {
    /// How it counts and what follows.
    pub verdict: Verdict,
    /// The upstream's status, when it sent one.
    pub status: Option<u16>,
    /// What is told of it, without secrets and addresses.
    pub message: String,
    /// The upstream's own code, which callers may match on.
    pub code: Option<String>,
    /// The member that the upstream found at fault.
    pub param: Option<String>,
    /// When the upstream wants to be asked again.
    pub retry_after: Option<Duration>,
    /// A closed word for the log, where the outcome alone says too little.
    pub reason: Option<&'static str>,
    /// The target is not to blame.
    pub blameless: bool,
    /// No connection could be made.
    pub unreachable: bool,
}

impl Failure {
    /// A failure without an answer.
    fn new(outcome: AttemptOutcome, kind: ErrorKind, message: impl Into<String>) -> Self {
        Self {
            verdict: Verdict { outcome, kind, next: true, again: false },
            status: None,
            message: message.into(),
            code: None,
            param: None,
            retry_after: None,
            reason: None,
            blameless: false,
            unreachable: false,
        }
    }

    /// A failure that has done no work for the request: the same target may be asked again.
    fn again(outcome: AttemptOutcome, message: impl Into<String>) -> Self {
        let mut failure = Self::new(outcome, ErrorKind::UpstreamFailed, message);
        failure.verdict.again = true;
        failure
    }

    /// Nothing came in time.
    #[must_use]
    pub fn first_byte(limit: Duration) -> Self {
        let message = format!("no answer within {} s", limit.as_secs_f64());
        Self::new(AttemptOutcome::Timeout, ErrorKind::UpstreamTimeout, message)
    }

    /// The time for all tries together is over. `blameless` where it is the client's: the target might have answered.
    #[must_use]
    pub fn out_of_time(waited: Duration, blameless: bool) -> Self {
        let message = format!("no answer within the {} ms that were left", waited.as_millis());
        let mut failure = Self::new(AttemptOutcome::Timeout, ErrorKind::UpstreamTimeout, message);
        failure.verdict.next = false;
        failure.blameless = blameless;
        failure.reason = blameless.then_some(OUT_OF_TIME);
        failure
    }

    /// Its share of the client's time is over, and another target may still answer.
    #[must_use]
    pub fn hurried(waited: Duration, blameless: bool) -> Self {
        let message = format!("no answer within {} ms, the client being in a hurry", waited.as_millis());
        let failure = Self::new(AttemptOutcome::Timeout, ErrorKind::UpstreamTimeout, message);
        Self { blameless, reason: Some("hurried"), ..failure }
    }

    /// The drain is over and the upstream has not answered.
    #[must_use]
    pub fn draining() -> Self {
        let text = "The gateway is shutting down; no answer came in time.";
        let mut failure = Self::new(AttemptOutcome::Cancelled, ErrorKind::Draining, text);
        failure.verdict.next = false;
        failure
    }

    /// The model's name can be part of no address.
    #[must_use]
    pub fn no_address() -> Self {
        Self::new(AttemptOutcome::ClientError, ErrorKind::ModelUnknown, "there can be no such deployment")
    }

    /// An answer that is none.
    #[must_use]
    pub fn bad_answer(status: u16, what: impl Into<String>) -> Self {
        Self { status: Some(status), ..Self::new(AttemptOutcome::BadResponse, ErrorKind::BadAnswer, what) }
    }

    /// A refusing or failing status, with what its body says.
    #[must_use]
    pub fn from_status(
        verdict: Verdict,
        status: u16,
        headers: &HeaderMap,
        body: &[u8],
        provider: &Provider,
    ) -> Self {
        let told = upstream_error::message(body);
        // What is ours to mend says nothing to the client that helps, and its codes could be taken for the client's own.
        let clients_fault = matches!(verdict.kind, ErrorKind::UpstreamRefused(_));
        let length = if clients_fault { REFUSAL } else { EXCERPT };
        let text =
            told.as_ref().map(|told| clean(&told.message, provider, length)).filter(|text| !text.is_empty());
        let message = text.unwrap_or_else(|| format!("status {status}"));
        let (code, param) =
            told.filter(|_| clients_fault).map_or((None, None), |told| (told.code, told.param));
        Self {
            verdict,
            status: Some(status),
            message,
            code,
            param,
            retry_after: wanted(status, headers, body),
            reason: None,
            blameless: false,
            unreachable: false,
        }
    }

    /// A stream that ended badly before any content.
    #[must_use]
    pub fn from_ending(ending: &Ending, provider: &Provider) -> Self {
        match ending {
            Ending::Whole => Self::bad_answer(200, "the stream held nothing"),
            Ending::Truncated => {
                let mut failure = Self::bad_answer(200, "the stream ended before any content");
                failure.verdict.kind = ErrorKind::UpstreamFailed;
                failure
            }
            Ending::Malformed => Self::bad_answer(200, "an event of the stream is not valid JSON"),
            Ending::TooLarge => Self::bad_answer(200, "an event of the stream is too large"),
            // It is left, and not to blame: nobody promised that two targets say the same.
            Ending::Diverged => Self {
                status: Some(200),
                reason: Some("diverged"),
                ..Self::new(
                    AttemptOutcome::Cancelled,
                    ErrorKind::BadAnswer,
                    "another answer began differently",
                )
            },
            Ending::Timeout => {
                Self::new(AttemptOutcome::Timeout, ErrorKind::UpstreamTimeout, "the stream fell silent")
            }
            Ending::Error(data) => {
                let text = upstream_error::message(data).map(|told| clean(&told.message, provider, EXCERPT));
                let message = text.unwrap_or_else(|| "the stream reported an error".to_owned());
                Self {
                    status: Some(200),
                    ..Self::new(AttemptOutcome::ServerError, ErrorKind::UpstreamFailed, message)
                }
            }
        }
    }

    /// What becomes of a request whose stream broke after it had begun.
    #[must_use]
    pub fn of_stream(ending: &Ending, provider: &Provider) -> Broken {
        let (outcome, end) = match ending {
            Ending::Timeout => (Outcome::Timeout, StreamEnd::IdleTimeout),
            Ending::Truncated => (Outcome::UpstreamError, StreamEnd::UpstreamEof),
            _ => (Outcome::UpstreamError, StreamEnd::UpstreamError),
        };
        let failure = Self::from_ending(ending, provider);
        let text = match ending {
            Ending::Truncated => "the stream ended before the answer was whole".to_owned(),
            _ => failure.message,
        };
        let text = text.trim_end_matches(['.', '!', '?']);
        let message = format!("The stream from provider '{}' broke: {text}.", provider.name);
        let error = GatewayError::new(failure.verdict.kind, message);
        Broken { error, outcome, end, attempt: failure.verdict.outcome }
    }

    /// Turns the failures of all tries into what the client is told: the last one decides.
    #[must_use]
    pub fn into_error(self, tried: &str) -> GatewayError {
        let message = match self.verdict.kind {
            // The provider's word on the request itself is for the client as it is.
            ErrorKind::UpstreamRefused(_) | ErrorKind::ModelUnknown | ErrorKind::Draining => self.message,
            _ => tried.to_owned(),
        };
        let mut error = GatewayError::new(self.verdict.kind, message).retry_after(self.retry_after);
        error.reason = self.reason.filter(|reason| *reason == OUT_OF_TIME);
        if let Some(code) = self.code {
            error = error.code(code);
        }
        match self.param {
            Some(param) => error.param(param),
            None => error,
        }
    }
}

impl From<SendError> for Failure {
    fn from(error: SendError) -> Self {
        use AttemptOutcome::{BadResponse, ConnectError as Connect};
        match error {
            // A target that hangs, or that may not be asked, is not asked again.
            SendError::Connect(why) if why.is_lasting() => Self {
                reason: Some(why.reason()),
                unreachable: true,
                ..Self::new(Connect, ErrorKind::UpstreamFailed, why.to_string())
            },
            SendError::Connect(why) => Self {
                reason: Some(why.reason()),
                unreachable: true,
                ..Self::again(Connect, why.to_string())
            },
            SendError::Died => Self::again(Connect, "the connection ended without an answer"),
            SendError::BadHead => {
                Self::new(BadResponse, ErrorKind::BadAnswer, "the answer is not proper HTTP")
            }
        }
    }
}

impl From<ReadFault> for Failure {
    fn from(fault: ReadFault) -> Self {
        match fault {
            ReadFault::TooLarge => Self::bad_answer(200, "the answer is too large"),
            ReadFault::Broken => Self::bad_answer(200, "the answer was cut off"),
            ReadFault::Timeout => {
                Self::new(AttemptOutcome::Timeout, ErrorKind::UpstreamTimeout, "the answer stopped half-way")
            }
        }
    }
}

/// Takes keys, addresses and host names out of an upstream's text, and cuts it.
#[must_use]
pub fn clean(text: &str, provider: &Provider, length: usize) -> String {
    let secrets: Vec<&str> = provider.secrets.iter().map(Secret::expose).collect();
    let text = upstream_error::redact(text, &secrets);
    upstream_error::cut(&text, length).to_owned()
}

/// When the upstream wants to be asked again, in whatever form it says so. The state of its rate limits counts only
/// where one of them is why.
fn wanted(status: u16, headers: &HeaderMap, body: &[u8]) -> Option<Duration> {
    let limited = status == 429;
    let header = |name: &str| {
        let value = headers.get(name).filter(|_| limited || name.starts_with("retry-after"))?;
        value.to_str().ok()
    };
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let body = if limited || status == 503 { body } else { &[] };
    let hint = retry::from_headers(header).or_else(|| retry::from_body(body))?;
    hint.wait(i64::try_from(now).unwrap_or(i64::MAX))
}
