//! Streams of made-up upstreams, and a client that reads them, for the tests of this module.

use std::collections::BTreeSet;

use bytes::Bytes;
use serde_json::Value;

use super::{Delivered, Method, Passed, Seam};
use crate::dialect::{Dialect, Profile};
use crate::envelope::Envelope;
use crate::sse::{Decoder, Event, encode_data};

/// An upstream with its own name on every chunk.
#[derive(Debug, Clone, Copy)]
pub(super) struct Upstream {
    pub(super) chat: bool,
    /// The head's members as JSON, with a comma behind.
    pub(super) head: &'static str,
    /// Whether it writes everything beyond ASCII as escapes.
    pub(super) ascii: bool,
}

pub(super) const FIRST: &str = r#""id":"one","object":"chunk","created":1,"model":"m-1","#;
pub(super) const SECOND: &str =
    r#""id":"two","object":"chunk","created":2,"model":"m-2","system_fingerprint":"fp-2","#;

pub(super) fn upstream(chat: bool, head: &'static str) -> Upstream {
    Upstream { chat, head, ascii: false }
}

impl Upstream {
    pub(super) fn choice(&self, members: &str, finish: &str) -> Event {
        event(&format!(
            r#"{{{}"choices":[{{"index":0,{members},"logprobs":null,"finish_reason":{finish}}}],"usage":null}}"#,
            self.head
        ))
    }

    pub(super) fn role(&self) -> Event {
        self.choice(r#""delta":{"role":"assistant","content":""}"#, "null")
    }

    pub(super) fn text(&self, text: &str) -> Event {
        self.piece(if self.chat { "content" } else { "text" }, text, "null")
    }

    pub(super) fn piece(&self, name: &str, text: &str, finish: &str) -> Event {
        let text = if self.ascii { ascii(text) } else { Value::from(text).to_string() };
        if name == "text" {
            self.choice(&format!(r#""text":{text}"#), finish)
        } else {
            self.choice(&format!(r#""delta":{{"{name}":{text}}}"#), finish)
        }
    }

    pub(super) fn finish(&self) -> Event {
        self.choice(if self.chat { r#""delta":{}"# } else { r#""text":"""# }, "\"stop\"")
    }

    pub(super) fn usage(&self, prompt: u64, completion: u64) -> Event {
        event(&format!(
            r#"{{{}"choices":[],"usage":{{"prompt_tokens":{prompt},"completion_tokens":{completion},"total_tokens":{}}}}}"#,
            self.head,
            prompt + completion
        ))
    }

    /// A whole stream with these texts as content.
    pub(super) fn stream(&self, pieces: &[&str]) -> Vec<Event> {
        let mut events = Vec::new();
        if self.chat {
            events.push(self.role());
        }
        events.extend(pieces.iter().map(|piece| self.text(piece)));
        events.extend([self.finish(), self.usage(10, pieces.len() as u64), done()]);
        events
    }
}

/// A JSON string with an escape for every UTF-16 unit beyond ASCII.
pub(super) fn ascii(text: &str) -> String {
    let units =
        |char: char| char.encode_utf16(&mut [0; 2]).iter().map(|unit| format!("\\u{unit:04x}")).collect();
    Value::from(text)
        .to_string()
        .chars()
        .map(|char| if char.is_ascii() { char.to_string() } else { units(char) })
        .collect()
}

pub(super) fn event(json: &str) -> Event {
    events(&encode_data(json.as_bytes())).remove(0)
}

pub(super) fn done() -> Event {
    events(b"data: [DONE]\n\n").remove(0)
}

pub(super) fn events(stream: &[u8]) -> Vec<Event> {
    let mut decoder = Decoder::new(1 << 24);
    decoder.push(Bytes::copy_from_slice(stream));
    std::iter::from_fn(|| decoder.next().unwrap()).collect()
}

pub(super) fn delivered<'a>(events: impl IntoIterator<Item = &'a Event>) -> Delivered {
    let mut delivered = Delivered::new();
    events.into_iter().for_each(|event| delivered.observe(event));
    delivered
}

pub(super) fn call(dialect: Dialect, body: &str) -> Envelope {
    Envelope::scan(Bytes::from(body.to_owned()), dialect, Profile::Open).expect("a good body")
}

/// A seam after what can be gone on with.
pub(super) fn seam_after(method: Method, delivered: &Delivered) -> Seam {
    Seam::new(method, delivered).expect("resumable")
}

/// What the seam lets through of a stream, or `None` where it diverges.
pub(super) fn passed(seam: &mut Seam, stream: &[Event]) -> Option<Vec<Event>> {
    let mut out = Vec::new();
    for event in stream {
        match seam.pass(event.clone()) {
            Passed::Emit(event) => out.push(event),
            Passed::Drop => {}
            Passed::Diverged => return None,
        }
    }
    seam.is_past_border().then_some(out)
}

/// The data of the last event that the seam lets through.
pub(super) fn last_event(seam: &mut Seam, stream: &[Event]) -> String {
    let out = passed(seam, stream).expect("the same text");
    let last = out.last().and_then(|event| event.data.clone()).expect("an event");
    String::from_utf8(last.to_vec()).unwrap()
}

/// Gives a client the first `cut` events of one stream and the rest of the answer from another.
pub(super) fn resumed(method: Method, first: &[Event], cut: usize, second: &[Event]) -> Option<Client> {
    let given = &first[..cut];
    let mut seam = seam_after(method, &delivered(given));
    let rest = passed(&mut seam, second)?;
    Some(Client::read(given.iter().chain(&rest)))
}

/// What a client makes of a stream.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Client {
    pub(super) text: String,
    pub(super) reasoning_content: String,
    pub(super) reasoning: String,
    pub(super) roles: usize,
    pub(super) finishes: usize,
    pub(super) usages: Vec<Value>,
    /// The distinct heads of all chunks.
    pub(super) heads: BTreeSet<String>,
    pub(super) ended: bool,
}

impl Client {
    /// Reads the bytes as they are on the wire.
    pub(super) fn read<'a>(stream: impl IntoIterator<Item = &'a Event>) -> Self {
        let wire: Vec<u8> = stream.into_iter().flat_map(|event| event.raw.to_vec()).collect();
        let mut client = Self::default();
        for event in events(&wire) {
            match event.data.as_deref() {
                None => {}
                Some(b"[DONE]") => client.ended = true,
                Some(json) => client.add(&serde_json::from_slice(json).expect("JSON")),
            }
        }
        client
    }

    fn add(&mut self, chunk: &Value) {
        assert!(!self.ended, "nothing comes after the end mark");
        let head = ["id", "object", "created", "model", "system_fingerprint"].map(|name| chunk.get(name));
        self.heads.insert(format!("{head:?}"));
        if chunk["usage"].is_object() {
            self.usages.push(chunk["usage"].clone());
        }
        let Some(choice) = chunk["choices"].get(0) else { return };
        for text in [&choice["text"], &choice["delta"]["content"]] {
            self.text.push_str(text.as_str().unwrap_or_default());
        }
        self.reasoning_content.push_str(choice["delta"]["reasoning_content"].as_str().unwrap_or_default());
        self.reasoning.push_str(choice["delta"]["reasoning"].as_str().unwrap_or_default());
        self.roles += usize::from(choice["delta"].get("role").is_some());
        self.finishes += usize::from(choice["finish_reason"].is_string());
    }
}
