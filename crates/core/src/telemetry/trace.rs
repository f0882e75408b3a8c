//! Traces: OpenTelemetry spans of requests, made from their records when they have ended.
//!
//! ```text
//! parent      `traceparent`, in and out
//! ids         ids of traces and spans
//! names       the words of OpenTelemetry's conventions, all of them
//! keep        which requests are kept
//! spans       from a record to spans
//! exporter    the bounded queue and the batches
//! collector   OTLP over HTTP
//! otlp        its messages
//! ```
//!
//! Off unless an address is configured. While a request runs only ids are drawn, since upstreams may be told them;
//! everything else is decided and made at its end, so that what went wrong is kept whatever share is sampled.

mod attributes;
mod collector;
mod exporter;
pub mod ids;
mod keep;
pub mod names;
pub mod otlp;
mod parent;
mod spans;

pub use collector::BadCollector;
pub use ids::{SpanId, TraceId};
pub use parent::Parent;

use crate::{
    headers,
    telemetry::{exchange::Exchange, line::Ended, metrics::Metrics},
};
use collector::Collector;
use exporter::Exporter;
use http::{HeaderMap, HeaderValue, Method};
use keep::Keep;
use sluice_config::model::Traces;
use std::sync::Arc;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// Makes traces of requests. Dropped with the last request that has one, it sends what it still holds.
pub struct Tracer {
    keep: Keep,
    exporter: Exporter,
}

impl Tracer {
    /// Starts to bring spans to the configured collector, with a task among `tasks` that `stop` ends.
    ///
    /// # Errors
    /// When the settings hold what no validated settings hold, or TLS cannot be set up.
    pub fn start(
        settings: &Traces,
        metrics: &Metrics,
        tasks: &TaskTracker,
        stop: CancellationToken,
    ) -> Result<Self, BadCollector> {
        let collector = Collector::new(settings)?;
        let keep = Keep { share: settings.sample.0, slow: settings.slow };
        Ok(Self { keep, exporter: Exporter::start(collector, metrics, tasks, stop) })
    }

    /// No request will end any more: what is held is sent at once.
    pub fn finish(&self) {
        self.exporter.finish();
    }
}

/// What a request knows of its trace.
pub struct Trace {
    /// The trace: the client's, else ours.
    pub id: TraceId,
    recorded: Option<(Arc<Tracer>, Told)>,
}

/// What is told of a request besides its record.
struct Told {
    trace: TraceId,
    /// Of the request.
    span: SpanId,
    parent: Option<SpanId>,
    /// It is kept however it goes.
    sampled: bool,
    method: &'static str,
    /// The path as it is known here.
    route: Option<&'static str>,
    scheme: &'static str,
}

/// What of a request's head is told, in our own words.
#[derive(Debug, Clone, Copy)]
pub struct Head<'a> {
    /// Where its `traceparent` is.
    pub headers: &'a HeaderMap,
    /// Its method.
    pub method: &'a Method,
    /// The path as it is known here.
    pub route: Option<&'static str>,
    /// Did it come by TLS?
    pub secure: bool,
}

impl Trace {
    /// The trace of a request that begins; without a tracer only the client's, if it has one.
    #[must_use]
    pub fn begin(tracer: Option<&Arc<Tracer>>, head: Head<'_>) -> Option<Self> {
        let parent = Parent::of(head.headers);
        let Some(tracer) = tracer else {
            return parent.map(|parent| Self { id: parent.trace, recorded: None });
        };
        let id = parent.map_or_else(TraceId::draw, |parent| parent.trace);
        let told = Told {
            trace: id,
            span: SpanId::draw(),
            parent: parent.map(|parent| parent.span),
            sampled: tracer.keep.at_the_start(id, parent.as_ref()),
            method: method(head.method),
            route: head.route,
            scheme: if head.secure { "https" } else { "http" },
        };
        Some(Self { id, recorded: Some((tracer.clone(), told)) })
    }
}

impl Told {
    fn flags(&self) -> u32 {
        // Whatever is sent is kept: that is what the flag says.
        otlp::flag::SAMPLED | otlp::flag::HAS_IS_REMOTE
    }
}

/// The conventions' own list: any other method is `_OTHER`.
fn method(method: &Method) -> &'static str {
    const KNOWN: [&str; 9] = ["GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"];
    KNOWN.into_iter().find(|known| *known == method.as_str()).unwrap_or("_OTHER")
}

/// Tells of a request that has ended, where it is kept.
pub fn tell(x: &Exchange, ended: &Ended<'_>) {
    let Some((tracer, told)) = x.trace.as_ref().and_then(|trace| trace.recorded.as_ref()) else { return };
    if told.sampled || tracer.keep.at_the_end(x, ended) {
        tracer.exporter.hand_in(spans::of(x, told, ended, &spans::Clock::read()));
    }
}

/// What upstreams that may see the trace are told.
#[derive(Debug, Clone)]
pub enum Onward {
    /// There is nothing to tell.
    Nothing,
    /// Without traces of our own: what the client said, as it came.
    AsItCame(HeaderValue),
    /// The try is a span of ours.
    InTry {
        /// The trace.
        trace: TraceId,
        /// It is kept however it goes.
        sampled: bool,
    },
}

impl Onward {
    /// What upstreams are told of a request with this trace and these headers.
    #[must_use]
    pub fn of(trace: Option<&Trace>, headers: &HeaderMap) -> Self {
        match trace.and_then(|trace| trace.recorded.as_ref()) {
            Some((_, told)) => Self::InTry { trace: told.trace, sampled: told.sampled },
            None => headers.get(headers::TRACEPARENT).cloned().map_or(Self::Nothing, Self::AsItCame),
        }
    }

    /// The `traceparent` of a try.
    #[must_use]
    pub fn header(&self, span: SpanId) -> Option<HeaderValue> {
        match self {
            Self::Nothing => None,
            Self::AsItCame(value) => Some(value.clone()),
            Self::InTry { trace, sampled } => Parent { trace: *trace, span, sampled: *sampled }.header(),
        }
    }
}
