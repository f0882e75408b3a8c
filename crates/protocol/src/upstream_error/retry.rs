//! When an upstream wants to be asked again, in every form in which providers say it: headers of HTTP, counters
//! of rate limits, members of an error body, and plain sentences.
//!
//! No clock here: a hint is a length or a point of time, and whoever knows the time makes a wait of it. Whether
//! anybody waits, and what is cooled meanwhile, is decided elsewhere. A hint counts for an answer that refuses;
//! good answers carry the counters of rate limits too.

use std::borrow::Cow;
use std::time::{Duration, UNIX_EPOCH};

use memchr::memmem;

use crate::json::{JsonError, Kind, Scanner};
use crate::lenient::members;

/// The longest wait that is believed.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);
/// A number from here on is a point of time in seconds: as a length it would be thirty years.
const POINT_IN_SECONDS: f64 = 1e9;
/// From here on it is one in milliseconds: as seconds it would lie three thousand years ahead.
const POINT_IN_MILLISECONDS: f64 = 1e11;

/// What an upstream says of when to ask again.
///
/// Of two hints of one form the longer is the greater. No answer mixes the forms; were they mixed, the point of
/// time would be the greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum RetryHint {
    /// So long after the answer.
    After(Duration),
    /// At this time, in Unix seconds; fractions are rounded up.
    At(i64),
}

impl RetryHint {
    /// How long to wait at `now_unix`, in Unix seconds: at most a day. `None` where that is no time at all.
    #[must_use]
    pub fn wait(self, now_unix: i64) -> Option<Duration> {
        let wait = match self {
            Self::After(wait) => wait,
            Self::At(second) => {
                Duration::from_secs(u64::try_from(second.saturating_sub(now_unix)).unwrap_or(0))
            }
        };
        Some(wait.min(LONGEST)).filter(|wait| !wait.is_zero())
    }
}

/// A pair of headers: how much of something is left, and when there is all of it again.
type Counter = (&'static str, &'static str);

/// The counters that are looked at. Of one family the longest counts, of several families the first.
static COUNTERS: &[&[Counter]] = &[
    // OpenAI, Groq and others: lengths such as `6m0s`. Azure: whole seconds.
    &[
        ("x-ratelimit-remaining-requests", "x-ratelimit-reset-requests"),
        ("x-ratelimit-remaining-tokens", "x-ratelimit-reset-tokens"),
    ],
    // Anthropic: RFC 3339.
    &[
        ("anthropic-ratelimit-requests-remaining", "anthropic-ratelimit-requests-reset"),
        ("anthropic-ratelimit-tokens-remaining", "anthropic-ratelimit-tokens-reset"),
        ("anthropic-ratelimit-input-tokens-remaining", "anthropic-ratelimit-input-tokens-reset"),
        ("anthropic-ratelimit-output-tokens-remaining", "anthropic-ratelimit-output-tokens-reset"),
    ],
    // OpenRouter: Unix milliseconds. Others: Unix seconds, or seconds from now.
    &[("x-ratelimit-remaining", "x-ratelimit-reset")],
];

/// The hint in the headers of an answer: `retry-after-ms`, else `retry-after` in seconds or as a date, else when
/// what is used up comes back. A header that cannot be read is as good as none.
#[must_use]
pub fn from_headers<'a>(get: impl Fn(&str) -> Option<&'a str>) -> Option<RetryHint> {
    let text = |name: &str| get(name).map(str::trim);
    // Where nobody says how much is left, it may be this limit that was met.
    let used_up =
        |name: &str| text(name).is_none_or(|left| left.parse::<f64>().is_ok_and(|left| left == 0.0));
    // Azure writes 0 where it does not know; the body may.
    let says_something = |hint: &RetryHint| *hint != RetryHint::After(Duration::ZERO);
    let reset = |(left, reset): &Counter| {
        text(reset).filter(|_| used_up(left)).and_then(moment).filter(says_something)
    };
    text("retry-after-ms")
        .and_then(milliseconds)
        .or_else(|| text("retry-after").and_then(moment))
        .or_else(|| COUNTERS.iter().find_map(|family| family.iter().filter_map(reset).max()))
}

/// The hint in an error body: Google's `retryDelay`, else a member such as `retry_after`, else a sentence such
/// as "try again in 20s". A body that was cut is read as far as it goes, and one that is no JSON is a text.
#[must_use]
pub fn from_body(body: &[u8]) -> Option<RetryHint> {
    let mut found = Found::default();
    let read = found.read(&mut Scanner::new(body));
    let Found { delay, member, text } = found;
    delay.or(member).or(text).or_else(|| read.err().and_then(|_| told(body)))
}

/// What was found in a body, by how sure it is.
#[derive(Default)]
struct Found {
    delay: Option<RetryHint>,
    member: Option<RetryHint>,
    text: Option<RetryHint>,
}

impl Found {
    /// Reads an object, or each of a list.
    fn read(&mut self, scanner: &mut Scanner<'_>) -> Result<(), JsonError> {
        if scanner.kind()? == Kind::Array {
            return scanner.array(|scanner, _| members(scanner, |scanner, name| self.member(scanner, name)));
        }
        members(scanner, |scanner, name| self.member(scanner, name))
    }

    fn member(&mut self, scanner: &mut Scanner<'_>, name: &str) -> Result<(), JsonError> {
        match name {
            "error" | "detail" | "message" | "msg" if scanner.kind()? == Kind::String => {
                self.text = self.text.or(told(scanner.string()?.decode().as_bytes()));
            }
            // `response` is that of a failed stream; `metadata` is OpenRouter's, with headers inside.
            "error" | "details" | "response" | "metadata" => self.read(scanner)?,
            "headers" => members(scanner, |scanner, name| {
                let is_hint =
                    ["retry-after", "x-ratelimit-reset"].iter().any(|n| name.eq_ignore_ascii_case(n));
                if is_hint { self.said(scanner, moment) } else { Ok(()) }
            })?,
            "retryDelay" => {
                let delay = scalar(scanner)?;
                self.delay = self.delay.max(delay.as_deref().and_then(moment));
            }
            "retry_after" | "retryAfter" | "retry_after_seconds" => self.said(scanner, moment)?,
            "retry_after_ms" | "retryAfterMs" => self.said(scanner, milliseconds)?,
            _ => {}
        }
        Ok(())
    }

    /// Reads the value of a member that says it.
    fn said(
        &mut self,
        scanner: &mut Scanner<'_>,
        meant: fn(&str) -> Option<RetryHint>,
    ) -> Result<(), JsonError> {
        let value = scalar(scanner)?;
        self.member = self.member.max(value.as_deref().and_then(meant));
        Ok(())
    }
}

/// A number as written, or a string; `None` for anything else.
fn scalar<'a>(scanner: &mut Scanner<'a>) -> Result<Option<Cow<'a, str>>, JsonError> {
    Ok(match scanner.kind()? {
        Kind::Number => Some(Cow::Borrowed(scanner.number()?)),
        Kind::String => Some(scanner.string()?.decode()),
        _ => None,
    })
}

/// Finds a sentence that says it, in plain text or in JSON as it is written.
fn told(text: &[u8]) -> Option<RetryHint> {
    // OpenAI, Groq; Azure; Gemini.
    const PHRASES: [&str; 6] =
        ["ry again in ", "ry again after ", "retry after ", "Retry after ", "retry in ", "Retry in "];
    PHRASES.iter().find_map(|phrase| {
        let length = |at: usize| span(text.get(at + phrase.len()..)?).and_then(|(length, _)| seconds(length));
        memmem::find_iter(text, phrase).find_map(length)
    })
}

/// Reads what a header or a member says: a number whose size tells what it is, a length such as `1m30s`, or a
/// point of time as RFC 3339 or HTTP write it.
fn moment(text: &str) -> Option<RetryHint> {
    if let Ok(number) = text.parse::<f64>() {
        return match number {
            ..POINT_IN_SECONDS => seconds(number),
            POINT_IN_SECONDS..POINT_IN_MILLISECONDS => point(number),
            _ => point(number / 1000.0),
        };
    }
    let length = || span(text.as_bytes()).filter(|(_, rest)| rest.is_empty());
    length().and_then(|(length, _)| seconds(length)).or_else(|| timestamp(text)).or_else(|| http_date(text))
}

fn milliseconds(text: &str) -> Option<RetryHint> {
    text.parse::<f64>().ok().and_then(|number| seconds(number / 1000.0))
}

/// A length in seconds. Longer ones than are believed may be longer than a `Duration` can be.
fn seconds(length: f64) -> Option<RetryHint> {
    let bounded = Some(length).filter(|length| length.is_finite())?.min(LONGEST.as_secs_f64());
    Duration::try_from_secs_f64(bounded).ok().map(RetryHint::After)
}

fn point(second: f64) -> Option<RetryHint> {
    second.is_finite().then(|| RetryHint::At(second.ceil() as i64))
}

fn timestamp(text: &str) -> Option<RetryHint> {
    let at: jiff::Timestamp = text.parse().ok()?;
    Some(RetryHint::At(at.as_second() + i64::from(at.subsec_nanosecond() > 0)))
}

fn http_date(text: &str) -> Option<RetryHint> {
    let at = httpdate::parse_http_date(text).ok()?.duration_since(UNIX_EPOCH).ok()?;
    i64::try_from(at.as_secs()).ok().map(RetryHint::At)
}

/// Reads a length of time with units at the front of a text: `1h2m3.5s`, `350ms`, `23 seconds`. Returns it in
/// seconds, and what follows.
fn span(text: &[u8]) -> Option<(f64, &[u8])> {
    let (mut length, mut rest) = piece(text)?;
    while let Some((more, after)) = piece(rest) {
        length += more;
        rest = after;
    }
    Some((length, rest))
}

/// Reads one number with its unit.
fn piece(text: &[u8]) -> Option<(f64, &[u8])> {
    let (number, rest) = front(text.trim_ascii_start(), |byte| byte.is_ascii_digit() || byte == b'.');
    let (unit, rest) = front(rest.trim_ascii_start(), |byte| byte.is_ascii_alphabetic() || !byte.is_ascii());
    let number: f64 = std::str::from_utf8(number).ok()?.parse().ok()?;
    Some((number * length_of(unit)?, rest))
}

/// Splits off the front of which every byte is wanted.
fn front(text: &[u8], wanted: impl Fn(u8) -> bool) -> (&[u8], &[u8]) {
    let end = text.iter().position(|byte| !wanted(*byte)).unwrap_or(text.len());
    text.split_at_checked(end).unwrap_or((text, &[]))
}

/// How many seconds a unit has.
fn length_of(unit: &[u8]) -> Option<f64> {
    Some(match std::str::from_utf8(unit).ok()? {
        "ns" => 1e-9,
        // The micro sign, and the Greek letter that looks like it.
        "us" | "\u{b5}s" | "\u{3bc}s" => 1e-6,
        "ms" | "msec" | "msecs" | "millisecond" | "milliseconds" => 1e-3,
        "s" | "sec" | "secs" | "second" | "seconds" => 1.0,
        "m" | "min" | "mins" | "minute" | "minutes" => 60.0,
        "h" | "hr" | "hrs" | "hour" | "hours" => 3600.0,
        "d" | "day" | "days" => 86400.0,
        _ => return None,
    })
}

#[cfg(test)]
#[path = "retry_tests.rs"]
mod tests;
