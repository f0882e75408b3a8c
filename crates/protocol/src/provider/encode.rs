//! The body that goes upstream: the client's bytes, with as few edits as can be.
//!
//! A member that no edit names travels as it came: order, spelling of numbers, unknown members,
//! `cache_control` at any depth. Where the target speaks another dialect, the body is written anew
//! ([`crate::translate`]), and the target's `drop_fields` are taken out of what was written.

use std::ops::Range;

use bytes::Bytes;

use super::{DropFields, own_seals};
use crate::dialect::{Dialect, Profile};
use crate::envelope::Envelope;
use crate::json::{JsonError, Scanner};
use crate::raw;
use crate::splice::{Segments, Splice};
use crate::translate::{self, Toward, Untranslatable};

/// What one target wants of a request.
#[derive(Debug, Clone, Copy)]
pub struct Encoding<'a> {
    /// The target: its name for the model, and what is known of it.
    pub toward: Toward<'a>,
    /// Members to leave out, in the words of the dialect that the target is spoken to in.
    pub drop: &'a DropFields,
}

/// A body ready to be sent.
#[derive(Debug, Clone)]
pub struct Encoded {
    /// The body, sharing the client's bytes.
    pub body: Segments,
    /// The entries of `drop_fields` that took something out, and the members that had no place in another dialect,
    /// in the client's words; each once.
    pub dropped: Vec<String>,
    /// The usage chunk was asked for by us alone: it must not reach the client.
    pub strip_usage: bool,
}

/// Makes the body for one target that is spoken to in `wire`. Called anew for each attempt, always on the client's
/// own bytes.
///
/// # Errors
/// The request holds something that cannot be put in that dialect.
pub fn encode(call: &Envelope, wire: Dialect, encoding: &Encoding<'_>) -> Result<Encoded, Untranslatable> {
    if call.dialect() == wire {
        return Ok(edit(call, encoding));
    }
    let mut toward = encoding.toward;
    toward.ask_usage &= !encoding.drop.drops("stream_options");
    let written = translate::request(call, wire, &toward)?;
    let mut dropped = written.losses.into_names();
    let body = Bytes::from(written.body);
    let body = if encoding.drop.is_empty() {
        Splice::new(body).into_segments()
    } else {
        // What we wrote ourselves is a body of that dialect; were it not, its upstream would say so.
        match Envelope::scan(body.clone(), wire, Profile::Open) {
            Ok(envelope) => {
                let mut splice = Splice::from(&envelope);
                drop_fields(&envelope, encoding.drop, &mut splice, &mut dropped);
                splice.into_segments()
            }
            Err(_) => Splice::new(body).into_segments(),
        }
    };
    // The writers of streams always tell usage in a chunk of its own, where their dialect has one.
    Ok(Encoded { body, dropped, strip_usage: may_ask_usage(call) })
}

fn edit(call: &Envelope, encoding: &Encoding<'_>) -> Encoded {
    let mut splice = Splice::from(call);
    let Toward { model, ask_usage: asks, .. } = encoding.toward;
    if call.model() != model {
        let name = Bytes::from(raw::quoted(model));
        match call.member("model") {
            Some(model) => splice.replace(model.value.clone(), name),
            None => splice.insert_member("model", &name),
        };
    }
    // A note for editors; upstreams that know their members refuse it.
    if let Some(schema) = call.member("$schema") {
        splice.remove_member(schema);
    }
    for item in own_seals::find(call) {
        splice.remove_member(&item);
    }
    let mut dropped: Vec<String> = Vec::new();
    drop_fields(call, encoding.drop, &mut splice, &mut dropped);
    let strip_usage = asks && may_ask_usage(call) && !encoding.drop.drops("stream_options");
    if strip_usage {
        ask_usage(call, &mut splice);
    }
    Encoded { body: splice.into_segments(), dropped, strip_usage }
}

fn drop_fields(call: &Envelope, drop: &DropFields, splice: &mut Splice, dropped: &mut Vec<String>) {
    for (member, entry) in drop.find(call) {
        splice.remove_member(&member);
        if !dropped.iter().any(|known| known == entry) {
            dropped.push(entry.to_owned());
        }
    }
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

#[cfg(test)]
#[path = "encode_tests.rs"]
mod tests;
