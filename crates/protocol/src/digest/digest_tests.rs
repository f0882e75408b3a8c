use super::*;
use crate::dialect::{Dialect, Profile};
use Dialect::{Chat, Completions, Embeddings, Messages, Responses};

fn call(dialect: Dialect, body: &str) -> Envelope {
    let body = bytes::Bytes::copy_from_slice(body.as_bytes());
    Envelope::scan(body, dialect, Profile::Open).expect("a good body")
}

fn digest(dialect: Dialect, body: &str) -> [u8; 32] {
    body_digest(&call(dialect, body))
}

/// The digest of a completion with an unknown member.
fn digest_with(value: &str) -> [u8; 32] {
    digest(Completions, &format!(r#"{{"model":"m","prompt":"p","x":{value}}}"#))
}

#[track_caller]
fn same(left: &str, right: &str) {
    assert_eq!(digest_with(left), digest_with(right), "{left} and {right} mean the same");
}

#[track_caller]
fn differ(left: &str, right: &str) {
    assert_ne!(digest_with(left), digest_with(right), "{left} and {right} are different");
}

#[test]
fn numbers_count_by_their_exact_value() {
    for (left, right) in [
        ("1", "1.0"),
        ("1", "1e0"),
        ("1", "10e-1"),
        ("0", "-0"),
        ("0", "-0.00e-99999999999999999999"),
        ("0.7", "7.0e-1"),
        ("-12.50", "-1.25E+1"),
        ("9007199254740993", "9007199254740993.0"),
        ("18446744073709551616", "1844674407370955161.60e1"),
        ("1e999", "0.1e1000"),
    ] {
        same(left, right);
    }
    for (left, right) in [
        ("9007199254740992", "9007199254740993"),
        ("9007199254740993", "9007199254740993.0000000000000001"),
        ("18446744073709551616", "18446744073709551617"),
        ("1e400", "1e401"),
        ("1", "-1"),
        ("0.5", "-0.5"),
        ("0.1", "0.10000000000000000001"),
        ("1", "10"),
        ("1", "\"1\""),
        ("1e99999999999999999999", "1e99999999999999999998"),
        ("1e99999999999999999999", "-1e99999999999999999999"),
        ("1e-99999999999999999999", "0"),
        ("1e99999999999999999999", "\"1e99999999999999999999\""),
    ] {
        differ(left, right);
    }
    let long = |last: char| format!("0.{}{last}", "1".repeat(2000));
    differ(&long('2'), &long('3'));
    same(&long('2'), &format!("{}00e0", long('2')));
    differ(&long('2'), &format!("{}00e1", long('2')));
}

#[test]
fn texts_count_by_their_characters() {
    same(r#""A\/\n\u00e9😀""#, r#""\u0041/\u000aé\ud83d\uDE00""#);
    // No normalisation: composed and decomposed are different tokens.
    differ("\"é\"", "\"e\u{301}\"");
    differ("\"a\"", "\"a \"");
    differ("\"null\"", "null");
    differ(r#""\\n""#, r#""\n""#);
    differ("\"\"", "\" \"");
}

#[test]
fn halves_of_surrogate_pairs_never_share() {
    let halves =
        [r#""\ud800""#, r#""\ud801""#, r#""\udc00""#, "\"\u{fffd}\"", r#""\\ud800""#, r#""\ud800a""#];
    for (at, left) in halves.iter().enumerate() {
        for right in &halves[at + 1..] {
            differ(left, right);
            differ(&format!("{{{left}:1}}"), &format!("{{{right}:1}}"));
        }
    }
    same(r#""\ud83d""#, r#""\uD83D""#);
    // Some readers take both names for the same, and then the last one counts.
    differ(r#"{"\ud800":1,"\ud801":2}"#, r#"{"\ud801":2,"\ud800":1}"#);
}

#[test]
fn structure_cannot_be_forged_by_content() {
    for (left, right) in [
        (r#"["a","b"]"#, r#"["ab"]"#),
        (r#"[[1],2]"#, r#"[[1,2]]"#),
        ("[]", "{}"),
        ("[[]]", "[]"),
        (r#"{"a":"b"}"#, r#"["a","b"]"#),
        (r#"{"a":{"b":1}}"#, r#"{"a":1,"b":1}"#),
        (r#"{"a":{},"b":1}"#, r#"{"a":{"b":1}}"#),
        ("[true]", "[false]"),
        ("null", "{}"),
        ("\"\\u000b\"", "\"\\u000b\\u000b\""),
    ] {
        differ(left, right);
    }
    // No tag can stand in a text and end it.
    for tag in 0..16 {
        differ(r#"["a","b"]"#, &format!(r#"["a\u{tag:04x}b"]"#));
        differ(r#"["a",7]"#, &format!(r#"["a\u{tag:04x}\u0007\u0000\u0000\u0000\u0000\u0000\u0000\u0000"]"#));
    }
    // Beyond the length from which a value stands as its hash.
    for count in [510, 511, 512, 513, 514, 40_000] {
        let long = "x".repeat(count);
        differ(&format!("[\"{long}\"]"), &format!("[\"{long}x\"]"));
        differ(&format!("\"{long}\""), &format!("[\"{long}\"]"));
        same(&format!("\"{long}\""), &format!("\"\\u0078{}\"", &long[1..]));
        same(&format!("{{\"a\":1,\"{long}\":2}}"), &format!("{{\"{long}\":2,\"a\":1}}"));
    }
}

#[test]
fn members_have_no_order_and_items_have_one() {
    same(r#"{"a":1,"b":[1,2],"c":{}}"#, r#" { "c" : {}, "\u0062":[1 , 2], "a":1 } "#);
    differ("[1,2]", "[2,1]");
    differ(r#"{"a":1,"b":2}"#, r#"{"a":2,"b":1}"#);
    // RFC 8785, 3.2.3: the order in which one sorter writes these does not matter to the digest.
    let (first, second) = (
        r#"{"\u20ac":"Euro Sign","\r":"Carriage Return","\ufb33":"Hebrew Letter Dalet With Dagesh","1":"One","\ud83d\ude00":"Emoji: Grinning Face","\u0080":"Control","\u00f6":"Latin Small Letter O With Diaeresis"}"#,
        "{\"\\r\":\"Carriage Return\",\"1\":\"One\",\"\u{80}\":\"Control\",\"ö\":\"Latin Small Letter O With Diaeresis\",\"€\":\"Euro Sign\",\"😀\":\"Emoji: Grinning Face\",\"\u{fb33}\":\"Hebrew Letter Dalet With Dagesh\"}",
    );
    same(first, second);
    // RFC 8785, 3.2.2: strings.
    same(r#""\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/""#, "\"€$\\u000f\\nA'B\\\"\\\\\\\\\\\"/\"");
}

#[test]
fn equal_names_in_unread_objects_keep_their_order() {
    differ(r#"{"a":1,"a":2}"#, r#"{"a":2,"a":1}"#);
    differ(r#"{"a":1,"a":1}"#, r#"{"a":1}"#);
    differ(r#"{"a":1,"\u0061":2}"#, r#"{"\u0061":2,"a":1}"#);
    same(r#"{"a":1,"b":0,"a":2}"#, r#"{"b":0,"\u0061":1,"a":2}"#);
    let many = |mid: &str| {
        let names: Vec<String> = (0..40).map(|n| format!("\"n{n}\":0")).collect();
        format!("{{\"z\":1,{},{mid},\"z\":3}}", names.join(","))
    };
    differ(&many(r#""z":2,"z":4"#), &many(r#""z":4,"z":2"#));
}

#[test]
fn null_of_a_known_optional_member_is_as_good_as_none() {
    let bare = digest(Chat, r#"{"model":"m","messages":[{"role":"user"}]}"#);
    let with =
        |more: &str| digest(Chat, &format!(r#"{{"model":"m","messages":[{{"role":"user"}}],{more}}}"#));
    assert_eq!(with(r#""temperature":null,"seed":null,"max_tokens":null,"stop":null"#), bare);
    for counts in [r#""unknown":null"#, r#""tools":null"#, r#""temperature":1"#, r#""stop":[]"#] {
        assert_ne!(with(counts), bare, "{counts}");
    }
    assert_ne!(with(r#""x":{"seed":null}"#), with(r#""x":{}"#));
    let body = r#"{"model":"m","messages":[{"role":"user"}],"seed":null,"unknown":null,"top_p":1}"#;
    assert_eq!(left_out(&call(Chat, body)), ["seed"]);
}

/// Bodies with `%` at top level, each of another dialect.
const BODIES: [(Dialect, &str); 5] = [
    (Completions, r#"{"model":"m","prompt":"p"%}"#),
    (Chat, r#"{"model":"m","messages":[{"role":"user"}]%}"#),
    (Embeddings, r#"{"model":"m","input":"i"%}"#),
    (Responses, r#"{"model":"m","input":"i"%}"#),
    (Messages, r#"{"model":"m","max_tokens":1,"messages":[{"role":"user"}]%}"#),
];

#[test]
fn what_is_left_out_at_top_level_counts_everywhere_else() {
    for (name, value, other) in [
        ("stream", "true", "false"),
        ("stream_options", r#"{"include_usage":true}"#, "{}"),
        ("user", "\"u\"", "\"v\""),
        ("safety_identifier", "\"u\"", "\"v\""),
        ("metadata", r#"{"a":1}"#, "{}"),
        ("cache_control", r#"{"type":"ephemeral"}"#, "1"),
        ("prompt_cache_key", "\"k\"", "\"l\""),
        ("prompt_cache_retention", "\"24h\"", "null"),
        ("prompt_cache_breakpoint", "{}", "true"),
        ("service_tier", "\"flex\"", "\"auto\""),
        ("speed", "\"fast\"", "1"),
        ("store", "false", "null"),
        ("$schema", "\"s\"", "\"t\""),
    ] {
        for (dialect, body) in BODIES {
            let with = |more: String| digest(dialect, &body.replace('%', &more));
            let bare = with(String::new());
            assert_eq!(with(format!(r#","{name}":{value}"#)), bare, "{name}");
            assert_eq!(with(format!(r#","{name}":{other}"#)), bare, "{name}");
            let escaped = format!(r#","\u{:04x}{}":{value}"#, name.as_bytes()[0], &name[1..]);
            assert_eq!(with(escaped.clone()), bare, "{escaped}");
            let call = call(dialect, &body.replace('%', &format!(r#","{name}":{value}"#)));
            assert_eq!(left_out(&call), [name]);

            // The client's own data.
            let inside = |value: &str| with(format!(r#","x":{{"{name}":{value}}}"#));
            assert_ne!(inside(value), inside(other), "{name}");
            assert_ne!(with(format!(r#","{name}x":{value}"#)) == bare, !name.starts_with("prompt_cache_"));
        }
    }
}

#[test]
fn only_a_store_that_is_off_is_left_out() {
    let store = |value: &str| digest(Chat, &BODIES[1].1.replace('%', &format!(r#","store":{value}"#)));
    assert_eq!(store("false"), digest(Chat, &BODIES[1].1.replace('%', "")));
    for value in ["true", "0", "\"false\"", "{}", "[]"] {
        assert_ne!(store(value), store("false"), "{value}");
    }
}

/// Bodies with `@` where a dialect defines extra members, and how each is called.
const PLACED: [(Dialect, &str, &[&str]); 3] = [
    (
        Chat,
        r#"{"model":"m","messages":[{"role":"user","content":"t"@},{"role":"user","content":[{"type":"text"@}]}],"tools":[{"type":"function","function":{"name":"f"@}@}]}"#,
        &["messages[0]", "messages[1].content[0]", "tools[0].function", "tools[0]"],
    ),
    (
        Responses,
        r#"{"model":"m","input":[{"role":"user","content":[{"type":"t"@}]@},{"output":[{"type":"t"@}]}],"tools":[{"type":"f"@}]}"#,
        &["input[0].content[0]", "input[0]", "input[1].output[0]", "tools[0]"],
    ),
    (
        Messages,
        r#"{"model":"m","max_tokens":1,"system":[{"text":"s"@}],"messages":[{"role":"user","content":[{"type":"tool_result","content":[{"text":"t"@}]@}]@}],"tools":[{"name":"f"@}]}"#,
        &[
            "system[0]",
            "messages[0].content[0].content[0]",
            "messages[0].content[0]",
            "messages[0]",
            "tools[0]",
        ],
    ),
];

#[test]
fn cache_marks_are_left_out_where_the_dialect_has_them() {
    for (dialect, body, places) in PLACED {
        for name in ["cache_control", "prompt_cache_breakpoint"] {
            let mark = format!(r#","{name}":{{"type":"ephemeral"}}"#);
            let marked = call(dialect, &body.replace('@', &mark));
            assert_eq!(body_digest(&marked), digest(dialect, &body.replace('@', "")));
            let paths: Vec<String> = places.iter().map(|place| format!("{place}.{name}")).collect();
            assert_eq!(left_out(&marked), paths);
        }
        // Other names that are left out at top level count here.
        for name in ["user", "metadata", "stream", "prompt_cache_key", "store", "$schema", "seed"] {
            let marked = call(dialect, &body.replace('@', &format!(r#","{name}":null"#)));
            assert_ne!(body_digest(&marked), digest(dialect, &body.replace('@', "")), "{name}");
            assert!(left_out(&marked).is_empty());
        }
    }
}

#[test]
fn the_same_name_in_data_of_the_client_counts() {
    for (dialect, body) in [
        (
            Chat,
            r#"{"model":"m","messages":[{"role":"user"}],"tools":[{"function":{"parameters":{"properties":{"cache_control":%}}}}]}"#,
        ),
        (
            Chat,
            r#"{"model":"m","messages":[{"role":"user"}],"tools":[{"function":{"parameters":{"cache_control":%}}}]}"#,
        ),
        (Chat, r#"{"model":"m","messages":[{"role":"user","content":[{"image_url":{"cache_control":%}}]}]}"#),
        (Chat, r#"{"model":"m","messages":[{"role":"user","content":[[{"cache_control":%}]]}]}"#),
        (Chat, r#"{"model":"m","messages":[{"role":"user"}],"system":[{"cache_control":%}]}"#),
        (Chat, r#"{"model":"m","messages":[{"role":"user"}],"cache":{"cache_control":%}}"#),
        (Chat, r#"{"model":"m","messages":[{"role":"user"}],"cache":%}"#),
        (
            Messages,
            r#"{"model":"m","max_tokens":1,"messages":[{"role":"user"}],"tools":[{"input_schema":{"cache_control":%}}]}"#,
        ),
        (
            Messages,
            r#"{"model":"m","max_tokens":1,"messages":[{"role":"user","content":[{"type":"tool_use","input":{"cache_control":%}}]}]}"#,
        ),
        (Responses, r#"{"model":"m","input":"i","tools":[{"parameters":{"cache_control":%}}]}"#),
        (Completions, r#"{"model":"m","prompt":"p","messages":[{"cache_control":%}]}"#),
    ] {
        let (one, two) = (call(dialect, &body.replace('%', "1")), call(dialect, &body.replace('%', "2")));
        assert_ne!(body_digest(&one), body_digest(&two), "{body}");
        assert!(left_out(&one).is_empty(), "{body}");
    }
}

#[test]
fn the_deepest_and_the_longest_bodies_are_read() {
    let deep = |last: &str| format!("{}{last}{}", r#"{"b":0,"a":["#.repeat(63), "]}".repeat(63));
    let turned = |last: &str| format!("{}{last}{}", r#"{"a":["#.repeat(63), "],\"b\":0}".repeat(63));
    same(&deep("1"), &turned("1.0"));
    differ(&deep("1"), &turned("2"));
    let long = |items: usize, last: &str| format!("[{}{last}]", "[7],\"\\u0041\",12345678901,".repeat(items));
    same(&long(50_000, "1"), &long(50_000, "1.0").replace(r"\u0041", "A").replace("[7]", "[ 70e-1]"));
    differ(&long(50_000, "1"), &long(50_000, "2"));
    differ(&long(50_000, "1"), &long(49_999, "1"));
    differ(&long(50_000, "1"), &long(50_000, "1").replacen("[7]", "[8]", 1));
}
