//! For the tests of answers: questions, streams as upstreams send them, and the middle form in lines that can be read.

use std::fmt::Write as _;

use bytes::Bytes;

use super::chat::StreamReader;
use super::{Asked, Events, StreamFault};
use crate::canonical::{Content, Delta, Head, Opening, Piece, Reply, Stop, Text, Tokens};
use crate::dialect::{Dialect, Profile};
use crate::envelope::Envelope;
use crate::sse::{self, Event};

/// A question of a chat client.
pub(super) const CHAT: &str = r#"{"model":"ours","messages":[{"role":"user","content":"Hi"}]}"#;

/// The same of a completions client.
pub(super) const COMPLETION: &str = r#"{"model":"ours","prompt":"Hi"}"#;

pub(super) fn envelope(body: &str) -> Envelope {
    let dialect = if body.contains("\"prompt\"") { Dialect::Completions } else { Dialect::Chat };
    Envelope::scan(Bytes::copy_from_slice(body.as_bytes()), dialect, Profile::Open).expect("a good request")
}

pub(super) fn asked(body: &str) -> Asked {
    Asked { call: envelope(body), now: 1_700_000_000, id: "made".to_owned() }
}

/// What a JSON text means as a string of its own.
pub(super) fn text(json: &str) -> Text<'_> {
    Text::read(json).expect("a string")
}

/// A stream: each line's data, the end mark included if it is wanted.
pub(super) fn events(lines: &str) -> Vec<Event> {
    let lines = lines.lines().map(str::trim).filter(|line| !line.is_empty());
    lines.map(|line| sse::event(None, line)).collect()
}

/// The data of events, a line each.
pub(super) fn lines(events: &Events) -> String {
    let line = |event: &Event| {
        let data = event.data.as_deref().expect("data");
        std::str::from_utf8(data).expect("UTF-8").to_owned() + "\n"
    };
    events.0.iter().map(line).collect()
}

/// The deltas of a chat stream, as far as it can be read, and whether all choices are finished.
pub(super) fn deltas(events: &[Event]) -> String {
    let (mut out, mut reader) = (String::new(), StreamReader::default());
    for event in events {
        let fault = reader.read(event, &mut |delta| out.push_str(&describe(&delta)));
        match fault {
            Ok(()) => {}
            Err(StreamFault::Malformed) => out.push_str("! malformed\n"),
            Err(StreamFault::Error(data)) => writeln!(out, "! error {data:?}").expect("room"),
        }
    }
    writeln!(out, "finished: {}", reader.is_finished()).expect("room");
    out
}

fn describe(delta: &Delta<'_>) -> String {
    let line = match delta {
        Delta::Begin(head) => format!("begin {}", describe_head(head)),
        Delta::Open { choice, block, opening } => {
            let opening = match opening {
                Opening::Text => "text".to_owned(),
                Opening::Thinking => "thinking".to_owned(),
                Opening::RedactedThinking(data) => format!("redacted {}", data.json()),
                Opening::Refusal => "refusal".to_owned(),
                Opening::ToolCall { id, name } => format!("call {} {}", id.json(), name.json()),
                Opening::Native => "native".to_owned(),
            };
            format!("{choice}.{block} open {opening}")
        }
        Delta::Piece { choice, block, piece } => {
            let piece = match piece {
                Piece::Text(text) => text.json().to_owned(),
                Piece::Arguments(text) => format!("arguments {}", text.json()),
                Piece::Signature(text) => format!("signature {}", text.json()),
                Piece::Native => "native".to_owned(),
            };
            format!("{choice}.{block}   {piece}")
        }
        Delta::Close { choice, block } => format!("{choice}.{block} close"),
        Delta::Logprobs { choice, json } => format!("{choice} logprobs {json}"),
        Delta::Finish { choice, stop } => format!("{choice} finish {}", describe_stop(stop)),
        Delta::Tokens(tokens) => describe_tokens(tokens),
        Delta::End => "end".to_owned(),
    };
    line + "\n"
}

/// A whole answer in lines.
pub(super) fn reply(reply: &Reply<'_>) -> String {
    let mut out = describe_head(&reply.head) + "\n";
    for choice in &reply.choices {
        for block in &choice.blocks {
            let line = match &block.content {
                Content::Text(text) => format!("text {}", text.json()),
                Content::Refusal(text) => format!("refusal {}", text.json()),
                Content::Thinking { text, signature } => {
                    format!("thinking {} {}", text.json(), signature.as_ref().map_or("unsigned", Text::json))
                }
                Content::RedactedThinking(data) => format!("redacted {}", data.json()),
                Content::ToolCall { id, name, arguments } => {
                    format!("call {} {} {arguments}", id.json(), name.json())
                }
                other => format!("{other:?}"),
            };
            writeln!(out, "{} {line}", choice.index).expect("room");
        }
        let stop = choice.stop.as_ref().map_or_else(|| "unknown".to_owned(), describe_stop);
        writeln!(out, "{} stop {stop}", choice.index).expect("room");
        if let Some(logprobs) = &choice.logprobs {
            writeln!(out, "{} logprobs {logprobs}", choice.index).expect("room");
        }
    }
    out + &reply.tokens.as_ref().map_or_else(|| "no tokens".to_owned(), describe_tokens) + "\n"
}

fn describe_head(head: &Head<'_>) -> String {
    let text = |text: &Option<Text<'_>>| text.as_ref().map_or("-".to_owned(), |text| text.json().to_owned());
    format!(
        "id {} model {} created {} fingerprint {} tier {}",
        text(&head.id),
        text(&head.model),
        head.created.as_deref().unwrap_or("-"),
        text(&head.fingerprint),
        text(&head.service_tier),
    )
}

fn describe_stop(stop: &Stop<'_>) -> String {
    let sequence = stop.sequence.as_ref().map_or_else(String::new, |text| format!(" at {}", text.json()));
    format!("{:?} ({}){sequence}", stop.finish, stop.native)
}

fn describe_tokens(tokens: &Tokens<'_>) -> String {
    let usage = tokens.usage;
    let native: String = tokens.native.iter().map(|(name, value)| format!(" {name}={value}")).collect();
    format!(
        "tokens input {} output {} read {} write {} reasoning {};{native}",
        usage.input, usage.output, usage.cache_read, usage.cache_write, usage.reasoning
    )
}
