//! How limits and budgets stand: gauges that are read when somebody asks, and the same for the status.

use crate::{
    limits::{
        bucket::At,
        scope::{LimitScope, ScopeKind},
    },
    state::{keys::KeyEntry, snapshot::Snapshot},
    telemetry::{labels::LimitLabel, metrics::Metrics},
};
use serde::Serialize;
use sluice_config::model::Period;
use std::collections::{BTreeMap, HashMap};

/// Shows what is left of keys' buckets and of budgets. What is not configured any more is shown no more.
pub fn show(snapshot: &Snapshot, metrics: &Metrics) {
    let replicas = snapshot.shared_limits.as_ref().map_or(0, |shared| shared.replicas());
    metrics.limiter_replicas.set(replicas.into());
    if snapshot.shared_limits.is_none() {
        // What was shared until a reload may have been asked once more since, in vain.
        metrics.limiter_mode.set(0);
    }
    show_remaining(snapshot, metrics);
    for family in
        [&metrics.budget_spent, &metrics.budget_limit, &metrics.budget_reset, &metrics.budget_warnings]
    {
        family.reset();
    }
    // Of those beyond the cap, which share a label, the one that is spent most is shown.
    let mut most: BTreeMap<(&str, String, &str), BudgetStatus> = BTreeMap::new();
    for budget in budgets(snapshot) {
        let place = (budget.scope, budget.label.clone(), budget.period);
        let share = |budget: &BudgetStatus| budget.spent_usd / budget.limit_usd.max(f64::MIN_POSITIVE);
        if most.get(&place).is_none_or(|known| share(known) < share(&budget)) {
            most.insert(place, budget);
        }
    }
    for budget in most.into_values() {
        let labels = [budget.scope, &budget.label, budget.period];
        metrics.budget_spent.with_label_values(&labels).set(budget.spent_usd);
        metrics.budget_limit.with_label_values(&labels).set(budget.limit_usd);
        metrics.budget_reset.with_label_values(&labels).set(budget.resets as f64);
        metrics.budget_warnings.with_label_values(&labels).set(budget.warnings as f64);
    }
}

fn show_remaining(snapshot: &Snapshot, metrics: &Metrics) {
    metrics.key_remaining.reset();
    let now = At::present().now;
    // Keys beyond the cap share a label: the emptiest of them is shown.
    let mut least: HashMap<(&str, &str, LimitLabel), f64> = HashMap::new();
    for key in callers(snapshot) {
        for scope in key.limits.iter().filter(|scope| scope.kind() == ScopeKind::Key) {
            let ratios =
                [LimitLabel::Requests, LimitLabel::Tokens].into_iter().zip(scope.remaining_ratios(now));
            for (limit, ratio) in ratios {
                let Some(ratio) = ratio else { continue };
                let known = least.entry((key.metrics.tenant(), key.metrics.label(), limit)).or_insert(ratio);
                *known = known.min(ratio);
            }
        }
    }
    for ((tenant, key, limit), ratio) in least {
        metrics.key_remaining.with_label_values(&[tenant, key, limit.as_str()]).set(ratio);
    }
}

fn callers(snapshot: &Snapshot) -> impl Iterator<Item = &KeyEntry> {
    snapshot.keys.all().chain(&snapshot.open).map(AsRef::as_ref)
}

/// How limits stand.
#[derive(Debug, Serialize)]
pub struct LimitsStatus {
    /// `memory`, `shared`, or `degraded` while Redis is away.
    mode: &'static str,
    /// Replicas that share them, as last heard.
    #[serde(skip_serializing_if = "Option::is_none")]
    replicas: Option<u32>,
    budgets: Vec<BudgetStatus>,
}

/// How a budget stands.
#[derive(Debug, Serialize)]
pub struct BudgetStatus {
    scope: &'static str,
    name: String,
    #[serde(skip)]
    label: String,
    period: &'static str,
    spent_usd: f64,
    limit_usd: f64,
    /// The first second of the next period, since 1970.
    resets: i64,
    /// Shares of `warn_at` that were passed.
    warnings: usize,
}

/// What the status page tells of limits.
#[must_use]
pub fn status(snapshot: &Snapshot, metrics: &Metrics) -> LimitsStatus {
    let shared = snapshot.shared_limits.as_ref();
    let mode = match shared {
        None => "memory",
        Some(_) if metrics.limiter_mode.get() == 1 => "degraded",
        Some(_) => "shared",
    };
    LimitsStatus { mode, replicas: shared.map(|shared| shared.replicas()), budgets: budgets(snapshot) }
}

/// Budgets of keys and tenants, each once, in order of their names.
fn budgets(snapshot: &Snapshot) -> Vec<BudgetStatus> {
    let second = At::present().second;
    let mut found = BTreeMap::new();
    for key in callers(snapshot) {
        for scope in &key.limits {
            let label = match scope.kind() {
                ScopeKind::Key => key.metrics.label(),
                _ => key.metrics.tenant(),
            };
            if let Some(budget) = budget(scope, label, second) {
                found.insert((scope.kind(), scope.name().to_owned()), budget);
            }
        }
    }
    found.into_values().collect()
}

fn budget(scope: &LimitScope, label: &str, second: i64) -> Option<BudgetStatus> {
    let (budget, paid, span) = scope.budget(second)?;
    let usd = |nano: u64| nano as f64 / 1e9;
    Some(BudgetStatus {
        scope: scope.kind().as_str(),
        name: scope.name().to_owned(),
        label: label.to_owned(),
        period: match budget.per {
            Period::Day => "day",
            Period::Month => "month",
        },
        spent_usd: usd(paid),
        limit_usd: usd(budget.nano_usd),
        resets: span.end,
        warnings: scope.warnings(budget, paid),
    })
}
