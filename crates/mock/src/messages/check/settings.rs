//! The members beside the conversation: which there are, their bounds, and which exclude each other.

use serde_json::Value;

use super::{Object, Terms, Verdict, given, only, text, thinks};

const KNOWN: [&str; 21] = [
    "cache_control",
    "container",
    "diagnostics",
    "inference_geo",
    "max_tokens",
    "messages",
    "metadata",
    "model",
    "output_config",
    "service_tier",
    "speed",
    "stop_sequences",
    "stream",
    "system",
    "temperature",
    "thinking",
    "tool_choice",
    "tools",
    "top_k",
    "top_p",
    "user_profile_id",
];
const COUNTED: [&str; 9] = [
    "cache_control",
    "messages",
    "model",
    "output_config",
    "speed",
    "system",
    "thinking",
    "tool_choice",
    "tools",
];
/// What betas have added.
const BETA: [&str; 4] = ["context_management", "mcp_servers", "output_format", "fallbacks"];
const SAMPLING: [&str; 3] = ["temperature", "top_p", "top_k"];

/// Judges them.
pub(super) fn check(body: &Object, terms: Terms) -> Verdict {
    let known = if terms.count { &COUNTED[..] } else { &KNOWN[..] };
    let known = if terms.beta { [known, &BETA].concat() } else { known.to_vec() };
    only(body, &known, "")?;
    if let Some(name) = SAMPLING.into_iter().find(|name| terms.newer && body.contains_key(*name)) {
        return Err(format!("{name}: Extra inputs are not permitted in this version"));
    }
    let max_tokens = given(body, "max_tokens").map(|limit| limit.as_i64().unwrap_or(0));
    match max_tokens {
        None if !terms.count => return Err("max_tokens: Field required".to_owned()),
        Some(limit) if limit < 1 => {
            return Err("max_tokens: Input should be greater than or equal to 1".to_owned());
        }
        _ => {}
    }
    sampling(body)?;
    thinking(body, max_tokens)?;
    tools(body)?;
    format(body)?;
    if let Some(Value::Object(metadata)) = body.get("metadata") {
        only(metadata, &["user_id"], "metadata.")?;
    }
    if given(body, "service_tier").is_some_and(|tier| tier != "auto" && tier != "standard_only") {
        return Err("service_tier: Input should be 'auto' or 'standard_only'".to_owned());
    }
    Ok(())
}

fn sampling(body: &Object) -> Verdict {
    for name in ["temperature", "top_p"] {
        let Some(value) = given(body, name) else { continue };
        let value = value.as_f64().ok_or_else(|| format!("{name}: Input should be a valid number"))?;
        if !(0.0..=1.0).contains(&value) {
            return Err(format!("{name}: range: 0..1"));
        }
    }
    let Some(stops) = given(body, "stop_sequences") else { return Ok(()) };
    let stops = stops.as_array().ok_or("stop_sequences: Input should be a valid list")?;
    if stops.iter().any(|stop| stop.as_str().is_none_or(|stop| stop.trim().is_empty())) {
        return Err("stop_sequences: each stop sequence must contain non-whitespace".to_owned());
    }
    Ok(())
}

fn thinking(body: &Object, max_tokens: Option<i64>) -> Verdict {
    let Some(Value::Object(thinking)) = body.get("thinking") else { return Ok(()) };
    match text(thinking, "type") {
        "enabled" => {
            only(thinking, &["type", "budget_tokens", "display"], "thinking.enabled.")?;
            let budget = thinking.get("budget_tokens").and_then(Value::as_i64);
            let budget = budget.ok_or("thinking.enabled.budget_tokens: Field required")?;
            if budget < 1024 {
                return Err("thinking.enabled.budget_tokens: Input should be at least 1024".to_owned());
            }
            if max_tokens.is_some_and(|limit| budget >= limit) {
                return Err("`max_tokens` must be greater than `thinking.budget_tokens`".to_owned());
            }
        }
        "adaptive" => only(thinking, &["type", "display"], "thinking.adaptive.")?,
        "disabled" | "between_tools" => only(thinking, &["type"], "thinking.")?,
        _ => return Err("thinking.type: Input should be 'enabled', 'disabled' or 'adaptive'".to_owned()),
    }
    if !thinks(body) {
        return Ok(());
    }
    if given(body, "temperature").is_some_and(|value| value.as_f64() != Some(1.0)) {
        return Err("`temperature` may only be set to 1 when thinking is enabled".to_owned());
    }
    if given(body, "top_p").is_some_and(|value| value.as_f64().is_none_or(|value| value < 0.95)) {
        return Err("`top_p` must be at least 0.95 or unset when thinking is enabled".to_owned());
    }
    if given(body, "top_k").is_some() {
        return Err("`top_k` must be unset when thinking is enabled".to_owned());
    }
    let choice = body.get("tool_choice").and_then(|choice| choice.get("type")?.as_str());
    if matches!(choice, Some("any" | "tool")) {
        return Err("Thinking may not be enabled when `tool_choice` forces tool use".to_owned());
    }
    Ok(())
}

const TOOL: [&str; 9] = [
    "type",
    "name",
    "description",
    "input_schema",
    "cache_control",
    "strict",
    "input_examples",
    "defer_loading",
    "eager_input_streaming",
];

fn tools(body: &Object) -> Verdict {
    let tools = given(body, "tools").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let mut names = Vec::new();
    for (at, tool) in tools.iter().enumerate() {
        let tool = tool.as_object().ok_or_else(|| format!("tools.{at}: Input should be an object"))?;
        let name = text(tool, "name");
        let fits = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        if name.is_empty() || name.len() > 128 || !name.chars().all(fits) {
            return Err(format!("tools.{at}.name: String should match pattern '^[a-zA-Z0-9_-]{{1,128}}$'"));
        }
        if names.contains(&name) {
            return Err("tools: Tool names must be unique".to_owned());
        }
        names.push(name);
        // The provider's own tools have members of their own.
        if !matches!(text(tool, "type"), "" | "custom") {
            continue;
        }
        only(tool, &TOOL, &format!("tools.{at}.custom."))?;
        if tool.get("input_schema").and_then(|schema| schema.get("type")).is_none_or(|kind| kind != "object")
        {
            return Err(format!("tools.{at}.custom.input_schema.type: Input should be 'object'"));
        }
    }
    let Some(choice) = given(body, "tool_choice") else { return Ok(()) };
    let choice = choice.as_object().ok_or("tool_choice: Input should be an object")?;
    let known: &[&str] = match text(choice, "type") {
        "auto" | "any" => &["type", "disable_parallel_tool_use"],
        "tool" if names.contains(&text(choice, "name")) => &["type", "name", "disable_parallel_tool_use"],
        "tool" => return Err("tool_choice: the tool is not among `tools`".to_owned()),
        "none" => &["type"],
        _ => return Err("tool_choice.type: Input should be 'auto', 'any', 'tool' or 'none'".to_owned()),
    };
    if tools.is_empty() {
        return Err("tool_choice: may only be specified while providing tools".to_owned());
    }
    only(choice, known, "tool_choice.")
}

fn format(body: &Object) -> Verdict {
    let Some(Value::Object(config)) = body.get("output_config") else { return Ok(()) };
    only(config, &["effort", "format"], "output_config.")?;
    const EFFORTS: [&str; 5] = ["low", "medium", "high", "xhigh", "max"];
    if given(config, "effort").is_some_and(|effort| !EFFORTS.contains(&effort.as_str().unwrap_or_default())) {
        return Err(
            "output_config.effort: Input should be 'low', 'medium', 'high', 'xhigh' or 'max'".to_owned()
        );
    }
    let Some(Value::Object(format)) = config.get("format") else { return Ok(()) };
    only(format, &["type", "schema"], "output_config.format.")?;
    if text(format, "type") != "json_schema" {
        return Err("output_config.format.type: Input should be 'json_schema'".to_owned());
    }
    closed(format.get("schema").ok_or("output_config.format.schema: Field required")?)
}

/// Objects of an answer's schema say that they have no other members.
fn closed(schema: &Value) -> Verdict {
    match schema {
        Value::Object(members) => {
            let object = members.get("type").is_some_and(|kind| kind == "object");
            if object && members.get("additionalProperties") != Some(&Value::Bool(false)) {
                return Err(
                    "output_config.format.schema: For 'object' type, 'additionalProperties' must be false"
                        .to_owned(),
                );
            }
            members.values().try_for_each(closed)
        }
        Value::Array(items) => items.iter().try_for_each(closed),
        _ => Ok(()),
    }
}
