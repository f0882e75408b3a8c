//! The conversation as messages.
//!
//! A turn is written from itself alone, so that a longer conversation begins with the same bytes. Results of tools
//! come first in a user's turn, each in a message of its own, since chat wants them right after the calls; what they
//! hold beside text follows with the rest of what the user says. Chat has no word for a result that is an error: its
//! text tells, and nothing is added to it.

use super::content::{Join, Part, content};
use super::media;
use super::target::Target;
use crate::canonical::{Block, Content, Media, Role, Source, Text, Turn};
use crate::raw::{self, Writer};
use crate::translate::Untranslatable;

/// Writes the list.
pub(super) fn write(turns: &[Turn<'_>], target: &mut Target<'_>) -> Result<String, Untranslatable> {
    let mut messages = Vec::new();
    for turn in turns {
        match turn.role {
            Role::System => system(turn, target, &mut messages)?,
            Role::User => user(turn, target, &mut messages)?,
            Role::Assistant => assistant(turn, target, &mut messages)?,
        }
    }
    Ok(raw::array(messages))
}

fn message(role: &str, turn: &Turn<'_>) -> Writer {
    let mut out = Writer::new();
    out.string("role", role);
    if let Some(name) = &turn.name {
        out.raw("name", name.json());
    }
    out
}

/// `developer` is OpenAI's newer word for `system`, which templates of other servers do not know.
fn system(turn: &Turn<'_>, target: &mut Target<'_>, out: &mut Vec<String>) -> Result<(), Untranslatable> {
    let mut parts = Vec::new();
    for (at, block) in turn.blocks.iter().enumerate() {
        match &block.content {
            Content::Text(text) => parts.push(Part::Text(text, target.mark(block.mark.as_ref()))),
            _ => return Err(Untranslatable::new(target.place(turn, at), "instructions are text")),
        }
    }
    if !parts.is_empty() {
        let role = if turn.developer && target.is_openai() { "developer" } else { "system" };
        out.push(message(role, turn).raw("content", &content(&parts, join(target))).finish());
    }
    Ok(())
}

/// OpenAI takes parts everywhere; of others some take strings alone, and some join them by lines.
fn join(target: &Target<'_>) -> Join {
    if target.is_openai() { Join::Never } else { Join::Lines }
}

fn user(turn: &Turn<'_>, target: &mut Target<'_>, out: &mut Vec<String>) -> Result<(), Untranslatable> {
    let (mut shown, mut said) = (Vec::new(), Vec::new());
    let mut has_results = false;
    for (at, block) in turn.blocks.iter().enumerate() {
        if let Content::ToolResult { id, content, is_error } = &block.content {
            has_results = true;
            if *is_error {
                target.lose("messages[].content[].is_error");
            }
            let place = target.place(turn, at);
            out.push(result(id, content, target.mark(block.mark.as_ref()), &place, target, &mut shown)?);
        } else {
            said.push(part(block, &target.place(turn, at), target)?);
        }
    }
    shown.append(&mut said);
    // A turn without anything is still a turn.
    if !shown.is_empty() || !has_results {
        out.push(message("user", turn).raw("content", &content(&shown, join(target))).finish());
    }
    Ok(())
}

/// A result's text. What else it holds is put to what the user shows.
fn result<'r>(
    id: &Text<'_>,
    blocks: &'r [Block<'r>],
    mark: Option<&str>,
    place: &str,
    target: &mut Target<'_>,
    shown: &mut Vec<Part<'r>>,
) -> Result<String, Untranslatable> {
    let mut parts = Vec::new();
    for (at, block) in blocks.iter().enumerate() {
        let part = part(block, &format!("{place}.content[{at}]"), target)?;
        match part {
            Part::Text(..) => parts.push(part),
            Part::Written(_) => shown.push(part),
        }
    }
    // The mark is on the whole result: after its last text, if that has none of its own.
    let mut mark = mark;
    if let Some(Part::Text(_, own @ None)) = parts.last_mut() {
        *own = mark.take();
    }
    let mut out = Writer::new();
    out.string("role", "tool").raw("tool_call_id", id.json()).raw("content", &content(&parts, join(target)));
    if let Some(mark) = mark {
        out.raw("cache_control", mark);
    }
    Ok(out.finish())
}

/// What a user says or a tool gives.
fn part<'b>(block: &'b Block<'b>, place: &str, target: &mut Target<'_>) -> Result<Part<'b>, Untranslatable> {
    let mark = target.mark(block.mark.as_ref());
    let why = match &block.content {
        Content::Text(text) => return Ok(Part::Text(text, mark)),
        Content::Media(Media { source: Source::Text(text), name, is_image: false, .. }) => {
            if name.is_some() {
                target.lose(target.word(
                    "messages[].content[].file.filename",
                    "input[].content[].filename",
                    "messages[].content[].title",
                ));
            }
            return Ok(Part::Text(text, mark));
        }
        Content::Media(media) => match media::part(media, mark, target.client) {
            Ok(part) => return Ok(Part::Written(part)),
            Err(why) => why,
        },
        Content::Native { kind, .. } => return Err(Untranslatable::unknown(place, "block", kind)),
        Content::ToolResult { .. } => "a result within a result",
        Content::ToolCall { .. }
        | Content::Thinking { .. }
        | Content::RedactedThinking(_)
        | Content::Refusal(_) => "only the model says this",
    };
    Err(Untranslatable::new(place.to_owned(), why))
}

fn assistant(turn: &Turn<'_>, target: &mut Target<'_>, out: &mut Vec<String>) -> Result<(), Untranslatable> {
    let (mut said, mut thought, mut refused, mut calls) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for (at, block) in turn.blocks.iter().enumerate() {
        let mark = target.mark(block.mark.as_ref());
        match &block.content {
            Content::Text(text) => said.push(Part::Text(text, mark)),
            Content::Refusal(text) if target.is_openai() => refused.push(text),
            // Others do not know the member, and would not show the model what it has said.
            Content::Refusal(text) => said.push(Part::Text(text, mark)),
            Content::Thinking { text, .. } if target.wants_thoughts => thought.push(text),
            Content::Thinking { .. } | Content::RedactedThinking(_) => {
                target.lose(target.word("thinking", "reasoning", "thinking"));
            }
            Content::ToolCall { id, name, arguments } => calls.push(call(id, name, arguments, mark)),
            Content::Media(_) | Content::ToolResult { .. } | Content::Native { .. } => {
                let why = "chat completions have no such block in what the model has said";
                return Err(Untranslatable::new(target.place(turn, at), why));
            }
        }
    }
    if said.is_empty()
        && thought.is_empty()
        && refused.is_empty()
        && calls.is_empty()
        && !turn.blocks.is_empty()
    {
        // It only thought, and that is lost.
        return Ok(());
    }
    let mut message = message("assistant", turn);
    let is_silent = said.is_empty() && !(calls.is_empty() && refused.is_empty());
    let text = if is_silent { "null".to_owned() } else { content(&said, Join::Seamless) };
    message.raw("content", &text);
    if !thought.is_empty() {
        message.raw("reasoning_content", Text::joined(thought, r"\n").json());
    }
    if !refused.is_empty() {
        message.raw("refusal", Text::joined(refused, "").json());
    }
    if !calls.is_empty() {
        message.raw("tool_calls", &raw::array(calls));
    }
    out.push(message.finish());
    Ok(())
}

/// A call. Its arguments are JSON text in a string, as they are.
fn call(id: &Text<'_>, name: &Text<'_>, arguments: &str, mark: Option<&str>) -> String {
    let function = Writer::new().raw("name", name.json()).string("arguments", arguments).finish();
    let mut out = Writer::new();
    out.raw("id", id.json()).string("type", "function").raw("function", &function);
    if let Some(mark) = mark {
        out.raw("cache_control", mark);
    }
    out.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capability::PLAIN;
    use crate::dialect::Dialect;
    use crate::provider::ProviderKind;
    use crate::translate::{Losses, Toward};

    fn block(content: Content<'static>) -> Block<'static> {
        Block { content, mark: None }
    }

    #[test]
    fn thoughts_go_back_to_whom_wants_them() {
        let thought =
            |text| block(Content::Thinking { text: Text::of(text), signature: Some(Text::of("s")) });
        let said = block(Content::Text(Text::of("4")));
        let sealed = block(Content::RedactedThinking(Text::of("d")));
        let turns = [vec![thought("2+2"), thought("is"), said], vec![thought("hm")], vec![sealed]];
        let turns =
            turns.map(|blocks| Turn { role: Role::Assistant, developer: false, name: None, blocks, at: 0 });
        let toward = Toward {
            kind: ProviderKind::OpenAiCompatible,
            model: "m",
            family: &PLAIN,
            max_output: None,
            ask_usage: true,
            prompt_template: None,
        };
        let mut losses = Losses::default();
        let mut target = Target::new(Dialect::Messages, &toward, &mut losses);
        target.wants_thoughts = true;
        let expected = r#"[{"role":"assistant","content":"4","reasoning_content":"2+2\nis"},{"role":"assistant","content":"","reasoning_content":"hm"}]"#;
        assert_eq!(write(&turns, &mut target).as_deref(), Ok(expected));
        assert_eq!(losses.into_names(), ["thinking"]);
    }
}
