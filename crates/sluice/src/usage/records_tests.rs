use super::*;
use serde_json::{Value, json};

fn bought(nano_usd: Option<u64>) -> Bought {
    let tokens = Tokens { input: 10, cache_read: 3, cache_write: 0, output: 5, reasoning: 1 };
    Bought { tokens: Some(tokens), source: Some("estimated".to_owned()), nano_usd }
}

fn attempt(provider: &str, outcome: &str, status: Option<u16>, reason: Option<&str>) -> StoredAttempt {
    StoredAttempt {
        provider: provider.to_owned(),
        upstream_model: "big-1".to_owned(),
        outcome: outcome.to_owned(),
        status,
        reason: reason.map(str::to_owned),
        took: Duration::from_millis(700),
        bought: Bought::default(),
    }
}

fn record() -> StoredRecord {
    StoredRecord {
        id: "r1\u{1b}[2J".to_owned(),
        ended: "2026-11-20T08:00:00.5Z".parse().unwrap(),
        took: Duration::from_millis(1234),
        tenant: "search".to_owned(),
        key: "web".to_owned(),
        endpoint: "chat".to_owned(),
        model: Some("smart".to_owned()),
        provider: Some("acme".to_owned()),
        upstream_model: Some("big-1".to_owned()),
        stream: true,
        status: 200,
        end: "ok".to_owned(),
        error_code: None,
        cache: Some("miss".to_owned()),
        bought: bought(Some(123_000)),
        prices: Some("p1".to_owned()),
        tags: [("project".to_owned(), "x".to_owned())].into(),
        user: None,
        client: Some("192.0.2.7".to_owned()),
        attempts: vec![
            attempt("away", "connect_error", None, Some("refused")),
            attempt("acme", "ok", Some(200), None),
        ],
    }
}

/// What nobody was asked for, and of which the client saw nothing.
fn nothing() -> StoredRecord {
    StoredRecord {
        model: None,
        provider: None,
        upstream_model: None,
        stream: false,
        status: 0,
        end: "cancelled".to_owned(),
        bought: Bought::default(),
        attempts: Vec::new(),
        ..record()
    }
}

#[test]
fn a_record_is_a_line_with_its_attempts() {
    let text = text(&[record(), nothing()], 3);
    let lines: Vec<Vec<&str>> = text
        .lines()
        .map(|line| line.split("  ").map(str::trim).filter(|cell| !cell.is_empty()).collect())
        .collect();
    assert_eq!(
        lines[1],
        [
            "2026-11-20T08:00:00.500Z",
            "r1\u{fffd}[2J",
            "search",
            "web",
            "chat stream",
            "smart",
            "acme/big-1",
            "ok",
            "200",
            "10 in, 3 read, 5 out (estimated)",
            "$0.000123",
            "1234 ms",
            "away/big-1 connect_error (refused); acme/big-1 ok 200",
        ]
    );
    assert_eq!(
        lines[2],
        [
            "2026-11-20T08:00:00.500Z",
            "r1\u{fffd}[2J",
            "search",
            "web",
            "chat",
            "-",
            "-",
            "cancelled",
            "-",
            "-",
            "-",
            "1234 ms",
            "-",
        ]
    );
    assert_eq!((lines[0].len(), lines.len()), (13, 3));
    assert_eq!(super::text(&[], 0), "no requests\n");
    let full = super::text(&[record(), nothing()], 2);
    assert_eq!(full, format!("{text}\nat most 2 are shown; --limit N shows more\n"));
}

#[test]
fn an_end_says_more_where_the_word_alone_says_too_little() {
    let end = |end: &str, error_code: Option<&str>, cache: &str| {
        let record = StoredRecord {
            end: end.to_owned(),
            error_code: error_code.map(str::to_owned),
            cache: Some(cache.to_owned()),
            ..record()
        };
        line(&record)[7].clone()
    };
    assert_eq!(end("ok", None, "hit"), "ok (hit)");
    assert_eq!(end("ok", None, "coalesced"), "ok (coalesced)");
    assert_eq!(end("ok", None, "bypass"), "ok");
    assert_eq!(end("limited", Some("rate_limit_exceeded"), "bypass"), "limited (rate_limit_exceeded)");
}

#[test]
fn json_lines_hold_everything_that_is_kept() {
    let lines = json_lines(&[record(), nothing()]);
    let told: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let unknown = json!({
        "input_tokens": null, "cache_read_tokens": null, "cache_write_tokens": null, "output_tokens": null,
        "reasoning_tokens": null, "tokens_source": null, "cost_nano_usd": null, "cost_usd": null,
    });
    let with = |own: Value, more: &Value| {
        let both = [own.as_object().unwrap().clone(), more.as_object().unwrap().clone()];
        Value::Object(both.into_iter().flatten().collect())
    };
    let attempts = [
        json!({"provider": "away", "upstream_model": "big-1", "outcome": "connect_error", "status": null,
            "reason": "refused", "took_ms": 700}),
        json!({"provider": "acme", "upstream_model": "big-1", "outcome": "ok", "status": 200, "reason": null,
            "took_ms": 700}),
    ];
    assert_eq!(
        told[0],
        json!({
            "id": "r1\u{1b}[2J", "time": "2026-11-20T08:00:00.5Z", "took_ms": 1234, "tenant": "search", "key": "web",
            "endpoint": "chat", "model": "smart", "provider": "acme", "upstream_model": "big-1", "stream": true,
            "status": 200, "end": "ok", "error_code": null, "cache": "miss", "input_tokens": 10,
            "cache_read_tokens": 3, "cache_write_tokens": 0, "output_tokens": 5, "reasoning_tokens": 1,
            "tokens_source": "estimated", "cost_nano_usd": 123_000, "cost_usd": "0.000123", "prices": "p1",
            "tags": {"project": "x"}, "user": null, "client": "192.0.2.7",
            "attempts": attempts.map(|attempt| with(attempt, &unknown)),
        })
    );
    assert_eq!(told[1]["attempts"], json!([]));
    assert_eq!((&told[1]["model"], &told[1]["cost_usd"]), (&Value::Null, &Value::Null));
}
