//! The order of the conversation: calls and their results, and the thoughts before a call.

use serde_json::Value;

use super::{Object, Verdict, text, thinks};

/// A turn: neighbouring messages of one role, put together.
struct Turn<'a> {
    role: &'a str,
    blocks: Vec<&'a Object>,
}

/// Judges the conversation.
pub(super) fn check(messages: &[Value], body: &Object) -> Verdict {
    let turns = turns(messages);
    for (at, turn) in turns.iter().enumerate() {
        let next = turns.get(at + 1);
        if turn.role == "assistant" {
            answered(turn, next)?;
        } else if at == 0 && results(turn).next().is_some() {
            return Err("messages.0: a `tool_result` block has no `tool_use` block before it".to_owned());
        }
        if turn.role == "user" {
            called(turn, at.checked_sub(1).and_then(|before| turns.get(before)))?;
        }
    }
    thoughts(&turns, body)
}

fn turns(messages: &[Value]) -> Vec<Turn<'_>> {
    let mut turns: Vec<Turn<'_>> = Vec::new();
    for message in messages.iter().filter_map(Value::as_object) {
        let role = text(message, "role");
        let blocks = message.get("content").and_then(Value::as_array).into_iter().flatten();
        let blocks: Vec<_> = blocks.filter_map(Value::as_object).collect();
        match turns.last_mut().filter(|turn| turn.role == role) {
            Some(turn) => turn.blocks.extend(blocks),
            None => turns.push(Turn { role, blocks }),
        }
    }
    turns
}

fn of<'a>(turn: &Turn<'a>, kind: &str, id: &str) -> impl Iterator<Item = &'a str> {
    turn.blocks.iter().filter(move |block| text(block, "type") == kind).map(move |block| text(block, id))
}

fn calls<'a>(turn: &Turn<'a>) -> impl Iterator<Item = &'a str> {
    of(turn, "tool_use", "id")
}

fn results<'a>(turn: &Turn<'a>) -> impl Iterator<Item = &'a str> {
    of(turn, "tool_result", "tool_use_id")
}

/// Every call has its one result at the very beginning of the next turn.
fn answered(turn: &Turn<'_>, next: Option<&Turn<'_>>) -> Verdict {
    let mut ids: Vec<&str> = calls(turn).collect();
    let blocks = next.map_or(&[][..], |next| &next.blocks);
    let first = blocks.iter().take_while(|block| text(block, "type") == "tool_result");
    let found: Vec<&str> = first.map(|block| text(block, "tool_use_id")).collect();
    if let Some(id) = ids.iter().find(|id| !found.contains(id)) {
        return Err(format!(
            "messages: the `tool_use` block {id} has no `tool_result` block immediately after it"
        ));
    }
    ids.sort_unstable();
    if ids.windows(2).any(|pair| matches!(pair, [one, two] if one == two)) {
        return Err("messages: `tool_use` ids must be unique".to_owned());
    }
    Ok(())
}

/// Every result answers a call of the turn before, and none twice.
fn called(turn: &Turn<'_>, before: Option<&Turn<'_>>) -> Verdict {
    let calls: Vec<&str> = before.into_iter().flat_map(calls).collect();
    let mut seen = Vec::new();
    for id in results(turn) {
        if !calls.contains(&id) {
            return Err(format!(
                "messages: unexpected `tool_use_id` {id}: no such `tool_use` block right before it"
            ));
        }
        if seen.contains(&id) {
            return Err(format!("messages: the `tool_use` block {id} has more than one `tool_result` block"));
        }
        seen.push(id);
    }
    Ok(())
}

/// With thinking on, the turn that called the tools begins with its thoughts; adaptive thinking is not so strict.
fn thoughts(turns: &[Turn<'_>], body: &Object) -> Verdict {
    let strict = body.get("thinking").is_some_and(|thinking| thinking["type"] == "enabled");
    if thinks(body) && turns.last().is_some_and(|turn| turn.role == "assistant") {
        return Err("messages: with thinking on, the last message may not be the assistant's".to_owned());
    }
    let Some([before, last]) = turns.last_chunk().filter(|_| strict) else { return Ok(()) };
    if results(last).next().is_none() {
        return Ok(());
    }
    let first = before.blocks.first().map_or("", |block| text(block, "type"));
    if matches!(first, "thinking" | "redacted_thinking") {
        return Ok(());
    }
    Err(format!(
        "messages: Expected `thinking` or `redacted_thinking`, but found `{first}`. When `thinking` is \
        enabled, a final `assistant` message must start with a thinking block"
    ))
}
