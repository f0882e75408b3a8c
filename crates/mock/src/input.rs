//! What the dialects' request bodies have in common: text in all its wrappings, tools, tool choice, answer
//! formats.
//!
//! Lenient on purpose: what the mock does not use it does not judge, so that a test sees the gateway's own
//! checks and not ours. Only bodies that are no JSON, or that lack what an answer needs, are refused.

use std::borrow::Cow;

use serde::{Deserialize, Deserializer};
use serde_json::Value;

/// Message content: a string, or a list of parts.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(crate) enum Content<'a> {
    Text(#[serde(borrow)] Cow<'a, str>),
    Parts(#[serde(borrow)] Vec<Part<'a>>),
    Other(serde::de::IgnoredAny),
}

/// One part of a message: text, or an image or tool result that may hold text itself.
#[derive(Debug, Deserialize)]
pub(crate) struct Part<'a> {
    #[serde(rename = "type", borrow, default)]
    pub(crate) kind: Cow<'a, str>,
    #[serde(borrow, default)]
    text: Cow<'a, str>,
    /// The text inside an Anthropic `tool_result`.
    #[serde(borrow, default)]
    pub(crate) content: Option<Content<'a>>,
}

impl Content<'_> {
    /// Appends all text, parts separated by a line break.
    pub(crate) fn push_text(&self, out: &mut String) {
        match self {
            Self::Text(text) => out.push_str(text),
            Self::Parts(parts) => {
                for (at, part) in parts.iter().enumerate() {
                    if at > 0 {
                        out.push('\n');
                    }
                    out.push_str(&part.text);
                    if let Some(inner) = &part.content {
                        inner.push_text(out);
                    }
                }
            }
            Self::Other(_) => {}
        }
    }

    /// All text.
    pub(crate) fn text(&self) -> String {
        let mut out = String::new();
        self.push_text(&mut out);
        out
    }
}

/// A function that the model may call, from any dialect's shape: `{type, function: {…}}` (chat), `{type,
/// name, …}` (responses), `{name, input_schema}` (messages).
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Tool {
    pub(crate) name: Option<String>,
    pub(crate) description: Option<String>,
    #[serde(alias = "input_schema")]
    pub(crate) parameters: Value,
    function: Option<Box<Tool>>,
}

impl Tool {
    /// The schema of the arguments, which are an object even where the definition says nothing.
    pub(crate) fn object_schema(&self) -> Value {
        if self.parameters.is_object() {
            self.parameters.clone()
        } else {
            serde_json::json!({ "type": "object" })
        }
    }
}

/// The tools to call, if any are to be called: the one that `tool_choice` names, else the one whose name and
/// description share most words with what the user said. Who says `both` gets two calls, of the two best tools or of
/// the only one twice, unless only a single call is wanted.
pub(crate) fn choose_tools(tools: Vec<Tool>, tool_choice: &Value, topic: &str, single: bool) -> Vec<Tool> {
    let kind = tool_choice.as_str().or_else(|| tool_choice.get("type")?.as_str());
    if kind == Some("none") {
        return Vec::new();
    }
    let wanted =
        tool_choice.pointer("/function/name").or_else(|| tool_choice.get("name")).and_then(Value::as_str);
    let topic = topic.to_lowercase();
    let score = |tool: &Tool| -> usize {
        if wanted.is_some() && tool.name.as_deref() == wanted {
            return usize::MAX;
        }
        let words = [tool.name.as_deref(), tool.description.as_deref()];
        let words = words.into_iter().flatten().flat_map(|text| text.split(|c: char| !c.is_alphanumeric()));
        words.filter(|word| word.len() > 3 && topic.contains(&word.to_lowercase())).count()
    };
    let functions = tools.into_iter().map(|mut tool| tool.function.take().map_or(tool, |function| *function));
    let mut functions: Vec<Tool> = functions.filter(|tool| tool.name.is_some()).collect();
    // Stable: of equals the first is what a reader expects.
    functions.sort_by_key(|tool| std::cmp::Reverse(score(tool)));
    let both = topic.split(|c: char| !c.is_alphanumeric()).any(|word| word == "both");
    functions.truncate(if both && !single && wanted.is_none() { 2 } else { 1 });
    if let [only] = functions.as_slice()
        && both
        && !single
    {
        functions.push(only.clone());
    }
    functions
}

/// The JSON that the answer has to be, from `response_format` (chat) or `text.format` (responses): `None` for
/// plain text, `Value::Null` for any JSON object, else the schema.
pub(crate) fn json_format(format: &Value) -> Option<Value> {
    match format.get("type")?.as_str()? {
        "json_object" => Some(Value::Null),
        "json_schema" => {
            let schema = format.pointer("/json_schema/schema").or_else(|| format.get("schema"));
            Some(schema.cloned().unwrap_or(Value::Null))
        }
        _ => None,
    }
}

/// `stop`: a string, a list of strings, or nothing.
#[derive(Debug, Default)]
pub(crate) struct Stops(pub(crate) Vec<String>);

impl<'de> Deserialize<'de> for Stops {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self(match Value::deserialize(deserializer)? {
            Value::String(one) => vec![one],
            Value::Array(all) => all.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
            _ => Vec::new(),
        }))
    }
}

/// An integer however it is written (`7`, `7.0`, `7e0`); anything else counts as absent.
pub(crate) fn integer<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<i64>, D::Error> {
    Ok(match Value::deserialize(deserializer)? {
        Value::Number(number) => number.as_i64().or_else(|| number.as_f64().map(|float| float as i64)),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn tools() -> Vec<Tool> {
        serde_json::from_value(json!([
            {"type": "function", "function": {"name": "send_mail", "parameters": {"type": "object"}}},
            {"type": "function", "name": "get_weather", "description": "The weather of a city"},
            {"name": "search", "input_schema": {"type": "object", "properties": {}}},
            {"type": "web_search"}
        ]))
        .unwrap()
    }

    fn chosen(choice: &Value, topic: &str) -> Option<String> {
        choose_tools(tools(), choice, topic, false).pop().and_then(|tool| tool.name)
    }

    #[test]
    fn the_tool_that_fits_the_question_is_chosen_and_the_first_if_none_fits() {
        assert_eq!(chosen(&Value::Null, "How is the Weather in Oslo?").as_deref(), Some("get_weather"));
        assert_eq!(chosen(&json!("auto"), "hello").as_deref(), Some("send_mail"));
    }

    #[test]
    fn tool_choice_is_obeyed_in_every_dialects_shape() {
        assert_eq!(chosen(&json!("none"), ""), None);
        assert_eq!(chosen(&json!({"type": "none"}), ""), None);
        let named = [
            json!({"type": "function", "function": {"name": "search"}}),
            json!({"type": "tool", "name": "search"}),
        ];
        for choice in named {
            assert_eq!(chosen(&choice, "weather").as_deref(), Some("search"));
        }
    }

    #[test]
    fn both_means_two_calls_unless_one_is_wanted() {
        let names = |tools, single| -> Vec<_> {
            let chosen = choose_tools(tools, &Value::Null, "The weather and mail of both towns", single);
            chosen.into_iter().filter_map(|tool| tool.name).collect()
        };
        assert_eq!(names(tools(), false), ["get_weather", "send_mail"]);
        assert_eq!(names(tools(), true), ["get_weather"]);
        let one = tools().into_iter().take(1).collect();
        assert_eq!(names(one, false), ["send_mail", "send_mail"]);
    }

    #[test]
    fn text_is_found_in_strings_parts_and_tool_results() {
        let text = |json: &str| serde_json::from_str::<Content<'_>>(json).unwrap().text();
        assert_eq!(text(r#""a\nb""#), "a\nb");
        assert_eq!(
            text(
                r#"[{"type":"text","text":"a"},{"type":"image_url","image_url":{}},{"type":"text","text":"b"}]"#
            ),
            "a\n\nb"
        );
        assert_eq!(text(r#"[{"type":"tool_result","content":[{"type":"text","text":"21 C"}]}]"#), "21 C");
        assert_eq!(text("17"), "");
    }
}
