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
