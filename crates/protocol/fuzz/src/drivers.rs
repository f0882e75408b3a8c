//! One function for each thing that reads what others have written. It takes any bytes, must not panic, and checks
//! what holds of every result.
//!
//! Called by the fuzz targets, and with damaged seeds by an ordinary test of the crate. Only the crate's public
//! interface is used.

use bytes::Bytes;
use serde_json::value::RawValue;
use sluice_protocol::{
    Dialect, Envelope, Profile, StreamObserver, Usage, affinity, body_digest, cacheable, capability, digest,
    features, fitness, observe_reply,
    provider::{self, DropFields, Encoding, PRESETS},
    replay,
    sse::{Decoder, Event},
    tokens,
    translate::{Toward, Translation},
    upstream_error::{self, retry},
};

/// No event may be longer.
const LIMIT: usize = 1 << 20;

/// Both profiles.
const PROFILES: [Profile; 2] = [Profile::Strict, Profile::Open];

/// What upstreams are spoken to in where a request is translated.
const WIRES: [Dialect; 2] = [Dialect::Chat, Dialect::Messages];

/// Event streams, cut where the first byte says: the events in a row are the stream, whatever the cuts.
pub fn sse(data: &[u8]) {
    let Some((size, stream)) = data.split_first() else { return };
    let cut = events(stream, usize::from(*size).max(1));
    let whole = events(stream, stream.len().max(1));
    let bytes: usize = cut.iter().map(|event| event.raw.len()).sum();
    assert!(bytes <= stream.len(), "no event has bytes that did not come");
    let mut rest = stream;
    for event in &cut {
        assert!(rest.starts_with(&event.raw), "events are in order, with nothing between them");
        rest = rest.get(event.raw.len()..).unwrap_or_default();
    }
    let said = |events: &[Event]| -> Vec<(Option<Bytes>, Option<Bytes>)> {
        let said = events.iter().filter(|event| event.data.is_some() || event.name.is_some());
        said.map(|event| (event.name.clone(), event.data.clone())).collect()
    };
    assert_eq!(said(&cut), said(&whole), "cuts change nothing of what is said");
}

/// Request bodies: what passes the checks can be read by all who read requests.
pub fn envelope(data: &[u8]) {
    for call in envelopes(data) {
        assert_eq!(call.body(), data, "the bytes stay as they came");
        assert_eq!(body_digest(&call), body_digest(&call.clone()));
        let _ = (digest::left_out(&call), cacheable::obstacle(&call), cacheable::repeatable(&call));
        let _ = (affinity::prefix_digest(&call), affinity::user(&call).is_some());
        let _ = (features::needs(&call), features::has_tools(&call), tokens::estimate_prompt(&call));
    }
    let _ = tokens::estimate_text(data);
}

/// Request bodies on their way to every kind of provider: what is sent is one JSON object.
pub fn request(data: &[u8]) {
    for call in envelopes(data) {
        for preset in PRESETS {
            for model in ["claude-sonnet-4-5", "claude-opus-5", "gpt-5", "m"] {
                let Some((body, dropped)) = put(preset, model, &call) else { continue };
                assert!(is_object(&body), "{} {model}: {}", preset.id, String::from_utf8_lossy(&body));
                let mut names = dropped.clone();
                names.sort_unstable();
                names.dedup();
                assert_eq!(names.len(), dropped.len(), "what is dropped is told once");
            }
        }
    }
}

/// The body for a provider's model, and what was left out of it.
fn put(preset: &provider::Preset, model: &str, call: &Envelope) -> Option<(Vec<u8>, Vec<String>)> {
    let fields: Vec<String> = preset.drop_fields.iter().map(|field| (*field).to_owned()).collect();
    let drop = DropFields::parse(&fields).ok()?;
    let family = capability::family(preset.id, model);
    let toward = Toward {
        kind: preset.kind,
        model,
        family,
        max_output: None,
        ask_usage: preset.stream_usage,
        prompt_template: None,
    };
    let wire = family.wire(call.dialect())?;
    let encoded = provider::encode(call, wire, &Encoding { toward, drop: &drop }).ok()?;
    Some((encoded.body.iter().flatten().copied().collect(), encoded.dropped))
}

/// Whole answers, from every wire to every client: what comes out is one JSON object.
pub fn reply(data: &[u8]) {
    for translation in translations() {
        if let Ok(body) = translation.reply(data) {
            assert!(is_object(&body), "{}", String::from_utf8_lossy(&body));
        }
    }
}

/// Streams, from every wire to every client: what comes out are events of JSON, and after an end nothing.
pub fn stream(data: &[u8]) {
    let incoming = events(data, data.len().max(1));
    for translation in translations() {
        let mut translator = translation.stream();
        let mut outgoing = Vec::new();
        for event in &incoming {
            let Ok(events) = translator.event(event) else { break };
            outgoing.extend(events);
        }
        outgoing.extend(translator.end());
        assert!(translator.end().is_empty(), "a stream ends once");
        for event in outgoing {
            let data = event.data.unwrap_or_default();
            assert!(&data[..] == b"[DONE]" || is_object(&data), "{}", String::from_utf8_lossy(&data));
        }
    }
}

/// What is observed of answers and streams: counts are of classes that lie apart.
pub fn usage(data: &[u8]) {
    for dialect in Dialect::ALL {
        if let Ok(facts) = observe_reply(dialect, data) {
            lie_apart(facts.usage);
        }
        let mut observer = StreamObserver::new(dialect, true);
        for event in events(data, data.len().max(1)) {
            let _ = observer.observe(&event);
            lie_apart(observer.facts().usage);
        }
        let _ = (observer.terminal_seen(), observer.ended_well());
    }
}

/// Error bodies and headers of upstreams: what is told is text without what is secret.
pub fn upstream_error(data: &[u8]) {
    const SECRET: &str = "sk-a-key-that-nobody-may-see";
    let text = String::from_utf8_lossy(data);
    for told in [upstream_error::message(data).map(|told| told.message), Some(format!("{text}{SECRET}"))] {
        let redacted = upstream_error::redact(&told.unwrap_or_default(), &[SECRET]);
        assert!(!redacted.contains(SECRET));
        assert!(upstream_error::cut(&redacted, 256).len() <= 256);
    }
    if let Some(hint) = retry::from_body(data) {
        let _ = hint.wait(0);
    }
    for name in
        ["retry-after", "retry-after-ms", "x-ratelimit-reset-requests", "anthropic-ratelimit-requests-reset"]
    {
        let _ = retry::from_headers(|wanted| (wanted == name).then_some(&*text));
    }
}

/// Kept answers: what is converted is whole in the other form.
pub fn replay(data: &[u8]) {
    for dialect in Dialect::ALL {
        let _ = (fitness::plain(dialect, data), fitness::stream(dialect, data));
        if let Ok(plain) = replay::to_plain(dialect, data) {
            assert!(is_object(&plain), "{}", String::from_utf8_lossy(&plain));
        }
        if let Ok(replayed) = replay::to_stream(dialect, data) {
            assert!(replayed.usage.is_none_or(|usage| replayed.events.get(usage).is_some()));
            assert!(replay::to_plain(dialect, &replayed.events).is_ok(), "there and back");
        }
        let _ = replay::usage_events(dialect, data);
    }
}

/// Names of models: any text has a family at any provider.
pub fn family(data: &[u8]) {
    let model = String::from_utf8_lossy(data);
    for preset in PRESETS {
        let family = capability::family(preset.id, &model);
        for dialect in Dialect::ALL {
            let _ = (family.wire(dialect), family.treatment(dialect, &model));
        }
        let _ = capability::lacks(family);
    }
}

/// The body as a request in each dialect whose checks it passes.
fn envelopes(data: &[u8]) -> impl Iterator<Item = Envelope> {
    let body = Bytes::copy_from_slice(data);
    let all = Dialect::ALL.into_iter().flat_map(|dialect| PROFILES.map(|profile| (dialect, profile)));
    all.filter_map(move |(dialect, profile)| Envelope::scan(body.clone(), dialect, profile).ok())
}

/// From every wire to every client that speaks something else.
fn translations() -> Vec<Translation> {
    let mut translations = Vec::new();
    for (dialect, body) in [
        (Dialect::Completions, r#"{"model":"m","prompt":"p","logprobs":1}"#),
        (
            Dialect::Chat,
            r#"{"model":"m","messages":[{"role":"user","content":"c"}],"stream":true,"stream_options":{"include_usage":true}}"#,
        ),
        (Dialect::Responses, r#"{"model":"m","input":"i","metadata":{"a":"b"}}"#),
        (Dialect::Messages, r#"{"model":"m","max_tokens":1,"messages":[{"role":"user","content":"c"}]}"#),
    ] {
        let call = Envelope::scan(body.into(), dialect, Profile::Open);
        let calls = call.iter().flat_map(|call| WIRES.map(|wire| (call, wire)));
        translations.extend(
            calls
                .filter(|(_, wire)| *wire != dialect)
                .map(|(call, wire)| Translation::new(call, wire, 1, "id")),
        );
    }
    assert_eq!(translations.len(), 6, "every client's request passes its checks");
    translations
}

/// All events of a stream that comes in pieces of a size, up to one that is too long.
fn events(stream: &[u8], size: usize) -> Vec<Event> {
    let (mut decoder, mut events) = (Decoder::new(LIMIT), Vec::new());
    for chunk in stream.chunks(size) {
        decoder.push(Bytes::copy_from_slice(chunk));
        while let Ok(Some(event)) = decoder.next() {
            events.push(event);
        }
    }
    events
}

/// No class of tokens is part of another's count.
fn lie_apart(usage: Option<Usage>) {
    let Some(usage) = usage else { return };
    let cached = u128::from(usage.cache_read) + u128::from(usage.cache_write);
    assert!(cached <= u128::from(usage.input), "{usage:?}");
    assert!(usage.cache_write_long <= usage.cache_write && usage.reasoning <= usage.output, "{usage:?}");
}

/// Is it one JSON object?
fn is_object(json: &[u8]) -> bool {
    json.trim_ascii_start().starts_with(b"{") && serde_json::from_slice::<&RawValue>(json).is_ok()
}
