//! What the tables say of members is what the translators do.

use super::catalogue::{families_of, lineage, via};
use super::*;
use crate::dialect::Profile;
use crate::envelope::Envelope;
use crate::provider::PRESETS;
use crate::translate::{self, Toward};

/// A body without the member, up to where it is to stand.
fn rest(client: Dialect, member: &str) -> String {
    let all: &[(&str, &str)] = match client {
        Dialect::Completions => &[("model", r#""m""#), ("prompt", r#""p""#)],
        Dialect::Chat => &[("model", r#""m""#), ("messages", r#"[{"role":"user","content":"c"}]"#)],
        Dialect::Responses => &[("model", r#""m""#), ("input", r#""i""#)],
        _ => {
            &[("model", r#""m""#), ("max_tokens", "2048"), ("messages", r#"[{"role":"user","content":"c"}]"#)]
        }
    };
    let rest = all.iter().filter(|(name, _)| *name != member);
    rest.map(|(name, value)| format!("\"{name}\":{value},")).collect()
}

/// A value that asks for something, and what has to stand beside it.
fn value(client: Dialect, member: &str) -> Option<&'static str> {
    Some(match (client, member) {
        (
            _,
            "model"
            | "user"
            | "safety_identifier"
            | "prompt_cache_key"
            | "prompt"
            | "suffix"
            | "prompt_cache_retention",
        ) => r#""x""#,
        (Dialect::Responses, "input")
        | (_, "instructions" | "inference_geo" | "user_profile_id" | "fallback_credit_token" | "system") => {
            r#""x""#
        }
        (_, "messages") => r#"[{"role":"user","content":"x"}]"#,
        (_, "max_tokens" | "max_completion_tokens" | "max_output_tokens") => "2048",
        (
            _,
            "stream"
            | "echo"
            | "include_stop_str_in_output"
            | "return_tokens_as_token_ids"
            | "parallel_tool_calls",
        ) => "true",
        (_, "store") => "true",
        (_, "skip_special_tokens") => "false",
        (Dialect::Completions, "logprobs") => "2",
        (_, "logprobs") => "true",
        (_, "temperature" | "top_p" | "min_p" | "frequency_penalty" | "presence_penalty") => "0.5",
        (_, "top_k" | "top_logprobs" | "max_tool_calls") => "3",
        (_, "n" | "best_of" | "seed") => "2",
        (_, "stop") => r#""END""#,
        (_, "stop_sequences") => r#"["END"]"#,
        (_, "logit_bias") => r#"{"7":1}"#,
        (_, "metadata") if client == Dialect::Messages => r#"{"user_id":"x"}"#,
        (_, "metadata") => r#"{"a":"b"}"#,
        (_, "stream_options") if client == Dialect::Responses => r#"{"include_obfuscation":false}"#,
        (_, "stream_options") => r#"{"include_usage":true},"stream":true"#,
        (_, "response_format") => r#"{"type":"json_object"}"#,
        (_, "tools") if client == Dialect::Chat => r#"[{"type":"function","function":{"name":"f"}}]"#,
        (_, "tools") if client == Dialect::Responses => {
            r#"[{"type":"function","name":"f","parameters":{"type":"object"}}]"#
        }
        (_, "tools") => r#"[{"name":"f","input_schema":{"type":"object"}}]"#,
        (_, "functions") => r#"[{"name":"f"}]"#,
        (_, "tool_choice") if client == Dialect::Messages => {
            r#"{"type":"auto"},"tools":[{"name":"f","input_schema":{"type":"object"}}]"#
        }
        (_, "tool_choice") if client == Dialect::Responses => {
            r#""auto","tools":[{"type":"function","name":"f","parameters":{"type":"object"}}]"#
        }
        (_, "tool_choice") => r#""auto","tools":[{"type":"function","function":{"name":"f"}}]"#,
        (_, "function_call") => r#""auto","functions":[{"name":"f"}]"#,
        (_, "reasoning_effort") => r#""low""#,
        (_, "reasoning") => r#"{"effort":"low"}"#,
        (_, "thinking") => r#"{"type":"enabled","budget_tokens":1024}"#,
        (_, "output_config") => r#"{"format":{"type":"json_schema","schema":{"type":"object"}}}"#,
        (_, "output_format") => r#"{"type":"json_schema","schema":{"type":"object"}}"#,
        (_, "text") => r#"{"format":{"type":"json_schema","name":"a","schema":{"type":"object"}}}"#,
        (_, "cache_control") => r#"{"type":"ephemeral"}"#,
        (_, "service_tier") if client == Dialect::Messages => r#""standard_only""#,
        (_, "service_tier") => r#""default""#,
        (_, "verbosity") => r#""low""#,
        (_, "modalities") => r#"["text","audio"]"#,
        (_, "audio") => r#"{"voice":"alloy","format":"wav"}"#,
        (_, "prediction") => r#"{"type":"content","content":"x"}"#,
        (_, "web_search_options") => r#"{"search_context_size":"low"}"#,
        (_, "moderation") => r#"{"model":"x"}"#,
        (_, "prompt_cache_options") => r#"{"mode":"explicit"}"#,
        (_, "include") => r#"["reasoning.encrypted_content"]"#,
        (_, "truncation") => r#""auto""#,
        (_, "background") => "true",
        (_, "previous_response_id" | "conversation" | "container") => r#""x_1""#,
        (_, "context_management") if client == Dialect::Responses => r#"[{"type":"compaction"}]"#,
        (_, "context_management") => r#"{"edits":[{"type":"clear_tool_uses_20250919"}]}"#,
        (_, "mcp_servers") => r#"[{"type":"url","url":"https://example.com","name":"x"}]"#,
        (_, "speed") => r#""fast""#,
        (_, "fallbacks") => r#"[{"model":"x"}]"#,
        (_, "diagnostics") => r#"{"x":1}"#,
        _ => return None,
    })
}

#[test]
fn what_the_tables_say_of_members_is_what_translators_do() {
    let mut wrong = Vec::new();
    let mut seen = 0;
    for row in members::rows().filter(|row| row.wire != row.client) {
        let Some(value) = value(row.client, row.member) else { continue };
        let body = format!("{{{}\"{}\":{value}}}", rest(row.client, row.member), row.member);
        let call = Envelope::scan(body.clone().into(), row.client, Profile::Open)
            .unwrap_or_else(|fault| panic!("{body}: {fault}"));
        for preset in PRESETS
            .iter()
            .filter(|preset| lineage(preset).contains(&row.provider) && via(preset.kind) == row.wire)
        {
            for (models, known) in families_of(preset.id) {
                let family = &known.serving(Endpoints::NONE.with(row.wire));
                let expected = family.treatment(row.client, row.member);
                let toward = Toward {
                    kind: preset.kind,
                    model: "m",
                    family,
                    max_output: None,
                    ask_usage: false,
                    prompt_template: None,
                };
                let found = match translate::request(&call, row.wire, &toward) {
                    Err(fault) if fault.member.starts_with(row.member) => Treatment::Refused,
                    Err(fault) => {
                        wrong.push(format!(
                            "{} {models} {}: {body}: {fault}",
                            preset.id,
                            row.client.as_str()
                        ));
                        continue;
                    }
                    Ok(written) => {
                        let lost = written.losses.into_names();
                        // Two names of one thing.
                        let member = if row.member == "safety_identifier" { "user" } else { row.member };
                        let is_lost = lost.iter().any(|name| name.starts_with(member));
                        if is_lost { Treatment::Dropped } else { Treatment::Native }
                    }
                };
                seen += 1;
                let agrees = match expected {
                    Treatment::Native | Treatment::Translated | Treatment::Emulated => {
                        found == Treatment::Native
                    }
                    other => found == other,
                };
                if !agrees {
                    wrong.push(format!(
                        "{} {models} {} {}: {} in the table, {found:?} in truth",
                        preset.id,
                        row.client.as_str(),
                        row.member,
                        expected.as_str()
                    ));
                }
            }
        }
    }
    wrong.sort();
    wrong.dedup();
    assert!(seen > 1000, "{seen}");
    assert!(wrong.is_empty(), "{} of {seen}:\n{}", wrong.len(), wrong.join("\n"));
}
