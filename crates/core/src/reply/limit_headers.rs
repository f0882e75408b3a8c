//! What is left of our own limits, on every answer: in the words of OpenAI or Anthropic, and in the IETF's.
//!
//! An upstream's own are not passed on: they tell one caller about an account that many share.

use crate::{
    headers as names,
    limits::{admission::Remaining, local::Left},
};
use bytes::BytesMut;
use http::{HeaderMap, HeaderName, HeaderValue};
use jiff::{SignedDuration, Timestamp};
use smallvec::SmallVec;
use std::{ops::Range, time::Duration};

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

/// Names in the IETF's headers, as they stand there.
const POLICIES: [&str; 2] = ["\"requests\"", "\"tokens\""];

/// Enough for all of them in any spelling but that of dates far away; more only costs another allocation.
const ROOM: usize = 384;

/// Writes them; nothing where nothing limits.
pub fn write(remaining: &Remaining, anthropic: bool, headers: &mut HeaderMap) {
    let both = [remaining.requests, remaining.tokens];
    if both.iter().all(Option::is_none) {
        return;
    }
    let mut texts = Texts::default();
    for (left, family) in both.iter().zip(if anthropic { ANTHROPIC } else { OPENAI }) {
        let Some(left) = left else { continue };
        texts.add(family.limit, |text| text.number(left.limit));
        texts.add(family.remaining, |text| text.number(left.remaining));
        texts.add(family.reset, |text| if anthropic { text.date(left.reset) } else { text.go(left.reset) });
    }
    texts.add(names::RATE_LIMIT_POLICY, |text| {
        text.items(&both, |text, left| text.pairs(";q=", left.limit, ";w=", seconds(left.window).max(1)));
    });
    texts.add(names::RATE_LIMIT, |text| {
        text.items(&both, |text, left| text.pairs(";r=", left.remaining, ";t=", seconds(left.reset)));
    });
    texts.write(headers);
}

/// The values of several headers, one behind the other in one allocation. On the path of every limited request, so
/// without the formatting machinery.
#[derive(Default)]
struct Texts {
    text: Text,
    parts: SmallVec<[(HeaderName, Range<usize>); 8]>,
}

impl Texts {
    fn add(&mut self, name: HeaderName, write: impl FnOnce(&mut Text)) {
        let from = self.text.0.len();
        write(&mut self.text);
        self.parts.push((name, from..self.text.0.len()));
    }

    fn write(self, headers: &mut HeaderMap) {
        let all = self.text.0.freeze();
        for (name, range) in self.parts {
            // Digits, words and marks are always proper header text.
            if let Ok(value) = HeaderValue::from_maybe_shared(all.slice(range)) {
                headers.insert(name, value);
            }
        }
    }
}

struct Text(BytesMut);

impl Default for Text {
    fn default() -> Self {
        Self(BytesMut::with_capacity(ROOM))
    }
}

impl Text {
    fn push(&mut self, text: &str) {
        self.0.extend_from_slice(text.as_bytes());
    }

    fn number(&mut self, number: u64) {
        self.push(itoa::Buffer::new().format(number));
    }

    /// The IETF's items (draft-ietf-httpapi-ratelimit-headers), of requests and of tokens.
    fn items(&mut self, both: &[Option<Left>; 2], parameters: impl Fn(&mut Self, &Left)) {
        let mut separator = "";
        for (left, policy) in both.iter().zip(POLICIES) {
            let Some(left) = left else { continue };
            self.push(separator);
            self.push(policy);
            parameters(self, left);
            separator = ", ";
        }
    }

    /// Two of an item's parameters.
    fn pairs(&mut self, one: &str, first: u64, other: &str, second: u64) {
        for (name, value) in [(one, first), (other, second)] {
            self.push(name);
            self.number(value);
        }
    }

    /// The time when it is over, in RFC 3339.
    fn date(&mut self, reset: Duration) {
        let reset = SignedDuration::from_secs(i64::try_from(seconds(reset)).unwrap_or(i64::MAX));
        let now = Timestamp::from_second(Timestamp::now().as_second()).unwrap_or_default();
        self.push(&now.checked_add(reset).unwrap_or(now).to_string());
    }

    /// A duration in OpenAI's spelling, which is Go's: `12ms`, `19.9s`, `6m0s`.
    fn go(&mut self, time: Duration) {
        let (seconds, millis) = (time.as_secs(), u64::from(time.subsec_millis()));
        if seconds == 0 {
            self.number(millis);
            return self.push("ms");
        }
        let (hours, minutes) = (seconds / 3600, seconds / 60 % 60);
        if hours > 0 {
            self.number(hours);
            self.push("h");
        }
        if hours > 0 || minutes > 0 {
            self.number(minutes);
            self.push("m");
        }
        self.number(seconds % 60);
        if millis > 0 {
            // Behind a digit that keeps the zeros before it.
            let digits = 1000 + millis;
            let mut buffer = itoa::Buffer::new();
            self.push(".");
            self.push(buffer.format(digits).get(1..).unwrap_or_default().trim_end_matches('0'));
        }
        self.push("s");
    }
}

/// Whole seconds, rounded up.
fn seconds(time: Duration) -> u64 {
    time.as_secs() + u64::from(time.subsec_nanos() > 0)
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
            (2_005, "2.005s"),
            (60_000, "1m0s"),
            (360_000, "6m0s"),
            (3_661_500, "1h1m1.5s"),
        ] {
            let mut text = Text::default();
            text.go(Duration::from_millis(millis));
            assert_eq!(text.0, spelled);
        }
    }
}
