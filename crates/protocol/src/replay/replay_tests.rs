use super::*;
use crate::fitness;

#[path = "golden_tests.rs"]
mod goldens;
#[path = "round_trip_tests.rs"]
mod round_trips;

/// A stream as it stands after the observer has seen it: it must have ended well.
fn watched(dialect: Dialect, events: &[u8]) -> StreamObserver {
    let decoded = decode(events);
    let mut observer = StreamObserver::new(dialect, false);
    for event in &decoded.events {
        let verdict = observer.observe(event);
        assert!(!matches!(verdict, Verdict::Error | Verdict::Malformed | Verdict::Withhold), "{event:?}");
    }
    assert!(!decoded.cut && observer.terminal_seen() && observer.ended_well());
    observer
}

fn plain(dialect: Dialect, events: &str) -> String {
    assert_eq!(fitness::stream(dialect, events.as_bytes()), Ok(()), "{events}");
    String::from_utf8(to_plain(dialect, events.as_bytes()).expect("converts")).expect("text")
}

fn streamed(dialect: Dialect, body: &str) -> String {
    assert_eq!(fitness::plain(dialect, body.as_bytes()), Ok(()), "{body}");
    let replayed = to_stream(dialect, body.as_bytes()).expect("converts");
    watched(dialect, &replayed.events);
    if let Some(usage) = &replayed.usage {
        assert_eq!(&*usage_events(dialect, &replayed.events), std::slice::from_ref(usage));
    }
    String::from_utf8(replayed.events).expect("text")
}

#[test]
fn thoughts_are_joined_by_their_number_and_never_by_a_guess() {
    let chunk = |delta: &str| {
        format!(r#"data: {{"id":"c","choices":[{{"index":0,"delta":{delta},"finish_reason":null}}]}}"#)
            + "\n\n"
    };
    let end = "data: {\"id\":\"c\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n";
    let block = |number: u64, members: &str| {
        chunk(&format!(r#"{{"thinking_blocks":[{{"type":"thinking","index":{number},{members}}}]}}"#))
    };
    let stream = [
        chunk(r#"{"role":"assistant","content":null}"#),
        block(0, r#""thinking":"Hm""#),
        block(0, r#""thinking":"m.""#),
        block(0, r#""thinking":"","signature":"s1""#),
        block(1, r#""thinking":"So.""#),
        block(1, r#""thinking":"","signature":"s2""#),
        chunk(r#"{"content":"Yes"}"#),
        end.to_owned(),
    ]
    .concat();
    let whole = plain(Dialect::Chat, &stream);
    let said: serde_json::Value = serde_json::from_str(&whole).expect("JSON");
    let thoughts = &said["choices"][0]["message"]["thinking_blocks"];
    assert_eq!(
        (&thoughts[0]["thinking"], &thoughts[0]["signature"]),
        (&"Hmm.".into(), &"s1".into()),
        "{whole}"
    );
    assert_eq!(
        (&thoughts[1]["thinking"], &thoughts[1]["signature"]),
        (&"So.".into(), &"s2".into()),
        "{whole}"
    );
    let unnumbered = stream.replace(r#""index":1,"#, "").replace(r#""index":0,"thinking""#, r#""thinking""#);
    assert_eq!(to_plain(Dialect::Chat, unnumbered.as_bytes()), Err(Unconvertible));
}

#[test]
fn what_a_client_joins_as_text_is_text_or_no_stream_is_made_of_it() {
    let answer = |member: &str| {
        format!(
            r#"{{"choices":[{{"message":{{"role":"assistant","content":"a",{member}}},"finish_reason":"stop"}}]}}"#
        )
    };
    for member in [r#""reasoning":["b"]"#, r#""reasoning_of_a_new_kind":[]"#, r#""thinking":{"b":1}"#] {
        assert_eq!(to_stream(Dialect::Chat, answer(member).as_bytes()), Err(Unconvertible), "{member}");
    }
    for member in [r#""reasoning":"b""#, r#""reasoning":null"#, r#""reasoning":"""#] {
        let stream = to_stream(Dialect::Chat, answer(member).as_bytes()).expect(member);
        assert!(to_plain(Dialect::Chat, &stream.events).is_ok(), "{member}");
    }
}
