//! Bodies and streams that most suites use.

use sluice_tests::{client::Request, gateway::KEY};

pub const CHAT: &str = "/v1/chat/completions";
pub const COMPLETIONS: &str = "/v1/completions";
pub const STRICT: &str = "/openai/v1/completions";
pub const RESPONSES: &str = "/v1/responses";
pub const EMBEDDINGS: &str = "/v1/embeddings";

/// A plain answer of a chat upstream.
pub const CHAT_REPLY: &str = r#"{"id":"c-1","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"hi"},"finish_reason":"stop"}],"usage":{"prompt_tokens":3,"completion_tokens":1,"total_tokens":4}}"#;
/// A plain answer of a completions upstream.
pub const COMPLETION_REPLY: &str = r#"{"id":"cmpl-1","object":"text_completion","created":1,"model":"m","choices":[{"index":0,"text":" upon","logprobs":null,"finish_reason":"stop"}],"usage":{"prompt_tokens":3,"completion_tokens":1,"total_tokens":4}}"#;
pub const DONE: &str = "data: [DONE]\n\n";

/// A chat request for model `m`.
pub fn chat() -> String {
    r#"{"model":"m","messages":[{"role":"user","content":"hi"}]}"#.into()
}

/// The same as a stream.
pub fn chat_stream() -> String {
    r#"{"model":"m","messages":[{"role":"user","content":"hi"}],"stream":true}"#.into()
}

/// A completion request for model `m` with more members, `,"name":value`.
pub fn completion(more: &str) -> String {
    format!(r#"{{"model":"m","prompt":"Once"{more}}}"#)
}

/// A streamed chat request, ready to send.
pub fn chat_stream_request() -> Request {
    Request::post(CHAT, chat_stream()).bearer(KEY)
}

/// An event of a chat stream with this text.
pub fn delta(text: &str) -> String {
    format!(
        "data: {{\"id\":\"c-1\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"m\",\
         \"choices\":[{{\"index\":0,\"delta\":{{\"content\":\"{text}\"}},\"finish_reason\":null}}]}}\n\n"
    )
}

/// The event that finishes the only choice.
pub fn finish() -> String {
    "data: {\"id\":\"c-1\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"m\",\
     \"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n"
        .into()
}

/// The event that holds only usage.
pub fn usage() -> String {
    "data: {\"id\":\"c-1\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"m\",\"choices\":[],\
     \"usage\":{\"prompt_tokens\":3,\"completion_tokens\":2,\"total_tokens\":5}}\n\n"
        .into()
}

/// A whole chat stream of these texts, without usage.
pub fn chat_events(texts: &[&str]) -> String {
    let mut events: String = texts.iter().map(|text| delta(text)).collect();
    events.push_str(&finish());
    events.push_str(DONE);
    events
}
