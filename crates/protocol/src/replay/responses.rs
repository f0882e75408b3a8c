//! The Responses API: the stream repeats the whole answer in its last event, so that only the way back has to
//! be made up.

use super::{Piece, Unconvertible};
use crate::observe::Verdict;
use crate::raw::{Object, Writer};
use crate::sse::encode_named;

pub(super) fn to_plain(pieces: &[Piece]) -> Result<String, Unconvertible> {
    let last = pieces.iter().find(|piece| piece.verdict == Verdict::Terminal).ok_or(Unconvertible)?;
    let data = Object::parse(last.json()?)?;
    let response = data.get("response").ok_or(Unconvertible)?;
    let has_output = Object::parse(response)?.is_filled("output");
    // Some repeat everything but the output.
    if !has_output && pieces.iter().any(|piece| piece.verdict == Verdict::Content) {
        return Err(Unconvertible);
    }
    Ok(response.to_owned())
}

pub(super) fn to_stream(body: &str) -> Result<Vec<u8>, Unconvertible> {
    let response = Object::parse(body)?;
    let last = match response.string("status").as_deref() {
        Some("completed") => "response.completed",
        Some("incomplete") => "response.incomplete",
        _ => return Err(Unconvertible),
    };
    if response.is_filled("error") || response.get("output").is_none() {
        return Err(Unconvertible);
    }
    let mut events = Events { out: Vec::new(), sequence: 0 };
    let begun = begun(&response);
    for name in ["response.created", "response.in_progress"] {
        events.push(name, |out| {
            out.raw("response", &begun);
        });
    }
    for (index, item) in response.items("output")?.into_iter().enumerate() {
        push_item(&mut events, index, item)?;
    }
    events.push(last, |out| {
        out.raw("response", body.trim_ascii());
    });
    Ok(events.out)
}

/// A stream as far as it is written.
struct Events {
    out: Vec<u8>,
    sequence: u64,
}

impl Events {
    fn push(&mut self, name: &str, members: impl FnOnce(&mut Writer)) {
        let mut out = Writer::new();
        out.string("type", name).number("sequence_number", self.sequence);
        members(&mut out);
        self.sequence += 1;
        self.out.extend_from_slice(&encode_named(name, out.finish().as_bytes()));
    }
}

/// The response before it has said anything.
fn begun(response: &Object<'_>) -> String {
    let mut out = Writer::new();
    for (name, value) in response.iter() {
        match &**name {
            "status" => out.string(name, "in_progress"),
            "output" => out.raw(name, "[]"),
            "usage" | "incomplete_details" | "completed_at" => out.raw(name, "null"),
            // What some add for convenience: the whole text once more.
            "output_text" => &mut out,
            _ => out.raw(name, value),
        };
    }
    out.finish()
}

fn push_item(events: &mut Events, index: usize, text: &str) -> Result<(), Unconvertible> {
    let item = Object::parse(text)?;
    let kind = item.string("type").unwrap_or_default();
    // The members that grow while the item is written.
    let grows: &[&str] = match &*kind {
        "message" => &["content"],
        "reasoning" => &["content", "summary"],
        "function_call" => &["arguments"],
        "custom_tool_call" => &["input"],
        _ => &[],
    };
    let mut added = Writer::new();
    for (name, value) in item.iter() {
        match (&**name, value.as_bytes().first()) {
            ("status", Some(b'"')) => added.string(name, "in_progress"),
            (grown, Some(b'[')) if grows.contains(&grown) => added.raw(name, "[]"),
            (grown, Some(b'"')) if grows.contains(&grown) => added.raw(name, "\"\""),
            _ => added.raw(name, value),
        };
    }
    let added = added.finish();
    events.push("response.output_item.added", |out| {
        out.number("output_index", index).raw("item", &added);
    });
    if !grows.is_empty() {
        let place = Place { id: item.some("id").ok_or(Unconvertible)?, output_index: index };
        match &*kind {
            "function_call" => {
                place.push_string(events, &item, "response.function_call_arguments", "arguments")?;
            }
            "custom_tool_call" => {
                place.push_string(events, &item, "response.custom_tool_call_input", "input")?;
            }
            _ => {
                place.push_summary(events, &item)?;
                place.push_content(events, &item)?;
            }
        }
    }
    events.push("response.output_item.done", |out| {
        out.number("output_index", index).raw("item", text);
    });
    Ok(())
}

/// The item to which events belong.
struct Place<'a> {
    /// The id as it is written.
    id: &'a str,
    output_index: usize,
}

impl Place<'_> {
    fn put(&self, out: &mut Writer) {
        out.raw("item_id", self.id).number("output_index", self.output_index);
    }

    /// A string member: once as a piece, once as a whole.
    fn push_string(
        &self,
        events: &mut Events,
        item: &Object<'_>,
        stem: &str,
        member: &str,
    ) -> Result<(), Unconvertible> {
        let value = item.get(member).filter(|value| value.starts_with('"')).ok_or(Unconvertible)?;
        events.push(&format!("{stem}.delta"), |out| {
            self.put(out);
            out.raw("delta", value);
        });
        events.push(&format!("{stem}.done"), |out| {
            self.put(out);
            if let Some(name) = item.get("name") {
                out.raw("name", name);
            }
            out.raw(member, value);
        });
        Ok(())
    }

    fn push_summary(&self, events: &mut Events, item: &Object<'_>) -> Result<(), Unconvertible> {
        for (index, text) in item.items("summary")?.into_iter().enumerate() {
            let part = Part { place: self, index_name: "summary_index", index, text };
            part.push(events, "response.reasoning_summary_part", "response.reasoning_summary_text", "text")?;
        }
        Ok(())
    }

    fn push_content(&self, events: &mut Events, item: &Object<'_>) -> Result<(), Unconvertible> {
        for (index, text) in item.items("content")?.into_iter().enumerate() {
            let kind = Object::parse(text)?.string("type").unwrap_or_default();
            let (stem, member) = match &*kind {
                "output_text" => ("response.output_text", "text"),
                "refusal" => ("response.refusal", "refusal"),
                "reasoning_text" => ("response.reasoning_text", "text"),
                _ => return Err(Unconvertible),
            };
            let part = Part { place: self, index_name: "content_index", index, text };
            part.push(events, "response.content_part", stem, member)?;
        }
        Ok(())
    }
}

/// One part of an item's content or summary.
struct Part<'a> {
    place: &'a Place<'a>,
    index_name: &'static str,
    index: usize,
    text: &'a str,
}

impl Part<'_> {
    fn push(&self, events: &mut Events, frame: &str, stem: &str, member: &str) -> Result<(), Unconvertible> {
        let part = Object::parse(self.text)?;
        let text = part.get(member).filter(|text| text.starts_with('"')).ok_or(Unconvertible)?;
        let logprobs = (stem == "response.output_text").then(|| part.some("logprobs").unwrap_or("[]"));
        let mut added = Writer::new();
        for (name, value) in part.iter() {
            let value = match &**name {
                name if name == member => "\"\"",
                "annotations" | "logprobs" if value.starts_with('[') => "[]",
                _ => value,
            };
            added.raw(name, value);
        }
        let added = added.finish();
        self.event(events, &format!("{frame}.added"), |out| {
            out.raw("part", &added);
        });
        let said = |out: &mut Writer, member: &str| {
            out.raw(member, text);
            if let Some(logprobs) = logprobs {
                out.raw("logprobs", logprobs);
            }
        };
        self.event(events, &format!("{stem}.delta"), |out| said(out, "delta"));
        for (at, annotation) in part.items("annotations")?.into_iter().enumerate() {
            self.event(events, &format!("{stem}.annotation.added"), |out| {
                out.number("annotation_index", at).raw("annotation", annotation);
            });
        }
        self.event(events, &format!("{stem}.done"), |out| said(out, member));
        self.event(events, &format!("{frame}.done"), |out| {
            out.raw("part", self.text);
        });
        Ok(())
    }

    fn event(&self, events: &mut Events, name: &str, members: impl FnOnce(&mut Writer)) {
        events.push(name, |out| {
            self.place.put(out);
            out.number(self.index_name, self.index);
            members(out);
        });
    }
}
