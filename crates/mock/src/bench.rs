//! The `bench` models: answers made ahead, so that the mock's own work stays out of what is measured.
//!
//! A request's body is not parsed: model, stream and usage are looked for in its first and last bytes, where
//! every client writes them. Each chunk carries the monotonic time at which it was made, as `t=<20 digits> `,
//! from which a load generator on the same machine knows how long the chunk has travelled.

use bytes::{Bytes, BytesMut};
use http::{Response, StatusCode};
use memchr::memmem;
use serde::{Deserialize, Serialize};

use crate::answer::{Answer, Choice, Content, Finish, Usage};
use crate::body::{Body, Source, Step};
use crate::chat::Chat;
use crate::clock::{ExactTimer, monotonic_nanos};
use crate::completions::Completions;
use crate::endpoint::Endpoint;
use crate::messages::Messages;
use crate::reply;
use crate::responses::Responses;
use crate::spent::Spent;
use crate::state::State;
use crate::stats::Ticket;
use crate::talk::{Dialect, Part, Spot};

/// The models this is for.
pub(crate) const PREFIX: &str = "bench";

/// Where members are looked for: this many bytes from the body's start and from its end.
const WINDOW: usize = 2048;
/// What every prompt is said to have.
const PROMPT_TOKENS: u64 = 250;
const STAMP: &str = "t=00000000000000000000 ";
const STAMP_DIGITS: usize = 20;

/// What the `bench` models do; set by the control endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct BenchSettings {
    /// Microseconds before an answer begins.
    pub latency_us: u64,
    /// Content chunks of a stream.
    pub chunks: u64,
    /// Microseconds between chunks; 0 sends them as fast as they are taken, each in a write of its own.
    pub gap_us: u64,
    /// Bytes of a plain answer's whole body, as near as its shape allows.
    pub size: usize,
    /// Chunks have a further member whose value changes, as the padding that OpenAI sends against eavesdroppers.
    pub noise: bool,
}

impl Default for BenchSettings {
    fn default() -> Self {
        Self { latency_us: 0, chunks: 100, gap_us: 0, size: 1024, noise: false }
    }
}

/// The settings, and the answers made for them.
#[derive(Debug)]
pub(crate) struct Bench {
    pub(crate) settings: BenchSettings,
    completions: Prepared,
    chat: Prepared,
    responses: Prepared,
    messages: Prepared,
}

#[derive(Debug)]
struct Prepared {
    plain: Bytes,
    stream: Chunks,
    stream_with_usage: Chunks,
}

/// A stream in its parts: all that comes with the first chunk, the chunk again and again, the end.
#[derive(Debug, Clone, Default)]
struct Chunks {
    first: Bytes,
    chunk: Bytes,
    tail: Bytes,
}

impl Bench {
    /// Makes the answers.
    pub(crate) fn new(settings: BenchSettings) -> Self {
        let completions = |include_usage| -> Box<dyn Dialect> {
            Box::new(Completions { include_usage, ..Completions::default() })
        };
        let chat =
            |include_usage| -> Box<dyn Dialect> { Box::new(Chat { include_usage, ..Chat::default() }) };
        Self {
            settings,
            completions: Prepared::new(settings, completions),
            chat: Prepared::new(settings, chat),
            responses: Prepared::new(settings, |_| Box::new(Responses::default())),
            messages: Prepared::new(settings, |_| Box::new(Messages::default())),
        }
    }

    fn prepared(&self, endpoint: Endpoint) -> &Prepared {
        match endpoint {
            Endpoint::Chat => &self.chat,
            Endpoint::Responses => &self.responses,
            Endpoint::Messages => &self.messages,
            _ => &self.completions,
        }
    }
}

impl Prepared {
    fn new(settings: BenchSettings, dialect: impl Fn(bool) -> Box<dyn Dialect>) -> Self {
        let bare = dialect(false).plain(&answer(String::new(), settings.chunks)).len();
        let filler = "The quick brown fox jumps over the lazy dog. ".chars().cycle();
        let text: String = filler.take(settings.size.saturating_sub(bare)).collect();
        let plain = dialect(false).plain(&answer(text, settings.chunks));
        let stream = |usage| {
            let chunks = Chunks::new(&answer(String::new(), settings.chunks), &mut *dialect(usage));
            if settings.noise { chunks.with_noise() } else { chunks }
        };
        Self { plain: plain.into(), stream: stream(false), stream_with_usage: stream(true) }
    }
}

impl Chunks {
    fn new(answer: &Answer, dialect: &mut dyn Dialect) -> Self {
        let Some(spot) = Spot::at(answer, 0, 0) else { return Self::default() };
        let mut write = |parts: &[Part<'_>]| {
            let mut out = Vec::new();
            parts.iter().for_each(|part| dialect.part(answer, *part, &mut out));
            Bytes::from(out)
        };
        let piece = Part::Piece(spot, STAMP);
        Self {
            first: write(&[Part::Open, Part::Start(spot), piece]),
            chunk: write(&[piece]),
            tail: write(&[Part::Stop(spot), Part::Finish(0, spot.choice), Part::Close]),
        }
    }

    /// A member behind the others of a chunk, which is stamped like the content.
    fn with_noise(mut self) -> Self {
        if let Some((data, end)) =
            self.chunk.iter().rposition(|byte| *byte == b'}').and_then(|at| self.chunk.split_at_checked(at))
        {
            self.chunk = [data, br#","obfuscation":""#, STAMP.as_bytes(), b"\"", end].concat().into();
        }
        self
    }
}

fn usage(completion: u64) -> Usage {
    Usage { prompt: PROMPT_TOKENS, completion, ..Usage::default() }
}

fn answer(text: String, completion: u64) -> Answer {
    Answer {
        id: "bench0000000000".to_owned(),
        created: 1_760_000_000,
        model: PREFIX.to_owned(),
        fingerprint: "fp_bench".to_owned(),
        choices: vec![Choice::of(Content::Text(text), Finish::Stop)],
        usage: usage(completion),
    }
}

/// What a glance at a body shows.
#[derive(Debug, PartialEq)]
pub(crate) struct Glance<'a> {
    pub(crate) model: &'a str,
    pub(crate) stream: bool,
    pub(crate) include_usage: bool,
}

impl<'a> Glance<'a> {
    /// Looks at a body; `None` if it does not clearly ask for a `bench` model.
    ///
    /// Text inside strings cannot deceive it: there a quotation mark has a backslash before it.
    pub(crate) fn at(body: &'a [u8]) -> Option<Self> {
        let head = body.get(..WINDOW).unwrap_or(body);
        let tail = body
            .len()
            .checked_sub(WINDOW)
            .and_then(|from| body.get(from.max(head.len())..))
            .unwrap_or_default();
        let value = |name: &str| member(head, name).or_else(|| member(tail, name));
        let model = value("\"model\"")?.strip_prefix(b"\"")?;
        let model =
            model.split(|byte| *byte == b'"').next().filter(|model| model.starts_with(PREFIX.as_bytes()))?;
        let is_true = |name| value(name).is_some_and(|value| value.starts_with(b"true"));
        Some(Self {
            model: std::str::from_utf8(model).ok()?,
            stream: is_true("\"stream\""),
            include_usage: is_true("\"include_usage\""),
        })
    }
}

/// What follows a name and its colon.
fn member<'a>(window: &'a [u8], quoted_name: &str) -> Option<&'a [u8]> {
    let at = memmem::find(window, quoted_name.as_bytes())? + quoted_name.len();
    Some(window.get(at..)?.trim_ascii_start().strip_prefix(b":")?.trim_ascii_start())
}

/// The answer to a request for a `bench` model, at an endpoint that talks.
pub(crate) async fn reply(
    state: &State,
    endpoint: Endpoint,
    glance: &Glance<'_>,
    mut ticket: Ticket,
) -> Response<Body> {
    let bench = state.bench.load_full();
    let BenchSettings { latency_us, gap_us, chunks: left, .. } = bench.settings;
    ticket.settle(Some(Spent::nothing(PROMPT_TOKENS)));
    // The clock is left alone where nothing waits for it.
    let waits = latency_us > 0 || gap_us > 0;
    let start = if waits { monotonic_nanos().saturating_add(latency_us.saturating_mul(1000)) } else { 0 };
    if latency_us > 0
        && let Ok(mut timer) = ExactTimer::new()
        && timer.set(start).is_ok()
    {
        std::future::poll_fn(|cx| timer.poll(cx)).await;
    }
    let prepared = bench.prepared(endpoint);
    if !glance.stream {
        ticket.settle(Some(Spent::whole(usage(bench.settings.chunks))));
        ticket.finish();
        return reply::json(StatusCode::OK, prepared.plain.clone());
    }
    let chunks = if glance.include_usage { &prepared.stream_with_usage } else { &prepared.stream };
    let gap = gap_us.saturating_mul(1000);
    let source =
        Stamped { chunks: chunks.clone(), left, sent: 0, due: start, gap, waited: true, ended: false };
    reply::event_stream(Body::streamed(source, ticket))
}

/// A stream of stamped chunks.
struct Stamped {
    chunks: Chunks,
    left: u64,
    sent: u64,
    /// When the next chunk is due, counted from the start so that lateness does not add up.
    due: u64,
    gap: u64,
    waited: bool,
    ended: bool,
}

impl Source for Stamped {
    fn next(&mut self) -> Step {
        if self.left == 0 {
            return match std::mem::replace(&mut self.ended, true) {
                false => Step::Send(self.chunks.tail.clone()),
                true => Step::End,
            };
        }
        if self.gap > 0 && !std::mem::replace(&mut self.waited, true) {
            return Step::PauseUntil(self.due);
        }
        self.waited = false;
        self.left -= 1;
        self.sent += 1;
        self.due = self.due.saturating_add(self.gap);
        let chunk = std::mem::take(&mut self.chunks.first);
        Step::Piece(stamped(if chunk.is_empty() { &self.chunks.chunk } else { &chunk }))
    }

    fn spent(&self) -> Option<Spent> {
        let usage = usage(self.sent);
        Some(if self.ended { Spent::whole(usage) } else { Spent::part(usage, self.sent) })
    }
}

/// A copy of a chunk with the time in the places of the zeros.
fn stamped(chunk: &[u8]) -> Bytes {
    let mut chunk = BytesMut::from(chunk);
    let mut from = 0;
    while let Some(at) = chunk.get(from..).and_then(|rest| memmem::find(rest, STAMP.as_bytes()))
        && let Some(digits) = chunk.get_mut(from + at + 2..from + at + 2 + STAMP_DIGITS)
    {
        let mut now = monotonic_nanos();
        for digit in digits.iter_mut().rev() {
            *digit = b'0' + u8::try_from(now % 10).unwrap_or(0);
            now /= 10;
        }
        from += at + STAMP.len();
    }
    chunk.freeze()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_glance_finds_model_and_stream_at_either_end_of_a_long_body() {
        let long = "x".repeat(100_000);
        let body = format!(
            r#"{{ "model" : "bench", "prompt": "{long}", "stream": true,"stream_options":{{"include_usage":true}}}}"#
        );
        assert_eq!(
            Glance::at(body.as_bytes()),
            Some(Glance { model: "bench", stream: true, include_usage: true })
        );
        let body = format!(r#"{{"prompt":"{long}","model":"bench-2"}}"#);
        assert_eq!(
            Glance::at(body.as_bytes()),
            Some(Glance { model: "bench-2", stream: false, include_usage: false })
        );
    }

    #[test]
    fn a_glance_is_not_deceived_by_text_and_leaves_other_models_alone() {
        for body in [r#"{"prompt":"\"model\":\"bench\""}"#, r#"{"model":"demo"}"#, r#"{"model":7}"#, "{", ""]
        {
            assert_eq!(Glance::at(body.as_bytes()), None, "{body}");
        }
    }

    #[test]
    fn plain_answers_have_the_size_asked_for() {
        let bench = Bench::new(BenchSettings { size: 4096, ..BenchSettings::default() });
        for prepared in [&bench.completions, &bench.chat, &bench.responses, &bench.messages] {
            assert!(prepared.plain.len().abs_diff(4096) < 8, "{}", prepared.plain.len());
            serde_json::from_slice::<serde_json::Value>(&prepared.plain).unwrap();
        }
    }

    #[test]
    fn a_chunk_is_stamped_with_the_time() {
        let bench = Bench::new(BenchSettings::default());
        let before = monotonic_nanos();
        let chunk = stamped(&bench.chat.stream.chunk);
        let at = memmem::find(&chunk, b"\"t=").unwrap() + 3;
        let stamp: u64 = std::str::from_utf8(&chunk[at..at + STAMP_DIGITS]).unwrap().parse().unwrap();
        assert!((before..=monotonic_nanos()).contains(&stamp));
    }

    #[test]
    fn with_noise_no_two_chunks_are_alike_beside_their_content() {
        let bench = Bench::new(BenchSettings { noise: true, ..BenchSettings::default() });
        for chunks in [&bench.chat.stream, &bench.completions.stream_with_usage, &bench.messages.stream] {
            let chunk = stamped(&chunks.chunk);
            let data = chunk.split(|byte| *byte == b'\n').find_map(|line| line.strip_prefix(b"data: "));
            let event: serde_json::Value = serde_json::from_slice(data.unwrap()).unwrap();
            let noise = event["obfuscation"].as_str().unwrap();
            assert!(noise.starts_with("t=") && !noise.starts_with(&STAMP[..12]), "{noise}");
        }
    }
}
