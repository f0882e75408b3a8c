//! Callers made ready: client keys with their limits, their tenant's, and the one caller of open mode.

use crate::{
    limits::{
        scope::{LimitScope, ScopeKind},
        share::{TenantShare, share_of},
    },
    state::{
        caps::Capped,
        handles::KeyMetrics,
        keys::{KeyEntry, Pattern},
        limits::{LimitStock, Limited},
    },
    telemetry::{labels::CappedLabel, metrics::Metrics},
};
use sluice_config::model::{self, Settings};
use std::{collections::HashMap, sync::Arc};

/// The tenant of keys that name none.
const DEFAULT_TENANT: &str = "default";
/// The name of the caller of open mode.
const EVERYBODY: &str = "open";

/// Makes callers of one configuration.
pub(super) struct Callers<'a> {
    settings: &'a Settings,
    stock: &'a LimitStock,
    is_shared: bool,
    metrics: &'a Metrics,
    tenants: HashMap<&'a str, Tenant<'a>>,
}

/// What all keys of a tenant have in common.
struct Tenant<'a> {
    name: Arc<str>,
    label: &'a str,
    limits: Option<Arc<LimitScope>>,
    share: Arc<TenantShare>,
}

impl<'a> Callers<'a> {
    pub(super) fn new(
        settings: &'a Settings,
        stock: &'a LimitStock,
        is_shared: bool,
        metrics: &'a Metrics,
    ) -> Self {
        let mut labels = Capped::new(CappedLabel::Tenant, &settings.telemetry.metrics, metrics);
        let common = settings.limits.as_ref().and_then(|limits| limits.tenant_share);
        let tenants = settings.tenants.iter().map(|tenant| {
            let own = tenant.limits.as_ref();
            let limited = Limited {
                limits: own,
                budget: tenant.budget.as_ref(),
                ..Limited::new(ScopeKind::Tenant, &tenant.name)
            };
            let share = own.and_then(|limits| limits.tenant_share).or(common);
            let most = share.map(|share| share_of(share, settings.listeners.api.max_in_flight));
            let ready = Tenant {
                name: tenant.name.as_str().into(),
                label: labels.value(&tenant.name),
                limits: stock.scope(limited, is_shared),
                share: stock.share(&tenant.name, most),
            };
            (tenant.name.as_str(), ready)
        });
        Self { tenants: tenants.collect(), settings, stock, is_shared, metrics }
    }

    /// A client key. Its own limits replace the common ones whole.
    pub(super) fn key(&self, key: &model::Key, label: &str) -> KeyEntry {
        let limited = Limited {
            limits: key.limits.as_ref().or(self.settings.limits.as_ref()),
            budget: key.budget.as_ref(),
            ..Limited::new(ScopeKind::Key, &key.name)
        };
        let models = key.models.iter().map(|pattern| Pattern::parse(pattern)).collect();
        let cache = key.cache.clone();
        KeyEntry { expires: key.expires, cache, ..self.entry(limited, &key.tenant, label, models) }
    }

    /// In open mode everybody is the same caller, who may ask for everything.
    pub(super) fn everybody(&self) -> KeyEntry {
        let limited =
            Limited { limits: self.settings.limits.as_ref(), ..Limited::new(ScopeKind::Key, EVERYBODY) };
        self.entry(limited, DEFAULT_TENANT, EVERYBODY, vec![Pattern::Prefix(String::new())])
    }

    fn entry(&self, limited: Limited<'_>, tenant: &str, label: &str, models: Vec<Pattern>) -> KeyEntry {
        let own = self.stock.scope(limited, self.is_shared);
        // Validated settings name only tenants that exist.
        let known = self.tenants.get(tenant);
        KeyEntry {
            name: limited.name.into(),
            tenant: known.map_or_else(|| tenant.into(), |tenant| tenant.name.clone()),
            expires: None,
            models,
            cache: None,
            limits: own.into_iter().chain(known.and_then(|tenant| tenant.limits.clone())).collect(),
            share: known.map(|tenant| tenant.share.clone()).unwrap_or_default(),
            metrics: KeyMetrics::new(self.metrics, known.map_or(tenant, |tenant| tenant.label), label),
        }
    }
}
