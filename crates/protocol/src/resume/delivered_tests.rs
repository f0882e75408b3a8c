use super::super::samples::{FIRST, delivered, done, event, events, upstream};
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
    assert_eq!(*seen.texts.get_mut(super::super::channels::Channel::Content), "a\né");
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
