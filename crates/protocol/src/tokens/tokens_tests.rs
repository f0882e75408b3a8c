use super::*;
use crate::dialect::Profile;

fn tokens(dialect: Dialect, body: &str) -> u64 {
    let body = bytes::Bytes::copy_from_slice(body.as_bytes());
    estimate_prompt(&Envelope::scan(body, dialect, Profile::Open).unwrap())
}

fn chat(content: &str) -> u64 {
    tokens(Dialect::Chat, &format!(r#"{{"model":"m","messages":[{{"role":"user","content":{content}}}]}}"#))
}

/// What a conversation of one message costs beside its text.
const FRAME: u64 = OPENING + MESSAGE;

const ENGLISH: &str = "A gateway stands between its callers and the models that answer them. It checks who is asking, \
    decides which upstream shall answer, and keeps account of what was used. When an upstream fails before it has said \
    anything, another one is asked, and the caller never learns of it.";

/// Texts with the number of tokens that o200k makes of them.
const MEASURED: &[(&str, u64)] = &[
    (ENGLISH, 56),
    ("fn sum(values: &[u32]) -> u32 {\n    values.iter().filter(|value| **value > 10).sum()\n}\n", 29),
    (
        r#"{"type":"object","properties":{"location":{"type":"string","description":"City and country"},"unit":{"type":"string","enum":["celsius","fahrenheit"]}},"required":["location"]}"#,
        41,
    ),
    (
        "Ein Gateway steht zwischen den Aufrufern und den Modellen. Es prüft, wer fragt, und wählt aus, welcher Anbieter antworten soll.",
        31,
    ),
    ("网关位于调用者与模型之间。它检查谁在提问,决定由哪个上游来回答,并记录所使用的数量。", 32),
];

#[test]
fn estimates_lie_close_to_what_is_counted() {
    for (text, o200k) in MEASURED {
        let estimate = estimate_text(text.as_bytes());
        assert!(estimate * 100 >= o200k * 92, "{estimate} is too low for {o200k}: {text}");
        assert!(estimate * 100 <= o200k * 135, "{estimate} is too high for {o200k}: {text}");
    }
}

#[test]
fn an_empty_text_has_no_tokens_and_any_other_has_one() {
    assert_eq!(estimate_text(b""), 0);
    assert_eq!(estimate_text(b"a"), 1);
    assert_eq!(estimate_text("é".as_bytes().get(..1).unwrap()), 2, "cut inside of a character");
}

#[test]
fn only_what_reaches_the_model_counts() {
    let text = estimate_text(ENGLISH.as_bytes());
    let quoted = format!("\"{ENGLISH}\"");
    for (dialect, body, expected) in [
        (Dialect::Completions, format!(r#"{{"model":"m","prompt":{quoted},"user":{quoted}}}"#), text),
        (Dialect::Completions, format!(r#"{{"model":"m","prompt":[{quoted},{quoted}]}}"#), 2 * text),
        (Dialect::Embeddings, format!(r#"{{"model":"m","input":{quoted}}}"#), text),
        (
            Dialect::Chat,
            format!(
                r#"{{"model":"m","messages":[{{"role":"user","content":{quoted}}}],"metadata":{{"a":{quoted}}}}}"#
            ),
            FRAME + text,
        ),
        (
            Dialect::Chat,
            format!(
                r#"{{"model":"m","messages":[{{"role":"user","content":[{{"type":"text","text":{quoted}}}]}}]}}"#
            ),
            FRAME + text,
        ),
        (
            Dialect::Responses,
            format!(
                r#"{{"model":"m","instructions":{quoted},"input":[{{"role":"user","content":[{{"type":"input_text","text":{quoted}}}]}}]}}"#
            ),
            FRAME + 2 * text,
        ),
        (Dialect::Responses, format!(r#"{{"model":"m","input":{quoted}}}"#), OPENING + text),
        (
            Dialect::Messages,
            format!(
                r#"{{"model":"m","max_tokens":9,"system":{quoted},"messages":[{{"role":"user","content":[{{"type":"tool_result","tool_use_id":{quoted},"content":[{{"type":"text","text":{quoted},"cache_control":{{"type":{quoted}}}}}]}}]}}]}}"#
            ),
            OPENING + FRAME + 2 * text,
        ),
    ] {
        let found = tokens(dialect, &body);
        // Texts are added up before they are rounded.
        assert!((expected - 1..=expected).contains(&found), "{found} for {expected}: {body}");
    }
}

#[test]
fn tools_and_their_arguments_count() {
    let parameters = r#"{"type":"object","properties":{"city":{"type":"string"}}}"#;
    let message = r#""messages":[{"role":"user","content":"hi"}]"#;
    let bare = tokens(Dialect::Chat, &format!(r#"{{"model":"m",{message}}}"#));
    let tool = format!(
        r#"{{"model":"m",{message},"tools":[{{"type":"function","function":{{"name":"f","parameters":{parameters}}}}}]}}"#
    );
    assert!(tokens(Dialect::Chat, &tool) >= bare + estimate_text(parameters.as_bytes()));
    let call = r#"{"model":"m","max_tokens":1,"messages":[{"role":"assistant","content":[{"type":"tool_use","id":"toolu_0123456789","name":"f","input":{"city":"Paris","url":"x"}}]}]}"#;
    let expected = FRAME + estimate_text(br#"f{"city":"Paris","url":"x"}"#);
    assert_eq!(tokens(Dialect::Messages, call), expected);
}

#[test]
fn token_ids_are_counted_exactly_at_any_size() {
    for count in [0, 1, 2, 1000, 300_000] {
        let ids = vec!["50256"; count].join(", ");
        let expected = u64::try_from(count).unwrap();
        assert_eq!(tokens(Dialect::Embeddings, &format!(r#"{{"model":"m","input":[{ids}]}}"#)), expected);
        let body = format!(r#"{{"model":"m","prompt":[[{ids}],[1,2]]}}"#);
        assert_eq!(tokens(Dialect::Completions, &body), expected + 2);
    }
    assert_eq!(tokens(Dialect::Completions, r#"{"model":"m","prompt":["a",1,[2,3]]}"#), 4);
}

#[test]
fn media_are_constants_however_they_come() {
    let data = "iVBORw0KGgo".repeat(1000);
    for (part, expected) in [
        (format!(r#"{{"type":"image_url","image_url":{{"url":"data:image/png;base64,{data}"}}}}"#), PICTURE),
        (r#"{"image_url":{"url":"https://a/b.png"},"type":"image_url"}"#.to_owned(), PICTURE),
        (format!(r#"{{"type":"input_audio","input_audio":{{"data":"{data}","format":"wav"}}}}"#), RECORDING),
        (format!(r#"{{"type":"file","file":{{"file_data":"{data}","filename":"a.pdf"}}}}"#), FILE),
        (
            format!(
                r#"{{"type":"image","source":{{"type":"base64","media_type":"image/png","data":"{data}"}}}}"#
            ),
            PICTURE,
        ),
        (
            format!(
                r#"{{"type":"document","source":{{"data":"{data}","type":"base64","media_type":"application/pdf"}}}}"#
            ),
            FILE,
        ),
        (
            r#"{"type":"document","source":{"type":"text","media_type":"text/plain","data":"hello"}}"#
                .to_owned(),
            2,
        ),
        (
            r#"{"type":"document","source":{"type":"content","content":[{"type":"text","text":"hello"}]}}"#
                .to_owned(),
            2,
        ),
    ] {
        assert_eq!(chat(&format!("[{part}]")), FRAME + expected, "{part}");
    }
}

#[test]
fn a_large_body_is_estimated_as_a_small_one_would_be() {
    let text = format!("{ENGLISH} 网关位于调用者与模型之间。").repeat(4000);
    assert!(text.len() > LARGE);
    let (sampled, read) = (chat(&format!("\"{text}\"")), estimate_text(text.as_bytes()));
    assert!(sampled * 100 > read * 80 && sampled * 100 < read * 125, "{sampled} for {read}");
}

#[test]
fn a_large_body_in_escapes_is_no_larger_than_without() {
    let text = "网关位于调用者与模型之间。".repeat(30_000);
    let escaped: String = text.chars().map(|letter| format!("\\u{:04x}", u32::from(letter))).collect();
    let (found, plain) = (chat(&format!("\"{escaped}\"")), estimate_text(text.as_bytes()));
    assert!(
        escaped.len() > LARGE && found * 100 > plain * 90 && found * 100 < plain * 115,
        "{found} for {plain}"
    );
}

#[test]
fn the_data_of_a_large_picture_is_not_taken_for_text() {
    let data = "iVBORw0KGgo".repeat(200_000);
    for part in [
        format!(r#"{{"type":"image_url","image_url":{{"url":"data:image/png;base64,{data}"}}}}"#),
        format!(
            r#"{{"type":"image","source":{{"type":"base64","media_type":"image/png","data":"{data}"}}}}"#
        ),
    ] {
        let found = chat(&format!(r#"[{part},{{"type":"text","text":"What is this?"}},{part}]"#));
        assert!((2 * PICTURE..2 * PICTURE + 200).contains(&found), "{found}");
    }
}

#[test]
fn marks_of_data_that_hold_none_cost_neither_time_nor_tokens() {
    for text in [
        "base64,".repeat(1 << 18),
        format!("{},", r#"\"base64\" "#.repeat(1 << 17)),
        "base64".repeat(1 << 18),
    ] {
        let begin = std::time::Instant::now();
        let body = format!(r#"{{"model":"m","prompt":"{text}"}}"#);
        let (found, read) = (tokens(Dialect::Completions, &body), estimate_text(text.as_bytes()));
        assert!(found * 100 > read * 90 && found * 100 < read * 110, "{found} for {read}");
        assert!(begin.elapsed().as_secs() < 5, "quadratic");
    }
}
