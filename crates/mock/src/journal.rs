//! The last requests as they arrived, byte for byte: what tests of forwarding look at.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;
use http::request::Parts;
use serde::{Serialize, Serializer};

/// Requests kept.
const KEPT: usize = 100;
/// Larger bodies are kept by their length only.
const MAX_BODY: usize = 64 * 1024;

/// A request that the mock received.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Recorded {
    /// `POST`, …
    pub method: String,
    /// Path and query as received.
    pub path: String,
    /// Names in lower case; repeated ones joined with `, `.
    pub headers: BTreeMap<String, String>,
    /// The body's exact bytes; in JSON a string. Absent when the body has 64 KiB or more.
    #[serde(serialize_with = "as_text")]
    pub body: Option<Bytes>,
    /// The body's length.
    pub body_len: usize,
}

impl Recorded {
    pub(crate) fn new(parts: &Parts, body: &Bytes) -> Self {
        let mut headers: BTreeMap<String, String> = BTreeMap::new();
        for (name, value) in &parts.headers {
            let value = String::from_utf8_lossy(value.as_bytes());
            let all = headers.entry(name.as_str().to_owned()).or_default();
            if !all.is_empty() {
                all.push_str(", ");
            }
            all.push_str(&value);
        }
        Self {
            method: parts.method.to_string(),
            path: parts.uri.to_string(),
            headers,
            body: (body.len() < MAX_BODY).then(|| body.clone()),
            body_len: body.len(),
        }
    }
}

/// UTF-8 survives this exactly; other bytes become U+FFFD.
fn as_text<S: Serializer>(body: &Option<Bytes>, serializer: S) -> Result<S::Ok, S::Error> {
    body.as_ref().map(|body| String::from_utf8_lossy(body)).serialize(serializer)
}

/// The last requests, oldest first.
#[derive(Debug, Default)]
pub(crate) struct Journal(VecDeque<Recorded>);

impl Journal {
    /// Notes one more request.
    pub(crate) fn push(&mut self, recorded: Recorded) {
        if self.0.len() == KEPT {
            self.0.pop_front();
        }
        self.0.push_back(recorded);
    }

    /// All that are kept.
    pub(crate) fn all(&self) -> Vec<Recorded> {
        self.0.iter().cloned().collect()
    }

    /// Forgets all.
    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }
}
