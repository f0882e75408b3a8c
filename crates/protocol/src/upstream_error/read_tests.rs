use super::*;

/// Message, code, type and param in one line.
fn read(body: &str) -> Option<String> {
    let UpstreamMessage { message, code, type_, param } = message(body.as_bytes())?;
    let part = |part: Option<String>| part.unwrap_or_else(|| "-".to_owned());
    Some(format!("{message} | {} | {} | {}", part(code), part(type_), part(param)))
}

#[test]
fn a_message_is_found_in_every_known_shape() {
    for (vendor, body, expected) in [
        (
            "OpenAI",
            r#"{"error":{"message":"The model `x` does not exist","type":"invalid_request_error","param":"model","code":"model_not_found"}}"#,
            "The model `x` does not exist | model_not_found | invalid_request_error | model",
        ),
        (
            "OpenAI with nulls",
            r#"{"error":{"message":"No","type":"server_error","param":null,"code":null}}"#,
            "No | - | server_error | -",
        ),
        (
            "Anthropic",
            r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"},"request_id":"req_1"}"#,
            "Overloaded | - | overloaded_error | -",
        ),
        (
            "vLLM, flat",
            r#"{"object":"error","message":"max_tokens must be at least 1","type":"BadRequestError","param":null,"code":400}"#,
            "max_tokens must be at least 1 | 400 | BadRequestError | -",
        ),
        (
            "llama.cpp",
            r#"{"error":{"code":503,"message":"Loading model","type":"unavailable_error"}}"#,
            "Loading model | 503 | unavailable_error | -",
        ),
        ("Ollama", r#"{"error":"model 'x' not found"}"#, "model 'x' not found | - | - | -"),
        (
            "Mistral",
            r#"{"object":"error","message":{"detail":[{"type":"extra_forbidden","loc":["body","seed"],"msg":"Extra inputs are not permitted","input":1}]},"type":"invalid_request_error","param":null,"code":null}"#,
            "body.seed: Extra inputs are not permitted | - | invalid_request_error | -",
        ),
        ("FastAPI", r#"{"detail":"Not Found"}"#, "Not Found | - | - | -"),
        (
            "FastAPI, validation",
            r#"{"detail":[{"loc":["body","messages",0,"role"],"msg":"field required","type":"value_error.missing"}]}"#,
            "body.messages.0.role: field required | - | - | -",
        ),
        (
            "RFC 9457",
            r#"{"title":"Bad Request","status":400,"detail":"validation failed","code":"max-tokens-exceeded"}"#,
            "validation failed | max-tokens-exceeded | - | -",
        ),
        ("RFC 9457, bare", r#"{"title":"Too Many Requests","status":429}"#, "Too Many Requests | - | - | -"),
        (
            "Gemini",
            r#"[{"error":{"code":400,"message":"API key not valid.","status":"INVALID_ARGUMENT"}}]"#,
            "API key not valid. | 400 | - | -",
        ),
        (
            "a list of errors",
            r#"{"success":false,"errors":[{"code":7003,"message":"No route"}]}"#,
            "No route | - | - | -",
        ),
        ("AWS", r#"{"Message":"User is not authorized"}"#, "User is not authorized | - | - | -"),
        (
            "Responses, in a stream",
            r#"{"type":"response.failed","response":{"id":"r","error":{"code":"server_error","message":"It broke"}}}"#,
            "It broke | server_error | - | -",
        ),
        (
            "Responses, error event",
            r#"{"type":"error","code":"ERR","message":"Something","param":null,"sequence_number":1}"#,
            "Something | ERR | - | -",
        ),
        ("escapes", r#"{"error":{"message":"a \"b\"\n\u00e9"}}"#, "a \"b\"\né | - | - | -"),
        (
            "cut short",
            r#"{"error":{"message":"Context too long","type":"inval"#,
            "Context too long | - | - | -",
        ),
        ("twice", r#"{"error":{"message":"first"},"error":{"message":"last"}}"#, "last | - | - | -"),
    ] {
        assert_eq!(read(body).as_deref(), Some(expected), "{vendor}");
    }
}

#[test]
fn a_body_without_a_message_has_none() {
    for body in [
        "",
        "<html><body>502 Bad Gateway</body></html>",
        "upstream connect error",
        "null",
        "[]",
        "{}",
        r#"{"error":{}}"#,
        r#"{"error":null,"message":"  "}"#,
        r#"{"choices":[]}"#,
        "\u{feff}{\"error\":\"x\"}",
    ] {
        assert_eq!(message(body.as_bytes()), None, "{body}");
    }
}

#[test]
fn a_deeply_nested_body_is_given_up_without_harm() {
    let body = format!("{}{}", r#"{"detail":"#, "[".repeat(100_000));
    assert_eq!(message(body.as_bytes()), None);
}
