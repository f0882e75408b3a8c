//! What in a request speaks against giving it a stored answer, and by what word it says that it may be
//! repeated.
//!
//! Which of these words are enough, and what the client or the key allows, is not decided here. What is not
//! understood counts as an obstacle: a miss is cheap, a wrong answer is not.

use crate::dialect::Dialect;
use crate::envelope::Envelope;
use crate::json::{self, JsonError, Kind, Scanner};

/// Why a request never gets a stored answer, nor has its own stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Obstacle {
    /// Several answers at once, and no `seed` that says which.
    SeveralSamples,
    /// Tools that run at the upstream: search, code, MCP. Their results change by themselves.
    HostedTools,
    /// Audio output.
    Audio,
    /// `store: true` asks for a side effect.
    Store,
    /// It builds on what the upstream keeps, or leaves something there.
    Stateful,
    /// It asks for no answer, only for the length of the prompt.
    Count,
}

impl Obstacle {
    /// Every obstacle, in the order of declaration.
    pub const ALL: [Self; 6] =
        [Self::SeveralSamples, Self::HostedTools, Self::Audio, Self::Store, Self::Stateful, Self::Count];

    /// A short name for headers, labels and log lines.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SeveralSamples => "several-samples",
            Self::HostedTools => "hosted-tools",
            Self::Audio => "audio",
            Self::Store => "store",
            Self::Stateful => "stateful",
            Self::Count => "count",
        }
    }
}

/// By what a request says that the same answer will do again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Repeatable {
    /// An integer `seed`, in any dialect.
    Seed,
    /// Embeddings are no samples.
    Embeddings,
    /// A `temperature` of exactly 0. A missing one is the upstream's default, and no promise.
    TemperatureZero,
    /// Nothing in it says so.
    No,
}

/// The first obstacle that a request has.
#[must_use]
pub fn obstacle(call: &Envelope) -> Option<Obstacle> {
    let dialect = call.dialect();
    if dialect == Dialect::CountTokens {
        return Some(Obstacle::Count);
    }
    stored(call)
        .or_else(|| several(call).then_some(Obstacle::SeveralSamples))
        .or_else(|| (dialect == Dialect::Chat && speaks(call)).then_some(Obstacle::Audio))
        .or_else(|| hosted(call).then_some(Obstacle::HostedTools))
}

/// By what a request says that it may be repeated, the strongest word first.
#[must_use]
pub fn repeatable(call: &Envelope) -> Repeatable {
    if call.seed().is_some() {
        Repeatable::Seed
    } else if call.dialect() == Dialect::Embeddings {
        Repeatable::Embeddings
    } else if set(call, "temperature").is_some_and(|value| is_integer(value, 0)) {
        Repeatable::TemperatureZero
    } else {
        Repeatable::No
    }
}

/// Whether anything is kept at the upstream, before this request or after it.
fn stored(call: &Envelope) -> Option<Obstacle> {
    let responses = call.dialect() == Dialect::Responses;
    match set(call, "store") {
        Some(b"false") => {}
        // The Responses API stores what nobody forbids.
        None if responses => return Some(Obstacle::Stateful),
        None => {}
        Some(_) => return Some(Obstacle::Store),
    }
    let builds_on = |name| set(call, name).is_some();
    let background = || set(call, "background").is_some_and(|value| value != b"false");
    let stateful =
        responses && (builds_on("previous_response_id") || builds_on("conversation") || background());
    stateful.then_some(Obstacle::Stateful)
}

/// Whether several answers are asked for; with a seed, it stands for all of them.
fn several(call: &Envelope) -> bool {
    let is_one = |name| set(call, name).is_none_or(|value| is_integer(value, 1));
    call.seed().is_none() && !(is_one("n") && is_one("best_of"))
}

/// Whether a chat asks for audio.
pub(crate) fn speaks(call: &Envelope) -> bool {
    let names_audio = |modalities: &[u8]| any_item(modalities, |scanner| Ok(scanner.string()? == "audio"));
    set(call, "audio").is_some() || set(call, "modalities").is_some_and(names_audio)
}

/// Whether any tool runs at the upstream.
fn hosted(call: &Envelope) -> bool {
    let other = match call.dialect() {
        Dialect::Messages | Dialect::CountTokens => ["mcp_servers", "container"].iter().any(|name| {
            let is_empty = |value: &[u8]| {
                let inside = value.get(1..value.len() - 1).unwrap_or_default();
                matches!(value, [b'[' | b'{' | b'"', ..]) && inside.trim_ascii().is_empty()
            };
            set(call, name).is_some_and(|value| !is_empty(value))
        }),
        _ => set(call, "web_search_options").is_some(),
    };
    let is_hosted = |scanner: &mut Scanner<'_>| Ok(!runs_at_the_client(scanner, call.dialect())?);
    other || set(call, "tools").is_some_and(|tools| any_item(tools, is_hosted))
}

/// Reads one entry of `tools`.
fn runs_at_the_client(scanner: &mut Scanner<'_>, dialect: Dialect) -> Result<bool, JsonError> {
    let messages = dialect.is_anthropic();
    // In messages a tool without a type is the client's own.
    let mut untyped = true;
    let mut all_known = true;
    scanner.object(|scanner, name| {
        // Where the type comes twice nobody knows which one is obeyed, so each has to be good.
        if name == "type" {
            let kind = scanner.kind()?;
            untyped &= kind == Kind::Null;
            all_known &= match kind {
                Kind::String => is_client_type(&scanner.string()?.decode(), messages),
                kind => kind == Kind::Null && messages,
            };
        }
        Ok::<_, JsonError>(())
    })?;
    Ok(all_known && (messages || !untyped))
}

/// Whether tools of that type run at the client.
fn is_client_type(name: &str, messages: bool) -> bool {
    // Anthropic's own tools that the client runs carry a date behind the name.
    const FAMILIES: [&str; 4] = ["bash_", "text_editor_", "computer_", "memory_"];
    match name {
        "custom" => true,
        "function" => !messages,
        dated => messages && FAMILIES.iter().any(|family| dated.starts_with(family)),
    }
}

/// Whether `wanted` holds of an item. Of what is no list, or has items that cannot be read, it might.
fn any_item(list: &[u8], mut wanted: impl FnMut(&mut Scanner<'_>) -> Result<bool, JsonError>) -> bool {
    let mut found = false;
    let read = Scanner::new(list).array(|scanner, _| {
        found = found || wanted(scanner)?;
        Ok::<_, JsonError>(())
    });
    found || read.is_err()
}

/// The JSON text of a member that is there and not null.
pub(crate) fn set<'a>(call: &'a Envelope, name: &str) -> Option<&'a [u8]> {
    call.value(name).filter(|value| *value != b"null")
}

/// Whether a value is that integer, in any spelling.
pub(crate) fn is_integer(value: &[u8], wanted: i64) -> bool {
    let is_number = matches!(value, [b'-' | b'0'..=b'9', ..]);
    is_number && std::str::from_utf8(value).is_ok_and(|text| json::integer(text) == Some(wanted))
}

#[cfg(test)]
#[path = "cacheable_tests.rs"]
mod tests;
