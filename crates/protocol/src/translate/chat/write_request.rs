//! A request in no dialect as a chat completion's body.
//!
//! Owns the order of the members, which never depends on the conversation: whatever comes before `messages` stays
//! byte for byte the same when the conversation grows. What OpenAI itself refuses (marks, `top_k`) is told as lost
//! for it and given to servers that only speak its format.

mod content;
mod extras;
mod media;
mod messages;
mod reasoning;
mod sampling;
mod target;
mod tools;

use crate::canonical::Request;
use crate::raw::Writer;
use crate::translate::{Losses, Toward, Untranslatable};
use target::Target;

/// Writes the body.
pub(in crate::translate) fn write_request(
    request: &Request<'_>,
    toward: &Toward<'_>,
    losses: &mut Losses,
) -> Result<String, Untranslatable> {
    let mut target = Target::new(request.dialect, toward, losses);
    let mut body = Body::default();
    body.add("model", &crate::raw::quoted(toward.model));
    if request.stream {
        body.add("stream", "true");
        if toward.ask_usage {
            body.add("stream_options", r#"{"include_usage":true}"#);
        }
    }
    sampling::write(request, &mut target, &mut body)?;
    reasoning::write(request.reasoning.as_ref(), &mut target, &mut body);
    if let Some(mark) = target.mark(request.cache_control.as_ref()) {
        body.add("cache_control", mark);
    }
    extras::write(&request.extras, &mut target, &mut body)?;
    tools::write(request, &mut target, &mut body)?;
    body.add("messages", &messages::write(&request.turns, &mut target)?);
    Ok(body.out.finish())
}

/// The body so far. No name comes twice, whatever a client's own members are called.
#[derive(Debug)]
struct Body {
    out: Writer,
    names: Vec<String>,
}

impl Default for Body {
    fn default() -> Self {
        Self { out: Writer::new(), names: Vec::new() }
    }
}

impl Body {
    fn add(&mut self, name: &str, json: &str) {
        self.out.raw(name, json);
        self.names.push(name.to_owned());
    }

    fn has(&self, name: &str) -> bool {
        self.names.iter().any(|known| known == name)
    }
}

#[cfg(test)]
#[path = "write_request_tests.rs"]
mod tests;

#[cfg(test)]
#[path = "write_request_foreign_tests.rs"]
mod foreign_tests;

#[cfg(test)]
#[path = "write_request_property_tests.rs"]
mod property_tests;
