//! The handles that the link counts with.
//!
//! The families belong to the registry's owner; here their closed labels are resolved once.

use super::trouble::Trouble;
use prometheus::{Histogram, HistogramVec, IntCounter, IntCounterVec, IntGauge};
use std::{fmt, time::Duration};

/// What an operation is for: the label `op`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Op {
    /// A cached answer is looked up.
    Get,
    /// A cached answer is stored.
    Set,
    /// Cached answers are removed.
    Del,
    /// The generations of cached answers are read or advanced.
    Generations,
    /// A shared rate limit is asked.
    Limit,
    /// The link's own probe.
    Ping,
}

impl Op {
    /// All values, for families that start at zero.
    pub const ALL: [Self; 6] = [Self::Get, Self::Set, Self::Del, Self::Generations, Self::Limit, Self::Ping];

    /// The text of all values.
    pub const WORDS: &'static [&'static str] = &["get", "set", "del", "generations", "limit", "ping"];

    /// The label's text.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::Set => "set",
            Self::Del => "del",
            Self::Generations => "generations",
            Self::Limit => "limit",
            Self::Ping => "ping",
        }
    }
}

/// One operation's handles.
#[derive(Clone)]
struct OpHandles {
    duration: Histogram,
    away: IntCounter,
    timeout: IntCounter,
}

/// Where a link counts.
#[derive(Clone)]
pub struct LinkMetrics {
    up: IntGauge,
    errors: IntCounterVec,
    ops: [OpHandles; 6],
}

impl LinkMetrics {
    /// Resolves the handles of `redis_up`, `redis_op_duration_seconds{op}` and `redis_errors_total{op,kind}`.
    #[must_use]
    pub fn new(up: IntGauge, duration: &HistogramVec, errors: IntCounterVec) -> Self {
        for op in Op::ALL {
            for kind in Trouble::WORDS {
                errors.with_label_values(&[op.as_str(), kind]);
            }
        }
        let ops = Op::ALL.map(|op| OpHandles {
            duration: duration.with_label_values(&[op.as_str()]),
            away: errors.with_label_values(&[op.as_str(), Trouble::Away.as_str()]),
            timeout: errors.with_label_values(&[op.as_str(), Trouble::Timeout.as_str()]),
        });
        up.set(0);
        Self { up, errors, ops }
    }

    /// Is there a connection?
    pub(super) fn up(&self, up: bool) {
        self.up.set(i64::from(up));
    }

    /// How long an operation took that was sent.
    pub(super) fn took(&self, op: Op, time: Duration) {
        self.of(op).duration.observe(time.as_secs_f64());
    }

    /// An operation without a reply.
    pub(super) fn failed(&self, op: Op, trouble: Trouble) {
        match trouble {
            // Both come at the rate of requests while Redis is away.
            Trouble::Away => self.of(op).away.inc(),
            Trouble::Timeout => self.of(op).timeout.inc(),
            _ => self.errors.with_label_values(&[op.as_str(), trouble.as_str()]).inc(),
        }
    }

    fn of(&self, op: Op) -> &OpHandles {
        let [get, set, del, generations, limit, ping] = &self.ops;
        match op {
            Op::Get => get,
            Op::Set => set,
            Op::Del => del,
            Op::Generations => generations,
            Op::Limit => limit,
            Op::Ping => ping,
        }
    }
}

impl fmt::Debug for LinkMetrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LinkMetrics").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::metrics;
    use super::*;

    #[test]
    fn an_operation_counts_under_its_own_label() {
        let (link, families) = metrics();
        for op in Op::ALL {
            link.took(op, Duration::from_millis(1));
            link.failed(op, Trouble::BadReply);
            link.failed(op, Trouble::Away);
        }
        for op in Op::ALL {
            assert_eq!(families.duration.with_label_values(&[op.as_str()]).get_sample_count(), 1, "{op:?}");
            assert_eq!(families.errors(op, "bad_reply") + families.errors(op, "away"), 2, "{op:?}");
        }
    }
}
