//! The request's log line: one JSON object, or one line for people.
//!
//! Never a prompt, an answer, a secret or a header of the client's. Written once per request, so it is put
//! together by hand: names and closed words need no escaping, and the clock's text changes once a second.

use crate::{
    ledger::Counted,
    telemetry::{
        exchange::{Attempt, Exchange},
        spent::Spent,
    },
};
use sluice_config::model::LogFormat;
use std::{
    cell::RefCell,
    io::Write,
    net::IpAddr,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

/// What is reckoned at the end of a request.
#[derive(Clone, Copy)]
pub struct Ended<'a> {
    /// When.
    pub at: SystemTime,
    /// From its first byte to the answer's last.
    pub total: Duration,
    /// Our own time in it.
    pub overhead: Duration,
    /// What it bought.
    pub spent: &'a Spent,
}

/// Appends the line, with its line feed.
pub fn write(out: &mut Vec<u8>, format: LogFormat, x: &Exchange, ended: &Ended<'_>) {
    match format {
        LogFormat::Json => json(out, x, ended),
        LogFormat::Text => text(out, x, ended),
    }
    out.push(b'\n');
}

fn json(out: &mut Vec<u8>, x: &Exchange, ended: &Ended<'_>) {
    let mut line = Object::open(out);
    line.name("time");
    time(line.out, ended.at, b"\"");
    line.word("level", "info");
    line.word("event", "request");
    // Ids are checked or made by us: nothing in them needs escaping.
    line.word("request_id", &x.id);
    line.some("trace_id", x.trace.as_ref().map(|trace| trace.id.hex()), Object::ascii);
    line.word("endpoint", x.endpoint.as_str());
    line.number("status", x.status.into());
    line.word("outcome", x.outcome.as_str());
    line.some("error", x.error_code, Object::word);
    line.some("reason", x.reason, Object::word);
    line.some("requested_model", x.requested_model.as_deref(), Object::text);
    line.some("tenant", x.key.as_ref().map(|key| &*key.tenant), Object::text);
    line.some("key", x.key.as_ref().map(|key| &*key.name), Object::text);
    line.some("model", x.model.as_ref().map(|model| &*model.name), Object::text);
    line.some("provider", x.provider(), Object::text);
    line.some("upstream_model", x.model_upstream(), Object::text);
    line.word_raw("stream", if x.stream { "true" } else { "false" });
    line.some("cache", x.cache.result.map(super::labels::CacheResult::as_str), Object::word);
    line.some("cache_reason", x.cache.bypass.map(crate::cache::policy::Bypass::as_str), Object::word);
    if let Some(held) = &x.limits.told {
        line.some("limit", held.limit.map(super::labels::LimitLabel::as_str), Object::word);
        line.some("queued_ms", held.waited, Object::millis);
    }
    let streaming = x.streaming.as_ref();
    line.some(
        "stream_end",
        streaming.and_then(|stream| stream.end).map(super::labels::StreamEnd::as_str),
        Object::word,
    );
    if !x.attempts.is_empty() {
        line.name("attempts");
        attempts(line.out, &x.attempts);
    }
    if let Some(Counted { tokens, source }) = &ended.spent.counted {
        line.number("input_tokens", tokens.prompt());
        line.number("output_tokens", tokens.output);
        line.number("cache_read_tokens", tokens.cache_read);
        line.number("cache_write_tokens", tokens.cache_write);
        line.number("reasoning_tokens", tokens.reasoning);
        line.word("token_source", source.as_str());
    }
    line.some("cost_nano_usd", ended.spent.cost.as_ref().map(|cost| cost.nano_usd), Object::number);
    if let Some(saved) = x.cache.saved {
        line.number("saved_input_tokens", saved.input);
        line.number("saved_output_tokens", saved.output);
    }
    line.some("ttft_ms", ttft(x), Object::millis);
    line.millis("duration_ms", ended.total);
    line.number("overhead_us", u64::try_from(ended.overhead.as_micros()).unwrap_or(u64::MAX));
    line.number("request_bytes", x.request_bytes);
    line.number("response_bytes", x.response_bytes);
    if !x.dropped.is_empty() {
        line.name("dropped");
        // Writing into a Vec cannot fail, and texts are serialisable.
        drop(serde_json::to_writer(&mut *line.out, &x.dropped));
    }
    line.name("client");
    line.out.push(b'"');
    address(line.out, x.client);
    line.out.extend_from_slice(b"\"}");
}

/// An address, the common kind without the formatting machinery.
fn address(out: &mut Vec<u8>, address: IpAddr) {
    let IpAddr::V4(address) = address else {
        // Writing into a Vec cannot fail.
        return drop(write!(out, "{address}"));
    };
    for (at, part) in address.octets().into_iter().enumerate() {
        if at > 0 {
            out.push(b'.');
        }
        out.extend_from_slice(itoa::Buffer::new().format(part).as_bytes());
    }
}

fn attempts(out: &mut Vec<u8>, tried: &[Attempt]) {
    for (index, attempt) in tried.iter().enumerate() {
        out.push(if index == 0 { b'[' } else { b',' });
        let mut entry = Object::open(out);
        entry.text("provider", &attempt.target.provider.name);
        entry.word("outcome", attempt.outcome.as_str());
        entry.some("reason", attempt.reason, Object::word);
        entry.some("status", attempt.status.map(u64::from), Object::number);
        entry.millis("ms", attempt.took());
        entry.out.push(b'}');
    }
    out.push(b']');
}

fn ttft(x: &Exchange) -> Option<Duration> {
    let first = x.streaming.as_ref()?.first_content?;
    Some(first.saturating_duration_since(x.started))
}

/// A JSON object that is written member by member. Its steps are not inlined: thirty copies of each would be read from
/// memory for every request.
struct Object<'a> {
    out: &'a mut Vec<u8>,
    first: bool,
}

impl<'a> Object<'a> {
    fn open(out: &'a mut Vec<u8>) -> Self {
        out.push(b'{');
        Self { out, first: true }
    }

    #[inline(never)]
    fn name(&mut self, name: &'static str) {
        if !std::mem::take(&mut self.first) {
            self.out.push(b',');
        }
        self.out.push(b'"');
        self.out.extend_from_slice(name.as_bytes());
        self.out.extend_from_slice(b"\":");
    }

    /// A value that is written as it is.
    fn word_raw(&mut self, name: &'static str, value: &str) {
        self.name(name);
        self.out.extend_from_slice(value.as_bytes());
    }

    /// A text that needs no escaping.
    #[inline(never)]
    fn word(&mut self, name: &'static str, value: &str) {
        self.name(name);
        self.out.push(b'"');
        self.out.extend_from_slice(value.as_bytes());
        self.out.push(b'"');
    }

    /// Bytes that are ASCII and need no escaping.
    fn ascii<const N: usize>(&mut self, name: &'static str, value: [u8; N]) {
        self.name(name);
        self.out.push(b'"');
        self.out.extend_from_slice(&value);
        self.out.push(b'"');
    }

    /// Any text.
    #[inline(never)]
    fn text(&mut self, name: &'static str, value: &str) {
        self.name(name);
        // Writing into a Vec cannot fail, and texts are serialisable.
        drop(serde_json::to_writer(&mut *self.out, value));
    }

    #[inline(never)]
    fn number(&mut self, name: &'static str, value: u64) {
        self.word_raw(name, itoa::Buffer::new().format(value));
    }

    /// Milliseconds with three decimals.
    #[inline(never)]
    fn millis(&mut self, name: &'static str, time: Duration) {
        let micros = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        self.number(name, micros / 1000);
        self.out.push(b'.');
        digits(self.out, micros % 1000);
    }

    fn some<T>(
        &mut self,
        name: &'static str,
        value: Option<T>,
        write: impl FnOnce(&mut Self, &'static str, T),
    ) {
        if let Some(value) = value {
            write(self, name, value);
        }
    }
}

/// Three digits.
fn digits(out: &mut Vec<u8>, value: u64) {
    for unit in [100, 10, 1] {
        out.push(b'0' + u8::try_from(value / unit % 10).unwrap_or(0));
    }
}

/// The second that was written last, and its text.
struct Clock {
    second: u64,
    text: String,
}

thread_local! {
    static CLOCK: RefCell<Clock> = const { RefCell::new(Clock { second: 0, text: String::new() }) };
}

/// RFC 3339, milliseconds, UTC.
fn time(out: &mut Vec<u8>, at: SystemTime, quote: &[u8]) {
    let since = at.duration_since(UNIX_EPOCH).unwrap_or_default();
    out.extend_from_slice(quote);
    CLOCK.with_borrow_mut(|clock| {
        if clock.second != since.as_secs() {
            let at = i64::try_from(since.as_secs())
                .ok()
                .and_then(|second| jiff::Timestamp::from_second(second).ok());
            clock.text = at.unwrap_or_default().to_string().trim_end_matches('Z').to_owned();
            clock.second = since.as_secs();
        }
        out.extend_from_slice(clock.text.as_bytes());
    });
    out.push(b'.');
    digits(out, u64::from(since.subsec_millis()));
    out.push(b'Z');
    out.extend_from_slice(quote);
}

/// For people: what happened, to whom, how long it took.
fn text(out: &mut Vec<u8>, x: &Exchange, ended: &Ended<'_>) {
    let dash = "-";
    let named = |name: Option<&str>| name.unwrap_or(dash).to_owned();
    let ms = |time: Duration| time.as_secs_f64() * 1000.0;
    time(out, ended.at, b"");
    // Writing into a Vec cannot fail.
    let _ = write!(
        out,
        " {} {} {} model={} provider={} key={} {:.1}ms",
        x.status,
        x.outcome.as_str(),
        x.endpoint.as_str(),
        named(x.model.as_ref().map(|model| &*model.name)),
        named(x.provider()),
        named(x.key.as_ref().map(|key| &*key.name)),
        ms(ended.total),
    );
    if let Some(ttft) = ttft(x) {
        let _ = write!(out, " ttft={:.1}ms", ms(ttft));
    }
    if let Some(Counted { tokens, .. }) = &ended.spent.counted {
        let _ = write!(out, " tokens={}+{}", tokens.prompt(), tokens.output);
    }
    match (x.cache.result, x.cache.bypass) {
        (_, Some(why)) => drop(write!(out, " cache=bypass({})", why.as_str())),
        (Some(result), None) => drop(write!(out, " cache={}", result.as_str())),
        (None, None) => {}
    }
    if x.attempts.len() > 1 {
        let _ = write!(out, " attempts={}", x.attempts.len());
    }
    if let Some(error) = x.error_code {
        let _ = write!(out, " error={error}");
    }
    let _ = write!(out, " id={}", x.id);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_is_proper_json_whatever_the_texts_hold() {
        let mut out = Vec::new();
        let mut object = Object::open(&mut out);
        object.text("name", "a \"quoted\" \\ name\n");
        object.millis("ms", Duration::from_micros(1_234_567));
        object.millis("short", Duration::from_micros(7));
        object.some("none", None::<u64>, Object::number);
        object.some("some", Some(7), Object::number);
        object.out.push(b'}');
        let value: serde_json::Value = serde_json::from_slice(&out).unwrap();
        assert_eq!(
            value,
            serde_json::json!({"name": "a \"quoted\" \\ name\n", "ms": 1234.567, "short": 0.007, "some": 7})
        );
    }

    #[test]
    fn addresses_are_written_as_everybody_writes_them() {
        for text in ["0.0.0.0", "127.0.0.1", "203.0.113.90", "255.255.255.255", "::1", "2001:db8::7"] {
            let mut out = Vec::new();
            address(&mut out, text.parse().unwrap());
            assert_eq!(out, text.as_bytes());
        }
    }

    #[test]
    fn the_clock_reads_like_any_other() {
        let mut out = Vec::new();
        time(&mut out, SystemTime::now(), b"");
        let text = String::from_utf8(out).unwrap();
        let read: jiff::Timestamp = text.parse().unwrap();
        let away = jiff::Timestamp::now().duration_since(read).as_secs_f64().abs();
        assert!(away < 5.0 && text.len() == 24, "{text}");
    }
}
