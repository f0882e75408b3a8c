//! What an answer says of the cache: `x-sluice-cache`, and the same in the words of RFC 9211 with `Age`.
//!
//! | `x-sluice-cache` | `Cache-Status` | |
//! | --- | --- | --- |
//! | `hit` | `sluice; hit; ttl=N; detail=memory` | a stored answer; `ttl` is what is left of its life, seconds |
//! | `miss` | `sluice; fwd=uri-miss; stored` | asked for; `stored` when it is known to be kept |
//! | `miss; reason=refresh` | `sluice; fwd=request` | asked for, because the client wanted a new answer |
//! | `coalesced` | `sluice; fwd=uri-miss; collapsed` | the answer of an equal request under way |
//! | `bypass; reason=no-seed` | `sluice; fwd=bypass; detail=no-seed` | the cache was passed by |
//! | `miss`, or a bypass | `sluice; detail=only-if-cached` | only a stored answer would have done: 504 |
//! | `bypass; reason=not-reached` | `sluice; detail=not-reached` | refused before, or nothing to cache |

use crate::{
    cache::policy::Bypass,
    headers as names,
    reply::head::number,
    telemetry::{
        exchange::CacheNote,
        labels::{CacheResult, CacheTier},
    },
};
use http::{HeaderMap, HeaderValue, header};
use sluice_protocol::cacheable::Obstacle;
use smallvec::SmallVec;

/// Writes them.
pub fn write(note: &CacheNote, headers: &mut HeaderMap) {
    let fixed = |text| HeaderValue::from_static(text);
    let (own, status) = match note.result {
        None => ("bypass; reason=not-reached", fixed("sluice; detail=not-reached")),
        Some(CacheResult::Hit) => {
            let (age, left) = note.life.unwrap_or_default();
            headers.insert(header::AGE, number(age.as_secs()));
            let tier = note.tier.unwrap_or(CacheTier::None).as_str();
            let mut status = SmallVec::<[u8; 64]>::new();
            let mut ttl = itoa::Buffer::new();
            for part in ["sluice; hit; ttl=", ttl.format(left.as_secs()), "; detail=", tier] {
                status.extend_from_slice(part.as_bytes());
            }
            ("hit", HeaderValue::from_bytes(&status).unwrap_or_else(|_| fixed("sluice; hit")))
        }
        Some(CacheResult::Miss) if note.refreshed => (
            "miss; reason=refresh",
            fixed(if note.stored { "sluice; fwd=request; stored" } else { "sluice; fwd=request" }),
        ),
        // The second tier's trouble is ours: to the client it is a miss.
        Some(CacheResult::Miss | CacheResult::Error) => {
            ("miss", fixed(if note.stored { "sluice; fwd=uri-miss; stored" } else { "sluice; fwd=uri-miss" }))
        }
        Some(CacheResult::Coalesced) => ("coalesced", fixed("sluice; fwd=uri-miss; collapsed")),
        Some(CacheResult::Bypass) => bypass(note.bypass.unwrap_or(Bypass::Disabled)),
    };
    // RFC 9211: `fwd` is for what went further.
    let status = if note.only { fixed("sluice; detail=only-if-cached") } else { status };
    headers.insert(names::CACHE, HeaderValue::from_static(own));
    headers.insert(names::CACHE_STATUS, status);
}

/// Both texts for a reason, put together by the compiler: most answers carry one of them.
fn bypass(why: Bypass) -> (&'static str, HeaderValue) {
    macro_rules! texts {
        ($word:literal) => {
            (
                concat!("bypass; reason=", $word),
                HeaderValue::from_static(concat!("sluice; fwd=bypass; detail=", $word)),
            )
        };
    }
    match why {
        Bypass::Disabled => texts!("disabled"),
        Bypass::NoSeed => texts!("no-seed"),
        Bypass::ForceNotAllowed => texts!("force-not-allowed"),
        Bypass::NoStore => texts!("no-store"),
        Bypass::Off => texts!("off"),
        Bypass::Obstacle(Obstacle::SeveralSamples) => texts!("several-samples"),
        Bypass::Obstacle(Obstacle::HostedTools) => texts!("hosted-tools"),
        Bypass::Obstacle(Obstacle::Audio) => texts!("audio"),
        Bypass::Obstacle(Obstacle::Store) => texts!("store"),
        Bypass::Obstacle(Obstacle::Stateful) => texts!("stateful"),
        Bypass::Obstacle(Obstacle::Count) => texts!("count"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_two_headers_say_the_same() {
        let plain = [Bypass::Disabled, Bypass::NoSeed, Bypass::ForceNotAllowed, Bypass::NoStore, Bypass::Off];
        for why in plain.into_iter().chain(Obstacle::ALL.iter().copied().map(Bypass::Obstacle)) {
            let mut headers = HeaderMap::new();
            write(&CacheNote::bypass(why), &mut headers);
            let word = why.as_str();
            assert_eq!(headers[names::CACHE], format!("bypass; reason={word}"));
            assert_eq!(headers[names::CACHE_STATUS], format!("sluice; fwd=bypass; detail={word}"));
        }
    }
}
