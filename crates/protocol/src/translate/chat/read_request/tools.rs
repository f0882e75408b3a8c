//! What the model may call, and whether it has to; `functions` and `function_call` are their older names.

use std::borrow::Cow;
use std::collections::BTreeSet;

use crate::canonical::{Function, Json, Text, Tool, ToolChoice};
use crate::envelope::Envelope;
use crate::raw::{self, Object};
use crate::translate::Untranslatable;
use crate::translate::openai_request::{boolean, member, text};
use crate::translate::strays::Strays;

/// Reads `tools` and `functions`.
pub(super) fn read<'a>(call: &'a Envelope, strays: &mut Strays<'a>) -> Result<Vec<Tool<'a>>, Untranslatable> {
    let mut tools = Vec::new();
    for (at, json) in items(call, "tools")?.into_iter().enumerate() {
        tools.push(tool(json, &format!("tools[{at}]"), strays)?);
    }
    for (at, json) in items(call, "functions")?.into_iter().enumerate() {
        let place = format!("functions[{at}]");
        let object = Object::parse(json).map_err(|_| Untranslatable::new(&*place, "expected an object"))?;
        tools.push(Tool::Function(function(&object, &place, "functions[]", strays)?));
    }
    Ok(tools)
}

fn items<'a>(call: &'a Envelope, name: &str) -> Result<Vec<&'a str>, Untranslatable> {
    let list = member(call, name).map_or(Ok(Vec::new()), raw::items);
    list.map_err(|_| Untranslatable::new(name, "expected an array"))
}

fn tool<'a>(json: &'a str, place: &str, strays: &mut Strays<'a>) -> Result<Tool<'a>, Untranslatable> {
    let odd = |why: &'static str| Untranslatable::new(place, why);
    let tool = Object::parse(json).map_err(|_| odd("expected an object in which no name comes twice"))?;
    let kind = tool.string("type").unwrap_or_else(|| "function".into());
    // Some agents write a function here as Responses has it.
    if kind == "function" && tool.get("function").is_none() && tool.get("name").is_some() {
        return function(&tool, place, "tools[]", strays).map(Tool::Function);
    }
    let inner = tool.object(if kind == "custom" { "custom" } else { "function" });
    if kind != "function" {
        let name = inner.ok().and_then(|inner| inner.string("name"));
        return Ok(Tool::Native { kind, name, json: json.into() });
    }
    let inner = inner.map_err(|_| odd("expected `function`, an object"))?;
    strays.look(&tool, &["type", "function", "cache_control"], "tools[]");
    let mut function = function(&inner, place, "tools[].function", strays)?;
    if let Some(mark) = tool.some("cache_control") {
        function.mark = Some(mark.into());
    }
    Ok(Tool::Function(function))
}

fn function<'a>(
    object: &Object<'a>,
    place: &str,
    path: &str,
    strays: &mut Strays<'a>,
) -> Result<Function<'a>, Untranslatable> {
    let known = ["type", "name", "description", "parameters", "strict", "cache_control"];
    strays.look(object, &known, path);
    let name = text(object, "name");
    Ok(Function {
        name: name.ok_or_else(|| Untranslatable::new(place, "expected the function's `name`, a string"))?,
        description: text(object, "description"),
        parameters: object.some("parameters").map(Json::Borrowed),
        strict: boolean(object, "strict"),
        mark: object.some("cache_control").map(Json::Borrowed),
    })
}

/// Reads `tool_choice`, or `function_call`. Of tools that are not allowed by it nothing is said upstream.
pub(super) fn choice<'a>(
    call: &'a Envelope,
    tools: &mut Vec<Tool<'a>>,
) -> Result<Option<ToolChoice<'a>>, Untranslatable> {
    let (name, choice) = match (member(call, "tool_choice"), member(call, "function_call")) {
        (Some(choice), _) => ("tool_choice", choice),
        (None, Some(choice)) => ("function_call", choice),
        (None, None) => return Ok(None),
    };
    if let Some(word) = raw::string(choice) {
        return Ok(Some(by_word(&word).unwrap_or_else(|| ToolChoice::Native(choice.into()))));
    }
    let odd = |_| Untranslatable::new(name, "expected a string or an object");
    let object = Object::parse(choice).map_err(odd)?;
    if name == "function_call" {
        let function = text(&object, "name").map(ToolChoice::Function);
        return function.map(Some).ok_or_else(|| Untranslatable::new(name, "expected a `name`"));
    }
    let chosen = match object.string("type").as_deref() {
        Some("function") => {
            object.object("function").ok().and_then(|inner| text(&inner, "name")).map(ToolChoice::Function)
        }
        Some("allowed_tools") => allowed(&object, tools),
        _ => None,
    };
    Ok(Some(chosen.unwrap_or_else(|| ToolChoice::Native(choice.into()))))
}

fn by_word(word: &str) -> Option<ToolChoice<'static>> {
    Some(match word {
        "auto" => ToolChoice::Auto,
        "none" => ToolChoice::None,
        // Mistral's word for it.
        "required" | "any" => ToolChoice::Required,
        _ => return None,
    })
}

/// Only some may be called: what others there are, the model is not told.
fn allowed<'a>(choice: &Object<'a>, tools: &mut Vec<Tool<'a>>) -> Option<ToolChoice<'a>> {
    let allowed = choice.object("allowed_tools").ok()?;
    let chosen = by_word(&allowed.string("mode")?)?;
    let name = |json| {
        let tool = Object::parse(json).ok()?;
        let inner = tool.object(if tool.string("type")? == "custom" { "custom" } else { "function" }).ok()?;
        text(&inner, "name")
    };
    let names = allowed.items("tools").ok()?.into_iter().map(name).collect::<Option<Vec<_>>>()?;
    let names: BTreeSet<Cow<'_, str>> = names.iter().map(Text::meant).collect();
    tools.retain(|tool| {
        let own = match tool {
            Tool::Function(function) => function.name.meant(),
            Tool::Native { name, .. } => name.as_deref().unwrap_or_default().into(),
        };
        names.contains(&own)
    });
    Some(chosen)
}
