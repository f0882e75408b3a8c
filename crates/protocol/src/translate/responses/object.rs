//! The response object: what stands around the output, and what of the request is repeated in it.
//!
//! Members that the client set are repeated as they were sent; the others have the API's defaults, as clients know
//! them from there.

use super::answer::{self, Answer, Status};
use crate::canonical::{Block, Content, Head, Opening, Piece, Reply, Stop, Text, Tokens};
use crate::observe::Finish;
use crate::raw::{self, Object, Writer};
use crate::translate::Asked;

/// Writes a whole answer.
pub(crate) fn write_reply(reply: &Reply<'_>, asked: &Asked) -> String {
    let frame = Frame::new(&reply.head, asked);
    let mut answer = Answer::new(frame.stem.clone());
    // Only one was asked for.
    let choice = reply.choices.first();
    for block in choice.map(|choice| &*choice.blocks).unwrap_or_default() {
        put(block, &mut answer);
    }
    if let Some(items) = choice.and_then(|choice| answer::logprobs(choice.logprobs.as_deref()?)) {
        answer.push_logprobs(&items);
    }
    let ending = Ending::of(choice.and_then(|choice| choice.stop.as_ref()));
    let usage = reply.tokens.as_ref().map(usage);
    frame.ended(asked, &answer, &ending, usage.as_deref())
}

/// Adds a block in the steps in which a stream would have given it.
fn put(block: &Block<'_>, answer: &mut Answer) {
    let (opening, piece) = match &block.content {
        Content::Text(text) => (Opening::Text, Some(Piece::Text(text.clone()))),
        Content::Refusal(text) => (Opening::Refusal, Some(Piece::Text(text.clone()))),
        Content::Thinking { text, .. } => (Opening::Thinking, Some(Piece::Text(text.clone()))),
        Content::RedactedThinking(data) => (Opening::RedactedThinking(data.clone()), None),
        Content::ToolCall { id, name, arguments } => (
            Opening::ToolCall { id: id.clone(), name: name.clone() },
            Some(Piece::Arguments(Text::of(arguments))),
        ),
        // A model's answer has no others but those of tools that its provider runs.
        Content::Media(_) | Content::ToolResult { .. } | Content::Native { .. } => return,
    };
    let Some(place) = answer.open(&opening) else { return };
    if let Some(piece) = piece {
        answer.push(place, &piece);
    }
    if let Content::Thinking { signature: Some(signature), .. } = &block.content {
        answer.push(place, &Piece::Signature(signature.clone()));
    }
}

/// What is known of an answer when it begins. Values are JSON.
#[derive(Debug, Default)]
pub(super) struct Frame {
    /// The id without its prefix, as it is written between quotes.
    pub(super) stem: String,
    created: String,
    model: String,
    service_tier: Option<String>,
}

/// How an answer ended.
#[derive(Debug, Default)]
pub(super) struct Ending {
    /// Why it is not whole, a JSON string.
    cut: Option<String>,
    /// The upstream's own word, a JSON string, where this API has none for it.
    native: Option<String>,
}

impl Ending {
    pub(super) fn of(stop: Option<&Stop<'_>>) -> Self {
        let Some(stop) = stop else { return Self::default() };
        let cut = |reason: &str| Self { cut: Some(raw::quoted(reason)), native: None };
        match stop.finish {
            Finish::Stop | Finish::ToolCalls => Self::default(),
            Finish::Length => cut("max_output_tokens"),
            Finish::ContentFilter => cut("content_filter"),
            Finish::Other => match &*stop.native {
                // Words that say themselves that more was to come.
                word @ ("abort" | "aborted" | "cancelled" | "error" | "pause_turn") => cut(word),
                word => Self { cut: None, native: (!word.is_empty()).then(|| raw::quoted(word)) },
            },
        }
    }

    /// What has become of the item that was written last.
    pub(super) fn last(&self) -> Status {
        if self.cut.is_some() { Status::Incomplete } else { Status::Completed }
    }

    /// The event that ends a stream.
    pub(super) fn event(&self) -> &'static str {
        if self.cut.is_some() { "response.incomplete" } else { "response.completed" }
    }
}

impl Frame {
    pub(super) fn new(head: &Head<'_>, asked: &Asked) -> Self {
        let stem = match &head.id {
            Some(id) if !id.is_empty() => id.inside().to_owned(),
            _ => Text::of(&asked.id).inside().to_owned(),
        };
        Self {
            stem: stem.strip_prefix("resp_").map(str::to_owned).unwrap_or(stem),
            created: head.created.as_deref().map_or_else(|| asked.now.to_string(), str::to_owned),
            model: match &head.model {
                Some(model) => model.json().to_owned(),
                None => raw::quoted(&asked.call.model()),
            },
            service_tier: head.service_tier.as_ref().map(|tier| tier.json().to_owned()),
        }
    }

    /// The response object of an answer that begins.
    pub(super) fn begun(&self, asked: &Asked) -> String {
        self.write(asked, "in_progress", &Ending::default(), "[]", None)
    }

    /// The response object of an answer that has ended.
    pub(super) fn ended(
        &self,
        asked: &Asked,
        answer: &Answer,
        ending: &Ending,
        usage: Option<&str>,
    ) -> String {
        let status = if ending.cut.is_some() { "incomplete" } else { "completed" };
        self.write(asked, status, ending, &answer.output(ending.last()), usage)
    }

    fn write(
        &self,
        asked: &Asked,
        status: &str,
        ending: &Ending,
        output: &str,
        usage: Option<&str>,
    ) -> String {
        // It has been read as one when it came.
        let body = std::str::from_utf8(asked.call.body()).ok().and_then(|body| Object::parse(body).ok());
        let body = body.unwrap_or_default();
        let sent = |name: &str, default: &'static str| body.some(name).unwrap_or(default);
        let details = ending.cut.as_ref().map(|reason| format!("{{\"reason\":{reason}}}"));
        let tier = self.service_tier.as_deref().unwrap_or_else(|| sent("service_tier", "\"default\""));
        let mut out = Writer::new();
        out.raw("id", &format!("\"resp_{}\"", self.stem))
            .string("object", "response")
            .raw("created_at", &self.created)
            .string("status", status)
            .raw("background", "false")
            .raw("error", "null")
            .raw("incomplete_details", details.as_deref().unwrap_or("null"))
            .raw("instructions", sent("instructions", "null"))
            .raw("max_output_tokens", sent("max_output_tokens", "null"))
            .raw("max_tool_calls", sent("max_tool_calls", "null"))
            .raw("model", &self.model)
            .raw("output", output)
            .raw("parallel_tool_calls", sent("parallel_tool_calls", "true"))
            .raw("previous_response_id", "null")
            .raw("prompt_cache_key", sent("prompt_cache_key", "null"))
            .raw("reasoning", sent("reasoning", r#"{"effort":null,"summary":null}"#))
            .raw("safety_identifier", sent("safety_identifier", "null"))
            .raw("service_tier", tier)
            // Nothing is kept here, whatever was asked.
            .raw("store", "false")
            .raw("temperature", sent("temperature", "1.0"))
            .raw("text", &text(body.some("text")))
            .raw("tool_choice", sent("tool_choice", "\"auto\""))
            .raw("tools", sent("tools", "[]"))
            .raw("top_logprobs", sent("top_logprobs", "0"))
            .raw("top_p", sent("top_p", "1.0"))
            .raw("truncation", sent("truncation", "\"disabled\""))
            .raw("usage", usage.unwrap_or("null"))
            .raw("user", sent("user", "null"))
            .raw("metadata", sent("metadata", "{}"));
        if let Some(word) = &ending.native {
            out.raw("native_finish_reason", word);
        }
        out.finish()
    }
}

/// `text` as it was sent, with the format that is meant where none is named.
fn text(sent: Option<&str>) -> String {
    let mut out = Writer::new();
    let sent = sent.and_then(|sent| Object::parse(sent).ok()).unwrap_or_default();
    if sent.some("format").is_none() {
        out.raw("format", r#"{"type":"text"}"#);
    }
    for (name, value) in sent.iter().filter(|(_, value)| *value != "null") {
        out.raw(name, value);
    }
    out.finish()
}

/// `usage`, with the upstream's own members behind.
pub(super) fn usage(tokens: &Tokens<'_>) -> String {
    const OURS: &[&str] =
        &["input_tokens", "input_tokens_details", "output_tokens", "output_tokens_details", "total_tokens"];
    let usage = &tokens.usage;
    let (mut input, mut output) = (Writer::new(), Writer::new());
    input.number("cached_tokens", usage.cache_read).number("cache_write_tokens", usage.cache_write);
    output.number("reasoning_tokens", usage.reasoning);
    let mut out = Writer::new();
    out.number("input_tokens", usage.input)
        .raw("input_tokens_details", &input.finish())
        .number("output_tokens", usage.output)
        .raw("output_tokens_details", &output.finish())
        .number("total_tokens", usage.input.saturating_add(usage.output));
    for (index, (name, value)) in tokens.native.iter().enumerate() {
        let known = |name: &str| {
            OURS.contains(&name) || tokens.native.iter().take(index).any(|(earlier, _)| earlier == name)
        };
        if !known(name) {
            out.raw(name, value);
        }
    }
    out.finish()
}
