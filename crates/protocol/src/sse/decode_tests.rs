use super::*;
use proptest::prelude::*;

/// Name and data of an event, readable in a failure message.
type Told = (Option<String>, Option<String>);

fn told(event: &Event) -> Told {
    let text = |bytes: &Option<Bytes>| bytes.as_ref().map(|b| String::from_utf8_lossy(b).into_owned());
    (text(&event.name), text(&event.data))
}

/// Decodes `parts`, draining after each, and checks that no byte was lost on the way.
fn decode(parts: &[&[u8]]) -> Vec<Told> {
    let mut decoder = Decoder::new(1 << 20);
    let (mut events, mut given) = (Vec::new(), Vec::new());
    for part in parts {
        decoder.push(Bytes::copy_from_slice(part));
        while let Some(event) = decoder.next().expect("within the limit") {
            given.extend_from_slice(&event.raw);
            events.push(told(&event));
        }
    }
    let input = parts.concat();
    assert!(input.starts_with(&given));
    assert_eq!(given.len() + decoder.remainder(), input.len());
    events
}

fn data(text: &str) -> Told {
    (None, Some(text.to_owned()))
}

#[test]
fn all_three_line_endings_end_a_line() {
    for ending in ["\n", "\r", "\r\n"] {
        let stream = ["event: a", "data: 1", "", "data: 2", "data: 3", "", ""].join(ending);
        assert_eq!(decode(&[stream.as_bytes()]), [(Some("a".into()), Some("1".into())), data("2\n3")]);
    }
}

#[test]
fn the_space_after_the_colon_is_optional_and_only_one_is_taken() {
    assert_eq!(decode(&[b"data:a\n\ndata: b\n\ndata:  c\n\n"]), [data("a"), data("b"), data(" c")]);
}

#[test]
fn comments_and_unknown_fields_are_kept_in_raw_and_say_nothing() {
    let events = decode(&[b": hello\n\nid: 7\nretry: 10\nfoo: bar\ndata: x\n\n:\n\n"]);
    assert_eq!(events, [(None, None), data("x"), (None, None)]);
}

#[test]
fn a_data_line_without_value_is_empty_data_not_no_data() {
    assert_eq!(decode(&[b"data\n\ndata:\n\ndata\ndata\n\n"]), [data(""), data(""), data("\n")]);
}

#[test]
fn a_byte_order_mark_counts_at_the_very_start_only() {
    assert_eq!(
        decode(&["\u{feff}data: a\n\n\u{feff}data: b\n\n".as_bytes()]),
        [data("a"), (None, None)],
        "the second one is part of a field name that nobody knows"
    );
    assert_eq!(decode(&[b"\xEF", b"\xBB", b"\xBFdata: a\n", b"\n"]), [data("a")]);
}

#[test]
fn a_lone_carriage_return_at_the_end_of_a_chunk_gives_the_event_at_once() {
    let mut decoder = Decoder::new(64);
    decoder.push(Bytes::from_static(b"data: a\r\n\r"));
    let first = decoder.next().expect("small").expect("whole");
    assert_eq!(first.raw, &b"data: a\r\n\r"[..]);
    decoder.push(Bytes::from_static(b"\n"));
    assert_eq!(decoder.next(), Ok(None), "the line feed belongs to the line before");
    assert!(!decoder.is_mid_event());
    decoder.push(Bytes::from_static(b"data: b\r\r"));
    assert_eq!(decoder.next().expect("small").expect("whole").raw, &b"\ndata: b\r\r"[..]);
}

#[test]
fn an_event_within_one_chunk_is_a_slice_of_it() {
    let chunk = Bytes::from_static(b"data: {\"a\":1}\n\ndata: {\"b\":2}\n\n");
    let inside = chunk.as_ptr_range();
    let mut decoder = Decoder::new(64);
    decoder.push(chunk);
    while let Some(event) = decoder.next().expect("small") {
        assert!(inside.contains(&event.raw.as_ptr()));
        assert!(inside.contains(&event.data.expect("a data line").as_ptr()));
    }
}

#[test]
fn several_chunks_may_be_pushed_before_the_first_event_is_read() {
    let mut decoder = Decoder::new(64);
    for chunk in ["data: a\n", "\nda", "ta: b\n\nda", "ta: c"] {
        decoder.push(Bytes::from(chunk));
    }
    let mut events = Vec::new();
    while let Some(event) = decoder.next().expect("small") {
        events.push(told(&event));
    }
    assert_eq!(events, [data("a"), data("b")]);
    assert_eq!(decoder.remainder(), "data: c".len());
    assert!(decoder.is_mid_event());
}

#[test]
fn an_event_over_the_limit_is_refused_and_nothing_comes_after_it() {
    let mut decoder = Decoder::new(16);
    decoder.push(Bytes::from_static(b"data: a\n\n"));
    assert!(decoder.next().expect("small").is_some());
    let mut pushed = 0;
    let refusal = loop {
        decoder.push(Bytes::from_static(b"data: x\n"));
        pushed += 8;
        assert!(decoder.remainder() <= 16 + 8);
        match decoder.next() {
            Ok(event) => assert_eq!(event, None),
            Err(refusal) => break refusal,
        }
    };
    assert_eq!((refusal, pushed), (Oversize { limit: 16 }, 24));
    decoder.push(Bytes::from_static(b"\n\ndata: b\n\n"));
    assert_eq!(decoder.next(), Err(refusal));
    assert_eq!(decoder.remainder(), 0, "nothing is held for a stream that is given up");
}

#[test]
fn an_oversized_event_is_refused_also_when_it_comes_whole() {
    let mut decoder = Decoder::new(8);
    decoder.push(Bytes::from_static(b"data: 12345\n\n"));
    assert_eq!(decoder.next(), Err(Oversize { limit: 8 }));
}

#[test]
fn a_megabyte_that_arrives_byte_by_byte_is_read_in_one_pass() {
    let mut decoder = Decoder::new(2 << 20);
    let text = "x".repeat(1 << 20);
    let stream = Bytes::from(format!("data: {text}\n\n"));
    let mut found = None;
    for at in 0..stream.len() {
        decoder.push(stream.slice(at..=at));
        // Quadratic work would be 10^12 steps here: the test would not end.
        if let Some(event) = decoder.next().expect("within the limit") {
            found = event.data;
        }
    }
    assert_eq!(found.map(|data| data.len()), Some(1 << 20));
}

fn line() -> impl Strategy<Value = String> {
    let value = "[a-zé€😀:{}\" \u{feff}]{0,12}";
    prop_oneof![
        4 => value.prop_map(|v| format!("data: {v}")),
        1 => value.prop_map(|v| format!("data:{v}")),
        1 => Just("data".to_owned()),
        1 => value.prop_map(|v| format!("event: {v}")),
        1 => value.prop_map(|v| format!(":{v}")),
        1 => value.prop_map(|v| format!("id: {v}")),
        1 => value,
        4 => Just(String::new()),
    ]
}

fn stream() -> impl Strategy<Value = Vec<u8>> {
    let ending = prop_oneof![Just("\n"), Just("\r"), Just("\r\n")];
    let lines = prop::collection::vec((line(), ending), 0..24);
    (any::<bool>(), lines).prop_map(|(mark, lines)| {
        let mut stream = String::from(if mark { "\u{feff}" } else { "" });
        for (line, ending) in lines {
            stream.push_str(&line);
            stream.push_str(ending);
        }
        stream.into_bytes()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4096, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_split_decodes_to_the_same_events(
        stream in stream(),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..12),
    ) {
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(stream.len() + 1)).collect();
        cuts.extend([0, stream.len()]);
        cuts.sort_unstable();
        let parts: Vec<&[u8]> = cuts.windows(2).map(|pair| &stream[pair[0]..pair[1]]).collect();
        let whole = decode(&[&stream]);
        prop_assert_eq!(&decode(&parts), &whole);
        let bytes: Vec<&[u8]> = stream.chunks(1).collect();
        prop_assert_eq!(&decode(&bytes), &whole);
    }

    #[test]
    fn arbitrary_bytes_never_lose_a_byte(
        parts in prop::collection::vec(prop::collection::vec(prop_oneof![Just(b'\n'), Just(b'\r'), Just(b':'), any::<u8>()], 0..9), 0..9),
    ) {
        let parts: Vec<&[u8]> = parts.iter().map(Vec::as_slice).collect();
        prop_assert_eq!(decode(&parts), decode(&[&parts.concat()]));
    }
}
