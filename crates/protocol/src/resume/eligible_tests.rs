use super::super::samples::call;
use super::*;
use Dialect::{Chat, Completions, Messages, Responses};

fn completion(prompt: &str, more: &str) -> Envelope {
    call(Completions, &format!(r#"{{"model":"m","stream":true,"prompt":{prompt}{more}}}"#))
}

fn chat(more: &str) -> Envelope {
    let messages = r#"[{"role":"user","content":"hi"}]"#;
    call(Chat, &format!(r#"{{"model":"m","stream":true,"messages":{messages}{more}}}"#))
}

/// What both methods refuse.
const BESIDE: [&str; 12] = [
    r#","n":2"#,
    r#","best_of":2"#,
    r#","best_of":"1""#,
    r#","n":0"#,
    r#","echo":true"#,
    r#","echo":"yes""#,
    r#","logprobs":0"#,
    r#","logprobs":true"#,
    r#","top_logprobs":1"#,
    r#","prompt_logprobs":1"#,
    r#","\u006e":3"#,
    r#","stream":false"#,
];

/// `more` with its own `stream` in place of the usual one.
fn completion_with(more: &str) -> Envelope {
    let stream = if more.contains("stream") { "" } else { r#","stream":true"# };
    call(Completions, &format!(r#"{{"model":"m","prompt":"p","seed":1{stream}{more}}}"#))
}

#[test]
fn a_streamed_completion_of_one_text_may_be_appended_to() {
    for more in [
        "",
        r#","n":1,"best_of":1.0,"echo":false,"logprobs":null,"suffix":null,"temperature":1"#,
        r#","n":null"#,
    ] {
        assert!(may_append(&completion("\"p\"", more)), "{more}");
        assert!(may_append(&completion("[ \"p\" ]", more)), "{more}");
    }
}

#[test]
fn what_an_appended_answer_obeys_is_let_through() {
    for more in [
        r#""stream_options":{"include_usage":true}"#,
        r#""max_tokens":9"#,
        r#""max_completion_tokens":9"#,
        r#""temperature":0.7"#,
        r#""top_p":0.9"#,
        r#""top_k":40"#,
        r#""min_p":0.1"#,
        r#""typical_p":0.9"#,
        r#""seed":7"#,
        r#""stop":["a","b"]"#,
        r#""user":"u""#,
        r#""logit_bias":{"5":-100}"#,
        r#""metadata":{"a":"b"}"#,
        r#""store":false"#,
        r#""service_tier":"auto""#,
        r#""cache_control":{"type":"ephemeral"}"#,
        r#""$schema":"s""#,
        r#""n":1"#,
        r#""best_of":1"#,
        r#""echo":false"#,
        r#""safety_identifier":"s""#,
        r#""prompt_cache_key":"k""#,
        r#""prompt_cache_retention":"24h""#,
        r#""temper\u0061ture":1"#,
        r#""frequency_penalty":0"#,
        r#""presence_penalty":-0.0"#,
        r#""repetition_penalty":1.0"#,
    ] {
        assert!(may_append(&completion("\"p\"", &format!(",{more}"))), "{more}");
    }
}

/// Members of a text completion that an appended answer would not obey, or of which nobody knows.
const WHOLE: [(&str, &str); 22] = [
    ("response_format", r#"{"type":"text"}"#),
    ("guided_json", "{}"),
    ("guided_regex", "\"a+\""),
    ("guided_choice", r#"["a","b"]"#),
    ("guided_grammar", "\"g\""),
    ("structured_outputs", r#"{"regex":"a+"}"#),
    ("grammar", "\"g\""),
    ("json_schema", "{}"),
    ("regex", "\"a+\""),
    ("min_tokens", "0"),
    ("ignore_eos", "false"),
    ("suffix", "\"\""),
    ("logprobs", "false"),
    ("frequency_penalty", "0.1"),
    ("presence_penalty", "-1"),
    ("presence_penalty", "\"0\""),
    ("repetition_penalty", "0"),
    ("repetition_penalty", "1.05"),
    ("respons\\u0065_format", r#"{"type":"json_object"}"#),
    ("Temperature", "1"),
    ("", "1"),
    ("x", "{}"),
];

#[test]
fn what_looks_at_the_whole_answer_forbids_to_append_but_not_to_repeat() {
    for (name, value) in WHOLE {
        let call = completion("\"p\"", &format!(r#","seed":1,"{name}":{value}"#));
        assert!(!may_append(&call), "{name}: {value}");
        let null = completion("\"p\"", &format!(r#","{name}":null"#));
        assert!(may_append(&null), "{name}: null is as good as absent");
        assert!(may_repeat(&call), "{name}: {value}");
    }
}

#[test]
fn other_prompts_are_not_appended_to() {
    for prompt in [r#"["a","b"]"#, "[]", "[1,2]", "[[1]]", r#"["a",1]"#, r#"[1,"a"]"#] {
        assert!(!may_append(&completion(prompt, "")), "{prompt}");
    }
    assert!(!may_append(&completion("\"p\"", r#","suffix":"end""#)));
    assert!(!may_append(&completion("\"p\"", r#","suffix":"""#)));
    assert!(!may_append(&chat("")));
}

#[test]
fn what_is_told_beside_one_answer_forbids_both_methods() {
    for more in BESIDE {
        assert!(!may_append(&completion_with(more)), "{more}");
        assert!(!may_repeat(&completion_with(more)), "{more}");
        if !more.contains("stream") {
            assert!(!may_repeat(&chat(&format!(r#","seed":1{more}"#))), "{more}");
        }
    }
    assert!(may_append(&completion_with("")) && may_repeat(&completion_with("")));
}

#[test]
fn what_names_a_seed_or_no_temperature_may_be_repeated() {
    for (more, may) in [
        (r#","seed":7"#, true),
        (r#","temperature":0"#, true),
        (r#","temperature":0.0,"logprobs":false,"top_logprobs":null"#, true),
        (r#","temperature":0.1"#, false),
        (r#","seed":null"#, false),
        ("", false),
    ] {
        assert_eq!(may_repeat(&chat(more)), may, "{more}");
        assert_eq!(may_repeat(&completion("\"p\"", more)), may, "{more}");
    }
}

#[test]
fn a_chat_that_speaks_is_not_repeated() {
    assert!(!may_repeat(&chat(r#","seed":1,"modalities":["text","audio"],"audio":{"voice":"v"}"#)));
    assert!(may_repeat(&chat(r#","seed":1,"modalities":["text"],"audio":null"#)));
}

#[test]
fn only_one_prompt_is_repeated() {
    for (prompt, may) in [
        ("\"p\"", true),
        (r#"["p"]"#, true),
        ("[1,2,3]", true),
        ("[[1,2]]", true),
        (r#"["p","q"]"#, false),
        ("[[1],[2]]", false),
    ] {
        assert_eq!(may_repeat(&completion(prompt, r#","seed":1"#)), may, "{prompt}");
    }
}

#[test]
fn other_dialects_are_left_alone() {
    let messages = r#"{"model":"m","stream":true,"temperature":0,"max_tokens":1,"messages":[{"role":"user","content":"hi"}]}"#;
    let responses = r#"{"model":"m","stream":true,"temperature":0,"store":false,"input":"hi"}"#;
    for (dialect, body) in [(Messages, messages), (Responses, responses)] {
        assert!(!may_repeat(&call(dialect, body)) && !may_append(&call(dialect, body)));
    }
}
