//! What is left of our own limits, on every answer: in the words of OpenAI or Anthropic, and in the IETF's.
//!
//! An upstream's own are not passed on: they tell one caller about an account that many share.

use super::head::number;
use crate::{
    headers as names,
    limits::{admission::Remaining, local::Left},
};
use http::{HeaderMap, HeaderName, HeaderValue};
use jiff::{SignedDuration, Timestamp};
use std::{fmt::Write, time::Duration};

/// Names of one kind of unit.
struct Family {
    limit: HeaderName,
    remaining: HeaderName,
    reset: HeaderName,
}

/// OpenAI's: the reset in Go's spelling of a duration.
const OPENAI: [Family; 2] = [
    Family {
        limit: names::LIMIT_REQUESTS,
        remaining: names::REMAINING_REQUESTS,
        reset: names::RESET_REQUESTS,
    },
    Family { limit: names::LIMIT_TOKENS, remaining: names::REMAINING_TOKENS, reset: names::RESET_TOKENS },
];

/// Anthropic's: the reset as a time of RFC 3339.
const ANTHROPIC: [Family; 2] = [
    Family {
        limit: names::ANTHROPIC_LIMIT_REQUESTS,
        remaining: names::ANTHROPIC_REMAINING_REQUESTS,
        reset: names::ANTHROPIC_RESET_REQUESTS,
    },
    Family {
        limit: names::ANTHROPIC_LIMIT_TOKENS,
        remaining: names::ANTHROPIC_REMAINING_TOKENS,
        reset: names::ANTHROPIC_RESET_TOKENS,
    },
];

/// Names in the IETF's headers.
const POLICIES: [&str; 2] = ["requests", "tokens"];

/// Writes them; nothing where nothing limits.
pub fn write(remaining: &Remaining, anthropic: bool, headers: &mut HeaderMap) {
    let both = [remaining.requests, remaining.tokens];
    if both.iter().all(Option::is_none) {
        return;
    }
    let (mut policy, mut state) = (String::new(), String::new());
    for ((left, name), family) in
        both.into_iter().zip(POLICIES).zip(if anthropic { ANTHROPIC } else { OPENAI })
    {
        let Some(left) = left else { continue };
        headers.insert(family.limit, number(left.limit));
        headers.insert(family.remaining, number(left.remaining));
        let reset = if anthropic { date(left.reset) } else { go_duration(left.reset) };
        if let Ok(reset) = HeaderValue::try_from(reset) {
            headers.insert(family.reset, reset);
        }
        add(&mut policy, &mut state, name, &left);
    }
    for (name, text) in [(names::RATE_LIMIT_POLICY, policy), (names::RATE_LIMIT, state)] {
        if let Ok(text) = HeaderValue::try_from(text) {
            headers.insert(name, text);
        }
    }
}

/// The IETF's items (draft-ietf-httpapi-ratelimit-headers): quota and window, what remains and when all is back.
fn add(policy: &mut String, state: &mut String, name: &str, left: &Left) {
    let separator = if policy.is_empty() { "" } else { ", " };
    // Writing into a String cannot fail.
    let _ = write!(policy, "{separator}\"{name}\";q={};w={}", left.limit, seconds(left.window).max(1));
    let _ = write!(state, "{separator}\"{name}\";r={};t={}", left.remaining, seconds(left.reset));
}

/// Whole seconds, rounded up.
fn seconds(time: Duration) -> u64 {
    time.as_secs() + u64::from(time.subsec_nanos() > 0)
}

fn date(reset: Duration) -> String {
    let reset = SignedDuration::from_secs(i64::try_from(seconds(reset)).unwrap_or(i64::MAX));
    let now = Timestamp::from_second(Timestamp::now().as_second()).unwrap_or_default();
    now.checked_add(reset).unwrap_or(now).to_string()
}

/// A duration in OpenAI's spelling, which is Go's: `12ms`, `19.9s`, `6m0s`.
fn go_duration(time: Duration) -> String {
    let millis = time.as_millis();
    if millis < 1000 {
        return format!("{millis}ms");
    }
    let (minutes, rest) = (millis / 60_000, millis % 60_000);
    let seconds = match rest % 1000 {
        0 => format!("{}s", rest / 1000),
        part => format!("{}.{part:03}", rest / 1000).trim_end_matches('0').to_owned() + "s",
    };
    match (minutes / 60, minutes % 60) {
        (0, 0) => seconds,
        (0, minutes) => format!("{minutes}m{seconds}"),
        (hours, minutes) => format!("{hours}h{minutes}m{seconds}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn left(limit: u64, remaining: u64, reset: u64) -> Left {
        let time = Duration::from_millis;
        Left { limit, remaining, reset: time(reset), next: Duration::ZERO, window: time(60_000) }
    }

    fn written(remaining: &Remaining, anthropic: bool) -> Vec<String> {
        let mut headers = HeaderMap::new();
        write(remaining, anthropic, &mut headers);
        let mut lines: Vec<String> =
            headers.iter().map(|(name, value)| format!("{name}: {}", value.to_str().unwrap())).collect();
        lines.sort();
        lines
    }

    #[test]
    fn each_family_has_its_names_and_its_spelling_of_time() {
        let both = Remaining { requests: Some(left(100, 88, 7_200)), tokens: Some(left(2000, 1500, 15_000)) };
        let ietf = [
            "ratelimit-policy: \"requests\";q=100;w=60, \"tokens\";q=2000;w=60",
            "ratelimit: \"requests\";r=88;t=8, \"tokens\";r=1500;t=15",
        ];
        let openai = [
            "x-ratelimit-limit-requests: 100",
            "x-ratelimit-limit-tokens: 2000",
            "x-ratelimit-remaining-requests: 88",
            "x-ratelimit-remaining-tokens: 1500",
            "x-ratelimit-reset-requests: 7.2s",
            "x-ratelimit-reset-tokens: 15s",
        ];
        assert_eq!(written(&both, false), [ietf.as_slice(), openai.as_slice()].concat());
        let anthropic = written(&both, true);
        assert!(anthropic.contains(&"anthropic-ratelimit-tokens-remaining: 1500".to_owned()));
        let reset =
            anthropic.iter().find_map(|line| line.strip_prefix("anthropic-ratelimit-requests-reset: "));
        let reset: Timestamp = reset.unwrap().parse().unwrap();
        assert!((6..=9).contains(&reset.duration_since(Timestamp::now()).as_secs()));
    }

    #[test]
    fn without_limits_there_is_nothing_to_tell() {
        assert!(written(&Remaining::default(), false).is_empty());
        let requests = Remaining { requests: Some(left(5, 5, 0)), tokens: None };
        assert_eq!(written(&requests, false).len(), 5);
    }

    #[test]
    fn durations_are_spelled_as_openai_spells_them() {
        for (millis, spelled) in [
            (0, "0ms"),
            (12, "12ms"),
            (1000, "1s"),
            (19_930, "19.93s"),
            (60_000, "1m0s"),
            (360_000, "6m0s"),
            (3_661_500, "1h1m1.5s"),
        ] {
            assert_eq!(go_duration(Duration::from_millis(millis)), spelled);
        }
    }
}
