//! What the model may call, and whether it has to.

use super::Body;
use super::target::Target;
use crate::canonical::{Function, Request, Tool, ToolChoice};
use crate::dialect::Dialect;
use crate::raw::{self, Writer};
use crate::translate::Untranslatable;

/// Writes tools. Without any, OpenAI refuses to be told how to choose among them.
pub(super) fn write(
    request: &Request<'_>,
    target: &mut Target<'_>,
    body: &mut Body,
) -> Result<(), Untranslatable> {
    let is_idle = matches!(request.tool_choice, None | Some(ToolChoice::Auto | ToolChoice::None));
    let mut tools = Vec::new();
    for (at, tool) in request.tools.iter().enumerate() {
        match tool {
            Tool::Function(function) => tools.push(written(function, target)),
            // Agents send all that they have, whoever the target is; without it the answer is still one.
            Tool::Native { kind, .. } if request.dialect == Dialect::Responses && is_idle => {
                target.lose_tool(kind);
            }
            Tool::Native { kind, .. } => {
                return Err(Untranslatable::unknown(format!("tools[{at}]"), "tool", kind));
            }
        }
    }
    if tools.is_empty() && is_idle {
        return Ok(());
    }
    if let Some(parallel) = request.parallel_tool_calls.filter(|_| !tools.is_empty()) {
        body.add("parallel_tool_calls", if parallel { "true" } else { "false" });
    }
    if let Some(choice) = &request.tool_choice {
        body.add("tool_choice", &tool_choice(choice)?);
    }
    if !tools.is_empty() {
        body.add("tools", &raw::array(tools));
    }
    Ok(())
}

fn written(function: &Function<'_>, target: &mut Target<'_>) -> String {
    let mut inner = Writer::new();
    inner.raw("name", function.name.json());
    if let Some(description) = &function.description {
        inner.raw("description", description.json());
    }
    if let Some(parameters) = &function.parameters {
        inner.raw("parameters", parameters);
    }
    if let Some(strict) = function.strict {
        inner.raw("strict", if strict { "true" } else { "false" });
    }
    let mut out = Writer::new();
    out.string("type", "function").raw("function", &inner.finish());
    if let Some(mark) = target.mark(function.mark.as_ref()) {
        out.raw("cache_control", mark);
    }
    out.finish()
}

fn tool_choice(choice: &ToolChoice<'_>) -> Result<String, Untranslatable> {
    Ok(match choice {
        ToolChoice::Auto => raw::quoted("auto"),
        ToolChoice::None => raw::quoted("none"),
        ToolChoice::Required => raw::quoted("required"),
        ToolChoice::Function(name) => {
            let function = Writer::new().raw("name", name.json()).finish();
            Writer::new().string("type", "function").raw("function", &function).finish()
        }
        ToolChoice::Native(_) => {
            return Err(Untranslatable::new("tool_choice", "the target has no such choice"));
        }
    })
}
