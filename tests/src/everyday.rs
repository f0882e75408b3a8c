//! A gateway with every usual feature on, and what it is asked and answered: where the cost of a request is counted.
//!
//! Keys, a model right, prices, limits in memory of key, tenant, model and provider with room for everything, the
//! cache. The bodies are those of [`inputs`].

use crate::{client::Request, gateway::Config, micro::inputs};

/// Room for everything.
const LIMITS: &str =
    "limits: {requests: {rate: 1000000000/min}, tokens: {rate: 100000000000/min}, concurrency: 1000}";

/// The secret of the key that has limits and a tenant.
const SECRET: &str = "sk-sluice-everyday";

/// The configuration; its model is `everyday`.
#[must_use]
pub fn config(base_url: &str) -> Config {
    Config::to_url(base_url)
        .provider(LIMITS)
        .price("m", 2)
        .tenant("t", LIMITS)
        .key("limited", SECRET, &format!("tenant: t, models: [m, everyday], {LIMITS}"))
        .model_entry(&format!("{{name: everyday, {LIMITS}, targets: [{{provider: up, model: m}}]}}"))
        .section("cache: {mode: seeded, memory: 64MiB}")
}

/// A request of 1 KB as it goes over the wire, with more members at its end.
#[must_use]
pub fn request(members: &str) -> Vec<u8> {
    Request::post("/v1/chat/completions", inputs::chat("everyday", 1000, members))
        .bearer(SECRET)
        .header("accept", "application/json")
        .header("user-agent", "OpenAI/Python 2.8.0")
        .wire()
        .to_vec()
}

/// A plain answer of 1 KB as it goes over the wire.
#[must_use]
pub fn answer() -> String {
    let body = inputs::answer();
    let length = body.len();
    format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}")
}
