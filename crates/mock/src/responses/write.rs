//! Writing answers as `response`: an item for each content, whole or as numbered events.

use serde::Serialize;
use serde_json::{Value, json};

use crate::answer::{Answer, Content, Finish};
use crate::sse;
use crate::talk::{Dialect, Part, Spot};

/// How the answer is written, and how far it has come.
#[derive(Debug, Default)]
pub(crate) struct Responses {
    pub(crate) max_output_tokens: Option<i64>,
    pub(crate) sequence: u64,
}

#[derive(Serialize)]
struct Delta<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    sequence_number: u64,
    item_id: &'a str,
    output_index: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    content_index: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    summary_index: Option<usize>,
    delta: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    logprobs: Option<[(); 0]>,
}

/// The id of a content's item. The first one's is the answer's own.
fn item_id(answer: &Answer, spot: Spot<'_>) -> String {
    let prefix = match spot.content {
        Content::Call { .. } => "fc",
        content if content.is_thought() => "rs",
        _ => "msg",
    };
    if spot.block == 0 {
        format!("{prefix}_{}", answer.id)
    } else {
        format!("{prefix}_{}{:02x}", answer.id, spot.block)
    }
}

fn text_part(content: &Content, text: &str) -> Value {
    match content {
        Content::Refusal(_) => json!({ "type": "refusal", "refusal": text }),
        _ => json!({ "type": "output_text", "text": text, "annotations": [], "logprobs": [] }),
    }
}

fn summary_part(text: &str) -> Value {
    json!({ "type": "summary_text", "text": text })
}

/// The output item; an unfinished one is empty, as the event that opens it shows it.
fn item(answer: &Answer, spot: Spot<'_>, finished: bool) -> Value {
    let id = item_id(answer, spot);
    let text = spot.content.text();
    let status = match (finished, &spot.choice.finish) {
        (false, _) => "in_progress",
        (true, Finish::Length | Finish::Filter) => "incomplete",
        (true, _) => "completed",
    };
    match spot.content {
        Content::Call { id: call, name, .. } => json!({
            "type": "function_call", "id": id, "call_id": format!("call_{call}"), "name": name,
            "status": status, "arguments": if finished { &*text } else { "" },
        }),
        content if content.is_thought() => {
            let summary = Some(summary_part(&text)).filter(|_| finished && !text.is_empty());
            json!({ "type": "reasoning", "id": id, "summary": summary.into_iter().collect::<Vec<_>>() })
        }
        content => json!({
            "type": "message", "id": id, "status": status, "role": "assistant",
            "content": if finished { vec![text_part(content, &text)] } else { Vec::new() },
        }),
    }
}

/// Why the answer is incomplete, if it is.
fn incomplete(answer: &Answer) -> Option<&'static str> {
    answer.choices.iter().find_map(|choice| match choice.finish {
        Finish::Length => Some("max_output_tokens"),
        Finish::Filter => Some("content_filter"),
        _ => None,
    })
}

fn spots(answer: &Answer) -> impl Iterator<Item = Spot<'_>> {
    (0..).map_while(|block| Spot::at(answer, 0, block))
}

impl Responses {
    fn response(&self, answer: &Answer, finished: bool) -> Value {
        let cut = incomplete(answer).filter(|_| finished);
        let output: Vec<Value> = spots(answer).map(|spot| item(answer, spot, true)).collect();
        let usage = json!({
            "input_tokens": answer.usage.prompt,
            "input_tokens_details": { "cached_tokens": answer.usage.cache_read },
            "output_tokens": answer.usage.completion,
            "output_tokens_details": { "reasoning_tokens": answer.usage.reasoning },
            "total_tokens": answer.usage.prompt + answer.usage.completion,
        });
        json!({
            "id": format!("resp_{}", answer.id),
            "object": "response",
            "created_at": answer.created,
            "model": answer.model,
            "status": match (finished, cut) {
                (false, _) => "in_progress",
                (true, Some(_)) => "incomplete",
                (true, None) => "completed",
            },
            "output": if finished { output } else { Vec::new() },
            "usage": if finished { usage } else { Value::Null },
            "incomplete_details": cut.map(|reason| json!({ "reason": reason })),
            "max_output_tokens": self.max_output_tokens,
            "background": false, "error": null, "instructions": null, "metadata": {},
            "parallel_tool_calls": true, "previous_response_id": null,
            "reasoning": { "effort": null, "summary": null }, "service_tier": "default", "store": false,
            "temperature": 1.0, "text": { "format": { "type": "text" } }, "tool_choice": "auto", "tools": [],
            "top_p": 1.0, "truncation": "disabled", "user": null,
        })
    }

    fn event(&mut self, out: &mut Vec<u8>, name: &str, mut members: Value) {
        if let Some(members) = members.as_object_mut() {
            members.insert("type".to_owned(), name.into());
            members.insert("sequence_number".to_owned(), self.sequence.into());
        }
        self.sequence += 1;
        sse::named(out, name, &members);
    }

    fn start(&mut self, answer: &Answer, spot: Spot<'_>, out: &mut Vec<u8>) {
        let (id, index) = (item_id(answer, spot), spot.block);
        let added = json!({ "output_index": index, "item": item(answer, spot, false) });
        self.event(out, "response.output_item.added", added);
        match spot.content {
            Content::Call { .. } | Content::Redacted => {}
            Content::Thinking { .. } => {
                let part = json!({
                    "item_id": id, "output_index": index, "summary_index": 0, "part": summary_part(""),
                });
                self.event(out, "response.reasoning_summary_part.added", part);
            }
            content => {
                let part = json!({
                    "item_id": id, "output_index": index, "content_index": 0,
                    "part": text_part(content, ""),
                });
                self.event(out, "response.content_part.added", part);
            }
        }
    }

    fn piece(&mut self, answer: &Answer, spot: Spot<'_>, text: &str, out: &mut Vec<u8>) {
        let kind = match spot.content {
            Content::Call { .. } => "response.function_call_arguments.delta",
            Content::Refusal(_) => "response.refusal.delta",
            content if content.is_thought() => "response.reasoning_summary_text.delta",
            _ => "response.output_text.delta",
        };
        let (said, refused) = (spot.content.is_text(), matches!(spot.content, Content::Refusal(_)));
        let delta = Delta {
            kind,
            sequence_number: self.sequence,
            item_id: &item_id(answer, spot),
            output_index: spot.block,
            content_index: (said || refused).then_some(0),
            summary_index: spot.content.is_thought().then_some(0),
            delta: text,
            logprobs: said.then_some([]),
        };
        self.sequence += 1;
        sse::named(out, kind, &delta);
    }

    fn stop(&mut self, answer: &Answer, spot: Spot<'_>, out: &mut Vec<u8>) {
        let (id, index) = (item_id(answer, spot), spot.block);
        let text = spot.content.text();
        match spot.content {
            Content::Call { name, arguments, .. } => {
                let done =
                    json!({ "item_id": id, "output_index": index, "name": name, "arguments": arguments });
                self.event(out, "response.function_call_arguments.done", done);
            }
            Content::Redacted => {}
            Content::Thinking { .. } => {
                let done = json!({ "item_id": id, "output_index": index, "summary_index": 0, "text": text });
                self.event(out, "response.reasoning_summary_text.done", done);
                let part = summary_part(&text);
                let done = json!({ "item_id": id, "output_index": index, "summary_index": 0, "part": part });
                self.event(out, "response.reasoning_summary_part.done", done);
            }
            content => {
                let (name, done) = match content {
                    Content::Refusal(_) => (
                        "response.refusal.done",
                        json!({ "item_id": id, "output_index": index, "content_index": 0, "refusal": text }),
                    ),
                    _ => (
                        "response.output_text.done",
                        json!({
                            "item_id": id, "output_index": index, "content_index": 0, "text": text,
                            "logprobs": [],
                        }),
                    ),
                };
                self.event(out, name, done);
                let part = text_part(content, &text);
                let done = json!({ "item_id": id, "output_index": index, "content_index": 0, "part": part });
                self.event(out, "response.content_part.done", done);
            }
        }
        let done = json!({ "output_index": index, "item": item(answer, spot, true) });
        self.event(out, "response.output_item.done", done);
    }
}

impl Dialect for Responses {
    fn plain(&self, answer: &Answer) -> Vec<u8> {
        self.response(answer, true).to_string().into_bytes()
    }

    fn part(&mut self, answer: &Answer, part: Part<'_>, out: &mut Vec<u8>) {
        match part {
            Part::Open => {
                let response = self.response(answer, false);
                self.event(out, "response.created", json!({ "response": &response }));
                self.event(out, "response.in_progress", json!({ "response": &response }));
            }
            Part::Start(spot) => self.start(answer, spot, out),
            Part::Piece(spot, text) => self.piece(answer, spot, text, out),
            Part::Stop(spot) => self.stop(answer, spot, out),
            Part::Finish(..) => {}
            Part::Close => {
                let response = self.response(answer, true);
                let cut = incomplete(answer).is_some();
                let name = if cut { "response.incomplete" } else { "response.completed" };
                self.event(out, name, json!({ "response": response }));
            }
            Part::Fail => {
                let message = "The server had an error while processing your request. Sorry about that!";
                self.event(
                    out,
                    "error",
                    json!({ "code": "server_error", "message": message, "param": null }),
                );
            }
        }
    }
}
