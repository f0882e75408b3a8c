//! Members that have no place in the middle form: by the table of capabilities, but for those whose form differs.

use super::Body;
use super::target::Target;
use crate::canonical::Extra;
use crate::capability::Treatment;
use crate::dialect::Dialect;
use crate::json::integer;
use crate::translate::Untranslatable;

/// Are written last, and from nothing that a client calls so.
const RESERVED: &[&str] =
    &["messages", "tools", "tool_choice", "parallel_tool_calls", "stream", "stream_options"];

pub(super) fn write(
    extras: &[Extra<'_>],
    target: &mut Target<'_>,
    body: &mut Body,
) -> Result<(), Untranslatable> {
    for extra in extras {
        let (name, value) = (&*extra.name, &*extra.value);
        match (target.client, name) {
            (Dialect::Completions, _) if is_of_completions(name, value, extras) => {
                return Err(Untranslatable::new(name, "a chat model completes no text in this way"));
            }
            // Nothing is chosen from: as many are made as are given back.
            (Dialect::Completions, "best_of" | "echo" | "suffix") => {}
            (Dialect::Completions, "logprobs")
                if integer_of(value).is_some() && !target.leaves_out("logprobs") =>
            {
                logprobs(value, extras, body);
            }
            _ => forward(name, value, target, body)?,
        }
    }
    Ok(())
}

/// Does it ask for what only a text completion can give?
fn is_of_completions(name: &str, value: &str, extras: &[Extra<'_>]) -> bool {
    let samples =
        || extras.iter().find(|extra| extra.name == "n").and_then(|n| integer_of(&n.value)).unwrap_or(1);
    match name {
        "suffix" => value != r#""""#,
        "echo" => value != "false",
        "best_of" => integer_of(value).is_none_or(|best_of| best_of > samples()),
        _ => false,
    }
}

/// A number of likely tokens: of completions itself the switch, which chat has apart.
fn logprobs(most: &str, extras: &[Extra<'_>], body: &mut Body) {
    body.add("logprobs", "true");
    let is_said = extras.iter().any(|extra| extra.name == "top_logprobs");
    if !is_said && integer_of(most) != Some(0) {
        body.add("top_logprobs", most);
    }
}

fn integer_of(value: &str) -> Option<i64> {
    value.starts_with(|first: char| first == '-' || first.is_ascii_digit()).then(|| integer(value)).flatten()
}

/// Gives a member on, if it is taken there. One that is written already, or that by its name would be taken for the
/// conversation, is left out; so is one that is not at top level, which its path tells.
fn forward(name: &str, value: &str, target: &mut Target<'_>, body: &mut Body) -> Result<(), Untranslatable> {
    let is_taken = match target.treatment(name) {
        Treatment::Native => !name.contains(['.', '[']),
        Treatment::Translated | Treatment::Emulated | Treatment::Dropped => false,
        Treatment::Refused => return Err(Untranslatable::new(name, "the target has nothing of the kind")),
    };
    if is_taken && !body.has(name) && !RESERVED.contains(&name) {
        body.add(name, value);
    } else {
        target.lose(name);
    }
    Ok(())
}
