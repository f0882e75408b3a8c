//! A request as Anthropic's Messages takes it, written from the middle form.
//!
//! Owns the order of the body: `messages` is last, and what stands before it depends on nothing that a further turn
//! would change. So a conversation that is one turn longer begins with the same bytes. Two things follow the
//! conversation all the same, since the upstream refuses the request otherwise: thinking is turned off where a tool
//! loop came back without its thoughts, and of more marks than the upstream takes the middle ones go.

mod closed;
mod content;
mod conversation;
mod format;
mod media;
mod piece;
mod place;
mod sampling;
mod spaces;
mod thinking;
mod tools;

use crate::canonical::{Extra, Request};
use crate::capability::Treatment;
use crate::dialect::Dialect;
use crate::raw::{Writer, array, string};
use crate::translate::{Losses, Toward, Untranslatable};

use conversation::{Conversation, write_system};
use piece::{Piece, limit_marks};

/// Most tokens of an answer where neither the client nor the operator nor a table says how many.
const MAX_TOKENS: u64 = 4096;

/// The members that are written from other places than a member of the same name.
const WRITTEN: &[&str] = &[
    "model",
    "stream",
    "max_tokens",
    "metadata",
    "service_tier",
    "stop_sequences",
    "temperature",
    "top_p",
    "top_k",
    "thinking",
    "output_config",
    "cache_control",
    "tool_choice",
    "tools",
    "system",
    "messages",
];

/// Writes the body.
pub(in crate::translate) fn write_request(
    request: &Request<'_>,
    toward: &Toward<'_>,
    losses: &mut Losses,
) -> Result<String, Untranslatable> {
    let mut conversation = Conversation::read(request, losses)?;
    let format = format::write_format(request)?;
    conversation.system.extend(format.instruction);
    let mut tools = tools::write_tools(request, losses)?;
    let choice = tools::write_choice(request, !tools.is_empty())?;
    let max_tokens = sampling::max_tokens(request, toward);
    let thoughts = thinking::decide(request, toward, &conversation, &max_tokens, losses);

    let has_plain_system = conversation.has_plain_system();
    let said = conversation.messages.iter_mut().flat_map(|message| &mut message.pieces);
    let pieces: Vec<_> = tools.iter_mut().chain(&mut conversation.system).chain(said).collect();
    limit_marks(pieces, request.cache_control.is_some(), losses);

    let mut out = Writer::new();
    out.string("model", toward.model);
    if request.stream {
        out.raw("stream", "true");
    }
    out.raw("max_tokens", &max_tokens);
    write_metadata(&mut out, request);
    let mut extras = Vec::new();
    for extra in &request.extras {
        if extra.name == "service_tier" {
            write_tier(&mut out, extra, request.dialect, losses);
        } else if is_taken(extra, request, toward, losses)? {
            extras.push(extra);
        }
    }
    sampling::write_stop(&mut out, request, losses);
    sampling::write_sampling(&mut out, request, toward, thoughts.is_on, losses);
    if let Some(thinking) = &thoughts.thinking {
        out.raw("thinking", thinking);
    }
    if let Some(config) = output_config(thoughts.effort.as_deref(), format.native.as_deref()) {
        out.raw("output_config", &config);
    }
    if let Some(mark) = &request.cache_control {
        out.raw("cache_control", mark);
    }
    for extra in extras {
        out.raw(&extra.name, &extra.value);
    }
    if let Some(choice) = choice {
        out.raw("tool_choice", &choice);
    }
    if !tools.is_empty() {
        out.raw("tools", &array(tools.iter().map(Piece::write)));
    }
    if !conversation.system.is_empty() {
        out.raw("system", &write_system(&conversation.system, has_plain_system));
    }
    out.raw("messages", &array(conversation.messages.iter().map(conversation::Message::write)));
    Ok(out.finish())
}

/// `metadata`: who the end user is. A client that speaks Messages may say more there.
fn write_metadata(out: &mut Writer, request: &Request<'_>) {
    if let Some(user) = &request.user {
        let mut metadata = Writer::new();
        metadata.raw("user_id", user.json());
        out.raw("metadata", &metadata.finish());
    }
}

/// `service_tier`. What OpenAI calls the default is what Anthropic gives to those who want no priority; its other
/// tiers have no counterpart.
fn write_tier(out: &mut Writer, extra: &Extra<'_>, client: Dialect, losses: &mut Losses) {
    let tier = match string(&extra.value).as_deref() {
        _ if client == Dialect::Messages => &*extra.value,
        Some("auto") => r#""auto""#,
        Some("default") => r#""standard_only""#,
        _ => {
            losses.add("service_tier");
            return;
        }
    };
    out.raw("service_tier", tier);
}

/// Does a member go to the upstream as it is?
fn is_taken(
    extra: &Extra<'_>,
    request: &Request<'_>,
    toward: &Toward<'_>,
    losses: &mut Losses,
) -> Result<bool, Untranslatable> {
    let name = &*extra.name;
    // A name with a path is no member of the body, but of something in it.
    let is_deep = name.contains(['.', '[']);
    let treatment = match request.dialect {
        Dialect::Messages => Treatment::Native,
        client => toward.family.treatment(client, name),
    };
    match treatment {
        Treatment::Refused => Err(Untranslatable::new(name, "the target has nothing of the kind")),
        Treatment::Native if !is_deep && !WRITTEN.contains(&name) => Ok(true),
        _ => {
            losses.add(name);
            Ok(false)
        }
    }
}

fn output_config(effort: Option<&str>, format: Option<&str>) -> Option<String> {
    let mut config = Writer::new();
    for (name, value) in [("effort", effort), ("format", format)] {
        if let Some(value) = value {
            config.raw(name, value);
        }
    }
    (effort.is_some() || format.is_some()).then(|| config.finish())
}

#[cfg(test)]
#[path = "write_request_tests.rs"]
mod tests;
