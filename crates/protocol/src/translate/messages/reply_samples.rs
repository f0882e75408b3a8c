//! For the tests: a question, streams by their data, and answers and steps in a short notation.

use std::fmt::Write as _;

use super::{StreamReader, StreamWriter};
use crate::canonical::{Content, Delta, Head, Opening, Piece, Reply, Stop, Text, Tokens};
use crate::dialect::{Dialect, Profile};
use crate::envelope::Envelope;
use crate::observe::Finish;
use crate::raw::Object;
use crate::sse::{self, Event};
use crate::translate::{Asked, Events};
use crate::usage::Usage;

/// A client of Messages has asked.
pub(super) fn asked() -> Asked {
    let body = r#"{"model":"claude","max_tokens":9,"messages":[{"role":"user","content":"Hi"}]}"#;
    let call = Envelope::scan(body.into(), Dialect::Messages, Profile::Open).expect("a good body");
    Asked { call, now: 1_700_000_000, id: "01".to_owned() }
}

/// What Anthropic sends when it is overloaded.
pub(super) fn anthropic_error() -> String {
    r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#.to_owned()
}

/// Events by their data, each named as its `type` says.
pub(super) fn events(data: &[String]) -> Vec<Event> {
    let event = |data: &String| {
        let kind =
            Object::parse(data).ok().and_then(|data| data.string("type").map(|kind| kind.into_owned()));
        let event = sse::event(None, data);
        Event { name: kind.filter(|kind| kind != "error").map(Into::into), ..event }
    };
    data.iter().map(event).collect()
}

/// A step on its own.
#[derive(Debug, Clone)]
pub(super) enum Step {
    Begin,
    Open(u64, Opening<'static>),
    Piece(u64, Piece<'static>),
    Close(u64),
    Finish(Stop<'static>),
    Tokens(Tokens<'static>),
    /// A step of another choice.
    Other,
    End,
}

impl Step {
    fn delta(&self) -> Delta<'static> {
        match self.clone() {
            Self::Begin => Delta::Begin(Head {
                id: Some(Text::of("chatcmpl-1")),
                model: Some(Text::of("gpt-5.2")),
                ..Head::default()
            }),
            Self::Open(block, opening) => Delta::Open { choice: 0, block, opening },
            Self::Piece(block, piece) => Delta::Piece { choice: 0, block, piece },
            Self::Close(block) => Delta::Close { choice: 0, block },
            Self::Finish(stop) => Delta::Finish { choice: 0, stop },
            Self::Tokens(tokens) => Delta::Tokens(tokens),
            Self::Other => Delta::Open { choice: 1, block: 0, opening: Opening::Text },
            Self::End => Delta::End,
        }
    }
}

/// Steps by their notation: `open 0 text; piece 0 text Hi; close 0; finish stop; end`.
pub(super) fn steps(script: &str) -> Vec<Step> {
    let step = |line: &str| {
        let line = line.strip_prefix(' ').unwrap_or(line);
        let mut words = line.splitn(4, ' ');
        let mut word = || words.next().unwrap_or_default();
        match word() {
            "begin" => Step::Begin,
            "end" => Step::End,
            "other" => Step::Other,
            "close" => Step::Close(word().parse().expect("a number")),
            "finish" => {
                let native = word().to_owned();
                Step::Finish(Stop { finish: Finish::parse(&native), native: native.into(), sequence: None })
            }
            "tokens" => {
                let counts: Vec<u64> =
                    line.split(' ').skip(1).map(|count| count.parse().expect("a count")).collect();
                let [input, output, cache_read, cache_write, reasoning] = counts[..] else {
                    panic!("five counts")
                };
                let usage = Usage { input, output, cache_read, cache_write, reasoning, ..Usage::default() };
                Step::Tokens(Tokens { usage, native: Vec::new() })
            }
            "open" => {
                let number = word().parse().expect("a number");
                let opening = match word() {
                    "text" => Opening::Text,
                    "thinking" => Opening::Thinking,
                    "refusal" => Opening::Refusal,
                    "sealed" => Opening::RedactedThinking(Text::of(word())),
                    "native" => Opening::Native,
                    _ => Opening::ToolCall { id: Text::of(word()), name: Text::of("get_weather") },
                };
                Step::Open(number, opening)
            }
            _ => {
                let number = word().parse().expect("a number");
                let (kind, text) = (word().to_owned(), word());
                let piece = match &*kind {
                    "args" => Piece::Arguments(Text::of(text)),
                    "sign" => Piece::Signature(Text::of(text)),
                    "raw" => Piece::Text(Text::read(&format!("\"{text}\"")).expect("a string").into_owned()),
                    _ => Piece::Text(Text::of(text)),
                };
                Step::Piece(number, piece)
            }
        }
    };
    script.split(';').map(step).collect()
}

/// What is written of steps, one event per line, each with its name where that is not the type of its data.
pub(super) fn write_steps(steps: &[Step]) -> String {
    let mut out = String::new();
    for event in written(steps) {
        let data = String::from_utf8(event.data.expect("data").to_vec()).expect("UTF-8");
        let kind = Object::parse(&data).expect("an object").string("type").expect("a type").into_owned();
        assert_eq!(event.name.as_deref(), Some(kind.as_bytes()), "clients go by either");
        let _ = writeln!(out, "{data}");
    }
    out
}

/// The events that are written of steps.
pub(super) fn written(steps: &[Step]) -> Vec<Event> {
    let (mut writer, mut out) = (StreamWriter::new(asked()), Events::default());
    for step in steps {
        writer.write(&step.delta(), &mut out);
    }
    out.0
}

/// What is read of events, one step per line, up to a fault.
pub(super) fn read_events(events: &[Event]) -> String {
    let (mut reader, mut out) = (StreamReader::default(), String::new());
    for event in events {
        if let Err(fault) = reader.read(event, &mut |delta| show_delta(&delta, &mut out)) {
            let _ = writeln!(out, "  {fault:?}");
            break;
        }
    }
    out
}

fn show_delta(delta: &Delta<'_>, out: &mut String) {
    let _ = match delta {
        Delta::Begin(head) => writeln!(out, "  begin {}", shown_head(head)),
        Delta::Open { block, opening, .. } => writeln!(
            out,
            "  open {block} {}",
            match opening {
                Opening::Text => "text".to_owned(),
                Opening::Thinking => "thinking".to_owned(),
                Opening::Refusal => "refusal".to_owned(),
                Opening::RedactedThinking(data) => format!("sealed {}", data.json()),
                Opening::ToolCall { id, name } => format!("call {} {}", id.json(), name.json()),
                Opening::Native => "native".to_owned(),
            }
        ),
        Delta::Piece { block, piece, .. } => writeln!(
            out,
            "  piece {block} {}",
            match piece {
                Piece::Text(text) => format!("text {}", text.json()),
                Piece::Arguments(text) => format!("arguments {}", text.json()),
                Piece::Signature(text) => format!("signature {}", text.json()),
                Piece::Native => "native".to_owned(),
            }
        ),
        Delta::Close { block, .. } => writeln!(out, "  close {block}"),
        Delta::Logprobs { .. } => writeln!(out, "  logprobs"),
        Delta::Finish { stop, .. } => writeln!(out, "  finish {}", shown_stop(stop)),
        Delta::Tokens(tokens) => writeln!(out, "  {}", shown_tokens(tokens)),
        Delta::End => writeln!(out, "  end"),
    };
}

/// An answer, one block per line.
pub(super) fn shown_reply(reply: &Reply<'_>) -> String {
    let mut out = format!("  {}\n", shown_head(&reply.head));
    for choice in &reply.choices {
        for block in &choice.blocks {
            let _ = match &block.content {
                Content::Text(text) => writeln!(out, "  text {}", text.json()),
                Content::ToolCall { id, name, arguments } => {
                    writeln!(out, "  call {} {} {arguments}", id.json(), name.json())
                }
                Content::Thinking { text, signature } => {
                    writeln!(
                        out,
                        "  thinking {} {}",
                        text.json(),
                        signature.as_ref().map_or("unsigned", Text::json)
                    )
                }
                Content::RedactedThinking(data) => writeln!(out, "  sealed {}", data.json()),
                Content::Refusal(text) => writeln!(out, "  refusal {}", text.json()),
                Content::Native { kind, json } => writeln!(out, "  native {kind} {json}"),
                Content::Media(_) | Content::ToolResult { .. } => writeln!(out, "  other"),
            };
        }
        let _ = writeln!(out, "  {}", choice.stop.as_ref().map_or("no reason".to_owned(), shown_stop));
    }
    let _ = writeln!(out, "  {}", reply.tokens.as_ref().map_or("no counts".to_owned(), shown_tokens));
    out
}

fn shown_head(head: &Head<'_>) -> String {
    let part = |text: &Option<Text<'_>>| text.as_ref().map_or("-".to_owned(), |text| text.json().to_owned());
    format!("{} of {}", part(&head.id), part(&head.model))
}

fn shown_stop(stop: &Stop<'_>) -> String {
    let sequence = stop.sequence.as_ref().map_or(String::new(), |text| format!(" at {}", text.json()));
    format!("{} ({}){sequence}", stop.finish.as_str(), stop.native)
}

fn shown_tokens(tokens: &Tokens<'_>) -> String {
    let Usage { input, output, cache_read, cache_write, reasoning, .. } = tokens.usage;
    let mut out = format!(
        "tokens {input} in ({cache_read} read, {cache_write} written), {output} out ({reasoning} thought)"
    );
    for (name, value) in &tokens.native {
        let _ = write!(out, ", {name}={value}");
    }
    out
}
