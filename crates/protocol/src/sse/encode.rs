//! The events that the gateway writes itself: errors, heartbeats, the end mark.

use bytes::{BufMut, Bytes, BytesMut};

use super::Event;

/// A comment that keeps proxies and clients from giving up on a silent stream. It may only stand between
/// events.
pub const HEARTBEAT: &[u8] = b": keep-alive\n\n";

/// The last event of a completions or chat stream.
pub const DONE: &[u8] = b"data: [DONE]\n\n";

/// One unnamed event with `json` as its data.
#[must_use]
pub fn encode_data(json: &[u8]) -> Bytes {
    let mut event = BytesMut::with_capacity(json.len() + 16);
    put_data(&mut event, json);
    event.freeze()
}

/// One event named `name`, which must not contain a line end, with `json` as its data.
#[must_use]
pub fn encode_named(name: &str, json: &[u8]) -> Bytes {
    debug_assert!(!name.contains(['\r', '\n']), "an event name is one line");
    let mut event = BytesMut::with_capacity(name.len() + json.len() + 24);
    event.put_slice(b"event: ");
    event.put_slice(name.as_bytes());
    event.put_u8(b'\n');
    put_data(&mut event, json);
    event.freeze()
}

/// An event of ours as one that came: `json` is written on one line.
pub(crate) fn event(name: Option<&'static str>, json: &str) -> Event {
    debug_assert!(!json.contains(['\r', '\n']), "data is one line");
    let raw = match name {
        Some(name) => encode_named(name, json.as_bytes()),
        None => encode_data(json.as_bytes()),
    };
    // The data stands before the two line feeds.
    let end = raw.len() - 2;
    let data = Some(raw.slice(end - json.len()..end));
    Event { name: name.map(|name| Bytes::from_static(name.as_bytes())), data, raw }
}

/// Writes one `data:` line for each line of `json` and the closing blank line: JSON that was pretty-printed
/// stays one event.
fn put_data(event: &mut BytesMut, json: &[u8]) {
    let json = json.trim_ascii_end();
    for line in json.split(|byte| *byte == b'\n') {
        event.put_slice(b"data: ");
        event.put_slice(line.strip_suffix(b"\r").unwrap_or(line));
        event.put_u8(b'\n');
    }
    event.put_u8(b'\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_of_json_is_one_data_line() {
        assert_eq!(encode_data(b"{\"a\":1}"), &b"data: {\"a\":1}\n\n"[..]);
        assert_eq!(encode_named("error", b"{}"), &b"event: error\ndata: {}\n\n"[..]);
    }

    #[test]
    fn pretty_printed_json_stays_one_event() {
        assert_eq!(encode_data(b"{\r\n  \"a\": 1\n}\n"), &b"data: {\ndata:   \"a\": 1\ndata: }\n\n"[..]);
    }
}
