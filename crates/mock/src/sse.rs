//! Writing server-sent events.

use serde::Serialize;

/// The last event of OpenAI's completions and chat streams.
pub(crate) const DONE: &[u8] = b"data: [DONE]\n\n";

/// Appends an event without a name.
pub(crate) fn data(out: &mut Vec<u8>, document: &impl Serialize) {
    out.extend_from_slice(b"data: ");
    json(out, document);
    out.extend_from_slice(b"\n\n");
}

/// Appends an event with a name.
pub(crate) fn named(out: &mut Vec<u8>, name: &str, document: &impl Serialize) {
    out.extend_from_slice(b"event: ");
    out.extend_from_slice(name.as_bytes());
    out.push(b'\n');
    data(out, document);
}

/// Appends a JSON document. What the mock sends has string keys only, so this cannot fail.
pub(crate) fn json(out: &mut Vec<u8>, document: &impl Serialize) {
    serde_json::to_writer(out, document).unwrap_or_default();
}
