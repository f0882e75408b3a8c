//! `GET …/models` and `GET …/models/{id}`, in OpenAI's shape or in Anthropic's.

use http::{Response, StatusCode};
use serde_json::{Value, json};

use crate::body::Body;
use crate::reply::{self, Family};

/// The models that the list names; every other name works as well.
const LISTED: [&str; 7] =
    ["demo", "demo-slow", "demo-flaky", "demo-limited", "demo-down", "bench", "mock-echo"];

/// The list, or one model, whatever its name; `rest` is the path from `models` on.
pub(crate) fn reply(rest: &str, family: Family) -> Response<Body> {
    let model = if family == Family::Anthropic { anthropic } else { openai };
    let document = match rest.strip_prefix("models/") {
        // Ids hold slashes, and SDKs write them encoded.
        Some(id) if !id.is_empty() => model(&id.replace("%2F", "/").replace("%2f", "/")),
        _ if family == Family::Anthropic => json!({
            "data": LISTED.map(model), "has_more": false,
            "first_id": LISTED.first(), "last_id": LISTED.last(),
        }),
        _ => json!({ "object": "list", "data": LISTED.map(model) }),
    };
    reply::json(StatusCode::OK, document.to_string())
}

fn openai(id: &str) -> Value {
    json!({ "id": id, "object": "model", "created": 1_760_000_000, "owned_by": "sluice-mock" })
}

fn anthropic(id: &str) -> Value {
    json!({
        "type": "model", "id": id, "display_name": id, "created_at": "2025-10-09T08:53:20Z",
        "lifecycle": "active",
    })
}
