//! A refusal by a limit: which one, for how long, and the words for the client.

use super::{
    cell::Moment,
    local::Left,
    pot::{Exhausted, Span},
    scope::{LimitScope, ScopeKind, ScopeLimits},
    state::Shortage,
};
use sluice_config::model::{Period, Rate};
use std::{fmt, sync::Arc, time::Duration};

/// Which limit of a scope.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// Requests in a time.
    Requests,
    /// Tokens in a time.
    Tokens,
    /// Requests in flight.
    Concurrency,
    /// Money in a period.
    Budget,
    /// Requests that wait for one of the above.
    Queue,
    /// Shared limits that cannot be asked, where nothing may pass then.
    Unknown,
}

/// Nothing was taken anywhere.
#[derive(Clone)]
pub struct Refusal {
    /// Whose limit it is.
    pub scope: Arc<LimitScope>,
    /// Which limit.
    pub limit: Limit,
    /// When it is worth another try: waiting so long is enough, unless others were faster. Known for requests
    /// and tokens; when a request in flight ends is not.
    pub retry_after: Option<Duration>,
    /// Size of the bucket, or the most in flight.
    pub of: u64,
    /// What is there of it.
    pub remaining: u64,
    /// What the request asked for.
    pub needed: u64,
    /// More than the bucket ever holds: no wait helps.
    pub never: bool,
    /// Of a budget.
    pub money: Option<Exhausted>,
    /// What is left of the bucket.
    pub left: Option<Left>,
    rate: Option<(Rate, u64)>,
}

impl Refusal {
    pub(super) fn new(scope: &Arc<LimitScope>, short: Shortage) -> Self {
        Self {
            scope: scope.clone(),
            limit: short.limit,
            retry_after: short.wait,
            of: short.of,
            remaining: short.remaining,
            needed: short.needed,
            never: short.never,
            money: short.money,
            left: short.left,
            rate: short.rate.map(|limit| (limit.rate, limit.burst)),
        }
    }

    /// Others wait already, and nothing else stands in the way.
    pub(super) fn by_line(scope: &Arc<LimitScope>) -> Self {
        let size = scope.queue().map_or(0, |queue| queue.size);
        Self {
            scope: scope.clone(),
            limit: Limit::Queue,
            retry_after: None,
            of: size.into(),
            remaining: 0,
            needed: 1,
            never: false,
            money: None,
            left: None,
            rate: None,
        }
    }

    /// Nothing could be found out.
    pub(super) fn unknown(scopes: &[Arc<LimitScope>]) -> Self {
        let scope = scopes.first().cloned();
        Self {
            scope: scope
                .unwrap_or_else(|| Arc::new(LimitScope::new(ScopeKind::Key, "", ScopeLimits::default()))),
            limit: Limit::Unknown,
            retry_after: Some(Duration::from_secs(1)),
            of: 0,
            remaining: 0,
            needed: 1,
            never: false,
            money: None,
            left: None,
            rate: None,
        }
    }

    /// The same, `later` than when it was found.
    pub(super) fn aged(mut self, begin: Moment, now: Moment) -> Self {
        self.retry_after = self.retry_after.map(|wait| wait.saturating_sub(now.since(begin)));
        self
    }

    /// `Key 'nightly'`.
    fn who(&self) -> String {
        let kind = match self.scope.kind() {
            ScopeKind::Key => "Key",
            ScopeKind::Tenant => "Tenant",
            ScopeKind::Model => "Model",
            ScopeKind::Provider => "Provider",
        };
        format!("{kind} '{}'", self.scope.name())
    }

    /// What was used of what: `used 600/600 requests/min`.
    fn used(&self, unit: &str) -> String {
        let used = self.of.saturating_sub(self.remaining);
        match self.rate {
            Some((rate, burst)) if rate.amount == burst => {
                format!("used {used}/{burst} {unit}/{}", period(rate.per))
            }
            Some((rate, burst)) => {
                format!("used {used}/{burst} {unit} (refilled at {}/{})", rate.amount, period(rate.per))
            }
            None => format!("used {used}/{} {unit}", self.of),
        }
    }

    /// `Tenant 'search' spent $500.03 of $500 this month; resets 2026-12-01.`
    fn write_budget(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let who = self.who();
        let Some(money) = self.money else { return write!(f, "{who} has spent its budget.") };
        let (paid, of) = (Dollars(money.paid), Dollars(money.budget.nano_usd));
        let (when, reset) = match money.budget.per {
            Period::Day => ("today", Span::around(Period::Day, money.resets - 1).reset_date()),
            Period::Month => ("this month", Span::around(Period::Month, money.resets - 1).reset_date()),
        };
        if money.is_final() {
            return write!(f, "{who} spent {paid} of {of} {when}; resets {reset}.");
        }
        write!(
            f,
            "{who} spent {paid} of {of} {when}, and requests under way may need the rest. {}",
            self.retry()
        )
    }

    /// `Retry in 4 s.`
    fn retry(&self) -> String {
        match self.retry_after {
            Some(wait) => {
                let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
                format!("Retry in {} s.", seconds.max(1))
            }
            None => "Retry when one of them has ended.".to_owned(),
        }
    }
}

impl fmt::Display for Refusal {
    /// The words for the client.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (who, of, needed, retry) = (self.who(), self.of, self.needed, self.retry());
        match self.limit {
            Limit::Tokens if self.never => write!(
                f,
                "This request may take {needed} tokens; {who} never has more than {of} at once. Waiting does \
                 not help: shorten the prompt, lower `max_tokens`, or have the limit's burst raised."
            ),
            Limit::Tokens => {
                write!(f, "{who} {}; this request may take {needed}. {retry}", self.used("tokens"))
            }
            Limit::Requests => write!(f, "{who} {}. {retry}", self.used("requests")),
            Limit::Concurrency => write!(f, "{who} has {of}/{of} requests in flight. {retry}"),
            Limit::Budget => self.write_budget(f),
            Limit::Unknown => write!(
                f,
                "The limits of {who} are shared and cannot be checked now, and without a check nothing may \
                 pass. {retry}"
            ),
            Limit::Queue => write!(f, "{who} has requests waiting for its limits (at most {of}). {retry}"),
        }
    }
}

impl fmt::Debug for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} {:?}: {self}", self.limit, self.retry_after)
    }
}

/// Dollars: at least cents where there are any, and never more than was spent.
pub(super) struct Dollars(pub(super) u64);

impl fmt::Display for Dollars {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, nano) = (self.0 / 1_000_000_000, self.0 % 1_000_000_000);
        if nano == 0 {
            return write!(f, "${whole}");
        }
        let digits = format!("{nano:09}");
        let kept = digits.trim_end_matches('0').len();
        // Small sums would else look like nothing.
        let wanted =
            if whole == 0 { kept.min(digits.bytes().take_while(|d| *d == b'0').count() + 2) } else { 2 };
        write!(f, "${whole}.{}", digits.get(..wanted.max(2)).unwrap_or_default())
    }
}

/// `min`.
pub(crate) fn period(per: Duration) -> String {
    match (per.as_secs(), per.subsec_nanos()) {
        (1, 0) => "s".to_owned(),
        (60, 0) => "min".to_owned(),
        (3600, 0) => "h".to_owned(),
        (86400, 0) => "d".to_owned(),
        _ => format!("{per:?}"),
    }
}
