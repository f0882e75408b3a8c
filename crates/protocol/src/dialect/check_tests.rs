use bytes::Bytes;

use super::super::{Dialect, Profile, schema};
use super::*;
use crate::envelope::{BodyFault, Envelope};

fn scan(body: &str, dialect: Dialect, profile: Profile) -> Result<Envelope, BodyFault> {
    Envelope::scan(Bytes::from(body.to_owned()), dialect, profile)
}

fn faults(body: &str, dialect: Dialect, profile: Profile) -> Vec<SchemaFault> {
    match scan(body, dialect, profile) {
        Ok(_) => Vec::new(),
        Err(BodyFault::Schema(faults)) => faults,
        Err(other) => panic!("{body}: {other}"),
    }
}

fn strict(body: &str) -> Vec<SchemaFault> {
    faults(body, Dialect::Completions, Profile::Strict)
}

/// `location: message` of each fault.
fn told(faults: &[SchemaFault]) -> Vec<String> {
    faults.iter().map(SchemaFault::to_string).collect()
}

/// The smallest body that a dialect takes, with one more member.
fn with(dialect: Dialect, name: &str, value: &str) -> String {
    let required: &[(&str, &str)] = match dialect {
        Dialect::Completions => &[("model", r#""m""#), ("prompt", r#""p""#)],
        Dialect::Chat => &[("model", r#""m""#), ("messages", r#"[{"role":"user","content":"p"}]"#)],
        Dialect::Embeddings => &[("model", r#""m""#), ("input", r#""p""#)],
        Dialect::Responses => &[("model", r#""m""#)],
        Dialect::CountTokens => &[("model", r#""m""#), ("messages", r#"[{"role":"user","content":"p"}]"#)],
        Dialect::Messages => {
            &[("model", r#""m""#), ("max_tokens", "9"), ("messages", r#"[{"role":"user","content":"p"}]"#)]
        }
    };
    let kept = required.iter().filter(|(known, _)| *known != name);
    let mut members: Vec<String> = kept.map(|(name, value)| format!("{name:?}:{value}")).collect();
    members.push(format!("{name:?}:{value}"));
    format!("{{{}}}", members.join(","))
}

/// Values of one member that pass, and values that do not, each with what is told about it.
type Case = (&'static str, &'static [&'static str], &'static [(&'static str, &'static str)]);

fn check_table(dialect: Dialect, profile: Profile, table: &[Case]) {
    for (name, valid, invalid) in table {
        for value in *valid {
            let body = with(dialect, name, value);
            assert_eq!(told(&faults(&body, dialect, profile)), [""; 0], "{body}");
        }
        for (value, fault) in *invalid {
            let body = with(dialect, name, value);
            assert_eq!(told(&faults(&body, dialect, profile)), [*fault], "{body}");
        }
    }
}

#[test]
#[rustfmt::skip]
fn the_strict_profile_is_the_contract_to_the_letter() {
    check_table(Dialect::Completions, Profile::Strict, &[
        ("model", &[r#""""#, r#""a/b""#], &[
            ("null", "body.model: expected string"),
            ("1", "body.model: expected string"),
        ]),
        ("prompt", &[r#""""#, r#""\ud83d""#], &[
            ("null", "body.prompt: expected string"),
            (r#"["a"]"#, "body.prompt: expected string"),
            ("[1,2]", "body.prompt: expected string"),
        ]),
        ("max_tokens", &["0", "-1", "16", "1e2", "16.0", "9223372036854775807"], &[
            ("1.5", "body.max_tokens: expected integer"),
            ("null", "body.max_tokens: expected integer"),
            (r#""16""#, "body.max_tokens: expected integer"),
            ("9223372036854775808", "body.max_tokens: expected integer between -9223372036854775808 and 9223372036854775807"),
        ]),
        ("max_completion_tokens", &["5"], &[
            ("true", "body.max_completion_tokens: expected integer"),
            ("1e400", "body.max_completion_tokens: expected integer between -9223372036854775808 and 9223372036854775807"),
        ]),
        ("temperature", &["0", "-0.0", "2", "2.0", "0.2e1", "1.10", "1e-7"], &[
            ("-0.1", "body.temperature: expected number >= 0"),
            ("-1e-999", "body.temperature: expected number >= 0"),
            ("2.1", "body.temperature: expected number <= 2"),
            ("2.0000000000000000000001", "body.temperature: expected number <= 2"),
            ("1e999", "body.temperature: expected number <= 2"),
            ("-1e999", "body.temperature: expected number >= 0"),
            ("null", "body.temperature: expected number"),
            (r#""1""#, "body.temperature: expected number"),
        ]),
        ("top_p", &["1", "1.0", "0.5", "1e-300", "1e-999"], &[
            ("0", "body.top_p: expected number > 0"),
            ("-0", "body.top_p: expected number > 0"),
            ("0.0e9", "body.top_p: expected number > 0"),
            ("-1", "body.top_p: expected number > 0"),
            ("1.0000001", "body.top_p: expected number <= 1"),
            ("[]", "body.top_p: expected number"),
        ]),
        ("min_p", &["0", "1", "0.05"], &[
            ("-0.05", "body.min_p: expected number >= 0"),
            ("1.05", "body.min_p: expected number <= 1"),
            ("false", "body.min_p: expected number"),
        ]),
        ("top_k", &["-1", "0", "40", "4e1"], &[("40.5", "body.top_k: expected integer")]),
        ("seed", &["7", "7.0", "-9223372036854775808", "9223372036854775807", "9007199254740993"], &[
            ("7.5", "body.seed: expected integer"),
            ("null", "body.seed: expected integer"),
            ("9223372036854775808", "body.seed: expected integer between -9223372036854775808 and 9223372036854775807"),
            ("-9223372036854775809", "body.seed: expected integer between -9223372036854775808 and 9223372036854775807"),
        ]),
        ("stop", &["[]", r#"["a"]"#, r#"["a","b","c","d","e"]"#, r#"[""]"#], &[
            (r#""a""#, "body.stop: expected array"),
            ("null", "body.stop: expected array"),
            (r#"["a",1]"#, "body.stop[1]: expected string"),
            ("[null]", "body.stop[0]: expected string"),
        ]),
        ("stream", &["true", "false"], &[
            ("null", "body.stream: expected boolean"),
            (r#""true""#, "body.stream: expected boolean"),
            ("1", "body.stream: expected boolean"),
        ]),
        ("stream_options", &["{}", r#"{"include_usage":true}"#, r#"{"include_usage":false,"other":[1]}"#], &[
            ("null", "body.stream_options: expected object"),
            ("[]", "body.stream_options: expected object"),
            (r#"{"include_usage":null}"#, "body.stream_options.include_usage: expected boolean"),
            (r#"{"include_usage":"yes"}"#, "body.stream_options.include_usage: expected boolean"),
        ]),
        ("cache_control", &["{}", r#"{"type":"ephemeral","ttl":"1h","x":{"a":1,"a":2}}"#], &[
            ("null", "body.cache_control: expected object"),
            (r#""ephemeral""#, "body.cache_control: expected object"),
        ]),
        ("skip_special_tokens", &["true"], &[("0", "body.skip_special_tokens: expected boolean")]),
        ("include_stop_str_in_output", &["true"], &[("null", "body.include_stop_str_in_output: expected boolean")]),
        ("return_tokens_as_token_ids", &["true"], &[("{}", "body.return_tokens_as_token_ids: expected boolean")]),
        ("$schema", &[r#""https://example.com/x.json""#, r#""not a uri""#], &[
            ("null", "body.$schema: expected string"),
            ("{}", "body.$schema: expected string"),
        ]),
        ("n", &["null", r#""any""#, "-1", "1e999"], &[]),
        ("logit_bias", &[r#"{"50256":-100}"#], &[]),
        ("", &["1"], &[]),
        ("Model", &["1"], &[]),
    ]);
}

#[test]
#[rustfmt::skip]
fn the_open_profile_takes_openais_wider_completion_types() {
    check_table(Dialect::Completions, Profile::Open, &[
        ("prompt", &[r#""""#, r#"["a","b"]"#, "[1,2]", "[[1],[2,3]]", "[]"], &[
            ("null", "body.prompt: expected string or array"),
            ("{}", "body.prompt: expected string or array"),
            ("[true]", "body.prompt[0]: expected string or integer or array"),
            ("[1.5]", "body.prompt[0]: expected integer"),
            (r#"[[1],[2,"x"]]"#, "body.prompt[1][1]: expected integer"),
        ]),
        ("stop", &["null", r#""\n""#, r#"["a"]"#], &[
            ("1", "body.stop: expected string or array"),
            (r#"["a",[]]"#, "body.stop[1]: expected string"),
        ]),
        ("max_tokens", &["null", "16"], &[(r#""16""#, "body.max_tokens: expected integer")]),
        ("n", &["null", "2"], &[("2.5", "body.n: expected integer")]),
        ("top_k", &[r#""whatever""#], &[]),
    ]);
}

#[test]
#[rustfmt::skip]
fn what_the_gateway_reads_is_checked_in_every_dialect() {
    for dialect in Dialect::ALL {
        for profile in [Profile::Open, Profile::Strict] {
            if (dialect, profile) == (Dialect::Completions, Profile::Strict) {
                continue;
            }
            check_table(dialect, profile, &[
                ("model", &[r#""""#], &[("null", "body.model: expected string")]),
                ("stream", &["null", "true"], &[("1", "body.stream: expected boolean")]),
                ("stream_options", &["null", "{}", r#"{"include_usage":null}"#, r#"{"include_obfuscation":false}"#], &[
                    ("true", "body.stream_options: expected object"),
                    (r#"{"include_usage":1}"#, "body.stream_options.include_usage: expected boolean"),
                ]),
                ("seed", &["null", "7.0"], &[("7.5", "body.seed: expected integer")]),
                ("temperature", &["null", "0", "2"], &[("2.5", "body.temperature: expected number <= 2")]),
                ("top_p", &["null", "0", "1"], &[("-1", "body.top_p: expected number >= 0")]),
                ("$schema", &["null", r#""x""#], &[("1", "body.$schema: expected string")]),
                ("anything", &["null", "[{}]"], &[]),
            ]);
        }
    }
}

#[test]
#[rustfmt::skip]
fn each_dialect_has_its_own_members() {
    const CONVERSATION: Case = ("messages", &[r#"[{"role":"user"}]"#, r#"[{"role":"odd","content":[{}]},{"role":""}]"#], &[
        ("null", "body.messages: expected array"),
        ("[]", "body.messages: expected array length >= 1"),
        (r#"["hi"]"#, "body.messages[0]: expected object"),
        (r#"[{"role":"user"},{"content":"x"}]"#, "body.messages[1]: expected required property role to be present"),
        (r#"[{"role":null}]"#, "body.messages[0].role: expected string"),
    ]);
    check_table(Dialect::Chat, Profile::Open, &[
        CONVERSATION,
        ("max_completion_tokens", &["null", "5"], &[("[]", "body.max_completion_tokens: expected integer")]),
        ("stop", &["null", r#""x""#], &[("{}", "body.stop: expected string or array")]),
    ]);
    check_table(Dialect::Messages, Profile::Open, &[
        CONVERSATION,
        ("max_tokens", &["1"], &[("null", "body.max_tokens: expected integer")]),
    ]);
    check_table(Dialect::Embeddings, Profile::Open, &[
        ("input", &[r#""x""#, r#"["x"]"#, "[1]", "[[1]]"], &[("null", "body.input: expected string or array")]),
    ]);
    check_table(Dialect::Responses, Profile::Open, &[
        ("input", &["null", r#""x""#, r#"[{"role":"user"},1]"#], &[("{}", "body.input: expected string or array")]),
        ("max_output_tokens", &["null", "5"], &[("0.5", "body.max_output_tokens: expected integer")]),
    ]);
}

#[test]
fn missing_members_are_told_at_the_object() {
    for (dialect, missing) in [
        (Dialect::Completions, &["model", "prompt"][..]),
        (Dialect::Chat, &["model", "messages"]),
        (Dialect::Embeddings, &["model", "input"]),
        (Dialect::Responses, &["model"]),
        (Dialect::Messages, &["model", "max_tokens", "messages"]),
    ] {
        let expected: Vec<String> = missing
            .iter()
            .map(|name| format!("body: expected required property {name} to be present"))
            .collect();
        assert_eq!(told(&faults("{}", dialect, Profile::Open)), expected);
    }
    let fault = strict(r#"{"model":"m"}"#).remove(0);
    assert_eq!((fault.location.as_str(), fault.value), ("body", None));
}

#[test]
fn all_faults_are_told_at_once() {
    let body = r#"{"seed":null,"stop":["a",1,"b",2],"temperature":3,"model":7,
                   "stream_options":{"include_usage":0},"top_p":0}"#;
    assert_eq!(
        told(&strict(body)),
        [
            "body.seed: expected integer",
            "body.stop[1]: expected string",
            "body.stop[3]: expected string",
            "body.temperature: expected number <= 2",
            "body.model: expected string",
            "body.stream_options.include_usage: expected boolean",
            "body.top_p: expected number > 0",
            "body: expected required property prompt to be present",
        ]
    );
}

#[test]
fn the_sentence_names_the_first_fault_and_counts_the_others() {
    let sentence = |body| scan(body, Dialect::Completions, Profile::Strict).unwrap_err().to_string();
    assert_eq!(sentence(r#"{"prompt":"p","model":1}"#), "body.model: expected string");
    assert_eq!(sentence(r#"{"temperature":3}"#), "body.temperature: expected number <= 2 (and 2 more)");
}

#[test]
fn a_million_wrong_items_hide_no_later_fault() {
    let body = format!(r#"{{"model":"m","stop":[{}1],"seed":""}}"#, "1,".repeat(1_000_000));
    let faults = strict(&body);
    assert_eq!(faults.len(), MAX_ITEM_FAULTS + 2);
    assert_eq!(faults[MAX_ITEM_FAULTS].location, "body.seed");
}

#[test]
fn bad_syntax_after_a_schema_fault_is_told_as_bad_syntax() {
    let result = scan(r#"{"model":1,"prompt":"p","x":01}"#, Dialect::Completions, Profile::Strict);
    assert!(matches!(result, Err(BodyFault::Json { offset: 29, .. })), "{result:?}");
}

#[test]
fn a_wrong_value_is_shown_as_it_was_written() {
    let value = |body: &str| strict(body)[0].value.clone();
    assert_eq!(value(r#"{"temperature": 3.10 }"#).as_deref(), Some("3.10"));
    assert_eq!(value(r#"{"seed":{"a" : "\u00e9"}}"#).as_deref(), Some(r#"{"a" : "\u00e9"}"#));
    assert_eq!(value(r#"{"stop":["a",[]]}"#).as_deref(), Some("[]"));
    let string = |length| format!("\"{}\"", "x".repeat(length - 2));
    let longest = string(SchemaFault::MAX_ECHO);
    assert_eq!(value(&format!(r#"{{"seed":{longest}}}"#)), Some(longest));
    assert_eq!(value(&format!(r#"{{"seed":{}}}"#, string(SchemaFault::MAX_ECHO + 1))), None);
}

#[test]
fn content_is_never_shown() {
    for (dialect, body) in [
        (Dialect::Completions, r#"{"model":"m","prompt":{"a":"secret"}}"#),
        (Dialect::Completions, r#"{"model":"m","prompt":[["secret"]]}"#),
        (Dialect::Chat, r#"{"model":"m","messages":"secret"}"#),
        (Dialect::Chat, r#"{"model":"m","messages":[{"role":["secret"]}]}"#),
        (Dialect::Chat, r#"{"model":"m","messages":["secret"]}"#),
        (Dialect::Embeddings, r#"{"model":"m","input":{"a":"secret"}}"#),
        (Dialect::Responses, r#"{"model":"m","input":{"a":"secret"}}"#),
        (Dialect::Messages, r#"{"model":"m","max_tokens":1,"messages":{"a":"secret"}}"#),
    ] {
        let faults = faults(body, dialect, Profile::Open);
        assert!(!faults.is_empty() && faults.iter().all(|fault| fault.value.is_none()), "{faults:?}");
    }
}

#[test]
fn names_come_once_in_every_object_that_is_read() {
    for (dialect, body) in [
        (Dialect::Completions, r#"{"model":"m","prompt":"p","model":"n"}"#),
        (Dialect::Completions, r#"{"model":"m","prompt":"p","\u006dodel":"n"}"#),
        (Dialect::Completions, r#"{"model":"m","prompt":"p","x":1,"x":1}"#),
        (
            Dialect::Completions,
            r#"{"model":"m","prompt":"p","stream_options":{"include_usage":true,"include\u005fusage":false}}"#,
        ),
        (Dialect::Chat, r#"{"model":"m","messages":[{"role":"user","role":"system"}]}"#),
    ] {
        for profile in [Profile::Strict, Profile::Open] {
            let fault = scan(body, dialect, profile).unwrap_err();
            assert!(fault.to_string().starts_with("invalid JSON: duplicate name"), "{body}: {fault}");
        }
    }
    // What is only passed on is the upstream's business.
    assert_eq!(strict(r#"{"model":"m","prompt":"p","x":{"a":1,"a":2}}"#), []);
}

#[test]
fn an_escaped_name_is_checked_like_a_plain_one() {
    let body = r#"{"\u006dodel":"m","prompt":"p","\u0073eed":"x"}"#;
    assert_eq!(told(&strict(body)), ["body.seed: expected integer"]);
}

#[test]
fn every_table_fits_the_set_of_seen_members_and_names_a_member_once() {
    for dialect in Dialect::ALL {
        for profile in [Profile::Strict, Profile::Open] {
            let names: Vec<&str> = schema(dialect, profile).fields().map(|(_, field)| field.name).collect();
            assert!(names.len() < 64);
            let mut distinct = names.clone();
            distinct.sort_unstable();
            distinct.dedup();
            assert_eq!(distinct.len(), names.len(), "{names:?}");
        }
    }
}
