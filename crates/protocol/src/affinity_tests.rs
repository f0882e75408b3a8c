use super::*;
use crate::dialect::Profile;
use Dialect::{Chat, Completions, Embeddings, Messages, Responses};
use proptest::prelude::*;

const MARK: &str = r#""cache_control":{"type":"ephemeral"}"#;

fn call(dialect: Dialect, members: &str) -> Envelope {
    let body = format!(r#"{{"model":"m",{members}}}"#);
    Envelope::scan(body.into(), dialect, Profile::Open).expect("a good body")
}

fn digest(dialect: Dialect, members: &str) -> [u8; 32] {
    prefix_digest(&call(dialect, members)).expect("a head")
}

#[track_caller]
fn same(dialect: Dialect, bodies: &[&str]) {
    let first = digest(dialect, bodies[0]);
    for body in bodies {
        assert_eq!(digest(dialect, body), first, "{}: {body}", dialect.as_str());
    }
}

#[track_caller]
fn differ(dialect: Dialect, bodies: &[&str]) {
    let mut digests: Vec<_> = bodies.iter().map(|body| digest(dialect, body)).collect();
    digests.sort_unstable();
    digests.dedup();
    assert_eq!(digests.len(), bodies.len(), "{}: {bodies:?}", dialect.as_str());
}

/// A chat of so many turns behind a system message, with a mark on the message at `mark`, if any: the system
/// message is 0.
fn chat(system: &str, first: &str, turns: usize, mark: Option<usize>) -> String {
    let message = |at: usize, role: &str, text: &str| {
        if mark == Some(at) {
            format!(r#"{{"role":"{role}","content":[{{"type":"text","text":"{text}",{MARK}}}]}}"#)
        } else {
            format!(r#"{{"role":"{role}","content":"{text}"}}"#)
        }
    };
    let mut messages = vec![message(0, "system", system), message(1, "user", first)];
    for turn in 1..turns {
        messages.push(message(2 * turn, "assistant", &format!("answer {turn}")));
        messages.push(message(2 * turn + 1, "user", &format!("question {turn}")));
    }
    format!(r#""messages":[{}]"#, messages.join(","))
}

#[test]
fn a_conversation_keeps_its_digest_while_its_mark_moves_on() {
    let turns: Vec<String> = (1..6)
        .flat_map(|turns| [2 * turns - 1, turns].map(|mark| chat("s", "hi", turns, Some(mark))))
        .collect();
    same(Chat, &turns.iter().map(String::as_str).collect::<Vec<_>>());
    let other = chat("s", "ho", 3, Some(5));
    differ(Chat, &[&turns[0], &other]);
}

#[test]
fn without_a_mark_beyond_the_instructions_the_head_alone_counts() {
    let bodies = [
        chat("s", "hi", 1, None),
        chat("s", "ho", 1, None),
        chat("s", "hi", 4, None),
        chat("s", "what's new?", 2, Some(0)),
    ];
    let bodies = bodies.each_ref().map(String::as_str);
    same(Chat, &bodies);
    let (other, marked) = (chat("t", "hi", 1, None), chat("s", "hi", 1, Some(1)));
    differ(Chat, &[bodies[0], &other, &marked]);
}

#[test]
fn a_mark_counts_only_where_the_dialect_has_one() {
    let chat = |more: &str| {
        format!(r#""messages":[{{"role":"system","content":"s"}},{{"role":"user","content":"hi"}},{more}]"#)
    };
    let unmarked = chat(r#"{"role":"assistant","content":"a"}"#);
    for item in [
        r#"{"role":"assistant","content":"a","cache_control":null}"#,
        r#"{"role":"system","content":"s","cache_control":{}}"#,
        r#"{"cache_control":{},"role":"developer","content":"s"}"#,
        r#"{"role":"user","content":"\"cache_control\":{}"}"#,
        r#"{"role":"assistant","tool_calls":[{"function":{"arguments":{"cache_control":{}}}}]}"#,
    ] {
        same(Chat, &[&unmarked, &chat(item)]);
    }
    let marked = chat(r#"{"role":"user","content":"x","cache_control":{}}"#);
    differ(Chat, &[&unmarked, &marked]);
    for item in [
        r#"{"content":[{"type":"text","text":"x","cache_control":{}}],"role":"user"}"#,
        r#"{"role":"tool","content":[{"type":"text","text":"x"},{"\u0063ache_control":{}}]}"#,
        r#"{"role":"user","content":[{"type":"text","prompt_cache_breakpoint":true}]}"#,
    ] {
        same(Chat, &[&marked, &chat(item)]);
    }
    let top = format!("{MARK},{unmarked}");
    same(Chat, &[&marked, &top]);
    same(Chat, &[&unmarked, &format!(r#""cache_control":null,{unmarked}"#)]);
}

#[test]
fn the_first_message_counts_where_there_is_no_head() {
    differ(
        Chat,
        &[r#""messages":[{"role":"user","content":"hi"}]"#, r#""messages":[{"role":"user","content":"ho"}]"#],
    );
    same(
        Chat,
        &[
            r#""messages":[{"role":"user","content":"hi"}]"#,
            r#""tools":[],"functions":null,"messages":[{"role":"user","content":"hi"},{"role":"assistant","content":"a"}]"#,
            r#""messages":[{"role":"user","content":"hi"},{"role":"system","content":"late"}]"#,
        ],
    );
    same(
        Chat,
        &[
            r#""tools":[{"type":"function"}],"messages":[{"role":"user","content":"hi"}]"#,
            r#""tools":[{"type":"function"}],"messages":[{"role":"user","content":"ho"}]"#,
        ],
    );
}

#[test]
fn tools_and_all_leading_instructions_count() {
    let user = r#"{"role":"user","content":"hi"}"#;
    let system = |text: &str| format!(r#"{{"role":"system","content":"{text}"}}"#);
    let developer = r#"{"role":"developer","content":"a"}"#;
    let (a, b) = (system("a"), system("b"));
    let bodies = [
        format!(r#""messages":[{a},{user}]"#),
        format!(r#""messages":[{developer},{user}]"#),
        format!(r#""messages":[{a},{b},{user}]"#),
        format!(r#""messages":[{b},{a},{user}]"#),
        format!(r#""tools":[{{"type":"function"}}],"messages":[{a},{user}]"#),
        format!(r#""functions":[{{"type":"function"}}],"messages":[{a},{user}]"#),
        format!(r#""tools":[{{"type":"custom"}}],"messages":[{a},{user}]"#),
    ];
    differ(Chat, &bodies.each_ref().map(String::as_str));
    let unlike = |limit: &str| {
        format!(
            r#""messages":[{a},{user},{b}],"temperature":{limit},"stream":true,"max_tokens":9,"user":"u""#
        )
    };
    same(Chat, &[&bodies[0], &unlike("0"), &unlike("1")]);
    same(Chat, &[r#""messages":[{"role":"system","content":"a"}]"#, &bodies[0]]);
}

#[test]
fn spelling_and_marks_do_not_count() {
    same(
        Chat,
        &[
            r#""tools":[{"type":"function","function":{"name":"f","parameters":{"a":1}}}],"messages":[{"role":"system","content":"é"},{"role":"user","content":"x","cache_control":{}}]"#,
            r#" "messages" : [ {"content":"\u00e9", "role":"system"} , {"cache_control":{"ttl":"1h"},"content":"x","role":"user"} ] , "tools":[{"function":{"parameters":{"a":1.0},"name":"f"},"type":"function"}]"#,
            r#""tools":[{"type":"function","function":{"name":"f","parameters":{"a":1}},"cache_control":{}}],"messages":[{"role":"system","content":[{"type":"text","text":"é","cache_control":{}}]},{"role":"user","content":[{"text":"x","type":"text","cache_control":{}}]}]"#,
            r#""tools":[{"type":"function","function":{"name":"f","cache_control":{},"parameters":{"a":1}}}],"messages":[{"\u0072ole":"s\u0079stem","c\u006fntent":"é"},{"role":"user","content":"x"},{"role":"user","content":"y","cach\u0065_control":{}}]"#,
        ],
    );
    differ(
        Chat,
        &[
            r#""tools":[{"function":{"parameters":{"a":1}}}],"messages":[{"role":"user","content":"x"}]"#,
            r#""tools":[{"function":{"parameters":{"a":1,"cache_control":1}}}],"messages":[{"role":"user","content":"x"}]"#,
        ],
    );
}

#[test]
fn the_messages_dialect_has_its_instructions_beside_the_conversation() {
    let body = |members: &str, messages: &str| format!(r#""max_tokens":1,{members}"messages":[{messages}]"#);
    let user = |text: &str| format!(r#"{{"role":"user","content":"{text}"}}"#);
    let (hi, ho) = (user("hi"), user("ho"));
    let later = format!(
        r#"{hi},{{"role":"assistant","content":"a"}},{{"role":"user","content":[{{"type":"tool_result","content":[{{"type":"text","text":"r",{MARK}}}]}}]}}"#
    );
    let system = r#""system":"s","#;
    let blocks = format!(r#""system":[{{"type":"text","text":"s",{MARK}}}],"#);
    let tools = r#""tools":[{"name":"f","input_schema":{}}],"#;

    same(Messages, &[&body(system, &hi), &body(&blocks, &ho), &body(r#""system":"s","tools":[],"#, &ho)]);
    same(
        Messages,
        &[
            &body(system, &format!(r#"{{"role":"user","content":[{{"type":"text","text":"hi",{MARK}}}]}}"#)),
            &body(&blocks, &later),
            &body(&format!("{system}{MARK},"), &hi),
        ],
    );
    differ(
        Messages,
        &[
            &body("", &hi),
            &body("", &ho),
            &body(system, &hi),
            &body(&blocks, &later),
            &body(&format!("{system}{MARK},"), &ho),
            &body(tools, &hi),
            &body(&format!("{tools}{system}"), &hi),
            &body(r#""system":[{"type":"text","text":"s"},{"type":"text","text":"t"}],"#, &hi),
        ],
    );
    same(Messages, &[&body(r#""system":"","#, &hi), &body(r#""system":null,"#, &hi), &body("", &hi)]);
}

#[test]
fn responses_have_instructions_tools_and_items() {
    let items = r#"[{"role":"user","content":"hi"},{"type":"reasoning"},{"role":"user","content":"more"}]"#;
    same(
        Responses,
        &[r#""input":"hi""#, r#""input":[{"role":"user","content":"hi"}]"#, &format!(r#""input":{items}"#)],
    );
    same(
        Responses,
        &[r#""instructions":"s","input":"hi""#, &format!(r#""instructions":"s","input":{items}"#)],
    );
    differ(
        Responses,
        &[
            r#""input":"hi""#,
            r#""input":"ho""#,
            r#""instructions":"s","input":"hi""#,
            r#""instructions":"t","input":"hi""#,
            r#""tools":[{"type":"function","name":"f"}],"input":"hi""#,
            r#""input":[{"role":"developer","content":"s"},{"role":"user","content":"hi"}]"#,
            r#""instructions":"s","input":"hi","cache_control":{}"#,
            r#""instructions":"s","input":"ho","cache_control":{}"#,
            r#""input":["hi"]"#,
        ],
    );
}

#[test]
fn of_a_completion_the_front_of_the_first_prompt_counts() {
    let long = "é".repeat(512);
    let prompt = |text: &str| format!(r#""prompt":"{text}""#);
    same(
        Completions,
        &[
            &prompt(&long),
            &prompt(&format!("{long} and more")),
            &prompt(&long.replace('é', "\\u00e9")),
            &format!(r#""prompt":["{long}","other"]"#),
        ],
    );
    differ(Completions, &[&prompt("a"), &prompt("b"), &prompt(&format!("x{long}")), &prompt(&long)]);
    let ids = |last: u32, count: u32| {
        let ids: Vec<String> = (0..count - 1).chain([last]).map(|id| id.to_string()).collect();
        format!("[{}]", ids.join(","))
    };
    let (few, other, many) = (ids(7, 3), ids(8, 3), ids(900, 300));
    same(Completions, &[&format!(r#""prompt":{few}"#), &format!(r#""prompt":[{few},{other}]"#)]);
    same(Completions, &[&format!(r#""prompt":{many}"#), &format!(r#""prompt":{}"#, ids(901, 300))]);
    differ(Completions, &[&format!(r#""prompt":{few}"#), &format!(r#""prompt":{other}"#)]);
}

#[test]
fn what_has_no_head_has_no_digest() {
    for (dialect, members) in [
        (Embeddings, r#""input":"hi""#),
        (Completions, r#""prompt":"""#),
        (Completions, r#""prompt":[]"#),
        (Completions, r#""prompt":[[]]"#),
        (Responses, r#""x":1"#),
        (Responses, r#""input":"""#),
        (Responses, r#""input":[]"#),
    ] {
        assert_eq!(prefix_digest(&call(dialect, members)), None, "{}: {members}", dialect.as_str());
    }
}

#[test]
fn the_user_is_named_by_the_first_member_that_says_something() {
    let named = |dialect, more: &str| {
        let own = match dialect {
            Chat => r#""messages":[{"role":"user","content":"hi"}]"#,
            _ => r#""max_tokens":1,"messages":[{"role":"user","content":"hi"}]"#,
        };
        user(&call(dialect, &format!("{own}{more}"))).map(Cow::into_owned)
    };
    for (dialect, more, expected) in [
        (Chat, r#","prompt_cache_key":"k","safety_identifier":"s","user":"u""#, Some("u")),
        (Chat, r#","prompt_cache_key":"k","safety_identifier":"s","user":"""#, Some("s")),
        (Chat, r#","prompt_cache_key":"k","user":7"#, Some("k")),
        (Chat, r#","us\u0065r":"a\"b""#, Some("a\"b")),
        (Chat, r#","metadata":{"user_id":"u"}"#, None),
        (Chat, r#","user":null"#, None),
        (Messages, r#","metadata":{"x":1,"user_id":"u"}"#, Some("u")),
        (Messages, r#","metadata":{"user_id":"u"},"user":"v""#, Some("v")),
        (Messages, r#","metadata":{"user_id":null}"#, None),
        (Messages, r#","metadata":"u""#, None),
        (Messages, "", None),
    ] {
        assert_eq!(named(dialect, more).as_deref(), expected, "{more}");
    }
}

proptest! {
    #[test]
    fn every_way_to_mark_a_conversation_gives_one_of_two_digests(
        turns in 1..6_usize,
        mark in proptest::option::of(0..12_usize),
    ) {
        let mark = mark.filter(|mark| *mark < 2 * turns);
        let reference = if mark.is_some_and(|mark| mark > 0) { Some(1) } else { None };
        let expected = digest(Chat, &chat("s", "hi", 1, reference));
        prop_assert_eq!(digest(Chat, &chat("s", "hi", turns, mark)), expected);
    }
}
