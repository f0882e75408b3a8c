//! Custom tools, which are called with a text that is no JSON: to a target that has only functions they are functions
//! with one argument, `input`, and a call of one is told to the client as what it has asked for.
//!
//! Coding agents always send some, so a request with one must not fail for it.

use std::borrow::Cow;

use crate::canonical::{Function, Text};
use crate::raw::{self, Object, Writer};

/// The argument that stands for the text.
const INPUT: &str = "input";

/// A custom tool as a function. What its input has to look like is said where the input is described.
pub(super) fn function<'a>(tool: &Object<'a>) -> Option<Function<'a>> {
    let name = tool.some("name").and_then(Text::read)?;
    let mut input = Writer::new();
    input.string("type", "string");
    if let Some(grammar) = tool.object("format").ok().and_then(|format| format.some("definition")) {
        input.raw("description", grammar);
    }
    let properties = Writer::new().raw(INPUT, &input.finish()).finish();
    let mut schema = Writer::new();
    schema.string("type", "object").raw("properties", &properties);
    schema.raw("required", &raw::array([raw::quoted(INPUT)])).raw("additionalProperties", "false");
    Some(Function {
        name,
        description: tool.some("description").and_then(Text::read),
        parameters: Some(Cow::Owned(schema.finish())),
        strict: None,
        mark: tool.some("cache_control").map(Cow::Borrowed),
    })
}

/// A call's text as the arguments of the function.
pub(super) fn arguments(input: &str) -> String {
    Writer::new().raw(INPUT, input).finish()
}

/// The text of a call, a JSON string, from the arguments as they are written between quotes. What is not in the form
/// that was asked for is the text itself.
pub(super) fn input(arguments: &str) -> String {
    let whole = format!("\"{arguments}\"");
    let meant = raw::string(&whole).unwrap_or_default();
    let input = Object::parse(&meant).ok().and_then(|object| object.get(INPUT).and_then(Text::read));
    match input {
        Some(input) => input.json().to_owned(),
        None => whole,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_comes_back_as_it_went() {
        for json in [r#""""#, r#""*** Begin \"Patch\"\n""#, r#""\u00e9\\""#, r#""{\"input\":1}""#] {
            let arguments = arguments(json);
            let inside = raw::quoted(&arguments);
            assert_eq!(input(raw::between_quotes(&inside).unwrap_or_default()), json);
        }
    }

    #[test]
    fn what_is_in_another_form_is_the_text_itself() {
        for inside in ["", r"*** Begin\n", r#"{\"input\":\"*** Be"#, r#"{\"input\":7}"#, "[1]"] {
            assert_eq!(input(inside), format!("\"{inside}\""));
        }
    }
}
