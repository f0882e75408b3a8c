use super::*;
use crate::json;
use std::collections::BTreeSet;

fn text(body: &Bytes) -> String {
    String::from_utf8(body.to_vec()).expect("bodies are UTF-8")
}

fn fault(location: &str, message: &str, value: Option<&str>) -> SchemaFault {
    SchemaFault {
        location: location.to_owned(),
        message: message.to_owned(),
        value: value.map(str::to_owned),
    }
}

fn unknown_model() -> Problem {
    let message = "model gpt-9 does not exist";
    Problem {
        errors: vec![fault("body.model", "unknown model", Some("\"gpt-9\""))],
        ..Problem::new(&codes::CONTRACT_MODEL_NOT_FOUND, message).with_param("model")
    }
}

#[test]
fn the_dual_body_is_a_problem_with_an_error_object() {
    insta::assert_snapshot!(text(&unknown_model().dual()), @r#"{"title":"Bad Request","status":400,"detail":"model gpt-9 does not exist","code":"model-not-found","errors":[{"location":"body.model","message":"unknown model","value":"gpt-9"}],"error":{"message":"model gpt-9 does not exist","type":"invalid_request_error","param":"model","code":"model-not-found"}}"#);
    insta::assert_snapshot!(text(&Problem::new(&codes::RATE_LIMIT_EXCEEDED, "slow down").dual()), @r#"{"title":"Too Many Requests","status":429,"detail":"slow down","error":{"message":"slow down","type":"rate_limit_error","param":null,"code":"rate_limit_exceeded"}}"#);
}

#[test]
fn schema_faults_are_all_listed_and_the_first_is_the_message() {
    let faults = vec![
        fault("body.temperature", "expected number <= 2", Some("2.50")),
        fault("body.stop[1]", "expected string", Some("{\"a\": [1e400]}")),
        fault("body", "expected required property prompt to be present", None),
    ];
    insta::assert_snapshot!(text(&Problem::invalid_body(faults.clone()).dual()), @r#"{"title":"Bad Request","status":400,"detail":"body.temperature: expected number <= 2 (and 2 more)","errors":[{"location":"body.temperature","message":"expected number <= 2","value":2.50},{"location":"body.stop[1]","message":"expected string","value":{"a": [1e400]}},{"location":"body","message":"expected required property prompt to be present"}],"error":{"message":"body.temperature: expected number <= 2 (and 2 more)","type":"invalid_request_error","param":"temperature","code":"invalid_body"}}"#);
    let missing = Problem::invalid_body(faults.into_iter().skip(2).collect());
    assert_eq!(missing.message, "body: expected required property prompt to be present");
    assert_eq!(missing.param.as_deref(), Some("prompt"));
}

#[test]
fn a_code_stands_at_top_level_only_where_the_contract_has_it() {
    let top: Vec<&str> = codes::ERROR_CODES
        .iter()
        .filter(|code| Problem::new(code, "").contract_code.is_some())
        .map(|code| code.name)
        .collect();
    assert_eq!(top, ["model-not-found", "max-tokens-exceeded"]);
    let body = text(&Problem::new(&codes::INVALID_JSON, "x").dual());
    assert_eq!(body.matches("\"code\"").count(), 1, "{body}");
}

#[test]
fn text_is_escaped_wherever_it_stands() {
    let problem = Problem {
        code: Some("their \"code\"".to_owned().into()),
        param: Some("tools[0].\u{1}".to_owned()),
        ..Problem::new(&codes::UPSTREAM_ERROR, "they said: \"no\"\r\n\tdata: [DONE]\n\n é 😀 \u{2028}")
    };
    for body in [problem.dual(), problem.anthropic()] {
        assert_eq!(json::validate(&body), Ok(()));
        assert!(!text(&body).contains(['\n', '\r']));
    }
    for dialect in Dialect::ALL {
        let event = text(&problem.stream_event(dialect));
        assert_eq!(event.matches("\n\n").count(), 1, "one event, whatever the text: {event}");
    }
}

#[test]
fn the_messages_api_has_its_own_form_and_types() {
    let problem =
        Problem { request_id: Some("req-1".to_owned()), ..Problem::new(&codes::NOT_FOUND, "no such path") };
    insta::assert_snapshot!(text(&problem.body(Dialect::Messages)), @r#"{"type":"error","error":{"type":"not_found_error","message":"no such path"},"request_id":"req-1"}"#);
    let types = [400, 401, 402, 403, 404, 413, 415, 429, 500, 502, 503, 504, 529].map(messages_type);
    insta::assert_snapshot!(types.join(" "), @r#"invalid_request_error authentication_error billing_error permission_error not_found_error request_too_large invalid_request_error rate_limit_error api_error api_error overloaded_error timeout_error overloaded_error"#);
}

#[test]
fn an_error_within_a_stream_raises_in_every_client() {
    let problem = Problem::new(&codes::UPSTREAM_ERROR, "the upstream closed the stream");
    insta::assert_snapshot!(text(&problem.stream_event(Dialect::Completions)), @r#"data: {"error":{"message":"the upstream closed the stream","type":"server_error","param":null,"code":"upstream_error"},"title":"Bad Gateway","status":502,"detail":"the upstream closed the stream"}"#);
    insta::assert_snapshot!(text(&problem.stream_event(Dialect::Responses)), @r#"
    event: error
    data: {"type":"error","code":"upstream_error","message":"the upstream closed the stream","param":null,"error":{"message":"the upstream closed the stream","type":"server_error","param":null,"code":"upstream_error"}}
    "#);
    insta::assert_snapshot!(text(&problem.stream_event(Dialect::Messages)), @r#"
    event: error
    data: {"type":"error","error":{"type":"api_error","message":"the upstream closed the stream"}}
    "#);
    assert_eq!(problem.stream_event(Dialect::Chat), problem.stream_event(Dialect::Completions));
}

#[test]
fn our_own_observer_knows_our_error_events() {
    let problem = Problem::new(&codes::UPSTREAM_TIMEOUT, "silent for 60 s");
    for dialect in Dialect::ALL {
        let mut decoder = sse::Decoder::new(4096);
        decoder.push(problem.stream_event(dialect));
        let event = decoder.next().expect("small").expect("whole");
        let verdict = crate::StreamObserver::new(dialect, true).observe(&event);
        assert_eq!(verdict, crate::Verdict::Error, "{dialect:?}");
    }
}

#[test]
fn every_code_is_listed_once_with_the_type_of_its_status() {
    let names: BTreeSet<&str> = codes::ERROR_CODES.iter().map(|code| code.name).collect();
    assert_eq!(names.len(), codes::ERROR_CODES.len());
    assert!(codes::ERROR_CODES.is_sorted_by_key(|code| code.status));
    for code in codes::ERROR_CODES {
        let by_status = ErrorType::of_status(code.status);
        assert!(code.kind == by_status || code.kind == ErrorType::InsufficientQuota, "{}", code.name);
        assert!(!title(code.status).starts_with("Client") && !title(code.status).starts_with("Server"));
        assert!(code.meaning.ends_with('.'), "{}", code.name);
    }
}
