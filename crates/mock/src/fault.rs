//! How a model behaves, by its name: the demo models, the faults for tests, and everything else, which just
//! answers.
//!
//! The table of names is in the crate's documentation.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// What a request meets besides its answer.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Behaviour {
    /// Before anything is sent.
    pub(crate) before_head: Duration,
    /// Between the head of a stream and its first event.
    pub(crate) before_first: Duration,
    /// Between the pieces of a stream.
    pub(crate) pace: Duration,
    pub(crate) instead: Option<Instead>,
    /// What happens to the answer after that many pieces.
    pub(crate) fault: Option<(u64, Fault)>,
    pub(crate) say: Say,
    pub(crate) manner: Manner,
}

/// How a model that answers goes about it.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) enum Manner {
    #[default]
    Plain,
    /// Thinks first, asked or not.
    Thinks,
    /// Gives its thoughts in a form that nobody can read, where it is asked to think.
    Redacted,
    /// Says something before it calls a tool.
    Chatty,
    /// Declines.
    Refuses,
    /// A filter ends the answer after a few words.
    Filtered,
}

/// What comes in the answer's place.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Instead {
    /// An error with this status.
    Status(u16),
    /// 200 with an HTML page, as a captive portal gives it.
    Html,
    /// 200 with what is no JSON.
    Garbage,
    /// The connection is closed without a byte.
    Drop,
    /// A 400 that says that a filter found fault with the prompt.
    Filter,
}

/// How an answer ends before its time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Fault {
    /// The connection is dropped.
    Cut,
    /// The body ends as if it were complete, without its last event.
    Eof,
    /// Nothing more comes, and the connection stays.
    Hang,
    /// An error event comes, then the body ends.
    Error,
}

/// What the answer says.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) enum Say {
    /// What the model makes of the prompt.
    #[default]
    Model,
    /// So many pieces.
    Words(u64),
    /// The request's body.
    Echo,
}

/// Requests that the models with a rhythm have had.
#[derive(Debug, Default)]
pub(crate) struct Rhythm {
    flaky: AtomicU64,
    limited: AtomicU64,
}

impl Rhythm {
    /// Begins anew.
    pub(crate) fn reset(&self) {
        self.flaky.store(0, Ordering::Relaxed);
        self.limited.store(0, Ordering::Relaxed);
    }
}

impl Behaviour {
    /// The behaviour of a model; counts this request for those that fail in a rhythm.
    pub(crate) fn of(model: &str, rhythm: &Rhythm) -> Self {
        let paced = |millis| Self { pace: Duration::from_millis(millis), ..Self::default() };
        match model {
            "demo" => paced(20),
            "demo-slow" => Self { before_head: Duration::from_secs(3), ..paced(150) },
            // Exactly three of ten, and not the first.
            "demo-flaky" => match rhythm.flaky.fetch_add(1, Ordering::Relaxed) % 10 {
                2 | 5 | 8 => Self::status(500),
                _ => paced(20),
            },
            "demo-limited" => match rhythm.limited.fetch_add(1, Ordering::Relaxed) % 2 {
                1 => Self::status(429),
                _ => paced(20),
            },
            "demo-down" => Self::status(503),
            _ => model.strip_prefix("mock-").and_then(Self::scripted).unwrap_or_default(),
        }
    }

    fn status(status: u16) -> Self {
        Self { instead: Some(Instead::Status(status)), ..Self::default() }
    }

    /// The behaviour that the rest of a `mock-…` name asks for; `None` if it asks for none.
    fn scripted(name: &str) -> Option<Self> {
        let (word, rest) = name.split_once('-').unwrap_or((name, ""));
        let number = || rest.parse::<u64>().ok();
        let millis = || number().map(Duration::from_millis);
        let fault = |fault| Some(Self { fault: Some((number()?, fault)), ..Self::default() });
        let instead = |instead| Some(Self { instead: Some(instead), ..Self::default() });
        let manner = |manner| Some(Self { manner, ..Self::default() });
        match word {
            "thinks" => manner(Manner::Thinks),
            "redacted" => manner(Manner::Redacted),
            "chatty" => manner(Manner::Chatty),
            "refusal" => manner(Manner::Refuses),
            "filter" if rest == "prompt" => instead(Instead::Filter),
            "filter" => manner(Manner::Filtered),
            "slow" => Some(Self { before_head: millis()?, ..Self::default() }),
            "late" => Some(Self { before_first: millis()?, ..Self::default() }),
            "cut" => fault(Fault::Cut),
            "eof" => fault(Fault::Eof),
            "hang" => fault(Fault::Hang),
            "error" => fault(Fault::Error),
            "stream" => Some(Self { say: Say::Words(number()?), ..Self::default() }),
            "pace" => {
                let (gap, count) = rest.split_once('-')?;
                let pace = Duration::from_millis(gap.parse().ok()?);
                Some(Self { pace, say: Say::Words(count.parse().ok()?), ..Self::default() })
            }
            "html" => instead(Instead::Html),
            "garbage" => instead(Instead::Garbage),
            "drop" => instead(Instead::Drop),
            "echo" => Some(Self { say: Say::Echo, ..Self::default() }),
            status => Some(Self::status(status.parse().ok().filter(|status| (400..600).contains(status))?)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(model: &str) -> Behaviour {
        Behaviour::of(model, &Rhythm::default())
    }

    #[test]
    fn three_of_ten_flaky_requests_fail_and_every_second_limited_one_does() {
        let rhythm = Rhythm::default();
        let failed =
            |model: &str| (0..10).filter(|_| Behaviour::of(model, &rhythm).instead.is_some()).count();
        assert_eq!((failed("demo-flaky"), failed("demo-flaky"), failed("demo-limited")), (3, 3, 5));
    }

    #[test]
    fn names_script_faults() {
        assert_eq!(of("mock-529").instead, Some(Instead::Status(529)));
        assert_eq!(of("mock-cut-3").fault, Some((3, Fault::Cut)));
        assert_eq!(of("mock-pace-5-9").say, Say::Words(9));
        assert_eq!(of("mock-pace-5-9").pace, Duration::from_millis(5));
        assert_eq!(of("mock-slow-250").before_head, Duration::from_millis(250));
        assert_eq!(of("mock-thinks").manner, Manner::Thinks);
        assert_eq!(of("mock-filter").manner, Manner::Filtered);
        assert_eq!(of("mock-filter-prompt").instead, Some(Instead::Filter));
    }

    #[test]
    fn other_names_are_ordinary_models() {
        for name in [
            "gpt-4o",
            "mock-",
            "mock-cut",
            "mock-cut-x",
            "mock-200",
            "mock-600",
            "mock-new",
            "poolside/laguna",
        ] {
            assert_eq!(of(name), Behaviour::default(), "{name}");
        }
    }
}
