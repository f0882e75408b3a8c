//! What the model may call, and whether it has to.

use std::borrow::Cow;

use super::piece::{Piece, PieceKind};
use crate::canonical::{Function, Request, Tool, ToolChoice};
use crate::dialect::Dialect;
use crate::raw::{Object, Writer};
use crate::translate::{Losses, Untranslatable};

/// A schema for functions that take nothing.
const NO_PARAMETERS: &str = r#"{"type":"object","properties":{}}"#;

/// Writes each tool as an item of `tools`. One that only the client's own provider can run is no such thing here;
/// agents that speak Responses send all that they have, whoever the target is, and without it the answer is still one.
pub(super) fn write_tools<'a>(
    request: &Request<'a>,
    losses: &mut Losses,
) -> Result<Vec<Piece<'a>>, Untranslatable> {
    let is_idle = matches!(request.tool_choice, None | Some(ToolChoice::Auto | ToolChoice::None));
    let mut tools = Vec::new();
    for (index, tool) in request.tools.iter().enumerate() {
        match tool {
            Tool::Function(function) => tools.push(write_function(function)),
            Tool::Native { json, .. } if request.dialect == Dialect::Messages => {
                tools.push(Piece::whole(json));
            }
            Tool::Native { kind, .. } if request.dialect == Dialect::Responses && is_idle => {
                losses.add_tool(kind);
            }
            Tool::Native { kind, .. } => {
                return Err(Untranslatable::unknown(format!("tools[{index}]"), "tool", kind));
            }
        }
    }
    Ok(tools)
}

fn write_function<'a>(function: &Function<'a>) -> Piece<'a> {
    let mut tool = Writer::new();
    tool.raw("name", function.name.json());
    if let Some(description) = function.description.as_ref().filter(|text| !text.is_empty()) {
        tool.raw("description", description.json());
    }
    tool.raw("input_schema", &input_schema(function.parameters.as_deref()));
    if function.strict == Some(true) {
        tool.raw("strict", "true");
    }
    Piece::new(tool.finish(), function.mark.as_ref(), PieceKind::Plain)
}

/// The schema as it is. The upstream wants it to say that it is of an object, which others take for granted.
fn input_schema(parameters: Option<&str>) -> Cow<'_, str> {
    let Some(schema) = parameters else { return Cow::Borrowed(NO_PARAMETERS) };
    let Ok(object) = Object::parse(schema) else { return Cow::Borrowed(schema) };
    if object.iter().next().is_none() {
        return Cow::Borrowed(NO_PARAMETERS);
    }
    match (object.get("type"), schema.strip_prefix('{')) {
        (None, Some(members)) => Cow::Owned(format!(r#"{{"type":"object",{members}"#)),
        _ => Cow::Borrowed(schema),
    }
}

/// Writes `tool_choice`, if anything but the usual is asked for.
pub(super) fn write_choice(request: &Request<'_>, has_tools: bool) -> Result<Option<String>, Untranslatable> {
    let is_single = request.parallel_tool_calls == Some(false);
    let mut choice = Writer::new();
    match &request.tool_choice {
        // Without tools the upstream takes no choice, and there is none.
        None | Some(ToolChoice::Auto | ToolChoice::None) if !has_tools => return Ok(None),
        None if !is_single => return Ok(None),
        None | Some(ToolChoice::Auto) => choice.string("type", "auto"),
        Some(ToolChoice::None) => return Ok(Some(choice.string("type", "none").finish())),
        Some(ToolChoice::Required) => choice.string("type", "any"),
        Some(ToolChoice::Function(name)) => choice.string("type", "tool").raw("name", name.json()),
        Some(ToolChoice::Native(json)) if request.dialect == Dialect::Messages => {
            return Ok(Some(json.clone().into_owned()));
        }
        Some(ToolChoice::Native(_)) => {
            return Err(Untranslatable::new("tool_choice", "the target cannot choose in this way"));
        }
    };
    if is_single {
        choice.raw("disable_parallel_tool_use", "true");
    }
    Ok(Some(choice.finish()))
}
