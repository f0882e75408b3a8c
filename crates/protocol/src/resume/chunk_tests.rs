use super::*;

fn read(data: &str) -> Chunk<'_> {
    Chunk::read(data.as_bytes()).expect("a chunk")
}

#[test]
fn members_and_pieces_are_found_where_they_stand() {
    let data = r#" {"id": "a" ,"choices":[ {"index":0,"delta":{"role":"assistant","content":"\u00e9\n","reasoning":"r"},"finish_reason":"stop"} ],"usage":{"x":1}} "#;
    let chunk = read(data);
    let at = |range: &Range<usize>| &data[range.clone()];
    assert_eq!(chunk.head[0].as_ref().map(|id| at(&id.value)), Some("\"a\""));
    assert_eq!(chunk.role.as_ref().map(|role| at(&role.name)), Some("\"role\""));
    assert_eq!(chunk.usage.as_ref().map(|usage| at(&usage.value)), Some(r#"{"x":1}"#));
    assert!(chunk.choices.as_ref().is_some_and(|choices| at(choices).ends_with("} ]")));
    let pieces: Vec<_> = chunk.pieces.iter().map(|piece| (&*piece.text, at(&piece.range))).collect();
    assert_eq!(pieces, [("é\n", r#""\u00e9\n""#), ("r", "\"r\"")]);
    assert!(chunk.finishes && chunk.counts_all() && chunk.is_chunk() && !chunk.other);
}

#[test]
fn what_is_not_text_of_the_only_choice_is_told() {
    for choices in [
        r#"[{"index":1,"text":"a"}]"#,
        r#"[{"index":"0","text":"a"}]"#,
        r#"[{"index":0,"text":"a"},{"index":1,"text":"b"}]"#,
        r#"[{"text":"a","logprobs":{"tokens":["a"]}}]"#,
        r#"[{"text":"a","token_ids":[1]}]"#,
        r#"[{"text":["a"]}]"#,
        r#"[{"delta":{"tool_calls":[{"index":0}]}}]"#,
        r#"[{"delta":{"function_call":{"name":"f"}}}]"#,
        r#"[{"delta":{"refusal":"no"}}]"#,
        r#"[{"delta":{"audio":{"id":"a"}}}]"#,
        r#"[{"delta":{"images":[{}]}}]"#,
        r#"[{"delta":{"content":[{"type":"text","text":"a"}]}}]"#,
        r#"[{"delta":{"reasoning_details":[{"text":"a"}]}}]"#,
        r#"[{"delta":{"something_new":"a"}}]"#,
        r#"[{"delta":{"\u0074ool_calls":[1]}}]"#,
    ] {
        assert!(read(&format!(r#"{{"choices":{choices}}}"#)).other, "{choices}");
    }
}

#[test]
fn what_is_empty_or_only_beside_the_text_does_no_harm() {
    for choices in [
        "[]",
        "null",
        r#"[{"text":"a","index":0,"logprobs":null,"stop_reason":null,"content_filter_results":{"hate":{}}}]"#,
        r#"[{"delta":{"content":null,"tool_calls":[],"function_call":null,"refusal":null,"audio":null}}]"#,
        r#"[{"delta":{"content":"a","obfuscation":"xyz","reasoning":""}}]"#,
        r#"[{"delta":null}]"#,
    ] {
        assert!(!read(&format!(r#"{{"choices":{choices},"obfuscation":"x"}}"#)).other, "{choices}");
    }
}

#[test]
fn half_of_a_surrogate_pair_is_no_text_to_go_on_from() {
    let other = |text: &str| read(&format!(r#"{{"choices":[{{"text":"{text}"}}]}}"#)).other;
    assert!(other(r"\ud83d"));
    assert!(other(r"a\ude00"));
    assert!(other("\u{fffd}\\ud83d"));
    assert!(!other(r"\ud83d\ude00"));
    assert!(other(r"\\ufffd\ud83d"), "no escape, but a backslash and letters");
    for text in ["\u{fffd}\\n", r"\ufffd", r"\uFFFD\\", r"\\\ufffd"] {
        assert!(!other(text), "what is written out is text: {text}");
    }
}

#[test]
fn a_name_that_comes_twice_makes_the_chunk_unreadable() {
    for data in [
        r#"{"id":"a","id":"b","choices":[]}"#,
        r#"{"choices":[],"choices":[]}"#,
        r#"{"choices":[{"text":"a","\u0074ext":"b"}]}"#,
        r#"{"choices":[{"delta":{"content":"a","content":"b"}}]}"#,
        "[]",
        "{} x",
        r#"{"choices":["#,
    ] {
        assert!(Chunk::read(data.as_bytes()).is_err(), "{data}");
    }
}
