//! A request to a model, in no dialect.

use std::borrow::Cow;

use super::{Json, Text};
use crate::dialect::Dialect;

/// A request. What no member here stands for is in `extras`.
#[derive(Debug, Clone)]
pub(crate) struct Request<'a> {
    /// What the client speaks.
    pub(crate) dialect: Dialect,
    /// The conversation in the client's order, instructions included. Of a completion one user turn with the prompt.
    pub(crate) turns: Vec<Turn<'a>>,
    /// What the model may call.
    pub(crate) tools: Vec<Tool<'a>>,
    /// Whether it has to call.
    pub(crate) tool_choice: Option<ToolChoice<'a>>,
    /// May it call several at once? Messages says the opposite (`disable_parallel_tool_use`).
    pub(crate) parallel_tool_calls: Option<bool>,
    /// Most tokens of the answer, a number as written.
    pub(crate) max_tokens: Option<Json<'a>>,
    /// A number as written; so are the next two.
    pub(crate) temperature: Option<Json<'a>>,
    pub(crate) top_p: Option<Json<'a>>,
    pub(crate) top_k: Option<Json<'a>>,
    /// Texts that end the answer.
    pub(crate) stop: Vec<Text<'a>>,
    /// The shape of the answer; plain text where there is none.
    pub(crate) format: Option<Format<'a>>,
    /// How much the model thinks first.
    pub(crate) reasoning: Option<Reasoning<'a>>,
    /// Is a stream wanted?
    pub(crate) stream: bool,
    /// The end user (`user`, `metadata.user_id`).
    pub(crate) user: Option<Text<'a>>,
    /// The mark for the whole prompt, at top level.
    pub(crate) cache_control: Option<Json<'a>>,
    /// All other members that say something (null and what is the default of everybody are left out), in the
    /// client's order.
    pub(crate) extras: Vec<Extra<'a>>,
}

/// A member of the body that has no place of its own here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Extra<'a> {
    /// As the client calls it.
    pub(crate) name: Cow<'a, str>,
    /// Its value.
    pub(crate) value: Json<'a>,
}

/// Who speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// The operator: `system` and `developer`.
    System,
    /// The user, and the tools that the user has run.
    User,
    /// The model.
    Assistant,
}

/// One message. Results of tools are blocks of a user's turn, whatever role the client gave them.
#[derive(Debug, Clone)]
pub(crate) struct Turn<'a> {
    /// Who speaks.
    pub(crate) role: Role,
    /// Did the client say `developer` for `System`?
    pub(crate) developer: bool,
    /// The name of a participant.
    pub(crate) name: Option<Text<'a>>,
    /// What is said.
    pub(crate) blocks: Vec<Block<'a>>,
    /// Where in the client's list it stands, for what is said of faults: `messages[3]`.
    pub(crate) at: usize,
}

/// A piece of what is said, and the mark on it.
#[derive(Debug, Clone)]
pub(crate) struct Block<'a> {
    /// What is said.
    pub(crate) content: Content<'a>,
    /// `cache_control`, verbatim.
    pub(crate) mark: Option<Json<'a>>,
}

/// What is said.
#[derive(Debug, Clone)]
pub(crate) enum Content<'a> {
    /// Text.
    Text(Text<'a>),
    /// A picture or a file.
    Media(Media<'a>),
    /// The model calls a tool.
    ToolCall {
        id: Text<'a>,
        name: Text<'a>,
        /// JSON text, not a JSON string. It may be no JSON at all where a model was cut off.
        arguments: Cow<'a, str>,
    },
    /// What a tool gave.
    ToolResult {
        /// Of the call.
        id: Text<'a>,
        /// Texts and media.
        content: Vec<Block<'a>>,
        is_error: bool,
    },
    /// What the model thought, which only its own provider can check.
    Thinking { text: Text<'a>, signature: Option<Text<'a>> },
    /// What it thought, sealed.
    RedactedThinking(Text<'a>),
    /// It would not answer.
    Refusal(Text<'a>),
    /// A block that only the client's dialect knows: its `type`, and all of it.
    Native { kind: Cow<'a, str>, json: Json<'a> },
}

/// A picture or a file.
#[derive(Debug, Clone)]
pub(crate) struct Media<'a> {
    pub(crate) source: Source<'a>,
    /// `image_url.detail`.
    pub(crate) detail: Option<Text<'a>>,
    /// A file's name or title.
    pub(crate) name: Option<Text<'a>>,
    /// Is it a picture? Else a document.
    pub(crate) is_image: bool,
}

/// Where its bytes are.
#[derive(Debug, Clone)]
pub(crate) enum Source<'a> {
    /// Fetched by the upstream.
    Url(Text<'a>),
    /// In the request: media type (`image/png`) and Base64, both as they would be written between quotes.
    Base64 { media_type: Cow<'a, str>, data: Cow<'a, str> },
    /// Plain text in the request (documents).
    Text(Text<'a>),
    /// Kept by one upstream under this id.
    File(Text<'a>),
}

/// Something to call.
#[derive(Debug, Clone)]
pub(crate) enum Tool<'a> {
    /// A function that the client runs.
    Function(Function<'a>),
    /// Anything else, as the client's dialect knows it: its `type`, its name where it has one, all of it.
    Native { kind: Cow<'a, str>, name: Option<Cow<'a, str>>, json: Json<'a> },
}

/// A function that the client runs.
#[derive(Debug, Clone)]
pub(crate) struct Function<'a> {
    pub(crate) name: Text<'a>,
    pub(crate) description: Option<Text<'a>>,
    /// The schema of its arguments, an object; absent where the client gave none.
    pub(crate) parameters: Option<Json<'a>>,
    /// `true` or `false`.
    pub(crate) strict: Option<bool>,
    /// `cache_control`, verbatim.
    pub(crate) mark: Option<Json<'a>>,
}

/// Whether the model has to call.
#[derive(Debug, Clone)]
pub(crate) enum ToolChoice<'a> {
    Auto,
    None,
    /// Any of them.
    Required,
    /// This one.
    Function(Text<'a>),
    /// As only the client's dialect knows it (`allowed_tools`).
    Native(Json<'a>),
}

/// The shape of the answer.
#[derive(Debug, Clone)]
pub(crate) enum Format<'a> {
    /// Any JSON object.
    JsonObject,
    /// JSON by a schema.
    JsonSchema {
        name: Option<Text<'a>>,
        description: Option<Text<'a>>,
        /// The schema; absent where the client gave none.
        schema: Option<Json<'a>>,
        strict: Option<bool>,
    },
    /// As only the client's dialect knows it.
    Native(Json<'a>),
}

/// How much the model thinks first.
#[derive(Debug, Clone, Default)]
pub(crate) struct Reasoning<'a> {
    /// `none`, `minimal`, `low`, `medium`, `high`, …: OpenAI's `reasoning_effort`, Messages' `output_config.effort`.
    pub(crate) effort: Option<Text<'a>>,
    /// Messages' `thinking`, whole.
    pub(crate) thinking: Option<Json<'a>>,
    /// Responses' `reasoning.summary`.
    pub(crate) summary: Option<Text<'a>>,
}
