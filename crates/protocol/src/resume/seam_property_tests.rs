//! For any text, any cut and any other chunking, what the client reads is the whole text, once.

use proptest::collection::vec;
use proptest::prelude::*;

use super::super::Method;
use super::super::samples::{FIRST, SECOND, Upstream, delivered, done, resumed, upstream};
use crate::sse::Event;

/// A text with what is hard in it: quotes, escapes, line ends, all of Unicode.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![any::<String>(), "[a-b \"\\\\\n\r\u{2028}é😀\u{fffd}]{0,24}"]
}

/// The text cut at these places, each a number of characters taken modulo what is there.
fn cut(text: &str, sizes: &[usize]) -> Vec<String> {
    let mut chars = text.chars().peekable();
    let mut sizes = sizes.iter().cycle();
    let mut pieces = Vec::new();
    while chars.peek().is_some() {
        let size = sizes.next().copied().unwrap_or(1).max(1);
        pieces.push(chars.by_ref().take(size).collect());
    }
    pieces
}

/// A whole stream; its last piece of content may have the end beside it, and the end the counts.
fn stream(upstream: Upstream, reasoning: &[String], content: &[String], joined: bool) -> Vec<Event> {
    let (name, mut events) =
        if upstream.chat { ("content", vec![upstream.role()]) } else { ("text", Vec::new()) };
    events.extend(reasoning.iter().map(|piece| upstream.piece("reasoning_content", piece, "null")));
    events.extend(content.iter().map(|piece| upstream.piece(name, piece, "null")));
    match content.last() {
        Some(last) if joined => {
            events.pop();
            events.push(upstream.piece(name, last, "\"stop\""));
        }
        _ => events.push(upstream.finish()),
    }
    events.extend([upstream.usage(9, 9), done()]);
    events
}

proptest! {
    #[test]
    fn any_cut_and_any_other_chunking_give_the_whole_text_once(
        chat: bool,
        ascii: bool,
        joined in any::<(bool, bool)>(),
        reasoning in text(),
        content in text(),
        sizes in (vec(1_usize..6, 1..4), vec(1_usize..6, 1..4)),
        at in any::<prop::sample::Index>(),
    ) {
        let reasoning = if chat { reasoning } else { String::new() };
        let first = upstream(chat, FIRST);
        let second = Upstream { ascii, ..upstream(chat, SECOND) };
        let first = stream(first, &cut(&reasoning, &sizes.0), &cut(&content, &sizes.0), joined.0);
        let again = stream(second, &cut(&reasoning, &sizes.1), &cut(&content, &sizes.1), joined.1);
        let given = at.index(first.len() - 1) + 1;
        prop_assume!(delivered(&first[..given]).is_resumable());
        let client = resumed(Method::Repeat, &first, given, &again).expect("the same text");
        prop_assert_eq!((client.text, client.reasoning_content), (content, reasoning));
        prop_assert_eq!((client.roles, client.finishes), (usize::from(chat), 1));
        prop_assert_eq!((client.usages.len(), client.heads.len(), client.ended), (1, 1, true));
    }

    #[test]
    fn an_appended_rest_follows_whatever_way_it_is_cut(
        ascii: bool,
        joined: bool,
        (text, rest) in (text(), text()),
        sizes in (vec(1_usize..6, 1..4), vec(1_usize..6, 1..4)),
    ) {
        let first = stream(upstream(false, FIRST), &[], &cut(&text, &sizes.0), false);
        let given = first.len() - 3;
        prop_assume!(given > 0);
        let second = Upstream { ascii, ..upstream(false, SECOND) };
        let again = stream(second, &[], &cut(&rest, &sizes.1), joined);
        let client = resumed(Method::Append, &first, given, &again).expect("it follows");
        prop_assert_eq!(client.text, text + &rest);
        prop_assert_eq!((client.finishes, client.usages.len(), client.heads.len()), (1, 1, 1));
        prop_assert_eq!(client.usages[0]["completion_tokens"].as_u64(), Some(9 + given.min(9) as u64));
        prop_assert!(client.ended);
    }

    #[test]
    fn a_text_that_does_not_begin_with_the_client_s_never_passes(
        (text, other) in ("[ab]{1,8}", "[ab]{0,12}"),
        sizes in (vec(1_usize..4, 1..3), vec(1_usize..4, 1..3)),
    ) {
        let first = stream(upstream(true, FIRST), &[], &cut(&text, &sizes.0), false);
        let again = stream(upstream(true, SECOND), &[], &cut(&other, &sizes.1), false);
        let client = resumed(Method::Repeat, &first, first.len() - 3, &again);
        prop_assert_eq!(client.map(|client| client.text), other.starts_with(&text).then_some(other));
    }
}
