//! Messages as turns. Every message is a turn of its own; results of tools are turns of the user.

use super::calls::{self, LastCall};
use super::{parts, thinking};
use crate::canonical::{Block, Content, Json, Role, Text, Turn};
use crate::raw::{self, Object};
use crate::translate::Untranslatable;
use crate::translate::openai_request::text;
use crate::translate::strays::Strays;

/// What is read of a message, whatever its role. Of the last three only an answer that is sent back has something,
/// and of those nothing is asked of the next answer.
const KNOWN: &[&str] = &[
    "role",
    "content",
    "name",
    "refusal",
    "tool_calls",
    "function_call",
    "tool_call_id",
    "cache_control",
    "thinking_blocks",
    "reasoning_details",
    "reasoning_content",
    "reasoning",
    "audio",
    "annotations",
    "provider_specific_fields",
    "id",
];

/// Reads `messages`.
pub(super) fn read<'a>(list: &'a str, strays: &mut Strays<'a>) -> Result<Vec<Turn<'a>>, Untranslatable> {
    let items = raw::items(list).map_err(|_| Untranslatable::new("messages", "expected an array"))?;
    let mut last_call = None;
    items.into_iter().enumerate().map(|(at, json)| turn(json, at, &mut last_call, strays)).collect()
}

fn turn<'a>(
    json: &'a str,
    at: usize,
    last_call: &mut Option<LastCall<'a>>,
    strays: &mut Strays<'a>,
) -> Result<Turn<'a>, Untranslatable> {
    let place = format!("messages[{at}]");
    let garbled = |_| Untranslatable::new(&*place, "expected an object in which no name comes twice");
    let message = Object::parse(json).map_err(garbled)?;
    strays.look(&message, KNOWN, "messages[]");
    let role = message.string("role").unwrap_or_default();
    // With a result it is the function's, which the call has said.
    let name = message.get("name").and_then(Text::read).filter(|_| !matches!(&*role, "function" | "tool"));
    let (role, developer, mut blocks) = match &*role {
        "system" => (Role::System, false, parts::read(&message, &place, strays)?),
        "developer" => (Role::System, true, parts::read(&message, &place, strays)?),
        "user" => (Role::User, false, parts::read(&message, &place, strays)?),
        "assistant" => (Role::Assistant, false, answer(&message, at, &place, last_call, strays)?),
        "tool" => {
            let odd = || Untranslatable::new(format!("{place}.tool_call_id"), "expected a string");
            let id = text(&message, "tool_call_id").ok_or_else(odd)?;
            (Role::User, false, vec![result(id, parts::read(&message, &place, strays)?)])
        }
        "function" => {
            let called = message.string("name").unwrap_or_default();
            let id = calls::id_of(last_call.as_ref(), &called);
            let id =
                id.ok_or_else(|| Untranslatable::new(&*place, "no call of this function precedes it"))?;
            (Role::User, false, vec![result(id, parts::read(&message, &place, strays)?)])
        }
        _ => return Err(Untranslatable::new(format!("{place}.role"), "an unknown role")),
    };
    // A mark on a message is one on its last block, unless that has its own.
    match (message.some("cache_control"), blocks.last_mut()) {
        (Some(mark), Some(last)) => {
            last.mark.get_or_insert(Json::Borrowed(mark));
        }
        (Some(mark), None) => strays.add("cache_control", mark),
        (None, _) => {}
    }
    Ok(Turn { role, developer, name, blocks, at })
}

fn result<'a>(id: Text<'a>, content: Vec<Block<'a>>) -> Block<'a> {
    Block { content: Content::ToolResult { id, content, is_error: false }, mark: None }
}

/// What the model said: first what it thought, last whom it called.
fn answer<'a>(
    message: &Object<'a>,
    at: usize,
    place: &str,
    last_call: &mut Option<LastCall<'a>>,
    strays: &mut Strays<'a>,
) -> Result<Vec<Block<'a>>, Untranslatable> {
    let mut blocks = thinking::read(message, place, strays)?;
    blocks.extend(parts::read(message, place, strays)?);
    if let Some(refusal) = text(message, "refusal").filter(|refusal| !refusal.is_empty()) {
        blocks.push(Block { content: Content::Refusal(refusal), mark: None });
    }
    if let Some(audio) = message.some("audio") {
        blocks.push(Block {
            content: Content::Native { kind: "audio".into(), json: audio.into() },
            mark: None,
        });
    }
    blocks.extend(calls::read(message, place)?);
    if let Some(call) = calls::read_legacy(message, at, place)? {
        blocks.push(call.block());
        *last_call = Some(call);
    }
    Ok(blocks)
}
