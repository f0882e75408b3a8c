//! The end of a request: metrics, one log line and one usage record, told once.
//!
//! A plain function over a finished record; whoever owns the record decides when it is finished.

use crate::{
    app::App,
    ledger::Tokens,
    limits::scope::Spent as Used,
    state::snapshot::Target,
    telemetry::{
        exchange::{Exchange, Streaming},
        labels::{CacheResult, Outcome, StreamEnd},
        line::{self, Ended},
        spent::{Bought, Spent},
        trace, usage,
    },
};
use std::{
    cell::RefCell,
    time::{Duration, Instant, SystemTime},
};

thread_local! {
    /// A line is put together here and copied into the sink: no allocation per request.
    static SCRATCH: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Counts the request, which has ended just `now`, writes its line and hands over its record.
pub fn tell(app: &App, x: &mut Exchange, now: Instant) {
    let total = now.saturating_duration_since(x.started);
    // Whoever reads another request's answer waits for it as that one does.
    let coalesced = x.cache.result == Some(CacheResult::Coalesced);
    let overhead = if coalesced { Duration::ZERO } else { x.overhead(total) };
    let source = x.source();
    let metrics = &app.metrics;
    let spent = Spent::of(app, x);
    settle(x, &spent, now);

    let outcome = x.outcome;
    let handles = x.model.as_ref().map_or(&app.unknown_model, |model| &model.metrics);
    handles.count(metrics, x.endpoint, outcome, x.status, x.stream);
    handles.observe_duration(x.stream, source, total.as_secs_f64());
    if !x.attempts.is_empty() {
        handles.attempts.observe(x.attempts.len() as f64);
    }
    app.endpoints.observe_stages(&x.laps);
    app.endpoints.observe_sizes(x.endpoint, x.request_bytes, x.response_bytes);
    // A client that left before any upstream was asked has left a line: how long it stood there is not known.
    let left_a_line = x.outcome == Outcome::Cancelled && x.attempts.is_empty();
    if !coalesced && !left_a_line {
        app.endpoints.observe_overhead(source, overhead);
    }
    if outcome == Outcome::Cancelled {
        metrics.client_aborts.with_label_values(&[x.phase.as_str()]).inc();
    }
    handles.count_cache(&x.cache, |note| {
        let giver = note.giver.as_ref()?;
        app.price(&giver.provider, &giver.model)
    });
    if let Some(why) = x.cache.bypass {
        app.endpoints.bypassed(why.label());
    }
    if let Some(key) = &x.key {
        key.metrics.count(outcome, &spent);
    }
    for (attempt, bought) in x.attempts.iter().zip(&spent.tries) {
        let metrics = &attempt.target.metrics;
        metrics.attempt(attempt.outcome, attempt.took());
        metrics.count_bought(bought);
    }
    if let (Some(target), Some(stream)) = (&x.target, &x.streaming) {
        tell_stream(x, target, stream, spent.told());
    }
    let ended = Ended { at: SystemTime::now(), total, overhead, spent: &spent };
    trace::tell(x, &ended);
    if app.log_line_wanted(x) {
        SCRATCH.with_borrow_mut(|scratch| {
            scratch.clear();
            line::write(scratch, app.log_format(), x, &ended);
            app.logs.push(scratch);
        });
    }
    let (at, total) = (ended.at, ended.total);
    if let Some(record) = usage::record(x, spent, at, total) {
        app.ledger().push(record);
    }
}

/// Gives back what was reserved too much, or takes what was used beyond it.
fn settle(x: &mut Exchange, spent: &Spent, now: Instant) {
    // Of an answer in several parts the last one's length says little.
    if let (Outcome::Ok, Some(told), Some(learner), 0) =
        (x.outcome, spent.told(), &x.limits.learner, x.resumed)
    {
        learner.observe(told.output / x.limits.samples.max(1));
    }
    if x.attempts.is_empty() {
        x.limits.leave_provider();
    }
    let last = spent.tries.last().copied().unwrap_or_default();
    let nano_usd = spent.cost.as_ref().map(|cost| cost.nano_usd);
    let all = Bought { counted: spent.counted, nano_usd, prompt_cache_saved: 0 };
    x.limits.settle(used(&all), used(&last), now);
}

/// More than any request has, as the ledger has it: an upstream's nonsense must not lock up a bucket's arithmetic.
const MOST_TOKENS: u64 = 1 << 40;
const MOST_COST: u64 = 1 << 50;

/// What limits are charged.
fn used(bought: &Bought) -> Used {
    let tokens = bought.counted.map(|counted| counted.tokens).unwrap_or_default();
    let input = tokens.input.saturating_add(tokens.cache_read).saturating_add(tokens.cache_write);
    Used {
        tokens: input.saturating_add(tokens.output).min(MOST_TOKENS),
        cached_input: tokens.cache_read.min(MOST_TOKENS),
        nano_usd: bought.nano_usd.unwrap_or_default().min(MOST_COST),
    }
}

fn tell_stream(x: &Exchange, target: &Target, stream: &Streaming, told: Option<Tokens>) {
    let metrics = &target.metrics;
    // A record that nobody ended is one whose client left.
    metrics.stream_end(stream.end.unwrap_or(StreamEnd::ClientDisconnect));
    if let (Some(first), Some(last)) = (stream.first_content, stream.last_content) {
        metrics.first_token.observe(first.saturating_duration_since(x.started).as_secs_f64());
        metrics.max_gap.observe(stream.max_gap.as_secs_f64());
        // The upstream's own count where it told one: several tokens can share an event.
        let tokens = told.map_or(stream.content_events, |told| told.output);
        if tokens > 1 && x.resumed == 0 {
            metrics
                .per_token
                .observe(last.saturating_duration_since(first).as_secs_f64() / (tokens - 1) as f64);
        }
    }
}
