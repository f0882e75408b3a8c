//! What Azure OpenAI adds to OpenAI's dialect: its filters' findings on answers, its errors, its headers.

use http::header::{HeaderName, HeaderValue};
use http::{HeaderMap, Response};
use serde_json::{Value, json};

use crate::body::Body;
use crate::door::{Door, House};
use crate::refusal::Refusal;

/// A deployment of this name does not exist.
const MISSING: &str = "mock-missing";

/// Looks at what Azure looks at before it reads a body.
///
/// # Errors
/// With the refusal when version or deployment are none.
pub(crate) fn admit(door: &Door<'_>, query: Option<&str>) -> Result<(), Refusal> {
    if door.house != House::AzureDeployment {
        return Ok(());
    }
    let mut pairs = query.unwrap_or_default().split('&');
    if !pairs.any(|pair| pair.strip_prefix("api-version=").is_some_and(|version| !version.is_empty())) {
        return Err(Refusal::new(404, "Resource not found", Some("404")));
    }
    if door.deployment == Some(MISSING) {
        return Err(Refusal::new(404, "There is no such deployment.", Some("DeploymentNotFound")));
    }
    Ok(())
}

/// The document of an error. Azure's own ones have a code and a message alone; OpenAI's pass through it.
pub(crate) fn error(refusal: &Refusal, kind: &str) -> Value {
    let Refusal { status, message, param, code } = refusal;
    match code {
        Some("content_filter") => json!({ "error": {
            "message": message, "type": null, "param": "prompt", "code": code, "status": status,
            "innererror": { "code": "ResponsibleAIPolicyViolation", "content_filter_result": findings("high") },
        } }),
        Some("404" | "401" | "429" | "DeploymentNotFound") => {
            json!({ "error": { "code": code, "message": message } })
        }
        _ => json!({ "error": { "message": message, "type": kind, "param": param, "code": code } }),
    }
}

/// What the filters say of the prompt; the first event of a stream has it too.
pub(crate) fn prompt_findings() -> Value {
    json!([{ "prompt_index": 0, "content_filter_results": findings("safe") }])
}

/// What the filters say of a text, its violence found to be that severe.
pub(crate) fn findings(violence: &str) -> Value {
    json!({
        "hate": { "filtered": false, "severity": "safe" },
        "self_harm": { "filtered": false, "severity": "safe" },
        "sexual": { "filtered": false, "severity": "safe" },
        "violence": { "filtered": violence != "safe", "severity": violence },
    })
}

/// The headers of every answer. Resets are seconds here, and -1 where there is nothing to wait for.
pub(crate) fn stamp(response: &mut Response<Body>, id: HeaderValue) {
    const FIXED: [(&str, &str); 8] = [
        ("x-ms-region", "Nowhere North"),
        ("x-ratelimit-limit-requests", "10000"),
        ("x-ratelimit-remaining-requests", "9999"),
        ("x-ratelimit-reset-requests", "10"),
        ("x-ratelimit-limit-tokens", "1000000"),
        ("x-ratelimit-remaining-tokens", "999000"),
        ("x-ratelimit-reset-tokens", "-1"),
        ("x-content-type-options", "nosniff"),
    ];
    let headers = response.headers_mut();
    for (name, value) in FIXED {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    headers.insert(HeaderName::from_static("apim-request-id"), id.clone());
    headers.insert(HeaderName::from_static("x-request-id"), id);
}

/// Whether a request brings a credential as Azure takes it.
pub(crate) fn brings_credential(headers: &HeaderMap) -> bool {
    headers.contains_key("api-key") || headers.contains_key(http::header::AUTHORIZATION)
}
