//! What a request says of tools: which there are, and whether the model has to call.

use std::borrow::Cow;

use super::{custom, offered};
use crate::canonical::{Function, Text, Tool, ToolChoice};
use crate::raw::{self, Object};
use crate::translate::Untranslatable;
use crate::translate::strays::Strays;

/// Members of a function that are read here.
const KNOWN: &[&str] = &["type", "name", "description", "parameters", "strict", "cache_control"];

/// The same of a custom tool.
const CUSTOM: &[&str] = &["type", "name", "description", "format", "cache_control"];

/// Reads `tools`.
pub(super) fn read<'a>(json: &'a str, lost: &mut Strays<'a>) -> Result<Vec<Tool<'a>>, Untranslatable> {
    let tools = raw::items(json).map_err(|_| Untranslatable::new("tools", "expected a list"))?;
    let mut read = Vec::new();
    for (index, tool) in tools.into_iter().enumerate() {
        let group = Object::parse(tool).ok();
        let group = group.filter(|tool| tool.string("type").as_deref() == Some("namespace"));
        match group.and_then(|group| Some((group.string("name")?, group))) {
            Some((namespace, group)) => read_group(&namespace, &group, index, &mut read, lost)?,
            None => read.push(tool_of(tool, &format!("tools[{index}]"), lost)?),
        }
    }
    Ok(read)
}

/// The tools of a namespace, each under both names.
fn read_group<'a>(
    namespace: &str,
    group: &Object<'a>,
    index: usize,
    read: &mut Vec<Tool<'a>>,
    lost: &mut Strays<'a>,
) -> Result<(), Untranslatable> {
    lost.look(group, &["type", "name", "tools"], "tools[]");
    let place = format!("tools[{index}].tools");
    let tools = group.items("tools").map_err(|_| Untranslatable::new(&*place, "expected a list"))?;
    for (at, tool) in tools.into_iter().enumerate() {
        let mut tool = tool_of(tool, &format!("{place}[{at}]"), lost)?;
        if let Tool::Function(function) = &mut tool {
            function.name = Text::of(&offered::joined(namespace, &function.name.meant()));
        }
        read.push(tool);
    }
    Ok(())
}

fn tool_of<'a>(json: &'a str, place: &str, lost: &mut Strays<'a>) -> Result<Tool<'a>, Untranslatable> {
    let fault = |member: &str, why: &'static str| Untranslatable::new(format!("{place}{member}"), why);
    let tool =
        Object::parse(json).map_err(|_| fault("", "expected an object in which no name comes twice"))?;
    let kind = tool.string("type").ok_or_else(|| fault(".type", "expected a string"))?;
    if kind == "custom" {
        lost.look(&tool, CUSTOM, "tools[]");
        let function = custom::function(&tool).ok_or_else(|| fault(".name", "expected a string"))?;
        return Ok(Tool::Function(function));
    }
    if kind != "function" {
        // Run by the provider, or a whole group of tools.
        return Ok(Tool::Native { kind, name: tool.string("name"), json: Cow::Borrowed(json) });
    }
    lost.look(&tool, KNOWN, "tools[]");
    Ok(Tool::Function(Function {
        name: tool.some("name").and_then(Text::read).ok_or_else(|| fault(".name", "expected a string"))?,
        description: tool.some("description").and_then(Text::read),
        parameters: tool.some("parameters").map(Cow::Borrowed),
        strict: boolean(tool.get("strict")),
        mark: tool.some("cache_control").map(Cow::Borrowed),
    }))
}

/// Reads `tool_choice`.
pub(super) fn choice(json: &str) -> ToolChoice<'_> {
    match raw::string(json).as_deref() {
        Some("auto") => return ToolChoice::Auto,
        Some("none") => return ToolChoice::None,
        Some("required") => return ToolChoice::Required,
        _ => {}
    }
    let function = Object::parse(json)
        .ok()
        .filter(|choice| matches!(choice.string("type").as_deref(), Some("function" | "custom")))
        .and_then(|choice| choice.some("name").and_then(Text::read));
    function.map_or(ToolChoice::Native(Cow::Borrowed(json)), ToolChoice::Function)
}

/// A truth value; nothing for anything else.
pub(super) fn boolean(json: Option<&str>) -> Option<bool> {
    match json {
        Some("true") => Some(true),
        Some("false") => Some(false),
        _ => None,
    }
}
