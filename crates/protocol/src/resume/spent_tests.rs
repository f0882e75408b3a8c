use super::super::Method;
use super::super::samples::{FIRST, delivered, event, last_event, passed, resumed, seam_after, upstream};

#[test]
fn counts_of_an_appended_answer_are_those_of_the_whole() {
    let first = upstream(false, FIRST);
    let given = delivered(&[first.text("a"), first.text("b"), first.text("c")]);
    for (theirs, ours) in [
        (
            r#"{"prompt_tokens":13,"completion_tokens":7,"total_tokens":20,"x":1.0}"#,
            r#"{"prompt_tokens":10,"completion_tokens":10,"total_tokens":20,"x":1.0}"#,
        ),
        (
            r#"{"completion_tokens":7,"prompt_tokens_details":{"cached_tokens":12,"a":0},"prompt_tokens": 13}"#,
            r#"{"completion_tokens":10,"prompt_tokens_details":{"cached_tokens":10,"a":0},"prompt_tokens": 10}"#,
        ),
        (
            r#"{"prompt_tokens":13,"completion_tokens":7,"prompt_tokens_details":{"cached_tokens":8}}"#,
            r#"{"prompt_tokens":10,"completion_tokens":10,"prompt_tokens_details":{"cached_tokens":8}}"#,
        ),
        (
            r#"{"prompt_tokens":2,"completion_tokens":7,"total_tokens":9}"#,
            r#"{"prompt_tokens":0,"completion_tokens":9,"total_tokens":9}"#,
        ),
        (
            r#"{"prompt_tokens":13,"prompt_tokens_details":null}"#,
            r#"{"prompt_tokens":13,"prompt_tokens_details":null}"#,
        ),
        (
            r#"{"prompt_tokens":"13","completion_tokens":7}"#,
            r#"{"prompt_tokens":"13","completion_tokens":7}"#,
        ),
    ] {
        for choices in
            ["[]", r#"[{"text":"d","index":0,"finish_reason":"stop"}]"#, r#"[{"text":"d","index":0}]"#]
        {
            let stream = |usage| event(&format!(r#"{{{FIRST}"choices":{choices},"usage":{usage}}}"#));
            let sent = last_event(&mut seam_after(Method::Append, &given), &[stream(theirs)]);
            assert_eq!(sent.as_bytes(), stream(ours).data.expect("data"), "{choices}");
        }
        let mut seam = seam_after(Method::Repeat, &given);
        let whole = event(&format!(r#"{{{FIRST}"choices":[],"usage":{theirs}}}"#));
        let sent = last_event(&mut seam, &[first.text("abc"), whole.clone()]);
        assert_eq!(sent.as_bytes(), whole.data.expect("data"), "a repeated answer is counted whole");
    }
}

#[test]
fn counts_along_the_way_do_not_take_the_place_of_the_last() {
    let chunk = |text, finish, usage: u64| {
        event(&format!(
            r#"{{{FIRST}"choices":[{{"index":0,"text":"{text}","finish_reason":{finish}}}],"usage":{{"prompt_tokens":1,"completion_tokens":{usage}}}}}"#
        ))
    };
    let first = [chunk("a", "null", 1), chunk("b", "null", 2)];
    let second = [&first[..], &[chunk("c", "null", 3), chunk("", "\"stop\"", 4)]].concat();
    let client = resumed(Method::Repeat, &first, 2, &second).expect("the same text");
    let counts: Vec<_> = client.usages.iter().map(|usage| usage["completion_tokens"].as_u64()).collect();
    assert_eq!((client.text.as_str(), counts), ("abc", vec![Some(1), Some(2), Some(3), Some(4)]));
}

#[test]
fn only_the_usage_is_sent_of_an_end_that_the_client_has() {
    let first = upstream(false, FIRST);
    let given = delivered(&[first.text("a"), first.finish()]);
    let end = r#"{"id":"one","choices":[{"index":0,"text":"a","finish_reason":"stop"}],"usage":{"prompt_tokens":1}}"#;
    let sent =
        r#"{"id":"one","choices":[],"usage":{"prompt_tokens":1},"object":"chunk","created":1,"model":"m-1"}"#;
    assert_eq!(last_event(&mut seam_after(Method::Repeat, &given), &[event(end)]), sent);
    let given = delivered(&[first.text("a"), first.finish(), first.usage(1, 1)]);
    for stream in [vec![event(end)], vec![first.text("a"), first.finish(), first.usage(1, 1)]] {
        let out = passed(&mut seam_after(Method::Repeat, &given), &stream);
        assert_eq!(out, Some(Vec::new()));
    }
}
