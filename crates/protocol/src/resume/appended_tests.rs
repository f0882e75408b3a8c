use super::super::samples::{FIRST, call, delivered, upstream};
use super::*;
use crate::dialect::Dialect;

fn body_after(body: &str, pieces: &[&str]) -> Option<String> {
    let call = call(Dialect::Completions, body);
    let pieces: Vec<_> = pieces.iter().map(|piece| upstream(false, FIRST).text(piece)).collect();
    let next = appended(&call, &delivered(&pieces))?;
    assert!(next.stream() && next.dialect() == Dialect::Completions);
    Some(String::from_utf8(next.body().to_vec()).unwrap())
}

#[test]
fn the_text_so_far_stands_behind_the_prompt_and_every_other_byte_stays() {
    for (body, longer) in [
        (
            r#"{ "prompt" : "caf\u00e9 \/ \ud83d\ude00\n" ,"stream":true, "top_p":0.50,"model":"m"}"#,
            r#"{ "prompt" : "caf\u00e9 \/ \ud83d\ude00\n a\"b\\\né" ,"stream":true, "top_p":0.50,"model":"m"}"#,
        ),
        (
            r#"{"model":"m","stream":true,"prompt":[ "p" ],"stop":null}"#,
            r#"{"model":"m","stream":true,"prompt":[ "p a\"b\\\né" ],"stop":null}"#,
        ),
        (
            r#"{"model":"m","stream":true,"\u0070rompt":""}"#,
            r#"{"model":"m","stream":true,"\u0070rompt":" a\"b\\\né"}"#,
        ),
    ] {
        assert_eq!(body_after(body, &[" a\"b", "\\\n", "é"]).as_deref(), Some(longer));
    }
}

#[test]
fn as_many_tokens_fewer_are_asked_for() {
    let after_two =
        |more: &str| body_after(&format!(r#"{{"model":"m","stream":true,"prompt":"p"{more}}}"#), &["a", "b"]);
    for (more, left) in [
        (r#","max_tokens":16"#, Some(r#","max_tokens":14"#)),
        (r#","max_tokens":3"#, Some(r#","max_tokens":1"#)),
        (r#","max_tokens":2"#, None),
        (r#","max_tokens":1"#, None),
        (r#","max_tokens":1e1"#, Some(r#","max_tokens":8"#)),
        (r#","max_tokens":-1"#, Some(r#","max_tokens":-1"#)),
        (r#","max_tokens":null"#, Some(r#","max_tokens":null"#)),
        (
            r#","max_tokens":9,"max_completion_tokens":5"#,
            Some(r#","max_tokens":7,"max_completion_tokens":3"#),
        ),
        (r#","max_tokens":9,"max_completion_tokens":2"#, None),
        ("", Some("")),
    ] {
        let body = left.map(|left| format!(r#"{{"model":"m","stream":true,"prompt":"pab"{left}}}"#));
        assert_eq!(after_two(more), body, "{more}");
    }
}

#[test]
fn a_text_within_a_stop_sequence_is_not_gone_on_with() {
    let may = |stop: &str, text: &str| {
        body_after(&format!(r#"{{"model":"m","stream":true,"prompt":"p","stop":{stop}}}"#), &[text]).is_some()
    };
    assert!(!may(r#""\n\nUser""#, "a\n"));
    assert!(!may(r#"["x","END"]"#, "the EN"));
    assert!(!may(r#""é!""#, "é"));
    assert!(may(r#"["x","END"]"#, "the EN."));
    assert!(may(r#""\n""#, "a\n"), "one that ends here would have stopped the text");
    assert!(may("null", "a") && may("[]", "a"));
    assert!(!may(&format!("\"{}\"", "x".repeat(MAX_STOP + 1)), "a"), "too long to look for");
}

#[test]
fn nothing_is_asked_where_nothing_can_follow() {
    let completions = upstream(false, FIRST);
    let call = call(Dialect::Completions, r#"{"model":"m","stream":true,"prompt":"p"}"#);
    let after = |events: &[_]| appended(&call, &delivered(events)).is_some();
    assert!(after(&[completions.text("a")]));
    assert!(!after(&[completions.text("a"), completions.finish()]), "the answer has finished");
    assert!(!after(&[completions.choice(r#""text":"a","token_ids":[1]"#, "null")]), "not resumable");
    assert!(!after(&[upstream(true, FIRST).text("a")]), "a chat's text has no place in a prompt");
}

#[test]
fn without_text_the_body_stays_as_it_is() {
    let body = r#"{"model":"m","stream":true,"prompt":"p","max_tokens":1e1}"#;
    assert_eq!(body_after(body, &[]).as_deref(), Some(body));
}
