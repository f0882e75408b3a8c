//! What the cache does with a request.

use super::{
    Work, inputs,
    protocol::{LARGE, SMALL, envelope},
};
use bytes::Bytes;
use hyper::HeaderMap;
use sluice_core::{
    cache::{
        entry::{Giver, Tags},
        generations::Generations,
        key::{CacheKey, Draft, Scope},
        replay,
        store::{AnsweredBy, Keep, Otherwise, ResponseCache},
    },
    telemetry::metrics::Metrics,
};
use sluice_protocol::{Dialect, Envelope, Facts, Profile};
use std::{hint::black_box, sync::Arc, time::Duration};

/// Answers in the cache.
const ENTRIES: u64 = 200;

fn key(call: &Envelope, headers: &HeaderMap) -> CacheKey {
    Draft::new(Scope::Tenant("search"), "", headers, call).key("up", "gpt-4o-mini-2024-07-18")
}

fn key_of(bytes: usize) -> Work {
    let (call, headers) = (envelope(bytes), HeaderMap::new());
    Box::new(move || _ = black_box(key(black_box(&call), &headers)))
}

pub(super) fn key_small() -> Work {
    key_of(SMALL)
}

pub(super) fn key_large() -> Work {
    key_of(LARGE)
}

/// The answer to one of many requests found in memory, and made ready to be sent.
pub(super) fn hit() -> Work {
    let metrics = Metrics::new().expect("metrics");
    let cache = Arc::new(ResponseCache::new(64 << 20, None, Arc::<Generations>::default(), &metrics));
    let keys: Vec<CacheKey> = (0..ENTRIES).map(|seed| fill(&cache, seed)).collect();
    let mut asked = keys.into_iter().cycle();
    Box::new(move || {
        let key = asked.next().expect("a key");
        let seen = cache.peek(&key, None);
        let entry = cache.recall(&key, None, &seen, Otherwise::Boards).expect("a hit");
        drop(black_box(replay::slices(&entry, false, false)));
    })
}

/// An answer judged and stored in a cache that is full.
pub(super) fn store() -> Work {
    let metrics = Metrics::new().expect("metrics");
    let cache = Arc::new(ResponseCache::new(1 << 20, None, Arc::<Generations>::default(), &metrics));
    let keeps: Vec<Keep> = (0..10 * ENTRIES).map(|seed| keep(&cache, seed)).collect();
    let mut asked = (0..keeps.len()).cycle();
    let (answer, facts, by) = (Bytes::from(inputs::answer()), Facts::default(), by());
    Box::new(move || {
        let keep = &keeps[asked.next().expect("a key")];
        drop(black_box(keep.plain(answer.clone(), &facts, &by)));
    })
}

fn fill(cache: &Arc<ResponseCache>, seed: u64) -> CacheKey {
    let keep = keep(cache, seed);
    let (_, stored) = keep.plain(Bytes::from(inputs::answer()), &Facts::default(), &by());
    assert!(stored, "an answer that may be kept");
    keep.key
}

fn by() -> AnsweredBy {
    let (provider, model) = ("up".into(), "gpt-4o-mini-2024-07-18".into());
    AnsweredBy { giver: Giver::new(&provider, &model), provider, model, fit: true }
}

/// What keeps the answer to one of many requests.
fn keep(cache: &Arc<ResponseCache>, seed: u64) -> Keep {
    let body = inputs::chat("gpt-4o-mini", SMALL, &format!(r#","seed":{seed}"#));
    let call = Envelope::scan(body.into(), Dialect::Chat, Profile::Open).expect("a chat request");
    let key = key(&call, &HeaderMap::new());
    let tags = Tags { tenant: "search".into(), key: "web".into(), model: "gpt-4o-mini".into() };
    Keep {
        cache: cache.clone(),
        key,
        ttl: Duration::from_secs(86_400),
        limit: 1 << 20,
        generation: cache.generation(&tags),
        tags,
        dialect: Dialect::Chat,
        prompt_tokens: 250,
    }
}
