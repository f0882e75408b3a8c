//! Calls of tools in an answer that is sent back, and the older form of one function call without an id.

use std::borrow::Cow;

use crate::canonical::{Block, Content, Json, Text};
use crate::raw::{self, Object};
use crate::translate::Untranslatable;
use crate::translate::openai_request::text;

/// Reads `tool_calls`.
pub(super) fn read<'a>(message: &Object<'a>, place: &str) -> Result<Vec<Block<'a>>, Untranslatable> {
    let list = message.items("tool_calls");
    let list = list.map_err(|_| Untranslatable::new(format!("{place}.tool_calls"), "expected an array"))?;
    list.into_iter().enumerate().map(|(at, json)| call(json, &format!("{place}.tool_calls[{at}]"))).collect()
}

fn call<'a>(json: &'a str, place: &str) -> Result<Block<'a>, Untranslatable> {
    let odd = |why: &'static str| Untranslatable::new(place, why);
    let call = Object::parse(json).map_err(|_| odd("expected an object"))?;
    let mark = call.some("cache_control").map(Json::Borrowed);
    if call.string("type").is_some_and(|kind| kind != "function") {
        return Err(odd("a call of another kind than a function's"));
    }
    let function = call.object("function").map_err(|_| odd("expected `function`, an object"))?;
    let id = text(&call, "id").ok_or_else(|| odd("expected `id`, a string"))?;
    let name = text(&function, "name").ok_or_else(|| odd("expected `function.name`, a string"))?;
    Ok(Block { content: Content::ToolCall { id, name, arguments: arguments(&function) }, mark })
}

/// JSON in a string; some servers give the JSON itself, or nothing where there are no arguments.
fn arguments<'a>(function: &Object<'a>) -> Cow<'a, str> {
    match function.some("arguments") {
        Some(json) => raw::string(json).unwrap_or(Cow::Borrowed(json)),
        None => Cow::Borrowed("{}"),
    }
}

/// A call in the older form. Its id is made of its place, which is the same in every later turn.
#[derive(Debug)]
pub(super) struct LastCall<'a> {
    at: usize,
    name: Text<'a>,
    arguments: Cow<'a, str>,
}

impl<'a> LastCall<'a> {
    fn id(&self) -> Text<'static> {
        Text::of(&format!("call_{}", self.at))
    }

    pub(super) fn block(&self) -> Block<'a> {
        let (name, arguments) = (self.name.clone(), self.arguments.clone());
        Block { content: Content::ToolCall { id: self.id(), name, arguments }, mark: None }
    }
}

/// Reads `function_call` of an answer.
pub(super) fn read_legacy<'a>(
    message: &Object<'a>,
    at: usize,
    place: &str,
) -> Result<Option<LastCall<'a>>, Untranslatable> {
    if message.some("function_call").is_none() {
        return Ok(None);
    }
    let odd = || Untranslatable::new(format!("{place}.function_call"), "expected an object with a `name`");
    let function = message.object("function_call").map_err(|_| odd())?;
    let name = text(&function, "name").ok_or_else(odd)?;
    Ok(Some(LastCall { at, name, arguments: arguments(&function) }))
}

/// The id of the last call, if it was one of this function.
pub(super) fn id_of(last: Option<&LastCall<'_>>, called: &str) -> Option<Text<'static>> {
    last.filter(|last| last.name.meant() == called).map(LastCall::id)
}
