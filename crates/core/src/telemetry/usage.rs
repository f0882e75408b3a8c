//! The usage record of a finished request: what the ledger is told.
//!
//! Every request that had a caller leaves exactly one, whichever way it ended. A record shares the names of the
//! configuration, so making one costs little.

use crate::{
    ledger::{AttemptRecord, TargetName, UsageRecord},
    telemetry::{
        exchange::{Attempt, Exchange},
        spent::{Bought, Spent},
    },
};
use jiff::Timestamp;
use std::time::{Duration, SystemTime};

/// The record of a request that ended then and took so long; none for a caller who was not let in.
#[must_use]
pub fn record(x: &Exchange, spent: Spent, ended: SystemTime, took: Duration) -> Option<UsageRecord> {
    let key = x.key.as_ref()?;
    Some(UsageRecord {
        id: x.id.clone(),
        ended: Timestamp::try_from(ended).unwrap_or_default(),
        took,
        tenant: key.tenant.clone(),
        key: key.name.clone(),
        endpoint: x.endpoint,
        model: x.model.as_ref().map(|model| model.name.clone()),
        target: target(x),
        stream: x.stream,
        status: x.status,
        end: x.outcome,
        error_code: x.error_code,
        cache: x.cache.result,
        attempts: x
            .attempts
            .iter()
            .zip(&spent.tries)
            .map(|(attempt, bought)| tried(attempt, bought))
            .collect(),
        counted: spent.counted,
        cost: spent.cost,
        tags: x.tags.clone(),
        user: x.user.clone(),
        client: Some(x.client),
    })
}

/// Who answered, or was tried last; for a stored answer, who gave it then.
fn target(x: &Exchange) -> Option<TargetName> {
    if let Some(last) = x.attempts.last() {
        return Some(TargetName { provider: last.target.provider.name.clone(), model: last.model.clone() });
    }
    if x.target.is_none()
        && let Some(giver) = &x.cache.giver
    {
        return Some(TargetName { provider: giver.provider.clone(), model: giver.model.clone() });
    }
    Some(TargetName { provider: x.provider()?.into(), model: x.model_upstream()?.into() })
}

fn tried(attempt: &Attempt, bought: &Bought) -> AttemptRecord {
    AttemptRecord {
        target: TargetName { provider: attempt.target.provider.name.clone(), model: attempt.model.clone() },
        outcome: attempt.outcome,
        status: attempt.status,
        reason: attempt.reason,
        took: attempt.took(),
        counted: bought.counted,
        nano_usd: bought.nano_usd,
    }
}

#[cfg(test)]
#[path = "usage_tests.rs"]
mod tests;
