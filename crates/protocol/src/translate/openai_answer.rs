//! What answers of OpenAI's older endpoints have in common, plain or in chunks: the members around the choices, and
//! the words for why a choice ended.

use crate::canonical::{Head, Stop};
use crate::observe::Finish;
use crate::raw::Writer;

use super::Asked;

/// What is special to an endpoint.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shape {
    /// What an id that is made here begins with.
    pub(super) id_prefix: &'static str,
    /// `object`.
    pub(super) object: &'static str,
    /// Does it have a `service_tier`?
    pub(super) has_tier: bool,
}

/// The members before the choices, which every chunk repeats.
#[derive(Debug)]
pub(super) struct Front(String);

impl Front {
    pub(super) fn new(shape: Shape, head: &Head<'_>, asked: &Asked) -> Self {
        let mut out = Writer::new();
        match &head.id {
            Some(id) => out.raw("id", id.json()),
            None => out.string("id", &format!("{}{}", shape.id_prefix, asked.id)),
        };
        out.string("object", shape.object);
        match &head.created {
            Some(created) => out.raw("created", created),
            None => out.number("created", asked.now),
        };
        match &head.model {
            Some(model) => out.raw("model", model.json()),
            None => out.string("model", &asked.call.model()),
        };
        if let Some(tier) = head.service_tier.as_ref().filter(|_| shape.has_tier) {
            out.raw("service_tier", tier.json());
        }
        if let Some(fingerprint) = &head.fingerprint {
            out.raw("system_fingerprint", fingerprint.json());
        }
        let mut text = out.finish();
        text.pop();
        Self(text)
    }

    /// The answer or the chunk.
    pub(super) fn with(&self, choices: &str, usage: Option<&str>) -> String {
        let mut text = String::with_capacity(self.0.len() + choices.len() + usage.map_or(0, str::len) + 24);
        text.push_str(&self.0);
        text.push_str(",\"choices\":");
        text.push_str(choices);
        if let Some(usage) = usage {
            text.push_str(",\"usage\":");
            text.push_str(usage);
        }
        text.push('}');
        text
    }
}

/// Adds `finish_reason` in the words that OpenAI has for it, of which clients know no others. Where none of them is
/// meant, `stop` is said and the upstream's word is kept beside it (`native_finish_reason`). A text that ended the
/// answer stands under the name that vLLM has for it (`stop_reason`).
pub(super) fn put_finish(out: &mut Writer, stop: &Stop<'_>, has_calls: bool) {
    let (word, is_meant) = match stop.finish {
        Finish::Other => ("stop", false),
        Finish::ToolCalls if !has_calls => ("stop", false),
        finish => (finish.as_str(), true),
    };
    out.string("finish_reason", word);
    if !is_meant {
        out.string("native_finish_reason", &stop.native);
    }
    if let Some(sequence) = &stop.sequence {
        out.raw("stop_reason", sequence.json());
    }
}
