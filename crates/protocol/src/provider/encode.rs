//! The body that goes upstream: the client's bytes, with as few edits as can be.
//!
//! A member that no edit names travels as it came: order, spelling of numbers, unknown members,
//! `cache_control` at any depth. Translation between dialects is not here.

use std::ops::Range;

use bytes::Bytes;

use super::{DropFields, ProviderKind};
use crate::dialect::Dialect;
use crate::envelope::Envelope;
use crate::json::{JsonError, Scanner};
use crate::splice::{Segments, Splice};

/// What one target wants of a request.
#[derive(Debug, Clone, Copy)]
pub struct Encoding<'a> {
    /// The model's name at the upstream.
    pub upstream_model: &'a str,
    /// Ask for the usage chunk of a stream when the client did not.
    pub ask_usage: bool,
    /// Members to leave out.
    pub drop: &'a DropFields,
}

/// A body ready to be sent.
#[derive(Debug, Clone)]
pub struct Encoded {
    /// The body, sharing the client's bytes.
    pub body: Segments,
    /// The entries of `drop_fields` that took something out, each once.
    pub dropped: Vec<String>,
    /// The usage chunk was asked for by us alone: it must not reach the client.
    pub strip_usage: bool,
}

/// The kind cannot be sent this dialect, not yet at least.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("providers of kind `{}` do not serve {} requests yet", kind.as_str(), dialect.as_str())]
pub struct Unsupported {
    /// Kind of the provider.
    pub kind: ProviderKind,
    /// Dialect of the request.
    pub dialect: Dialect,
}

/// Makes the body for one target. Called anew for each attempt, always on the client's own bytes.
///
/// # Errors
/// The dialect would have to be translated for this kind, and that is not built yet.
pub fn encode(kind: ProviderKind, call: &Envelope, encoding: &Encoding<'_>) -> Result<Encoded, Unsupported> {
    match (kind, call.dialect()) {
        (
            ProviderKind::OpenAi | ProviderKind::OpenAiCompatible,
            Dialect::Completions | Dialect::Chat | Dialect::Embeddings | Dialect::Responses,
        ) => Ok(edit(call, encoding)),
        (ProviderKind::OpenAi | ProviderKind::OpenAiCompatible, dialect @ Dialect::Messages)
        | (ProviderKind::Anthropic | ProviderKind::Azure, dialect) => Err(Unsupported { kind, dialect }),
    }
}

fn edit(call: &Envelope, encoding: &Encoding<'_>) -> Encoded {
    let mut splice = Splice::from(call);
    if call.model() != encoding.upstream_model {
        let name = json_string(encoding.upstream_model);
        match call.member("model") {
            Some(model) => splice.replace(model.value.clone(), name),
            None => splice.insert_member("model", &name),
        };
    }
    // A note for editors; upstreams that know their members refuse it.
    if let Some(schema) = call.member("$schema") {
        splice.remove_member(schema);
    }
    let mut dropped: Vec<String> = Vec::new();
    for (member, entry) in encoding.drop.find(call) {
        splice.remove_member(&member);
        if !dropped.iter().any(|known| known == entry) {
            dropped.push(entry.to_owned());
        }
    }
    let strip_usage = encoding.ask_usage && may_ask_usage(call) && !encoding.drop.drops("stream_options");
    if strip_usage {
        ask_usage(call, &mut splice);
    }
    Encoded { body: splice.into_segments(), dropped, strip_usage }
}

/// Only streams of these two dialects have the option; a client that asked itself gets the chunk.
fn may_ask_usage(call: &Envelope) -> bool {
    let has_option = matches!(call.dialect(), Dialect::Completions | Dialect::Chat);
    has_option && call.stream() && call.include_usage() != Some(true)
}

/// Sets `stream_options.include_usage`; the client's other options stay byte for byte.
fn ask_usage(call: &Envelope, splice: &mut Splice) {
    const OPTIONS: &[u8] = br#"{"include_usage":true}"#;
    let Some(options) = call.member("stream_options") else {
        splice.insert_member("stream_options", OPTIONS);
        return;
    };
    match call.body().get(options.value.clone()) {
        Some(object) if object.starts_with(b"{") => match include_usage(object) {
            Some(value) => {
                let start = options.value.start;
                splice.replace(start + value.start..start + value.end, Bytes::from_static(b"true"));
            }
            None => {
                splice.insert_member_into(options.value.clone(), "include_usage", b"true");
            }
        },
        _ => {
            splice.replace(options.value.clone(), Bytes::from_static(OPTIONS));
        }
    }
}

/// Where the value of `include_usage` stands in an object.
fn include_usage(object: &[u8]) -> Option<Range<usize>> {
    let mut found = None;
    let read = Scanner::new(object).object(|scanner, name| {
        if name == "include_usage" {
            found = Some(scanner.skip()?);
        }
        Ok::<_, JsonError>(())
    });
    read.ok().and(found)
}

fn json_string(text: &str) -> Bytes {
    serde_json::Value::from(text).to_string().into()
}

#[cfg(test)]
#[path = "encode_tests.rs"]
mod tests;
