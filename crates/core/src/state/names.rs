//! Which label values the configuration in force has, so that series of what is gone can be told from the others.

use crate::state::{keys::KeyEntry, provider::Provider, routes::RouteTable};
use crate::telemetry::labels::OTHER;
use prometheus::proto::LabelPair;
use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

/// Label values of one configuration; those of a pair are known together.
#[derive(Debug, Default)]
pub struct Names {
    providers: HashMap<Box<str>, OfProvider>,
    models: HashSet<Box<str>>,
    /// Keys by tenant.
    tenants: HashMap<Box<str>, HashSet<Box<str>>>,
}

#[derive(Debug, Default)]
struct OfProvider {
    /// Models that lead to it.
    models: HashSet<Box<str>>,
    /// Its own names of models.
    targets: HashSet<Box<str>>,
}

impl Names {
    /// Takes the labels from what was made of the configuration.
    pub(super) fn of<'a>(
        providers: impl IntoIterator<Item = &'a Arc<Provider>>,
        models: &RouteTable,
        callers: impl IntoIterator<Item = &'a Arc<KeyEntry>>,
    ) -> Self {
        let mut names = Self::default();
        for provider in providers {
            names.providers.entry(provider.metrics.label().into()).or_default();
        }
        // Of requests without a model.
        names.models.insert(OTHER.into());
        for entry in models.all() {
            names.models.insert(entry.metrics.label().into());
            for target in entry.all_targets() {
                let of = names.providers.entry(target.provider.metrics.label().into()).or_default();
                of.models.insert(entry.metrics.label().into());
                of.targets.insert(target.metrics.label().into());
            }
        }
        for caller in callers {
            let keys = names.tenants.entry(caller.metrics.tenant().into()).or_default();
            keys.insert(caller.metrics.label().into());
        }
        names
    }

    /// Are these the labels of something that is configured?
    #[must_use]
    pub fn hold(&self, labels: &[LabelPair]) -> bool {
        let value = |name: &str| labels.iter().find(|label| label.name() == name).map(LabelPair::value);
        let (provider, model, tenant) = (value("provider"), value("model"), value("tenant"));
        let of_provider = |provider: &str| {
            self.providers.get(provider).is_some_and(|of| {
                model.is_none_or(|model| of.models.contains(model))
                    && value("upstream_model").is_none_or(|target| of.targets.contains(target))
            })
        };
        let of_tenant = |tenant: &str| {
            let keys = self.tenants.get(tenant);
            keys.is_some_and(|keys| value("key").is_none_or(|key| keys.contains(key)))
        };
        let is_provider =
            |label: &str| value(label).is_none_or(|provider| self.providers.contains_key(provider));
        provider.is_none_or(of_provider)
            && model.is_none_or(|model| self.models.contains(model))
            && tenant.is_none_or(of_tenant)
            && is_provider("from_provider")
            && is_provider("to_provider")
    }
}
