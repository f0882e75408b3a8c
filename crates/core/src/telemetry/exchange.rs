//! The record of one request, filled while it runs and read once at its end.
//!
//! An [`Exchange`] is plain data. The [`Recorder`] owns it and makes sure that every request is told about
//! exactly once: `finish` when it ends, or its drop when the client left and the future with it.

pub use crate::telemetry::cache_note::CacheNote;

use crate::{
    app::App,
    health::Trial,
    limits::holding::Holding,
    reply::finish,
    state::snapshot::{KeyEntry, ModelEntry, Target},
    telemetry::{
        labels::{AbortPhase, AttemptOutcome, EndpointLabel, Outcome, Source, StreamEnd},
        laps::Laps,
        tags::Tags,
        trace::{SpanId, Trace},
    },
    upstream::{abandoned::Leaving, attempt::UpstreamHead, body::Sent},
};
use prometheus::IntGauge;
use sluice_protocol::observe::Facts;
use smallvec::SmallVec;
use std::{
    net::{IpAddr, SocketAddr},
    ops::{Deref, DerefMut},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

/// Everything worth telling about one request.
pub struct Exchange {
    /// Our id, or the client's where it sent a proper one.
    pub id: Arc<str>,
    /// The trace that it belongs to, where one is known.
    pub trace: Option<Trace>,
    /// When the head had been read.
    pub started: Instant,
    /// Where the client is: who connected, or for whom a trusted proxy did.
    pub client: IpAddr,
    /// Which endpoint.
    pub endpoint: EndpointLabel,
    /// Its client reads Anthropic's headers.
    pub anthropic: bool,
    /// Who called, once known.
    pub key: Option<Arc<KeyEntry>>,
    /// What the client says of the request for its record.
    pub tags: Tags,
    /// The end user whom the client named, where that is kept.
    pub user: Option<Box<str>>,
    /// Which configured model, once known.
    pub model: Option<Arc<ModelEntry>>,
    /// The target that answered, or the last one tried.
    pub target: Option<Arc<Target>>,
    /// Did the client ask for a stream?
    pub stream: bool,
    /// Bytes of the request's body.
    pub request_bytes: u64,
    /// Tokens of the prompt, estimated; 0 until its targets are chosen.
    pub prompt_tokens: u64,
    /// The body, or a part of it, has not been read.
    pub body_left: bool,
    /// The client sends its body since.
    pub upload_since: Option<Instant>,
    /// A HEAD request: nobody will ask for the answer's body.
    pub head_only: bool,
    /// Set when the answer's head had to go out before the upstream answered.
    pub committed: Option<Arc<AtomicBool>>,
    /// Set where an answer may have to be read to its end without its client.
    pub leaving: Option<Arc<Leaving>>,
    /// What of the upstream's headers comes back.
    pub upstream_head: UpstreamHead,
    /// Bytes of the answer's body.
    pub response_bytes: u64,
    /// What it holds of limits.
    pub limits: Holding,
    /// What the response cache made of it.
    pub cache: CacheNote,
    /// Tries, in order.
    pub attempts: SmallVec<[Attempt; 2]>,
    /// Members that were not forwarded.
    pub dropped: Vec<String>,
    /// Status that the client saw; 0 when it saw none.
    pub status: u16,
    /// How it ended.
    pub outcome: Outcome,
    /// The code in the error body.
    pub error_code: Option<&'static str>,
    /// What the client is not told of its refusal; a closed word.
    pub reason: Option<&'static str>,
    /// The model that was asked for and not found, or not allowed; cut.
    pub requested_model: Option<String>,
    /// How far it came, should the client leave.
    pub phase: AbortPhase,
    /// What our own time went to.
    pub laps: Laps,
    /// Time spent waiting for the upstream.
    pub upstream_wait: Duration,
    /// Time in which a slow client would not take more.
    pub client_wait: Duration,
    /// Time in which it waited by a rule: in the line of a limit, or before another try.
    pub held_back: Duration,
    /// Facts of a stream.
    pub streaming: Option<Streaming>,
    /// So many other targets have gone on with it after it broke.
    pub resumed: usize,
}

/// One try at an upstream.
pub struct Attempt {
    /// Where.
    pub target: Arc<Target>,
    /// Its place in the request's trace.
    pub span: SpanId,
    /// The upstream's name for the model.
    pub model: Arc<str>,
    /// How it ended.
    pub outcome: AttemptOutcome,
    /// The upstream's status, when it sent one.
    pub status: Option<u16>,
    /// What stopped it, where the outcome alone says too little; a closed word.
    pub reason: Option<&'static str>,
    /// What it failed with, in words that a client may see.
    pub said: Option<Box<str>>,
    /// When it was sent.
    pub began: Instant,
    /// How long it took, to its last byte; open while it runs.
    pub took: Option<Duration>,
    /// Has the upstream been asked, or was there no connection yet?
    pub sent: Sent,
    /// What its answer told, as far as it came; absent when none began.
    pub facts: Option<Facts>,
    /// Tells its target how it went.
    pub trial: Trial,
}

impl Attempt {
    /// The try is over, just `now`.
    pub fn end(&mut self, outcome: AttemptOutcome, status: Option<u16>, now: Instant) {
        self.outcome = outcome;
        self.status = status.or(self.status);
        self.took = Some(now.saturating_duration_since(self.began));
        self.trial.ended(outcome, now);
    }

    /// The try was over at `at`, unless it is known to have ended already.
    pub fn end_at(&mut self, outcome: AttemptOutcome, at: Instant) {
        if self.took.is_none() {
            self.outcome = outcome;
            self.took = Some(at.saturating_duration_since(self.began));
            self.trial.ended(outcome, at);
        }
    }

    /// How long it took, or has taken so far.
    #[must_use]
    pub fn took(&self) -> Duration {
        self.took.unwrap_or_else(|| self.began.elapsed())
    }
}

/// Facts of an open stream.
#[derive(Default)]
pub struct Streaming {
    /// First and last content event.
    pub first_content: Option<Instant>,
    /// See `first_content`.
    pub last_content: Option<Instant>,
    /// Content events.
    pub content_events: u64,
    /// Longest silence between two reads.
    pub max_gap: Duration,
    /// How it ended.
    pub end: Option<StreamEnd>,
}

impl Exchange {
    /// The client sends its body, since the last mark of the stopwatch.
    pub fn uploads(&mut self) {
        self.upload_since = Some(self.laps.mark());
    }

    /// The whole body has been read.
    pub fn received(&mut self, bytes: usize) {
        self.laps.skip();
        self.upload_ended(self.laps.mark());
        self.request_bytes = bytes as u64;
        self.body_left = false;
    }

    /// The body comes no more after `end`, whole or not. How long it took is the client's doing, not ours.
    fn upload_ended(&mut self, end: Instant) {
        if let Some(since) = self.upload_since.take() {
            self.client_wait += end.saturating_duration_since(since);
        }
    }

    /// It has waited so long by a rule, which is no work of ours.
    pub fn waited_by_rule(&mut self, wait: Duration) {
        self.held_back += wait;
        self.laps.skip_some(wait);
    }

    /// Our own time in `total`: what it did not wait for an upstream, a slow client or a rule.
    #[must_use]
    pub fn overhead(&self, total: Duration) -> Duration {
        // A try that the client's leaving ended was a wait to its last moment; two side by side were one wait.
        let unfinished = self.attempts.iter().filter(|attempt| attempt.took.is_none()).map(Attempt::took);
        let unfinished = unfinished.max().unwrap_or_default();
        [self.upstream_wait, unfinished, self.client_wait, self.held_back]
            .into_iter()
            .fold(total, Duration::saturating_sub)
    }

    /// Notes what the answer of the last try told, whole or cut. An answer without usage is counted as one.
    pub fn answered(&mut self, facts: &Facts) {
        let Some(attempt) = self.attempts.last_mut() else { return };
        if attempt.facts.replace(*facts).is_none() && facts.usage.is_none() {
            attempt.target.metrics.usage_missing.inc();
        }
    }

    /// Name of the provider that answered, or was tried last; for a stored answer the one that gave it then.
    #[must_use]
    pub fn provider(&self) -> Option<&str> {
        match &self.target {
            Some(target) => Some(&target.provider.name),
            None => self.cache.giver.as_ref().map(|giver| &*giver.provider),
        }
    }

    /// That provider's name for the model.
    #[must_use]
    pub fn model_upstream(&self) -> Option<&str> {
        match self.attempts.last() {
            Some(attempt) => Some(&attempt.model),
            None => self.cache.giver.as_ref().map(|giver| &*giver.model),
        }
    }

    /// Who made the answer.
    #[must_use]
    pub fn source(&self) -> Source {
        if self.outcome == Outcome::Ok && self.cache.is_given() {
            Source::Cache
        } else if self.attempts.iter().any(|attempt| attempt.outcome == AttemptOutcome::Ok) {
            Source::Upstream
        } else {
            Source::Gateway
        }
    }
}

/// Counts a provider's stream as open as long as it lives.
pub struct OpenGauge(IntGauge);

impl OpenGauge {
    /// Counts a stream of the target that answers.
    #[must_use]
    pub fn new(recorder: &Recorder) -> Option<Self> {
        let gauge = recorder.target.as_ref()?.metrics.streams.clone();
        gauge.inc();
        Some(Self(gauge))
    }
}

impl Drop for OpenGauge {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// Owns an [`Exchange`] and tells about it exactly once.
pub struct Recorder {
    exchange: Box<Exchange>,
    app: Arc<App>,
    told: bool,
}

impl Recorder {
    /// Opens the record of a request that has just arrived.
    #[must_use]
    pub fn open(app: Arc<App>, id: Arc<str>, peer: SocketAddr, endpoint: EndpointLabel) -> Self {
        app.in_flight.enter(endpoint);
        let started = Instant::now();
        let exchange = Box::new(Exchange {
            id,
            trace: None,
            started,
            client: peer.ip().to_canonical(),
            endpoint,
            anthropic: false,
            key: None,
            tags: Tags::default(),
            user: None,
            model: None,
            target: None,
            stream: false,
            request_bytes: 0,
            prompt_tokens: 0,
            body_left: false,
            upload_since: None,
            head_only: false,
            committed: None,
            leaving: None,
            upstream_head: UpstreamHead::default(),
            response_bytes: 0,
            limits: Holding::default(),
            cache: CacheNote::default(),
            attempts: SmallVec::new(),
            dropped: Vec::new(),
            status: 0,
            outcome: Outcome::Cancelled,
            error_code: None,
            reason: None,
            requested_model: None,
            phase: AbortPhase::Body,
            laps: Laps::new(started),
            upstream_wait: Duration::ZERO,
            client_wait: Duration::ZERO,
            held_back: Duration::ZERO,
            streaming: None,
            resumed: 0,
        });
        Self { exchange, app, told: false }
    }

    /// The gateway that serves the request.
    #[must_use]
    pub fn app(&self) -> &Arc<App> {
        &self.app
    }

    /// Ends the record of a request that was over before its flight: with the outcome that it has.
    pub fn finish_left(mut self) {
        if let Some(streaming) = &mut self.streaming {
            streaming.end.get_or_insert(StreamEnd::ClientDisconnect);
        }
        let outcome = self.outcome;
        self.finish(outcome);
    }

    /// Ends the record with an outcome.
    pub fn finish(mut self, outcome: Outcome) {
        self.outcome = outcome;
        self.tell();
    }

    fn tell(&mut self) {
        if !std::mem::replace(&mut self.told, true) {
            let now = Instant::now();
            self.upload_ended(now);
            self.settle_early_head();
            finish::tell(&self.app, &mut self.exchange, now);
            self.app.in_flight.leave(self.exchange.endpoint);
        }
    }
}

impl Deref for Recorder {
    type Target = Exchange;
    fn deref(&self) -> &Exchange {
        &self.exchange
    }
}

impl DerefMut for Recorder {
    fn deref_mut(&mut self) -> &mut Exchange {
        &mut self.exchange
    }
}

impl Exchange {
    /// A client that left behind an early head had a status, and a stream.
    fn settle_early_head(&mut self) {
        let early = self.committed.as_ref().is_some_and(|committed| committed.load(Ordering::Relaxed));
        if early && self.status == 0 {
            self.status = 200;
            self.phase = AbortPhase::Stream;
            self.streaming.get_or_insert_default();
        }
    }
}

/// A dropped record is a request whose client left: the outcome is `cancelled` from the start.
impl Drop for Recorder {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.outcome = Outcome::GatewayError;
            self.status = 500;
        }
        self.tell();
    }
}
