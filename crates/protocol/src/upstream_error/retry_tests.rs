use super::*;
use proptest::prelude::*;

/// 2026-03-01T12:00:00Z, the time in all these tests.
const NOW: i64 = 1_772_366_400;

/// The wait that headers lead to, in milliseconds.
fn headers(lines: &[(&str, &str)]) -> Option<u128> {
    let get = |name: &str| lines.iter().find(|(other, _)| *other == name).map(|(_, value)| *value);
    from_headers(get)?.wait(NOW).map(|wait| wait.as_millis())
}

/// The wait that a body leads to, in milliseconds.
fn body(text: &str) -> Option<u128> {
    from_body(text.as_bytes())?.wait(NOW).map(|wait| wait.as_millis())
}

#[test]
fn retry_after_is_read_in_every_form() {
    for (name, value, expected) in [
        ("retry-after", "7", Some(7_000)),
        ("retry-after", " 7 ", Some(7_000)),
        ("retry-after", "0.25", Some(250)),
        ("retry-after", "1e2", Some(100_000)),
        ("retry-after", "20s", Some(20_000)),
        ("retry-after", "Sun, 01 Mar 2026 12:01:40 GMT", Some(100_000)),
        ("retry-after", "Sunday, 01-Mar-26 12:01:40 GMT", Some(100_000)),
        ("retry-after", "2026-03-01T12:00:30Z", Some(30_000)),
        ("retry-after", "1772366460", Some(60_000)),
        ("retry-after-ms", "1500", Some(1_500)),
        ("retry-after-ms", "0.5", Some(0)),
        ("retry-after", "1e30", Some(86_400_000)),
        ("retry-after", "999999999", Some(86_400_000)),
        ("retry-after-ms", "1e300", Some(86_400_000)),
        ("retry-after", "0", None),
        ("retry-after", "-1", None),
        ("retry-after", "NaN", None),
        ("retry-after", "inf", None),
        ("retry-after", "1e999", None),
        ("retry-after", "-inf", None),
        ("retry-after", "soon", None),
        ("retry-after", "", None),
        ("retry-after", "s", None),
        ("retry-after", "5 apples", None),
        ("retry-after", "Wed, 21 Oct 2015 07:28:00 GMT", None),
        ("retry-after-ms", "-1", None),
        ("retry-after-ms", "nan", None),
    ] {
        assert_eq!(headers(&[(name, value)]), expected, "{name}: {value}");
    }
}

#[test]
fn the_more_exact_header_goes_first_and_an_unreadable_one_is_passed_over() {
    let lines = [("x-ratelimit-reset-requests", "9s"), ("retry-after", "7"), ("retry-after-ms", "300")];
    assert_eq!(headers(&lines), Some(300));
    assert_eq!(headers(&lines[..2]), Some(7_000));
    assert_eq!(headers(&lines[..1]), Some(9_000));
    assert_eq!(headers(&[("retry-after-ms", "?"), ("retry-after", "7")]), Some(7_000));
    assert_eq!(headers(&[("retry-after", "later"), ("x-ratelimit-reset", "5")]), Some(5_000));
    // Who says that no wait is needed has been heard.
    assert_eq!(headers(&[("retry-after", "0"), ("x-ratelimit-reset", "5")]), None);
}

#[test]
fn resets_are_read_as_each_provider_writes_them() {
    for (vendor, name, value, expected) in [
        ("OpenAI", "x-ratelimit-reset-requests", "1s", Some(1_000)),
        ("OpenAI", "x-ratelimit-reset-tokens", "6m0s", Some(360_000)),
        ("OpenAI", "x-ratelimit-reset-tokens", "12ms", Some(12)),
        ("OpenAI", "x-ratelimit-reset-tokens", "1h2m3.5s", Some(3_723_500)),
        ("OpenAI", "x-ratelimit-reset-tokens", "500\u{b5}s", Some(0)),
        ("Groq", "x-ratelimit-reset-requests", "2m59.56s", Some(179_560)),
        ("Groq", "x-ratelimit-reset-tokens", "7.66s", Some(7_660)),
        ("Azure", "x-ratelimit-reset-tokens", "17", Some(17_000)),
        ("Azure, unknown", "x-ratelimit-reset-tokens", "0", None),
        ("Anthropic", "anthropic-ratelimit-requests-reset", "2026-03-01T12:00:09Z", Some(9_000)),
        ("Anthropic", "anthropic-ratelimit-tokens-reset", "2026-03-01T13:01:00+01:00", Some(60_000)),
        ("Anthropic", "anthropic-ratelimit-input-tokens-reset", "2026-03-01T12:00:08.2Z", Some(9_000)),
        ("Anthropic", "anthropic-ratelimit-output-tokens-reset", "2026-03-01T11:59:59Z", None),
        ("OpenRouter", "x-ratelimit-reset", "1772366430000", Some(30_000)),
        ("OpenRouter", "x-ratelimit-reset", "1772366430001", Some(31_000)),
        ("seconds", "x-ratelimit-reset", "1772366430", Some(30_000)),
        ("from now", "x-ratelimit-reset", "30", Some(30_000)),
        ("from now", "x-ratelimit-reset", "0.5", Some(500)),
        ("long gone", "x-ratelimit-reset", "1000000000", None),
        ("far away", "x-ratelimit-reset", "1e300", Some(86_400_000)),
        ("no length", "x-ratelimit-reset-tokens", "6m0", None),
        ("no length", "x-ratelimit-reset-tokens", "1.2.3s", None),
        ("no length", "x-ratelimit-reset-tokens", "6m later", None),
    ] {
        assert_eq!(headers(&[(name, value)]), expected, "{vendor}: {value}");
    }
}

#[test]
fn a_reset_counts_only_for_what_is_used_up() {
    let lines = |requests, tokens| {
        headers(&[
            ("x-ratelimit-remaining-requests", requests),
            ("x-ratelimit-reset-requests", "8m0s"),
            ("x-ratelimit-remaining-tokens", tokens),
            ("x-ratelimit-reset-tokens", "20s"),
        ])
    };
    assert_eq!(lines("0", "0"), Some(480_000), "the longest of several");
    assert_eq!(
        headers(&[("x-ratelimit-reset-requests", "1s"), ("x-ratelimit-reset-tokens", "20s")]),
        Some(20_000),
        "the longest, wherever it stands"
    );
    assert_eq!(lines("14", "0"), Some(20_000));
    assert_eq!(lines("0", "5000"), Some(480_000));
    assert_eq!(lines("14", "5000"), None);
    assert_eq!(lines("-1", "0"), Some(20_000), "Azure's unknown");
    let unknown = |name: &str| (name == "x-ratelimit-reset-tokens").then_some("0");
    assert_eq!(from_headers(unknown), None, "so that the body is asked");
    assert_eq!(headers(&[("x-ratelimit-remaining", "3"), ("x-ratelimit-reset", "5")]), None);
    let anthropic = |left| {
        headers(&[
            ("anthropic-ratelimit-requests-remaining", "49"),
            ("anthropic-ratelimit-requests-reset", "2026-03-01T12:50:00Z"),
            ("anthropic-ratelimit-input-tokens-remaining", left),
            ("anthropic-ratelimit-input-tokens-reset", "2026-03-01T12:00:40Z"),
            ("anthropic-ratelimit-output-tokens-remaining", "0"),
            ("anthropic-ratelimit-output-tokens-reset", "2026-03-01T12:00:10Z"),
        ])
    };
    assert_eq!(anthropic("0"), Some(40_000));
    assert_eq!(anthropic("8000"), Some(10_000));
}

#[test]
fn a_body_is_read_as_each_provider_writes_it() {
    for (vendor, text, expected) in [
        (
            "Gemini",
            r#"{"error":{"code":429,"message":"Quota exceeded. Please retry in 34.07s.","status":"RESOURCE_EXHAUSTED","details":[{"@type":"type.googleapis.com/google.rpc.QuotaFailure","violations":[{"quotaId":"x"}]},{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"34s"}]}}"#,
            Some(34_000),
        ),
        ("Gemini, listed", r#"[{"error":{"code":429,"details":[{"retryDelay":"0.5s"}]}}]"#, Some(500)),
        ("Gemini, text", r#"{"error":{"message":"Quota. Please retry in 58.934310785s."}}"#, Some(58_934)),
        (
            "Gemini, packed into a text",
            r#"{"error":{"message":"{\n \"error\": {\"message\": \"Please retry in 5s.\"}}","code":429}}"#,
            Some(5_000),
        ),
        (
            "OpenAI",
            r#"{"error":{"message":"Rate limit reached for m on requests per min: Limit 3. Please try again in 20s. Visit the page.","type":"requests","code":"rate_limit_exceeded"}}"#,
            Some(20_000),
        ),
        ("OpenAI", r#"{"error":{"message":"Please try again in 6m0s."}}"#, Some(360_000)),
        ("OpenAI", r#"{"error":{"message":"Please try again in 350ms."}}"#, Some(350)),
        ("OpenAI, old", r#"{"error":"Try again in 1h12m."}"#, Some(4_320_000)),
        (
            "OpenAI, a failed stream",
            r#"{"type":"response.failed","response":{"error":{"message":"try again in 11.054s."}}}"#,
            Some(11_054),
        ),
        ("Groq", r#"{"error":{"message":"Please try again in 50.597142857s. Visit"}}"#, Some(50_597)),
        ("Azure", r#"{"error":{"code":"429","message":"Please retry after 23 seconds. Go"}}"#, Some(23_000)),
        (
            "Azure",
            r#"{"statusCode":429,"message":"Rate limit is exceeded. Try again in 1 second."}"#,
            Some(1_000),
        ),
        ("Azure", r#"{"error":{"message":"Please retry after 86400 seconds."}}"#, Some(86_400_000)),
        (
            "OpenRouter",
            r#"{"error":{"code":429,"message":"No","metadata":{"headers":{"X-RateLimit-Remaining":"0","X-RateLimit-Reset":"1772366430000"}}}}"#,
            Some(30_000),
        ),
        ("flat", r#"{"retry_after":12}"#, Some(12_000)),
        ("flat", r#"{"retry_after":"1.5"}"#, Some(1_500)),
        ("flat", r#"{"retry_after":"20s"}"#, Some(20_000)),
        ("nested", r#"{"error":{"retry_after_ms":750}}"#, Some(750)),
        ("nested", r#"{"error":{"retryAfter":3}}"#, Some(3_000)),
        ("escaped", r#"{"retry\u005fafter":4}"#, Some(4_000)),
        ("a member before a text", r#"{"retry_after":2,"message":"try again in 9s"}"#, Some(2_000)),
        ("words", r#"{"message":"try again in 2 hours 5 minutes"}"#, Some(7_500_000)),
        ("Mistral", r#"{"object":"error","message":"Rate limit exceeded","code":"1300"}"#, None),
        ("no unit", r#"{"message":"try again in 20 of a thousand ways"}"#, None),
        ("no length", r#"{"message":"try again in a while, telemetry in 5s"}"#, None),
        (
            "odd types",
            r#"{"retry_after":[1],"error":{"retryAfter":null,"details":{"x":1}},"message":7}"#,
            None,
        ),
        ("negative", r#"{"retry_after":-5}"#, None),
        ("zero", r#"{"retry_after":0}"#, None),
        ("elsewhere", r#"{"input":"try again in 20s","usage":{"retry_after":9}}"#, None),
    ] {
        assert_eq!(body(text), expected, "{vendor}: {text}");
    }
}

#[test]
fn a_body_that_was_cut_or_is_no_json_is_read_as_far_as_it_goes() {
    for (text, expected) in [
        ("Too many requests, please try again in 20s.", Some(20_000)),
        ("<html><body>Retry after 5 minutes</body></html>", Some(300_000)),
        (r#"{"error":{"message":"Please try again in 20s. Visit the p"#, Some(20_000)),
        (r#"{"error":{"details":[{"retryDelay":"34s"},{"@type":"ty"#, Some(34_000)),
        (r#"{"error":{"retry_after":7,"mess"#, Some(7_000)),
        (r#"{"error":{"message":"Please try again in 20"#, None),
        (r#"{"error":{"details":[{"retryDelay":"3"#, None),
        ("try again in ", None),
        ("", None),
    ] {
        assert_eq!(body(text), expected, "{text}");
    }
    assert_eq!(from_body(b"\xff try again in 4s \xff"), Some(RetryHint::After(Duration::from_secs(4))));
}

#[test]
fn a_wait_is_positive_and_at_most_a_day() {
    use RetryHint::{After, At};
    let second = Duration::from_secs;
    for (hint, expected) in [
        (After(second(5)), Some(second(5))),
        (After(Duration::ZERO), None),
        (After(Duration::MAX), Some(LONGEST)),
        (At(NOW + 5), Some(second(5))),
        (At(NOW), None),
        (At(NOW - 5), None),
        (At(i64::MIN), None),
        (At(i64::MAX), Some(LONGEST)),
    ] {
        assert_eq!(hint.wait(NOW), expected, "{hint:?}");
    }
    assert_eq!(At(i64::MAX).wait(i64::MIN), Some(LONGEST));
    assert_eq!(At(i64::MIN).wait(i64::MAX), None);
}

proptest! {
    #[test]
    fn no_text_makes_it_fail(text in "[0-9a-z.: {}\\[\\]\",+-]{0,60}", bytes in any::<Vec<u8>>()) {
        let _ = from_body(text.as_bytes());
        let _ = from_body(&bytes);
        let wait = moment(&text).and_then(|hint| hint.wait(NOW));
        prop_assert!(wait.is_none_or(|wait| wait <= LONGEST && !wait.is_zero()));
    }

    #[test]
    fn every_cut_of_a_body_is_read(at in 0..300_usize) {
        let text = r#"[{"error":{"code":429,"message":"Please try again in 1m2s, or retry after 3 seconds","details":[{"retryDelay":"34s"}],"metadata":{"headers":{"X-RateLimit-Reset":"5"}},"retry_after":"é"}}]"#;
        let _ = from_body(text.as_bytes().get(..at).unwrap_or(text.as_bytes()));
    }
}
