//! What limits do with a request.

use super::Work;
use sluice_config::model::{Rate, RateLimit};
use sluice_core::limits::{
    admission::{Ask, admit},
    bucket::{At, How},
    cell::Moment,
    local::RequestBucket,
    scope::{LimitScope, ScopeKind, ScopeLimits, Spent, Wiring},
};
use std::{hint::black_box, sync::Arc, time::Duration};

/// A request admitted by its key, which has every kind of rate, and settled.
pub(super) fn of_key() -> Work {
    admission(1)
}

/// The same by its key, tenant, model and provider.
pub(super) fn of_all() -> Work {
    admission(4)
}

fn admission(count: usize) -> Work {
    let per_minute =
        |amount| RateLimit { rate: Rate { amount, per: Duration::from_secs(60) }, burst: amount };
    let limits = ScopeLimits {
        requests: Some(per_minute(1_000_000_000)),
        tokens: Some(per_minute(100_000_000_000)),
        concurrency: Some(1000),
        ..ScopeLimits::default()
    };
    // As the gateway has it: governor counts the requests of a key.
    let key = Wiring {
        requests: limits.requests.map(|limit| Arc::new(RequestBucket::new(limit))),
        ..Wiring::default()
    };
    let other = |kind| Arc::new(LimitScope::new(kind, "scope", limits));
    let scopes = [
        Arc::new(LimitScope::wired(ScopeKind::Key, "scope", limits, &key)),
        other(ScopeKind::Tenant),
        other(ScopeKind::Model),
        other(ScopeKind::Provider),
    ];
    let mut elapsed = Duration::from_secs(3600);
    Box::new(move || {
        elapsed += Duration::from_micros(50);
        let at = At { now: Moment::at(elapsed), second: 1_790_000_000 };
        let ask = Ask { tokens: 506, nano_usd: 0, at };
        let permit = admit(black_box(&scopes[..count]), ask, How::Held).ok().expect("room");
        permit.settle(Spent { tokens: 400, cached_input: 0, nano_usd: 0 }, at);
    })
}
