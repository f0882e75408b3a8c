//! The response object: what stands around the output, and what of the request is repeated in it.
//!
//! Members that the client set are repeated as they were sent; the others have the API's defaults, as clients know
//! them from there.

use super::answer::{self, Answer, Status};
use super::offered;
use crate::canonical::{Block, Content, Head, Opening, Piece, Reply, Stop, Text, Tokens};
use crate::observe::Finish;
use crate::raw::{self, Object, Writer};
use crate::translate::Asked;

/// Writes a whole answer.
pub(crate) fn write_reply(reply: &Reply<'_>, asked: &Asked) -> String {
    let frame = Frame::new(&reply.head, asked);
    let mut answer = Answer::new(frame.stem.clone(), offered::offered(&asked.call));
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
    let signature = match &block.content {
        Content::Thinking { signature, .. } => signature.clone().map(Piece::Signature),
        _ => None,
    };
    let mut pieces = piece.into_iter().chain(signature).filter(|piece| !says_nothing(piece)).peekable();
    if pieces.peek().is_none() && waits(&opening) {
        return;
    }
    let Some(place) = answer.open(&opening) else { return };
    for piece in pieces {
        answer.push(place, &piece);
    }
}

/// Is a block of this kind nothing until something is in it? Many upstreams begin with an empty text what is going
/// to be a call.
fn waits(opening: &Opening<'_>) -> bool {
    matches!(opening, Opening::Text | Opening::Refusal | Opening::Thinking)
}

/// Pieces that are empty, or of a kind that has no place here.
fn says_nothing(piece: &Piece<'_>) -> bool {
    match piece {
        Piece::Text(text) | Piece::Arguments(text) | Piece::Signature(text) => text.is_empty(),
        Piece::Native => true,
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
    /// It is not whole.
    is_cut: bool,
    /// Why not, in the words of this API.
    reason: Option<&'static str>,
    /// The upstream's own word, a JSON string, where this API has none for it.
    native: Option<String>,
}

impl Ending {
    pub(super) fn of(stop: Option<&Stop<'_>>) -> Self {
        let Some(stop) = stop else { return Self::default() };
        let cut = |reason| Self { is_cut: true, reason: Some(reason), native: None };
        match stop.finish {
            Finish::Stop | Finish::ToolCalls => Self::default(),
            Finish::Length => cut("max_output_tokens"),
            Finish::ContentFilter => cut("content_filter"),
            Finish::Other => Self {
                // Words that say themselves that more was to come.
                is_cut: matches!(&*stop.native, "abort" | "aborted" | "cancelled" | "error" | "pause_turn"),
                reason: None,
                native: (!stop.native.is_empty()).then(|| raw::quoted(&stop.native)),
            },
        }
    }

    /// What has become of the item that was written last.
    pub(super) fn last(&self) -> Status {
        if self.is_cut { Status::Incomplete } else { Status::Completed }
    }

    /// The event that ends a stream.
    pub(super) fn event(&self) -> &'static str {
        if self.is_cut { "response.incomplete" } else { "response.completed" }
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
        let status = if ending.is_cut { "incomplete" } else { "completed" };
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
        let details = ending.reason.map(|reason| format!("{{\"reason\":\"{reason}\"}}"));
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
