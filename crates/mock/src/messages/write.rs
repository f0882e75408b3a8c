//! Writing answers as `message`, whole or as named events.

use std::borrow::Cow;

use serde::Serialize;
use serde_json::{Value, json};

use super::marks::Marks;
use super::thinking::{redacted, sign};
use crate::answer::{Answer, Choice, Content, Finish};
use crate::sse;
use crate::talk::{Dialect, Part, Spot};

/// How the answer is written.
#[derive(Debug, Default)]
pub(crate) struct Messages {
    pub(crate) marks: Marks,
}

#[derive(Serialize)]
struct DeltaEvent<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    index: usize,
    delta: Delta<'a>,
}

#[derive(Serialize)]
#[serde(tag = "type")]
enum Delta<'a> {
    #[serde(rename = "text_delta")]
    Text { text: &'a str },
    #[serde(rename = "input_json_delta")]
    Input { partial_json: &'a str },
    #[serde(rename = "thinking_delta")]
    Thinking { thinking: &'a str },
    #[serde(rename = "signature_delta")]
    Signature { signature: String },
}

fn stop_reason(finish: &Finish) -> (&'static str, Option<&str>) {
    match finish {
        Finish::Stop => ("end_turn", None),
        Finish::StopSequence(stop) => ("stop_sequence", Some(stop)),
        Finish::Length => ("max_tokens", None),
        Finish::Call => ("tool_use", None),
        Finish::Refusal | Finish::Filter => ("refusal", None),
    }
}

/// More on why an answer ended, where there is more.
fn stop_details(finish: &Finish) -> Value {
    match finish {
        Finish::Refusal => json!({ "type": "refusal", "category": null, "explanation": null }),
        Finish::Filter => {
            json!({ "type": "refusal", "category": "general_harms", "explanation": "Stopped by a filter." })
        }
        _ => Value::Null,
    }
}

/// A content block; an unfinished one is empty, as the event that opens it shows it.
fn block(content: &Content, finished: bool) -> Value {
    let text = if finished { content.text() } else { Cow::default() };
    match content {
        Content::Call { id, name, arguments } => {
            let input = Some(arguments).filter(|_| finished).and_then(|json| serde_json::from_str(json).ok());
            let input: Value = input.unwrap_or(json!({}));
            json!({ "type": "tool_use", "id": format!("toolu_{id}"), "name": name, "input": input })
        }
        Content::Thinking { .. } => {
            let signature = if finished { sign(&text) } else { String::new() };
            json!({ "type": "thinking", "thinking": text, "signature": signature })
        }
        Content::Redacted => json!({ "type": "redacted_thinking", "data": redacted() }),
        Content::Text(_) | Content::Words(_) | Content::Refusal(_) => json!({ "type": "text", "text": text }),
    }
}

fn delta(spot: Spot<'_>, delta: Delta<'_>, out: &mut Vec<u8>) {
    let event = DeltaEvent { kind: "content_block_delta", index: spot.block, delta };
    sse::named(out, "content_block_delta", &event);
}

impl Messages {
    /// `input_tokens` leaves out what was read from or written to the cache.
    fn usage(&self, answer: &Answer, output: u64) -> Value {
        let usage = answer.usage;
        let (short, long) = self.marks.split(usage.cache_write);
        let mut document = json!({
            "input_tokens": usage.prompt - usage.cache_read - usage.cache_write,
            "cache_read_input_tokens": usage.cache_read,
            "cache_creation_input_tokens": usage.cache_write,
            "cache_creation": { "ephemeral_5m_input_tokens": short, "ephemeral_1h_input_tokens": long },
            "output_tokens": output,
            "service_tier": "standard",
        });
        // The count is there when all of it is.
        if usage.reasoning > 0
            && output == usage.completion
            && let Some(members) = document.as_object_mut()
        {
            let details = json!({ "thinking_tokens": usage.reasoning });
            members.insert("output_tokens_details".to_owned(), details);
        }
        document
    }

    fn message(&self, answer: &Answer, finished: bool) -> Value {
        let choice = answer.choices.first().filter(|_| finished);
        let reason = choice.map(|choice| stop_reason(&choice.finish));
        let content = choice.map_or(&[][..], |choice| &choice.contents).iter();
        json!({
            "id": format!("msg_{}", answer.id),
            "type": "message",
            "role": "assistant",
            "model": answer.model,
            "content": content.map(|content| block(content, true)).collect::<Vec<_>>(),
            "stop_reason": reason.map(|(reason, _)| reason),
            "stop_sequence": reason.and_then(|(_, stop)| stop),
            "stop_details": choice.map(|choice| stop_details(&choice.finish)),
            "usage": self.usage(answer, if finished { answer.usage.completion } else { 1 }),
        })
    }

    fn close(&self, answer: &Answer, finish: &Finish, out: &mut Vec<u8>) {
        let (reason, stop) = stop_reason(finish);
        let delta = json!({
            "type": "message_delta",
            "delta": { "stop_reason": reason, "stop_sequence": stop, "stop_details": stop_details(finish) },
            "usage": self.usage(answer, answer.usage.completion),
        });
        sse::named(out, "message_delta", &delta);
        sse::named(out, "message_stop", &json!({ "type": "message_stop" }));
    }
}

impl Dialect for Messages {
    fn plain(&self, answer: &Answer) -> Vec<u8> {
        self.message(answer, true).to_string().into_bytes()
    }

    fn part(&mut self, answer: &Answer, part: Part<'_>, out: &mut Vec<u8>) {
        let mut event = |name: &str, document: Value| sse::named(out, name, &document);
        match part {
            Part::Open => {
                let message = self.message(answer, false);
                event("message_start", json!({ "type": "message_start", "message": message }));
            }
            Part::Start(spot) => {
                let block = block(spot.content, false);
                let start =
                    json!({ "type": "content_block_start", "index": spot.block, "content_block": block });
                event("content_block_start", start);
                if spot.block == 0 {
                    event("ping", json!({ "type": "ping" }));
                }
            }
            Part::Piece(spot, text) => {
                let piece = match spot.content {
                    Content::Call { .. } => Delta::Input { partial_json: text },
                    Content::Thinking { .. } => Delta::Thinking { thinking: text },
                    _ => Delta::Text { text },
                };
                delta(spot, piece, out);
            }
            Part::Stop(spot) => {
                if matches!(spot.content, Content::Thinking { .. }) {
                    delta(spot, Delta::Signature { signature: sign(&spot.content.text()) }, out);
                }
                let stop = json!({ "type": "content_block_stop", "index": spot.block });
                sse::named(out, "content_block_stop", &stop);
            }
            Part::Finish(..) => {}
            Part::Close => {
                let finish = answer.choices.first().map_or(&Finish::Stop, |choice: &Choice| &choice.finish);
                self.close(answer, finish, out);
            }
            Part::Fail => {
                let error = json!({ "type": "overloaded_error", "message": "Overloaded" });
                event("error", json!({ "type": "error", "error": error }));
            }
        }
    }
}
