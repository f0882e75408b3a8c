//! What the model may call, and whether it has to.

use std::borrow::Cow;

use super::{object, odd};
use crate::canonical::{Function, Text, Tool, ToolChoice};
use crate::raw::Object;
use crate::translate::Untranslatable;
use crate::translate::strays::Strays;

/// Reads `tools`. Those with a type of their own are run by the provider, or known to the model by heart.
pub(super) fn read_tools<'a>(
    body: &Object<'a>,
    strays: &mut Strays<'a>,
) -> Result<Vec<Tool<'a>>, Untranslatable> {
    let tools = body.items("tools").map_err(|_| odd("tools", "not a list"))?;
    tools.into_iter().enumerate().map(|(index, json)| read_tool(json, index, strays)).collect()
}

fn read_tool<'a>(json: &'a str, index: usize, strays: &mut Strays<'a>) -> Result<Tool<'a>, Untranslatable> {
    let at = format!("tools[{index}]");
    let tool = object(json, &at)?;
    if let Some(kind) = tool.string("type").filter(|kind| kind != "custom") {
        return Ok(Tool::Native { kind, name: tool.string("name"), json: json.into() });
    }
    let name = tool.get("name").and_then(Text::read);
    let name = name.ok_or_else(|| odd(format!("{at}.name"), "not a string"))?;
    let parameters = tool.some("input_schema").map(Cow::Borrowed);
    if parameters.as_deref().is_some_and(|schema| !schema.starts_with('{')) {
        return Err(odd(format!("{at}.input_schema"), "not an object"));
    }
    strays.look(
        &tool,
        &["type", "name", "description", "input_schema", "strict", "cache_control"],
        "tools[]",
    );
    Ok(Tool::Function(Function {
        name,
        description: tool.some("description").and_then(Text::read),
        parameters,
        strict: tool.some("strict").map(|strict| strict == "true"),
        mark: tool.some("cache_control").map(Cow::Borrowed),
    }))
}

/// Reads `tool_choice`: whether to call, and whether several at once.
pub(super) fn read_choice<'a>(
    body: &Object<'a>,
) -> Result<(Option<ToolChoice<'a>>, Option<bool>), Untranslatable> {
    let Some(json) = body.some("tool_choice") else { return Ok((None, None)) };
    let choice = object(json, "tool_choice")?;
    let is_single = choice.get("disable_parallel_tool_use") == Some("true");
    let choice = match choice.string("type").as_deref() {
        Some("auto") => ToolChoice::Auto,
        Some("any") => ToolChoice::Required,
        Some("none") => ToolChoice::None,
        Some("tool") => {
            let name = choice.get("name").and_then(Text::read);
            ToolChoice::Function(name.ok_or_else(|| odd("tool_choice.name", "not a string"))?)
        }
        _ => ToolChoice::Native(json.into()),
    };
    Ok((Some(choice), is_single.then_some(false)))
}
