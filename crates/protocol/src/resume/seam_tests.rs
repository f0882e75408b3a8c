use super::super::samples::{
    Client, FIRST, SECOND, Upstream, delivered, done, event, events, last_event, passed, resumed, seam_after,
    upstream,
};
use super::*;

const METHODS: [Method; 2] = [Method::Append, Method::Repeat];

/// Fifty pieces, of which some are hard.
fn pieces() -> Vec<String> {
    let hard = ["é", "\n\n", "\"q\"", "😀", " plain", "\\", "日本", "\u{fffd}", "e\u{301}", "\t"];
    (0..50).map(|index| format!("{}{}", hard[index % hard.len()], index)).collect()
}

fn strs(pieces: &[String]) -> Vec<&str> {
    pieces.iter().map(String::as_str).collect()
}

/// The same text in pieces of so many characters.
fn rechunked(text: &str, size: usize) -> Vec<String> {
    let chars: Vec<char> = text.chars().collect();
    chars.chunks(size).map(|piece| piece.iter().collect()).collect()
}

#[test]
fn at_every_cut_the_client_reads_one_stream() {
    let pieces = pieces();
    let whole = pieces.concat();
    for (chat, method, ascii) in [true, false].iter().flat_map(|&chat| {
        METHODS.iter().flat_map(move |&method| [(chat, method, true), (chat, method, false)])
    }) {
        let second = Upstream { ascii, ..upstream(chat, SECOND) };
        let first = upstream(chat, FIRST).stream(&strs(&pieces));
        // All but the end mark: with it there is nothing to go on with.
        for cut in 1..first.len() {
            let given = delivered(&first[..cut]);
            assert!(given.is_resumable());
            let rest = match method {
                Method::Repeat => whole.clone(),
                // An answer that has finished is not appended to.
                Method::Append if given.is_finished() => continue,
                Method::Append => pieces[given.content_events() as usize..].concat(),
            };
            for size in [1, 2, 7, 1000] {
                let stream = second.stream(&strs(&rechunked(&rest, size)));
                let client = resumed(method, &first, cut, &stream).expect("the same text");
                let case = format!("chat {chat}, {method:?}, cut {cut}, size {size}");
                assert_eq!(client.text, whole, "{case}");
                assert_eq!((client.roles, client.finishes), (usize::from(chat), 1), "{case}");
                assert_eq!((client.usages.len(), client.ended), (1, true), "{case}");
                assert_eq!(client.heads.len(), 1, "{case}: {:?}", client.heads);
            }
        }
    }
}

#[test]
fn a_difference_at_any_place_is_caught() {
    let pieces = pieces();
    let whole: Vec<char> = pieces.concat().chars().collect();
    for chat in [true, false] {
        let first = upstream(chat, FIRST).stream(&strs(&pieces));
        let given = delivered(&first[..first.len() - 3]);
        for at in 0..whole.len() {
            let mut other = whole.clone();
            other[at] = if other[at] == 'x' { 'y' } else { 'x' };
            let other: String = other.into_iter().collect();
            for size in [1, 5, 1000] {
                let stream = upstream(chat, SECOND).stream(&strs(&rechunked(&other, size)));
                let mut seam = seam_after(Method::Repeat, &given);
                assert_eq!(passed(&mut seam, &stream), None, "chat {chat}, place {at}, size {size}");
                assert!(!seam.is_past_border());
            }
        }
    }
}

#[test]
fn nothing_reaches_the_client_before_the_difference() {
    let completions = upstream(false, FIRST);
    let mut seam = seam_after(Method::Repeat, &delivered(&[completions.text("abcdef")]));
    let second = upstream(false, SECOND);
    assert_eq!(seam.pass(second.text("abc")), Passed::Drop);
    assert_eq!(seam.pass(second.text("dex")), Passed::Diverged);
    assert_eq!(seam.pass(second.text("defg")), Passed::Diverged, "what comes then is another answer's");
    assert_eq!(seam.pass(events(b": comment\n\n").remove(0)), Passed::Diverged);
}

#[test]
fn there_is_no_seam_where_nobody_can_go_on() {
    let completions = upstream(false, FIRST);
    let ended = delivered(&[completions.text("a"), done()]);
    for method in METHODS {
        assert!(Seam::new(method, &ended).is_none());
    }
}

#[test]
fn a_stream_that_ends_too_early_has_diverged() {
    let first = upstream(true, FIRST);
    let second = upstream(true, SECOND);
    let given = delivered(&[first.role(), first.text("abc")]);
    for end in [second.finish(), second.piece("content", "b", "\"stop\""), done()] {
        let mut seam = seam_after(Method::Repeat, &given);
        assert_eq!(seam.pass(second.text("a")), Passed::Drop);
        assert_eq!(seam.pass(end), Passed::Diverged);
        assert!(!seam.is_past_border());
    }
}

#[test]
fn other_pieces_before_the_border_diverge_and_pass_after_it() {
    let (first, second) = (upstream(true, FIRST), upstream(true, SECOND));
    let given = delivered(&[first.role(), first.text("abc")]);
    for piece in [
        r#""delta":{"tool_calls":[{"index":0,"id":"c"}]}"#,
        r#""delta":{"function_call":{"name":"f"}}"#,
        r#""delta":{"refusal":"no"}"#,
        r#""delta":{"content":"c","audio":{"id":"a"}}"#,
        r#""delta":{"content":"cd","tool_calls":[{"index":0}]}"#,
    ] {
        let mut seam = seam_after(Method::Repeat, &given);
        seam.pass(second.text("ab"));
        assert_eq!(seam.pass(second.choice(piece, "null")), Passed::Diverged, "{piece}");
        let mut seam = seam_after(Method::Repeat, &given);
        seam.pass(second.text("abc"));
        assert!(seam.is_past_border());
        let Passed::Emit(event) = seam.pass(second.choice(piece, "null")) else { panic!("{piece}") };
        assert_eq!(event.data, first.choice(piece, "null").data, "{piece}");
    }
    let mut seam = seam_after(Method::Repeat, &given);
    assert_eq!(seam.pass(event(r#"{"choices":[{"index":1,"delta":{"content":"a"}}]}"#)), Passed::Diverged);
}

#[test]
fn only_the_rest_of_a_chunk_across_the_border_is_sent_and_its_other_bytes_stay() {
    let given = delivered(&[event(r#"{"id":"one","choices":[{"index":0,"text":"a😀\n"}]}"#)]);
    let across =
        r#"{ "id" : "two","x":1.50, "choices":[{"text":"a\ud83d\ude00\n\"\u00e9","index":0,"y":"\/"}]}"#;
    let mut seam = seam_after(Method::Repeat, &given);
    let rest = r#"{ "id" : "one","x":1.50, "choices":[{"text":"\"é","index":0,"y":"\/"}]}"#;
    assert_eq!(last_event(&mut seam, &[event(across)]), rest);
}

#[test]
fn the_border_may_lie_at_any_character_of_a_chunk_however_it_is_written() {
    let text = "é😀\n\"\\日e\u{301}\u{1f}z";
    for ascii in [true, false] {
        for cut in (0..=text.len()).filter(|cut| text.is_char_boundary(*cut)) {
            let given = [upstream(false, FIRST).text(&text[..cut])];
            let second = Upstream { ascii, ..upstream(false, SECOND) };
            let client = resumed(Method::Repeat, &given, 1, &second.stream(&[text])).expect("the same text");
            assert_eq!(client.text, text, "cut at {cut}");
        }
    }
}

#[test]
fn the_last_text_may_come_with_the_end() {
    let (first, second) = (upstream(true, FIRST), upstream(true, SECOND));
    let with_end = second.piece("content", "abc", "\"stop\"");
    for (given, text) in [("a", "\"bc\""), ("abc", "\"\"")] {
        let mut seam = seam_after(Method::Repeat, &delivered(&[first.text(given)]));
        let sent = last_event(&mut seam, std::slice::from_ref(&with_end));
        assert!(sent.contains(&format!(r#""content":{text}"#)) && sent.contains("\"stop\""), "{sent}");
    }
    // The client has the end as well.
    let given = delivered(&[first.text("a"), first.piece("content", "bc", "\"stop\"")]);
    let mut seam = seam_after(Method::Repeat, &given);
    assert_eq!(seam.pass(with_end), Passed::Drop);
}

#[test]
fn text_after_the_end_that_the_client_has_diverges() {
    let (first, second) = (upstream(false, FIRST), upstream(false, SECOND));
    let given = delivered(&[first.text("ab"), first.finish()]);
    for stream in [vec![second.text("abc")], vec![second.text("ab"), second.text("c")]] {
        assert_eq!(passed(&mut seam_after(Method::Repeat, &given), &stream), None);
    }
    assert_eq!(passed(&mut seam_after(Method::Append, &given), &[second.text("c")]), None);
}

#[test]
fn reasoning_is_held_against_reasoning_of_the_same_name() {
    let (first, second) = (upstream(true, FIRST), upstream(true, SECOND));
    for name in ["reasoning_content", "reasoning"] {
        let reasoning = |upstream: &Upstream, text| upstream.piece(name, text, "null");
        let given = [first.role(), reasoning(&first, "hm"), reasoning(&first, "m."), first.text("a")];
        let again = [second.role(), reasoning(&second, "hmm"), reasoning(&second, "."), second.text("ab")];
        let client = resumed(Method::Repeat, &given, 4, &again).expect("the same text");
        assert_eq!((client.text.as_str(), client.roles), ("ab", 1));
        assert_eq!(client.reasoning_content.clone() + &client.reasoning, "hmm.");
        // Cut within the reasoning.
        let client = resumed(Method::Repeat, &given, 2, &again).expect("the same text");
        assert_eq!(client.reasoning_content.clone() + &client.reasoning, "hmm.");
        assert_eq!(client.text, "ab");
        // More or less reasoning than the client has, before a text that it has.
        for other in ["hmm. So", "hmm"] {
            let stream = [reasoning(&second, other), second.text("ab")];
            assert_eq!(resumed(Method::Repeat, &given, 4, &stream), None, "{other}");
        }
    }
    let given = [first.piece("reasoning", "hm", "null")];
    assert_eq!(resumed(Method::Repeat, &given, 1, &[second.piece("reasoning_content", "hm", "null")]), None);
}

#[test]
fn both_channels_of_one_chunk_are_fitted() {
    let given = [event(r#"{"id":"one","choices":[{"index":0,"delta":{"reasoning":"r","content":"c"}}]}"#)];
    let both = r#"{"id":"two","choices":[{"index":0,"delta":{"reasoning":"rs","content":"cd"}}]}"#;
    let mut seam = seam_after(Method::Repeat, &delivered(&given));
    let rest = r#"{"id":"one","choices":[{"index":0,"delta":{"reasoning":"s","content":"d"}}]}"#;
    assert_eq!(last_event(&mut seam, &[event(both)]), rest);
}

#[test]
fn where_nothing_was_delivered_everything_passes_as_it_came() {
    for (chat, method) in [(true, Method::Repeat), (false, Method::Repeat), (false, Method::Append)] {
        let stream = upstream(chat, SECOND).stream(&["a", "b"]);
        let mut seam = seam_after(method, &Delivered::new());
        assert!(seam.is_past_border());
        assert_eq!(passed(&mut seam, &stream).as_deref(), Some(&stream[..]));
    }
}

#[test]
fn after_a_role_alone_any_answer_fits() {
    let given = [upstream(true, FIRST).role()];
    let client =
        resumed(Method::Repeat, &given, 1, &upstream(true, SECOND).stream(&["a", "b"])).expect("a fit");
    assert_eq!((client.text.as_str(), client.roles, client.heads.len()), ("ab", 1, 1));
}

#[test]
fn a_second_role_is_not_sent_nor_one_after_text() {
    let (first, second) = (upstream(true, FIRST), upstream(true, SECOND));
    let mut seam = seam_after(Method::Repeat, &delivered(&[first.role()]));
    assert_eq!(seam.pass(second.role()), Passed::Drop);
    // Some upstreams send none at all.
    let client =
        resumed(Method::Repeat, &[first.text("a")], 1, &second.stream(&["ab"])).expect("the same text");
    assert_eq!((client.text.as_str(), client.roles), ("ab", 0));
    let with_role = [second.choice(r#""delta":{"role":"assistant","content":"ab"}"#, "null")];
    let client = resumed(Method::Repeat, &[first.text("a")], 1, &with_role).expect("the same text");
    assert_eq!((client.text.as_str(), client.roles), ("ab", 0));
}

#[test]
fn a_chunk_that_says_nothing_passes_after_the_border_only() {
    let (first, second) = (upstream(true, FIRST), upstream(true, SECOND));
    let filters = |head| event(&format!(r#"{{{head}"choices":[],"prompt_filter_results":[1]}}"#));
    let mut seam = seam_after(Method::Repeat, &delivered(&[first.text("ab")]));
    assert_eq!(seam.pass(filters(SECOND)), Passed::Drop);
    assert_eq!(seam.pass(second.text("ab")), Passed::Drop);
    let sent = last_event(&mut seam, &[filters(SECOND)]);
    assert_eq!(sent.as_bytes(), filters(FIRST).data.expect("data"));
}

#[test]
fn a_role_beside_text_does_not_come_again() {
    let (first, second) = (upstream(true, FIRST), upstream(true, SECOND));
    let with_role = second.choice(r#""delta":{"role":"assistant","content":"ab"}"#, "null");
    let mut seam = seam_after(Method::Repeat, &delivered(&[first.role(), first.text("a")]));
    let sent = last_event(&mut seam, &[with_role]);
    assert_eq!(sent.as_bytes(), first.text("b").data.expect("data"));
}

#[test]
fn comments_pass_and_empty_events_do_not() {
    let mut seam = seam_after(Method::Repeat, &delivered(&[upstream(false, FIRST).text("a")]));
    for (wire, emitted) in [
        (&b"\xef\xbb\xbf: hello\n\n"[..], Some(&b": hello\n\n"[..])),
        (b": keep-alive\n\n", Some(b": keep-alive\n\n")),
        (b"data:\n\n", None),
        (b"data: {\"type\":\"ping\"}\n\n", None),
    ] {
        let passed = match seam.pass(events(wire).remove(0)) {
            Passed::Emit(event) => Some(event.raw),
            _ => None,
        };
        assert_eq!(passed.as_deref(), emitted);
    }
}

#[test]
fn errors_and_nonsense_do_not_pass_before_the_border() {
    let first = upstream(false, FIRST);
    for wire in [
        &b"data: {\"error\":{\"message\":\"x\"}}\n\n"[..],
        b"event: error\ndata: {}\n\n",
        b"data: nonsense\n\n",
        b"data: {\"choices\":[],\"choices\":[]}\n\n",
    ] {
        let event = events(wire).remove(0);
        let mut seam = seam_after(Method::Repeat, &delivered(&[first.text("a")]));
        assert_eq!(seam.pass(event.clone()), Passed::Diverged);
        let mut seam = seam_after(Method::Append, &delivered(&[first.text("a")]));
        let is_error = wire.windows(5).any(|word| word == b"error");
        let expected = if is_error { Passed::Emit(event.clone()) } else { Passed::Diverged };
        assert_eq!(seam.pass(event), expected);
    }
}

#[test]
fn a_named_event_in_several_lines_stays_one() {
    let pretty = b"event: chunk\ndata: {\"id\":\"two\",\ndata:  \"choices\":[{\"text\":\"b\"}]}\n\n";
    let given = delivered(&[event(r#"{"id":"one","choices":[{"text":"a"}]}"#)]);
    let Passed::Emit(sent) = seam_after(Method::Append, &given).pass(events(pretty).remove(0)) else {
        panic!()
    };
    assert_eq!(
        sent.raw,
        &b"event: chunk\ndata: {\"id\":\"one\",\ndata:  \"choices\":[{\"text\":\"b\"}]}\n\n"[..]
    );
    assert_eq!(events(&sent.raw).pop(), Some(sent));
}

#[test]
fn a_stream_may_break_more_than_once() {
    let streams = [FIRST, SECOND, SECOND].map(|head| upstream(true, head).stream(&["ab", "cd", "ef"]));
    let mut sent: Vec<Event> = streams[0][..2].to_vec();
    for (stream, cut) in [(&streams[1], 3), (&streams[2], streams[2].len())] {
        let mut seam = seam_after(Method::Repeat, &delivered(&sent));
        sent.extend(passed(&mut seam, &stream[..cut]).expect("the same text"));
    }
    let client = Client::read(&sent);
    assert_eq!(
        (client.text.as_str(), client.roles, client.finishes, client.heads.len()),
        ("abcdef", 1, 1, 1)
    );
}
