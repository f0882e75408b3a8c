//! `GET /v1/models` and `GET /v1/models/{id}`.

use http::{Response, StatusCode};
use serde_json::{Value, json};

use crate::body::Body;
use crate::reply;

/// The models that the list names; every other name works as well.
const LISTED: [&str; 7] =
    ["demo", "demo-slow", "demo-flaky", "demo-limited", "demo-down", "bench", "mock-echo"];

/// The list, or one model, whatever its name.
pub(crate) fn reply(path: &str) -> Response<Body> {
    let document = match path.strip_prefix("/v1/models/") {
        // Ids hold slashes, and SDKs write them encoded.
        Some(id) if !id.is_empty() => model(&id.replace("%2F", "/").replace("%2f", "/")),
        _ => json!({ "object": "list", "data": LISTED.map(model) }),
    };
    reply::json(StatusCode::OK, document.to_string())
}

fn model(id: &str) -> Value {
    json!({ "id": id, "object": "model", "created": 1_760_000_000, "owned_by": "sluice-mock" })
}
