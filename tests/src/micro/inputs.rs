//! Bodies as clients and upstreams send them, the same at every run.

use bytes::Bytes;
use std::fmt::Write as _;

/// Events of [`stream`]: a role, words, a reason, usage and the end mark.
pub const CHUNKS: u64 = 104;

/// What people and models write, as it stands in JSON: with line ends, quotes, code, and letters beyond ASCII.
const SENTENCES: [&str; 6] = [
    "The quick brown fox jumps over the lazy dog, and nobody asks why. ",
    "Please explain the difference between \\\"at least once\\\" and \\\"exactly once\\\".\\n\\n",
    "```rust\\nfn main() {\\n    println!(\\\"{}\\\", 6 * 7);\\n}\\n```\\n",
    "Die Größe der Straße ist größer als die Länge des Wegs – das überrascht niemanden. ",
    "1. First measure it.\\n2. Then change one thing.\\n3. Measure again.\\n",
    "In production we saw 4,096 connections, 12 retries and a p99 of 38.5 ms between 09:00 and 17:30. ",
];

/// JSON text of at least so many bytes, up to a sentence more.
fn text(bytes: usize) -> String {
    let mut text = String::with_capacity(bytes + 128);
    for sentence in SENTENCES.iter().cycle() {
        if text.len() >= bytes {
            break;
        }
        text.push_str(sentence);
    }
    text
}

/// A chat request for `model` of about so many bytes: instructions, then turns of 2 KB. `members` end it.
#[must_use]
pub fn chat(model: &str, bytes: usize, members: &str) -> String {
    const TURN: usize = 2000;
    let mut body = format!(
        r#"{{"model":"{model}","messages":[{{"role":"system","content":"You are a careful assistant. Answer briefly."}}"#
    );
    let mut roles = ["user", "assistant"].iter().cycle();
    loop {
        let left = bytes.saturating_sub(body.len() + 100 + members.len());
        let role = roles.next().copied().unwrap_or_default();
        // Writing to a string does not fail.
        let _ = write!(body, r#",{{"role":"{role}","content":"{}"}}"#, text(left.clamp(1, TURN)));
        // The last word is the user's.
        if left <= TURN && role == "user" {
            break;
        }
    }
    let _ = write!(body, r#"],"temperature":0.7,"max_tokens":256,"top_p":1{members}}}"#);
    body
}

/// A plain answer of about 1 KB with its usage.
#[must_use]
pub fn answer() -> String {
    format!(
        r#"{{"id":"chatcmpl-9vZbQ1","object":"chat.completion","created":1790000000,"model":"m-2026-08-06","choices":[{{"index":0,"message":{{"role":"assistant","content":"{}","refusal":null}},"logprobs":null,"finish_reason":"stop"}}],"usage":{{"prompt_tokens":250,"completion_tokens":150,"total_tokens":400,"prompt_tokens_details":{{"cached_tokens":0}},"completion_tokens_details":{{"reasoning_tokens":0}}}},"system_fingerprint":"fp_4c1"}}"#,
        text(600)
    )
}

/// One event of a chat stream; `members` are the choices and what follows them.
#[must_use]
pub fn event(members: &str) -> String {
    format!(
        "data: {{\"id\":\"chatcmpl-9vZbQ1\",\"object\":\"chat.completion.chunk\",\"created\":1790000000,\"model\":\"m-2026-08-06\",\"system_fingerprint\":\"fp_4c1\",{members}}}\n\n"
    )
}

/// One event of a chat stream with content.
#[must_use]
pub fn content(word: &str) -> String {
    event(&format!(
        r#""choices":[{{"index":0,"delta":{{"content":"{word}"}},"logprobs":null,"finish_reason":null}}],"usage":null"#
    ))
}

/// The events with which a chat stream ends.
#[must_use]
pub fn ending() -> [String; 3] {
    [
        event(r#""choices":[{"index":0,"delta":{},"logprobs":null,"finish_reason":"stop"}],"usage":null"#),
        event(
            r#""choices":[],"usage":{"prompt_tokens":250,"completion_tokens":100,"total_tokens":350,"prompt_tokens_details":{"cached_tokens":0},"completion_tokens_details":{"reasoning_tokens":0}}"#,
        ),
        "data: [DONE]\n\n".into(),
    ]
}

/// A chat stream, an event in each piece.
#[must_use]
pub fn stream() -> Vec<Bytes> {
    const WORDS: [&str; 10] =
        ["The", " quick", " brown", " fox", " jumps", ",", " and", " \\\"nobody\\\"", " größer", ".\\n\\n"];
    let role = event(
        r#""choices":[{"index":0,"delta":{"role":"assistant","content":"","refusal":null},"logprobs":null,"finish_reason":null}],"usage":null"#,
    );
    let words = WORDS.iter().cycle().take(100).map(|word| content(word));
    std::iter::once(role).chain(words).chain(ending()).map(Bytes::from).collect()
}
