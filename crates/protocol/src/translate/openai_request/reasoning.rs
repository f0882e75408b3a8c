//! How much the model thinks first, in the three ways in which clients of OpenAI's format say it.

use super::{boolean, member, text};
use crate::canonical::{Json, Reasoning, Text};
use crate::envelope::Envelope;
use crate::raw::{Object, Writer};
use crate::translate::Untranslatable;

/// OpenAI's `reasoning_effort`; Messages' `thinking` object, which LiteLLM made known; OpenRouter's `reasoning`
/// object. The first is OpenAI's own and wins over an effort that another names.
pub(super) fn read(call: &Envelope) -> Result<Option<Reasoning<'_>>, Untranslatable> {
    let mut reasoning = Reasoning::default();
    if let Some(object) = member(call, "reasoning") {
        reasoning = openrouter(object)?;
    }
    if let Some(thinking) = member(call, "thinking") {
        if !thinking.starts_with('{') {
            return Err(Untranslatable::new("thinking", "expected an object"));
        }
        reasoning.thinking = Some(thinking.into());
    }
    if let Some(effort) = member(call, "reasoning_effort") {
        let odd = || Untranslatable::new("reasoning_effort", "expected a string");
        reasoning.effort = Some(Text::read(effort).ok_or_else(odd)?);
    }
    let says_something =
        reasoning.effort.is_some() || reasoning.thinking.is_some() || reasoning.summary.is_some();
    Ok(says_something.then_some(reasoning))
}

/// `{effort, max_tokens, enabled}`: a budget is what Messages calls one; only switched on, it is a medium effort.
fn openrouter(json: &str) -> Result<Reasoning<'_>, Untranslatable> {
    let object = Object::parse(json).map_err(|_| Untranslatable::new("reasoning", "expected an object"))?;
    let mut effort = text(&object, "effort");
    let mut thinking = object.some("max_tokens").map(enabled);
    match boolean(&object, "enabled") {
        Some(false) => (effort, thinking) = (None, Some(Json::Borrowed(r#"{"type":"disabled"}"#))),
        Some(true) if effort.is_none() && thinking.is_none() => effort = Some(Text::of("medium")),
        _ => {}
    }
    Ok(Reasoning { effort, thinking, summary: text(&object, "summary") })
}

fn enabled(budget: &str) -> Json<'static> {
    Writer::new().string("type", "enabled").raw("budget_tokens", budget).finish().into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::{Dialect, Profile};

    fn told(members: &str) -> String {
        let body = format!(r#"{{"model":"m","messages":[{{"role":"user"}}],{members}}}"#);
        let call = Envelope::scan(body.into(), Dialect::Chat, Profile::Open).expect("a body");
        match read(&call) {
            Ok(None) => "nothing".to_owned(),
            Ok(Some(Reasoning { effort, thinking, summary })) => {
                let effort = effort.as_ref().map_or("-", Text::json);
                let summary = summary.as_ref().map_or("-", Text::json);
                format!("{effort} {} {summary}", thinking.as_deref().unwrap_or("-"))
            }
            Err(fault) => fault.to_string(),
        }
    }

    #[test]
    fn every_way_to_say_it_is_read() {
        for (members, expected) in [
            (r#""reasoning_effort":"low""#, r#""low" - -"#),
            (r#""reasoning_effort":null,"reasoning":null,"thinking":null"#, "nothing"),
            (
                r#""thinking":{"type":"enabled", "budget_tokens":2048}"#,
                r#"- {"type":"enabled", "budget_tokens":2048} -"#,
            ),
            (r#""reasoning":{"effort":"high"}"#, r#""high" - -"#),
            (r#""reasoning":{"max_tokens":2000}"#, r#"- {"type":"enabled","budget_tokens":2000} -"#),
            (r#""reasoning":{"enabled":true}"#, r#""medium" - -"#),
            (r#""reasoning":{"enabled":false,"effort":"high"}"#, r#"- {"type":"disabled"} -"#),
            (
                r#""reasoning":{"effort":"high","summary":"auto"},"reasoning_effort":"low""#,
                r#""low" - "auto""#,
            ),
            (r#""reasoning":{"exclude":true}"#, "nothing"),
            (r#""reasoning":true"#, "reasoning: expected an object"),
            (r#""thinking":"yes""#, "thinking: expected an object"),
            (r#""reasoning_effort":3"#, "reasoning_effort: expected a string"),
        ] {
            assert_eq!(told(members), expected, "{members}");
        }
    }
}
