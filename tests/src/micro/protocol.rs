//! What is done with the bytes of requests and answers.

use super::{Operation, Work, inputs};
use bytes::Bytes;
use sluice_protocol::{
    Dialect, Envelope, Profile, Splice, StreamObserver,
    capability::family,
    observe_reply,
    provider::{DropFields, Encoding, ProviderKind, encode},
    sse::Decoder,
    tokens::estimate_prompt,
    translate::Toward,
};
use std::hint::black_box;

pub(super) const SMALL: usize = 1000;
pub(super) const LARGE: usize = 100_000;

/// The largest event, as the gateway has it.
const MAX_EVENT: usize = 16 << 20;

fn body(bytes: usize) -> Bytes {
    inputs::chat("gpt-4o-mini", bytes, r#","seed":7"#).into()
}

pub(super) fn envelope(bytes: usize) -> Envelope {
    Envelope::scan(body(bytes), Dialect::Chat, Profile::Open).expect("a chat request")
}

fn scan(bytes: usize) -> Work {
    let body = body(bytes);
    Box::new(move || drop(black_box(Envelope::scan(black_box(body.clone()), Dialect::Chat, Profile::Open))))
}

pub(super) fn envelope_small() -> Work {
    scan(SMALL)
}

pub(super) fn envelope_large() -> Work {
    scan(LARGE)
}

/// The model replaced, and nothing else.
fn splice(bytes: usize) -> Work {
    let envelope = envelope(bytes);
    let model = envelope.member("model").expect("a model").value.clone();
    Box::new(move || {
        let mut splice = Splice::from(black_box(&envelope));
        splice.replace(model.clone(), Bytes::from_static(b"\"gpt-4o-mini-2024-07-18\""));
        drop(black_box(splice.into_segments()));
    })
}

pub(super) fn splice_small() -> Work {
    splice(SMALL)
}

pub(super) fn splice_large() -> Work {
    splice(LARGE)
}

/// The body for an upstream that calls the model otherwise, with all that may have to be changed looked for.
fn encoded(bytes: usize) -> Work {
    let envelope = envelope(bytes);
    let toward = Toward {
        kind: ProviderKind::OpenAiCompatible,
        model: "gpt-4o-mini-2024-07-18",
        family: family("openai_compatible", "gpt-4o-mini-2024-07-18"),
        max_output: None,
        ask_usage: true,
        prompt_template: None,
    };
    let drop_fields = DropFields::default();
    Box::new(move || {
        let encoding = Encoding { toward, drop: &drop_fields };
        drop(black_box(encode(black_box(&envelope), Dialect::Chat, &encoding)));
    })
}

pub(super) fn encode_small() -> Work {
    encoded(SMALL)
}

pub(super) fn encode_large() -> Work {
    encoded(LARGE)
}

fn estimate(bytes: usize) -> Work {
    let envelope = envelope(bytes);
    Box::new(move || _ = black_box(estimate_prompt(black_box(&envelope))))
}

pub(super) fn estimate_small() -> Work {
    estimate(SMALL)
}

pub(super) fn estimate_large() -> Work {
    estimate(LARGE)
}

/// A plain answer's usage and end.
pub(super) fn answer() -> Work {
    let body = inputs::answer();
    Box::new(move || _ = black_box(observe_reply(Dialect::Chat, black_box(body.as_bytes()))).is_ok())
}

/// A whole stream, decoded and observed event by event.
pub(super) fn stream() -> Work {
    let pieces = inputs::stream();
    Box::new(move || {
        let (mut decoder, mut observer) =
            (Decoder::new(MAX_EVENT), StreamObserver::new(Dialect::Chat, false));
        for piece in &pieces {
            decoder.push(piece.clone());
            while let Ok(Some(event)) = decoder.next() {
                black_box(observer.observe(&event));
            }
        }
        assert!(black_box(&observer).terminal_seen());
    })
}

/// What others do with the same bodies, to be seen beside [`Envelope::scan`].
#[must_use]
pub fn references() -> Vec<Operation> {
    let one = |name, make| Operation { name, units: 1, times: 100, make };
    vec![
        one("serde_json-ignored-1k", || ignored(SMALL)),
        one("serde_json-ignored-100k", || ignored(LARGE)),
        one("serde_json-raw-members-1k", || raw(SMALL)),
        one("serde_json-raw-members-100k", || raw(LARGE)),
        one("serde_json-tree-1k", || tree(SMALL)),
        one("serde_json-tree-100k", || tree(LARGE)),
    ]
}

/// Is it JSON?
fn ignored(bytes: usize) -> Work {
    let body = body(bytes);
    Box::new(move || drop(black_box(serde_json::from_slice::<serde::de::IgnoredAny>(black_box(&body)))))
}

/// Where its members are.
fn raw(bytes: usize) -> Work {
    type Members<'a> = std::collections::HashMap<&'a str, &'a serde_json::value::RawValue>;
    let body = body(bytes);
    Box::new(move || drop(black_box(serde_json::from_slice::<Members<'_>>(black_box(&body)))))
}

/// All of it as values.
fn tree(bytes: usize) -> Work {
    let body = body(bytes);
    Box::new(move || drop(black_box(serde_json::from_slice::<serde_json::Value>(black_box(&body)))))
}
