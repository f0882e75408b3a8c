//! Reads what an upstream's answer says is left of its limits for the key that asked.

use crate::{headers as names, state::provider::Provider};
use http::{HeaderMap, HeaderName};
use sluice_protocol::provider::ProviderKind;

/// Notes it with the key. Most upstreams of our own say nothing: then it is two look-ups and no more.
pub fn note(provider: &Provider, key: usize, headers: &HeaderMap) {
    let (requests, tokens) = match provider.kind {
        ProviderKind::Anthropic => (&names::ANTHROPIC_REMAINING_REQUESTS, &names::ANTHROPIC_REMAINING_TOKENS),
        ProviderKind::OpenAi | ProviderKind::OpenAiCompatible | ProviderKind::Azure => {
            (&names::REMAINING_REQUESTS, &names::REMAINING_TOKENS)
        }
    };
    let (requests, tokens) = (amount(headers, requests), amount(headers, tokens));
    if requests.or(tokens).is_some()
        && let Some(remaining) = provider.pool.remaining(key)
    {
        remaining.tell(requests, tokens);
    }
}

/// A whole number; whatever else stands there says nothing.
fn amount(headers: &HeaderMap, name: &HeaderName) -> Option<u64> {
    // What a gauge cannot show is no amount either.
    headers.get(name)?.to_str().ok()?.trim().parse().ok().filter(|amount| i64::try_from(*amount).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_numbers_are_amounts() {
        let read = |value: &str| {
            let headers = HeaderMap::from_iter([(names::REMAINING_TOKENS, value.parse().unwrap())]);
            amount(&headers, &names::REMAINING_TOKENS)
        };
        assert_eq!(["0", "149984", " 7 "].map(read), [Some(0), Some(149_984), Some(7)]);
        for nonsense in ["", "-1", "1.5", "many", "1e3", "18446744073709551615", "99999999999999999999"] {
            assert_eq!(read(nonsense), None, "{nonsense}");
        }
        assert_eq!(amount(&HeaderMap::new(), &names::REMAINING_TOKENS), None);
    }
}
