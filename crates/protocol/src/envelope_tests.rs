use proptest::prelude::*;

use super::*;
use crate::json::samples;
use crate::splice::Splice;

fn open(body: impl Into<Bytes>, dialect: Dialect) -> Result<Envelope, BodyFault> {
    Envelope::scan(body.into(), dialect, Profile::Open)
}

fn refusal(body: impl Into<Bytes>) -> (String, usize) {
    match open(body, Dialect::Completions) {
        Err(BodyFault::Json { message, offset }) => (message, offset),
        other => panic!("expected a refusal of the JSON: {other:?}"),
    }
}

#[test]
fn members_are_found_where_they_stand() {
    let body = br#" { "model" : "m\u002f1" ,"prompt":"p", "\u0078" :[1.10 , {"a":null}]} "#;
    let envelope = open(&body[..], Dialect::Completions).unwrap();
    assert_eq!(envelope.body(), &body[..]);
    assert_eq!(envelope.dialect(), Dialect::Completions);
    assert_eq!(envelope.members().count(), 3);
    assert_eq!(envelope.model(), "m/1");
    assert_eq!(envelope.value("x"), Some(&b"[1.10 , {\"a\":null}]"[..]));
    let member = envelope.member("x").unwrap();
    assert_eq!(&body[member.name.clone()], br#""\u0078""#);
    assert_eq!(envelope.value(r"\u0078"), None);
    assert_eq!(envelope.value("y"), None);
    assert_eq!(envelope.value("mod"), None);
}

#[test]
fn the_facts_are_read() {
    let body = r#"{"model":"m","messages":[{"role":"user"}],"stream":true,"seed":-7.0,"max_tokens":1e2,
                   "max_completion_tokens":300,"stream_options":{"x":{},"include\u005fusage":false}}"#;
    let envelope = open(body, Dialect::Chat).unwrap();
    assert!(envelope.stream());
    assert_eq!(envelope.include_usage(), Some(false));
    assert_eq!(envelope.seed(), Some(-7));
    assert_eq!(envelope.max_tokens(), Some(300));
}

#[test]
fn facts_that_are_absent_or_null_are_not_there() {
    for body in [
        r#"{"model":"m"}"#,
        r#"{"model":"m","stream":null,"seed":null,"max_output_tokens":null,"stream_options":null}"#,
        r#"{"model":"m","stream":false,"stream_options":{"include_usage":null}}"#,
        r#"{"model":"m","stream_options":{}}"#,
    ] {
        let envelope = open(body, Dialect::Responses).unwrap();
        assert!(!envelope.stream());
        assert_eq!(
            (envelope.include_usage(), envelope.seed(), envelope.max_tokens()),
            (None, None, None),
            "{body}"
        );
    }
}

#[test]
fn the_token_limit_is_found_under_each_name() {
    for (dialect, name) in [
        (Dialect::Completions, "max_tokens"),
        (Dialect::Chat, "max_completion_tokens"),
        (Dialect::Responses, "max_output_tokens"),
        (Dialect::Messages, "max_tokens"),
    ] {
        let body = format!(r#"{{"model":"m","prompt":"p","messages":[{{"role":"user"}}],"{name}":-5}}"#);
        assert_eq!(open(body, dialect).unwrap().max_tokens(), Some(-5));
    }
}

#[test]
fn what_is_no_clean_object_is_refused_with_a_clear_word() {
    for (body, message, offset) in [
        (&b""[..], "the body is empty, expected an object", 0),
        (b" \n", "the body is empty, expected an object", 0),
        (b"[1]", "expected an object at byte 0", 0),
        (b" null", "expected an object at byte 1", 1),
        (b"model=m&prompt=p", "expected an object at byte 0", 0),
        (b"{\"a\":1", "unexpected end at byte 6", 6),
        (b"{\"a\":1} x", "expected the end at byte 8", 8),
        (b"{\"a\":NaN}", "expected a value at byte 5", 5),
        (b"\xef\xbb\xbf{}", "a byte order mark, which JSON does not allow, at byte 0", 0),
        (b"{\"a\":\"\xff\"}", "text that is not UTF-8 at byte 6", 6),
        (b"{\"a\":1,\"\\u0061\":2}", "duplicate name \"\\u0061\" at byte 7", 7),
        (b"{\0}", "expected a name in quotes at byte 1", 1),
    ] {
        assert_eq!(refusal(body), (message.to_owned(), offset));
    }
}

#[test]
fn nesting_counts_from_the_body_itself() {
    let body = |depth: usize| {
        format!(r#"{{"model":"m","prompt":"p","x":{}{}}}"#, "[".repeat(depth), "]".repeat(depth))
    };
    assert!(open(body(127), Dialect::Completions).is_ok());
    assert_eq!(refusal(body(128)).0, "nesting deeper than 128 levels at byte 157");
}

#[test]
fn a_body_of_ten_mebibytes_is_read_right() {
    let line = "The fox said: \\\"日本\\\" \\ud83e\\udd8a and went on.\\n";
    let prompt = line.repeat((10 << 20) / line.len() + 1);
    let body = Bytes::from(format!(r#"{{"prompt":"{prompt}","model":"m","seed":9007199254740993}}"#));
    let envelope = open(body.clone(), Dialect::Completions).unwrap();
    assert_eq!(envelope.seed(), Some(9_007_199_254_740_993));
    assert_eq!(envelope.value("prompt").unwrap().len(), prompt.len() + 2);

    let mut splice = Splice::from(&envelope);
    splice.replace(envelope.member("model").unwrap().value.clone(), Bytes::from_static(b"\"other\""));
    let segments = splice.into_segments();
    assert_eq!(segments.len(), body.len() + 4);
    assert_eq!(segments.iter().next().unwrap().as_ptr(), body.as_ptr());
}

#[test]
fn showing_an_envelope_shows_no_prompt() {
    let envelope = open(r#"{"model":"m","prompt":"secret"}"#, Dialect::Completions).unwrap();
    assert!(!format!("{envelope:?}").contains("secret"));
}

proptest! {
    /// A body with unknown members of every sort around the known ones.
    #[test]
    fn unknown_members_are_accepted_and_found_byte_for_byte((samples, text) in samples::object(8)) {
        let known = br#"{"model":"m","prompt":"p""#;
        let start = text.find('{').unwrap() + 1;
        let comma: &[u8] = if samples.is_empty() { b"" } else { b"," };
        let body = [known, comma, &text.as_bytes()[start..]].concat();

        for profile in [Profile::Strict, Profile::Open] {
            let envelope = Envelope::scan(body.clone().into(), Dialect::Completions, profile).unwrap();
            prop_assert_eq!(envelope.members().count(), samples.len() + 2);
            for (sample, member) in samples.iter().zip(envelope.members().skip(2)) {
                prop_assert_eq!(&body[member.name.clone()], sample.name.as_bytes());
                prop_assert_eq!(&body[member.value.clone()], sample.value.as_bytes());
            }
        }
    }

    #[test]
    fn any_member_that_comes_twice_is_refused((samples, text) in samples::object(8), twice: prop::sample::Index) {
        prop_assume!(!samples.is_empty());
        let again = &samples[twice.index(samples.len())];
        let end = text.rfind('}').unwrap();
        let body = format!("{},{}:0}}", &text[..end], again.name);
        prop_assert!(refusal(body).0.starts_with("duplicate name"));
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
        for dialect in Dialect::ALL {
            prop_assert!(open(bytes.clone(), dialect).is_err());
        }
    }
}

#[test]
fn without_its_long_members_a_request_is_still_what_it_is() {
    let body = r#"{ "model" : "m", "mess\u0061ges" : [{"role":"user","content":"hi"}] , "tools":[], "seed": 7.0,"x": {"a": 1.10} }"#;
    let call = Envelope::scan(body.into(), Dialect::Chat, Profile::Open).unwrap();
    let rest = call.without(&["messages", "tools"]);
    assert_eq!(rest.body(), r#"{"model":"m","seed":7.0,"x":{"a": 1.10}}"#);
    assert_eq!((rest.model(), rest.seed(), rest.dialect()), (call.model(), Some(7), Dialect::Chat));
    assert_eq!((rest.value("x"), rest.value("messages")), (Some(&br#"{"a": 1.10}"#[..]), None));
    let none = rest.without(&["model", "seed", "x"]);
    assert_eq!((&none.body()[..], none.model()), (&b"{}"[..], "".into()));
}
