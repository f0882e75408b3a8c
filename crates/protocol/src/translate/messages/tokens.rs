//! Token counts, read from Messages' `usage` and written as one.
//!
//! Owns the one difference of meaning: Messages counts what the prompt cache had a part in beside `input_tokens`,
//! the middle form counts it in. Which names a count goes by elsewhere belongs to [`crate::usage`].

use std::borrow::Cow;

use crate::canonical::{Json, Tokens};
use crate::dialect::Dialect;
use crate::json::Scanner;
use crate::raw::{Object, Writer};
use crate::usage::Counts;

/// Members that are not kept beside the counts: other dialects have these names for counts of another meaning, or
/// write them from the counts themselves.
const COUNTED: [&str; 7] = [
    "input_tokens",
    "output_tokens",
    "total_tokens",
    "prompt_tokens",
    "completion_tokens",
    "input_tokens_details",
    "output_tokens_details",
];

/// What an upstream has counted so far. A stream counts twice and more: what comes last wins, name by name, and
/// null is no news.
#[derive(Debug, Default)]
pub(super) struct Counted {
    counts: Counts,
    thinking: Option<u64>,
    native: Vec<(String, String)>,
}

impl Counted {
    /// Takes a `usage`. What is not one is passed over: a strange count must not make a good answer bad.
    pub(super) fn add(&mut self, usage: &str) {
        let Ok(members) = Object::parse(usage) else { return };
        if self.counts.read(&mut Scanner::new(usage.as_bytes())).is_err() {
            return;
        }
        if let Ok(details) = members.object("output_tokens_details") {
            self.thinking = details.count("thinking_tokens").or(self.thinking);
        }
        for (name, value) in members.iter() {
            let is_kept =
                value != "null" && !COUNTED.contains(&&**name) && !name.ends_with("_tokens_details");
            if !is_kept {
                continue;
            }
            match self.native.iter_mut().find(|(known, _)| *known == **name) {
                Some((_, old)) => value.clone_into(old),
                None => self.native.push((name.to_string(), value.to_owned())),
            }
        }
    }

    /// All of it, once anything was counted.
    pub(super) fn tokens(&self) -> Option<Tokens<'static>> {
        let mut usage = self.counts.usage(Dialect::Messages)?;
        usage.reasoning = self.thinking.unwrap_or(usage.reasoning).min(usage.output);
        let native = self.native.iter();
        let native = native.map(|(name, value)| (Cow::Owned(name.clone()), Json::Owned(value.clone())));
        Some(Tokens { usage, native: native.collect() })
    }
}

/// A `usage` object. Its counts are required by the clients' types: where the upstream counted nothing they are 0.
///
/// The classes of the prompt are disjoint and their sum is what the upstream counted. Should it say that more came
/// from the cache than there was, the sum is believed.
pub(super) fn write_usage(tokens: Option<&Tokens<'_>>) -> String {
    let usage = tokens.map(|tokens| tokens.usage).unwrap_or_default();
    let read = usage.cache_read.min(usage.input);
    let written = usage.cache_write.min(usage.input - read);
    let mut out = Writer::new();
    out.number("input_tokens", usage.input - read - written)
        .number("cache_creation_input_tokens", written)
        .number("cache_read_input_tokens", read)
        .number("output_tokens", usage.output);
    if usage.reasoning > 0 {
        let thinking = Writer::new().number("thinking_tokens", usage.reasoning.min(usage.output)).finish();
        out.raw("output_tokens_details", &thinking);
    }
    for (name, value) in tokens.iter().flat_map(|tokens| &tokens.native) {
        let is_said = COUNTED.contains(&&**name)
            || matches!(&**name, "cache_creation_input_tokens" | "cache_read_input_tokens");
        if !is_said {
            out.raw(name, value);
        }
    }
    out.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::usage::Usage;

    #[test]
    fn counts_of_a_stream_merge_name_by_name() {
        let mut counted = Counted::default();
        assert!(counted.tokens().is_none());
        counted.add(
            r#"{"input_tokens":10,"cache_creation_input_tokens":200,"cache_read_input_tokens":3000,
                "cache_creation":{"ephemeral_5m_input_tokens":150,"ephemeral_1h_input_tokens":50},
                "output_tokens":1,"service_tier":"standard","server_tool_use":null}"#,
        );
        counted.add(
            r#"{"output_tokens":42,"output_tokens_details":{"thinking_tokens":30},
                "server_tool_use":{"web_search_requests":2},"service_tier":null}"#,
        );
        counted.add("[]");
        counted.add(r#"{"output_tokens":7,"output_tokens":8}"#);
        let tokens = counted.tokens().expect("counts");
        assert_eq!(
            tokens.usage,
            Usage {
                input: 3210,
                output: 42,
                cache_read: 3000,
                cache_write: 200,
                cache_write_long: 50,
                reasoning: 30
            }
        );
        let native: Vec<_> = tokens.native.iter().map(|(name, value)| format!("{name}={value}")).collect();
        assert_eq!(
            native,
            [
                "cache_creation_input_tokens=200",
                "cache_read_input_tokens=3000",
                r#"cache_creation={"ephemeral_5m_input_tokens":150,"ephemeral_1h_input_tokens":50}"#,
                r#"service_tier="standard""#,
                r#"server_tool_use={"web_search_requests":2}"#,
            ]
        );
    }

    #[test]
    fn the_classes_of_a_prompt_sum_to_what_the_upstream_counted() {
        let written = |usage| write_usage(Some(&Tokens { usage, native: Vec::new() }));
        assert_eq!(
            written(Usage {
                input: 100,
                output: 20,
                cache_read: 64,
                cache_write: 16,
                reasoning: 12,
                ..Usage::default()
            }),
            r#"{"input_tokens":20,"cache_creation_input_tokens":16,"cache_read_input_tokens":64,"output_tokens":20,"output_tokens_details":{"thinking_tokens":12}}"#
        );
        assert_eq!(
            written(Usage {
                input: 10,
                output: 1,
                cache_read: 64,
                cache_write: u64::MAX,
                reasoning: 2,
                ..Usage::default()
            }),
            r#"{"input_tokens":0,"cache_creation_input_tokens":0,"cache_read_input_tokens":10,"output_tokens":1,"output_tokens_details":{"thinking_tokens":1}}"#
        );
        assert_eq!(
            write_usage(None),
            r#"{"input_tokens":0,"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"output_tokens":0}"#
        );
    }

    #[test]
    fn what_only_the_upstream_counts_is_kept_beside_and_no_name_comes_twice() {
        let native = [("cost", "0.10"), ("cache_read_input_tokens", "5"), ("output_tokens", "9")];
        let native = native.map(|(name, value)| (name.into(), value.into())).to_vec();
        let usage = Usage { input: 7, output: 1, ..Usage::default() };
        assert_eq!(
            write_usage(Some(&Tokens { usage, native })),
            r#"{"input_tokens":7,"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"output_tokens":1,"cost":0.10}"#
        );
    }
}
