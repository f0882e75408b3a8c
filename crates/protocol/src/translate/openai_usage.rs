//! Token counts as OpenAI's older endpoints tell them (`prompt_tokens`, `completion_tokens`), read and written.
//!
//! What the counts mean is [`crate::usage`]'s; here is their form, and what an upstream tells beside them. Responses
//! has names of its own and writes them itself.

use std::borrow::Cow;

use crate::canonical::{Json, Tokens};
use crate::dialect::Dialect;
use crate::json::Scanner;
use crate::raw::{Object, Writer};
use crate::usage::Counts;

/// Counts that [`crate::usage::Usage`] holds, under every name by which another dialect could take them for its own.
const COUNTED: [&str; 7] = [
    "prompt_tokens",
    "completion_tokens",
    "total_tokens",
    "input_tokens",
    "output_tokens",
    "input_tokens_details",
    "output_tokens_details",
];

const PROMPT_DETAILS: &str = "prompt_tokens_details";
const COMPLETION_DETAILS: &str = "completion_tokens_details";

/// Reads a `usage` value on top of what came before; `None` where it counts nothing. What is strange in it is passed
/// over: it must not make a good answer bad.
pub(super) fn read<'a>(counts: &mut Counts, usage: &'a str) -> Option<Tokens<'a>> {
    let is_object = counts.read(&mut Scanner::new(usage.as_bytes()));
    if !matches!(is_object, Ok(true)) {
        return None;
    }
    let native = Object::parse(usage).unwrap_or_default();
    let is_native = |name: &str, value: &str| value != "null" && !COUNTED.contains(&name);
    Some(Tokens {
        usage: counts.usage(Dialect::Chat)?,
        native: native
            .iter()
            .filter(|(name, value)| is_native(name, value))
            .map(|(name, value)| (name.clone(), Cow::Borrowed(value)))
            .collect(),
    })
}

/// A `usage` object: the counts in OpenAI's meaning, the details as far as they are known, and the upstream's own
/// members behind them.
pub(super) fn write(tokens: &Tokens<'_>) -> String {
    let usage = tokens.usage;
    let mut out = Writer::new();
    out.number("prompt_tokens", usage.input)
        .number("completion_tokens", usage.output)
        .number("total_tokens", usage.input.saturating_add(usage.output));
    let cached = ["cache_read_input_tokens", "prompt_cache_hit_tokens"];
    put_details(
        &mut out,
        PROMPT_DETAILS,
        tokens,
        &[
            Detail { name: "cached_tokens", count: usage.cache_read, native: &cached },
            Detail {
                name: "cache_write_tokens",
                count: usage.cache_write,
                native: &["cache_creation_input_tokens"],
            },
        ],
    );
    let reasoning = Detail { name: "reasoning_tokens", count: usage.reasoning, native: &[] };
    put_details(&mut out, COMPLETION_DETAILS, tokens, &[reasoning]);
    let is_written =
        |name: &str| COUNTED.contains(&name) || [PROMPT_DETAILS, COMPLETION_DETAILS].contains(&name);
    for (name, value) in tokens.native.iter().filter(|(name, _)| !is_written(name)) {
        out.raw(name, value);
    }
    out.finish()
}

/// A count that is part of another.
struct Detail<'a> {
    name: &'static str,
    count: u64,
    /// The same in upstreams' own words.
    native: &'a [&'static str],
}

/// Adds a details object: what is counted, then whatever else the upstream has there. A zero is written only where
/// the upstream has said it: not to know is another thing.
fn put_details(out: &mut Writer, name: &str, tokens: &Tokens<'_>, details: &[Detail<'_>]) {
    let native = native(tokens, name).and_then(|json| Object::parse(json).ok()).unwrap_or_default();
    let mut inner = Writer::new();
    let mut is_empty = true;
    for detail in details {
        let is_said = native.count(detail.name).is_some()
            || detail.native.iter().any(|name| self::native(tokens, name).is_some());
        if detail.count > 0 || is_said {
            inner.number(detail.name, detail.count);
            is_empty = false;
        }
    }
    for (name, value) in native.iter().filter(|(name, _)| !details.iter().any(|detail| detail.name == **name))
    {
        inner.raw(name, value);
        is_empty = false;
    }
    if !is_empty {
        out.raw(name, &inner.finish());
    }
}

fn native<'a>(tokens: &'a Tokens<'_>, name: &str) -> Option<&'a Json<'a>> {
    tokens.native.iter().find(|(known, value)| known == name && value != "null").map(|(_, value)| value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::usage::Usage;

    fn again(usage: &str) -> Option<String> {
        read(&mut Counts::default(), usage).map(|tokens| write(&tokens))
    }

    #[test]
    fn openai_s_own_form_stays_as_it_is() {
        let usage = r#"{"prompt_tokens":100,"completion_tokens":20,"total_tokens":120,"prompt_tokens_details":{"cached_tokens":64,"audio_tokens":0},"completion_tokens_details":{"reasoning_tokens":12,"accepted_prediction_tokens":0}}"#;
        assert_eq!(again(usage).as_deref(), Some(usage));
        let bare = r#"{"prompt_tokens":9,"completion_tokens":3,"total_tokens":12}"#;
        assert_eq!(again(bare).as_deref(), Some(bare));
    }

    #[test]
    fn other_names_are_kept_beside_the_one_meaning() {
        for (usage, expected) in [
            (
                r#"{"prompt_tokens":9,"completion_tokens":3,"total_tokens":12,"prompt_cache_hit_tokens":0,"prompt_cache_miss_tokens":9}"#,
                r#"{"prompt_tokens":9,"completion_tokens":3,"total_tokens":12,"prompt_tokens_details":{"cached_tokens":0},"prompt_cache_hit_tokens":0,"prompt_cache_miss_tokens":9}"#,
            ),
            (
                r#"{"prompt_tokens":9,"completion_tokens":3,"total_tokens":12,"cost":0.000120,"prompt_tokens_details":null}"#,
                r#"{"prompt_tokens":9,"completion_tokens":3,"total_tokens":12,"cost":0.000120}"#,
            ),
            (
                // Reasoning counted beside the answer.
                r#"{"prompt_tokens":10,"completion_tokens":5,"total_tokens":115,"completion_tokens_details":{"reasoning_tokens":100}}"#,
                r#"{"prompt_tokens":10,"completion_tokens":105,"total_tokens":115,"completion_tokens_details":{"reasoning_tokens":100}}"#,
            ),
        ] {
            assert_eq!(again(usage).as_deref(), Some(expected));
        }
        assert_eq!((again("null"), again("{}"), again("7")), (None, None, None));
    }

    #[test]
    fn anthropic_s_cache_counts_are_in_the_prompt_and_beside_it() {
        let tokens = Tokens {
            usage: Usage {
                input: 3210,
                output: 42,
                cache_read: 3000,
                cache_write: 0,
                reasoning: 0,
                ..Usage::default()
            },
            native: vec![
                ("cache_creation_input_tokens".into(), "0".into()),
                ("cache_read_input_tokens".into(), "3000".into()),
                ("input_tokens".into(), "210".into()),
                ("server_tool_use".into(), "{\n  \"web_search_requests\": 1\n}".into()),
            ],
        };
        assert_eq!(
            write(&tokens),
            r#"{"prompt_tokens":3210,"completion_tokens":42,"total_tokens":3252,"prompt_tokens_details":{"cached_tokens":3000,"cache_write_tokens":0},"cache_creation_input_tokens":0,"cache_read_input_tokens":3000,"server_tool_use":{"web_search_requests": 1}}"#
        );
    }
}
