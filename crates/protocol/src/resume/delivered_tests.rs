use super::super::Method;
use super::super::samples::{FIRST, delivered, done, event, events, seam_after, upstream};
use super::*;

#[test]
fn texts_and_counts_are_kept_as_they_pass() {
    let chat = upstream(true, FIRST);
    let mut seen = delivered(&[chat.role()]);
    assert!(seen.is_resumable() && seen.role && !seen.has_text());
    for event in
        [chat.piece("reasoning_content", "hm", "null"), chat.text("a\n"), chat.text(""), chat.text("é")]
    {
        seen.observe(&event);
    }
    assert_eq!((seen.content_events(), seen.has_text(), seen.is_finished()), (3, true, false));
    assert_eq!(seen.texts.get(super::super::channels::Channel::Content), "a\né");
    assert_eq!(format!("{:?}", seen.texts), "[0, 4, 2, 0]", "no text in a log line");
    seen.observe(&chat.usage(1, 3));
    assert!(!seen.usage, "counts before the end are not the last");
    seen.observe(&chat.finish());
    assert!(seen.is_finished() && !seen.usage);
    seen.observe(&chat.usage(1, 3));
    assert!(seen.usage && seen.is_resumable());
}

#[test]
fn comments_and_signs_of_life_change_nothing() {
    let mut seen = delivered(&[upstream(false, FIRST).text("a")]);
    for event in events(b": keep-alive\n\n\n\ndata:\n\ndata: {\"type\":\"ping\"}\n\n") {
        seen.observe(&event);
    }
    assert!(seen.is_resumable());
    assert_eq!(seen.content_events(), 1);
}

#[test]
fn some_things_forbid_to_go_on() {
    let chat = upstream(true, FIRST);
    for event in [
        done(),
        event(r#"{"error":{"message":"x"}}"#),
        events(b"event: error\ndata: {}\n\n").remove(0),
        event("nonsense"),
        event(r#"{"id":"a","id":"b","choices":[]}"#),
        chat.choice(r#""delta":{"tool_calls":[{"index":0}]}"#, "null"),
    ] {
        let seen = delivered(&[chat.text("a"), event.clone(), chat.text("b")]);
        assert!(!seen.is_resumable(), "{event:?}");
        assert!(seen.has_text());
    }
}

#[test]
fn text_is_kept_up_to_a_limit() {
    let text = upstream(false, FIRST).text(&"x".repeat(MAX_TEXT / 4));
    let mut seen = delivered([&text; 4]);
    assert!(seen.is_resumable());
    seen.observe(&upstream(false, FIRST).text("x"));
    assert!(!seen.is_resumable());
    assert_eq!(seen.texts.len(), 0, "what is of no use is not kept");
}

#[test]
fn a_copy_shares_the_text_until_either_grows() {
    let completions = upstream(false, FIRST);
    let mut seen = delivered(&[completions.text("a")]);
    let copy = seen.clone();
    seen.observe(&completions.finish());
    assert!(Arc::ptr_eq(&seen.texts, &copy.texts), "no text, no copy");
    seen.observe(&completions.text("b"));
    assert_eq!((seen.texts.only_text(), copy.texts.only_text()), (Some("ab"), Some("a")));
}

#[test]
fn a_seam_shares_the_text_until_all_of_it_has_come_again() {
    let chat = upstream(true, FIRST);
    let seen = delivered(&[chat.piece("reasoning", "hm", "null"), chat.text("ab")]);
    let mut seam = seam_after(Method::Repeat, &seen);
    let shown = format!("{seam:?}");
    assert!(shown.contains("left: 4") && !shown.contains("hm"), "no text in a log line: {shown}");
    for (event, holders) in
        [(chat.piece("reasoning", "hm", "null"), 2), (chat.text("a"), 2), (chat.text("bc"), 1)]
    {
        seam.pass(event);
        assert_eq!(Arc::strong_count(&seen.texts), holders);
    }
    assert!(seam.is_past_border());
}
