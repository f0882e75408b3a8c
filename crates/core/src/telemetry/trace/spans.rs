//! From the record of a finished request to its spans: one of the request, and one of each try.
//!
//! Tells what the log line tells, and nothing that it does not: no prompt, no answer, no secret, no header, no
//! words of an upstream's.

use super::{
    Told,
    attributes::{Attributes, cut},
    ids::SpanId,
    names::{self, gen_ai, http, own},
    otlp::{Code, Event, Kind, Span, Status, flag},
};
use crate::telemetry::{
    exchange::{Attempt, Exchange},
    labels::CacheResult,
    line::Ended,
    spent::Bought,
};
use bytes::Bytes;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Turns the moments of the monotonic clock into the calendar's.
pub(super) struct Clock {
    now: Instant,
    nanos: u64,
}

impl Clock {
    pub(super) fn read() -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self { now: Instant::now(), nanos: nanos(since) }
    }

    fn at(&self, moment: Instant) -> u64 {
        self.nanos.saturating_sub(nanos(self.now.saturating_duration_since(moment)))
    }
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

/// All spans of a request that ended just now; its own is the first.
pub(super) fn of(x: &Exchange, told: &Told, ended: &Ended<'_>, clock: &Clock) -> Vec<Span> {
    let mut spans = Vec::with_capacity(1 + x.attempts.len());
    spans.push(request(x, told, ended, clock));
    for (attempt, bought) in x.attempts.iter().zip(&ended.spent.tries) {
        spans.push(tried(x, told, attempt, bought, clock));
    }
    spans
}

/// The request, as its client sees it.
fn request(x: &Exchange, told: &Told, ended: &Ended<'_>, clock: &Clock) -> Span {
    let failed = names::failed(x.outcome);
    let mut is = Attributes::with_room(28);
    is.text(http::METHOD, told.method)
        .some(http::ROUTE, told.route, Attributes::text)
        .some(http::PATH, told.route.filter(|route| !route.contains('{')), Attributes::text)
        .text(http::SCHEME, told.scheme)
        .some(http::STATUS, Some(u64::from(x.status)).filter(|status| *status > 0), Attributes::number)
        .text(http::CLIENT, &x.client.to_string())
        .some(http::ERROR, failed.then(|| x.error_code.unwrap_or(x.outcome.as_str())), Attributes::text);
    is.text(own::REQUEST, &x.id)
        .text(own::ENDPOINT, x.endpoint.as_str())
        .text(own::OUTCOME, x.outcome.as_str())
        .some(own::REASON, x.reason.or(x.error_code), Attributes::text)
        .some(own::TENANT, x.key.as_ref().map(|key| &*key.tenant), Attributes::text)
        .some(own::KEY, x.key.as_ref().map(|key| &*key.name), Attributes::text)
        .some(own::MODEL, x.model.as_ref().map(|model| &*model.name), Attributes::text)
        .some(own::PROVIDER, x.provider(), Attributes::text)
        .flag(own::STREAM, x.stream)
        .some(own::CACHE_RESULT, x.cache.result.map(CacheResult::as_str), Attributes::text)
        .number(own::ATTEMPTS, x.attempts.len() as u64);
    if let Some(counted) = &ended.spent.counted {
        is.number(own::INPUT, counted.tokens.prompt())
            .number(own::OUTPUT, counted.tokens.output)
            .text(own::TOKEN_SOURCE, counted.source.as_str());
    }
    let first = x.streaming.as_ref().and_then(|stream| stream.first_content);
    is.some(own::COST, ended.spent.cost.as_ref().map(|cost| usd(cost.nano_usd)), Attributes::double)
        .some(own::FIRST_TOKEN, first.map(|first| seconds(x.started, first)), Attributes::double)
        .double(own::OVERHEAD, ended.overhead.as_secs_f64());
    let name = match told.route {
        Some(route) => format!("{} {route}", told.method),
        None => told.method.to_owned(),
    };
    Span {
        parent_span_id: told.parent.map(id).unwrap_or_default(),
        flags: told.flags() | told.parent.map_or(0, |_| flag::IS_REMOTE),
        events: events(x, clock),
        end: clock.nanos,
        ..span(told, told.span, name, Kind::Server, clock.at(x.started), &mut is, failed)
    }
}

/// One try at an upstream.
fn tried(x: &Exchange, told: &Told, attempt: &Attempt, bought: &Bought, clock: &Clock) -> Span {
    let provider = &attempt.target.provider;
    let failed = names::try_failed(attempt.outcome);
    let operation = names::operation(x.endpoint);
    let over = attempt.began + attempt.took();
    let mut is = Attributes::with_room(22);
    is.text(gen_ai::OPERATION, operation)
        .text(gen_ai::PROVIDER, names::provider(provider.preset))
        .text(gen_ai::MODEL, &attempt.model)
        .some(gen_ai::STREAM, Some(true).filter(|_| x.stream), Attributes::flag)
        .text(http::METHOD, "POST")
        .some(http::STATUS, attempt.status.map(u64::from), Attributes::number)
        .some(http::ERROR, failed.then(|| attempt.outcome.as_str()), Attributes::text);
    let (host, port) = provider.address();
    is.text(http::SERVER, host).number(http::PORT, port.into());
    is.text(own::PROVIDER, &provider.name)
        .text(own::OUTCOME, attempt.outcome.as_str())
        .some(own::REASON, attempt.reason, Attributes::text)
        .some(own::COST, bought.nano_usd.map(usd), Attributes::double);
    if let Some(counted) = &bought.counted {
        let above = |tokens: u64| Some(tokens).filter(|tokens| *tokens > 0);
        let tokens = counted.tokens;
        is.number(gen_ai::INPUT, tokens.prompt())
            .number(gen_ai::OUTPUT, tokens.output)
            .some(gen_ai::CACHE_READ, above(tokens.cache_read), Attributes::number)
            .some(gen_ai::CACHE_WRITE, above(tokens.cache_write), Attributes::number)
            .some(gen_ai::REASONING, above(tokens.reasoning), Attributes::number)
            .text(own::TOKEN_SOURCE, counted.source.as_str());
    }
    let finish = attempt.facts.as_ref().and_then(|facts| facts.finish);
    is.some(gen_ai::FINISH, finish.map(|finish| finish.as_str()), Attributes::list_of);
    // A stream that went on elsewhere has its first content from the first of its tries.
    let first = x.streaming.as_ref().and_then(|stream| stream.first_content);
    let first = first.filter(|first| (attempt.began..=over).contains(first) && attempt.facts.is_some());
    is.some(gen_ai::FIRST_CHUNK, first.map(|first| seconds(attempt.began, first)), Attributes::double);
    let name = format!("{operation} {}", cut(&attempt.model));
    Span {
        parent_span_id: id(told.span),
        end: clock.at(over),
        ..span(told, attempt.span, name, Kind::Client, clock.at(attempt.began), &mut is, failed)
    }
}

fn span(
    told: &Told,
    own: SpanId,
    name: String,
    kind: Kind,
    start: u64,
    is: &mut Attributes,
    failed: bool,
) -> Span {
    let code = if failed { Code::Error } else { Code::Unset };
    Span {
        trace_id: Bytes::copy_from_slice(&told.trace.bytes()),
        span_id: id(own),
        parent_span_id: Bytes::new(),
        flags: told.flags(),
        name,
        kind: kind.into(),
        start,
        end: start,
        attributes: is.take(),
        events: Vec::new(),
        status: Some(Status { code: code.into() }),
    }
}

/// What the response cache and the limits made of it.
fn events(x: &Exchange, clock: &Clock) -> Vec<Event> {
    let mut events = Vec::new();
    if let Some(limit) = &x.limits.told {
        let mut is = Attributes::default();
        is.text(own::LIMIT_DECISION, limit.decision.as_str())
            .some(own::LIMIT, limit.limit.map(|limit| limit.as_str()), Attributes::text)
            .some(own::LIMIT_WAIT, limit.waited.map(|waited| waited.as_secs_f64()), Attributes::double);
        events.push(event(own::LIMIT_EVENT, clock.at(limit.at), &mut is));
    }
    if let Some(result) = x.cache.result {
        let mut is = Attributes::default();
        is.text(own::CACHE_RESULT, result.as_str())
            .some(own::CACHE_TIER, x.cache.tier.map(|tier| tier.as_str()), Attributes::text)
            .some(own::CACHE_REASON, x.cache.bypass.map(|why| why.as_str()), Attributes::text);
        // A miss and a bypass are followed at once by the first try; whoever joins another's answer has it at the end.
        let tried = x.attempts.iter().map(|attempt| attempt.began).min();
        let at = x.cache.at.or(tried).map_or(clock.nanos, |at| clock.at(at));
        events.push(event(own::CACHE_EVENT, at, &mut is));
    }
    events
}

fn event(name: &'static str, time: u64, is: &mut Attributes) -> Event {
    Event { time, name: name.to_owned(), attributes: is.take() }
}

fn id(span: SpanId) -> Bytes {
    Bytes::copy_from_slice(&span.bytes())
}

fn seconds(from: Instant, to: Instant) -> f64 {
    to.saturating_duration_since(from).as_secs_f64()
}

fn usd(nano_usd: u64) -> f64 {
    nano_usd as f64 / 1e9
}
