//! Budgets of tenants and keys, and whether what they count has a price.

use super::{Check, overlap};
use crate::{
    codes,
    model::{AuthMode, Budget, Model, Settings, Target, Tenant},
    path,
    problems::Problem,
};
use sluice_protocol::price::published;

/// The tenant of keys that name none, and of everybody where no key is asked for.
pub(super) const DEFAULT: &str = "default";

impl Check<'_> {
    /// What tenants may spend. Adds the tenant `default`, which always exists.
    pub(super) fn tenants(&mut self, settings: &mut Settings) {
        for (index, tenant) in settings.tenants.iter().enumerate() {
            if let Some(budget) = &tenant.budget {
                self.budget(&path::item("tenants", index), budget, &models_of(tenant, settings), settings);
            }
        }
        if !settings.tenants.iter().any(|tenant| tenant.name == DEFAULT) {
            settings.tenants.push(Tenant { name: DEFAULT.to_owned(), limits: None, budget: None });
        }
    }

    /// What may be spent by those who may use the models that `patterns` match.
    pub(super) fn budget(&mut self, owner: &str, budget: &Budget, patterns: &[&str], settings: &Settings) {
        let at = path::field(owner, "budget");
        if budget.usd.is_nan() || budget.usd <= 0.0 {
            let help = "write the dollars that may be spent";
            self.error(&path::field(&at, "usd"), codes::OUT_OF_RANGE, "a budget of nothing", help);
        }
        for (index, ratio) in budget.warn_at.iter().enumerate() {
            self.share(&path::item(&path::field(&at, "warn_at"), index), *ratio);
        }
        let unknown = self.unpriced(reachable(patterns, settings), settings);
        if !unknown.is_empty() {
            let message = format!("a budget, and no price for {}", unknown.join(", "));
            let help = "add it to `prices`; what has no price is not counted";
            self.problems.push_key(&at, Problem::warning(codes::NO_PRICE, message).help(help));
        }
    }

    /// The targets whose price is not known, each once, as the operator wrote them.
    pub(super) fn unpriced<'s>(
        &self,
        targets: impl Iterator<Item = (String, &'s Target)>,
        settings: &Settings,
    ) -> Vec<String> {
        let mut unknown: Vec<String> = Vec::new();
        for (at, target) in targets.filter(|(_, target)| !has_price(target, settings)) {
            let part = |name, value| self.written(&path::field(&at, name), value);
            let name = format!("{}/{}", part("provider", &target.provider), part("model", &target.model));
            if !unknown.contains(&name) {
                unknown.push(name);
            }
        }
        unknown
    }
}

/// The models that a tenant's callers may ask for.
fn models_of<'a>(tenant: &Tenant, settings: &'a Settings) -> Vec<&'a str> {
    if settings.auth.mode == AuthMode::Open && tenant.name == DEFAULT {
        return vec!["*"];
    }
    let keys = settings.keys.iter().filter(|key| key.tenant == tenant.name);
    keys.flat_map(|key| &key.models).map(String::as_str).collect()
}

/// Targets of the models that the patterns match, with their paths.
fn reachable<'a>(patterns: &[&str], settings: &'a Settings) -> impl Iterator<Item = (String, &'a Target)> {
    let models = settings.models.iter().enumerate();
    let models = models.filter(move |(_, model)| {
        patterns.iter().any(|pattern| model.names().any(|name| overlap(pattern, name)))
    });
    models.flat_map(|(index, model)| targets_of(&path::item("models", index), model))
}

/// Targets of a model and of its rules, with their paths.
pub(super) fn targets_of<'a>(
    at: &str,
    model: &'a Model,
) -> impl Iterator<Item = (String, &'a Target)> + use<'a> {
    let rules = path::field(at, "rules");
    let of_rules = model.rules.iter().enumerate();
    let of_rules = of_rules.flat_map(move |(index, rule)| targets(&path::item(&rules, index), &rule.targets));
    targets(at, &model.targets).chain(of_rules)
}

fn targets<'a>(at: &str, targets: &'a [Target]) -> impl Iterator<Item = (String, &'a Target)> + use<'a> {
    let at = path::field(at, "targets");
    targets.iter().enumerate().map(move |(index, target)| (path::item(&at, index), target))
}

/// Is there a price that the target can meet? Of a wildcard nobody knows what will be asked for, so that one is
/// enough.
fn has_price(target: &Target, settings: &Settings) -> bool {
    let model = target.upstream_pattern();
    let mut configured = settings.prices.iter().filter(|price| price.provider == target.provider);
    configured.any(|price| overlap(&price.model, &model)) || is_published(target, &model, settings)
}

/// Is there a published price? Those hold at the provider's own address alone.
fn is_published(target: &Target, model: &str, settings: &Settings) -> bool {
    let Some(provider) = settings.providers.iter().find(|provider| provider.name == target.provider) else {
        // Reported as such; its price is no second problem.
        return true;
    };
    if !provider.preset.is_home(&provider.base_url) {
        return false;
    }
    let rows: Vec<_> = published::rows().filter(|row| row.kind == provider.preset.id).collect();
    match model.strip_suffix('*') {
        Some(_) => rows.iter().any(|row| row.price.is_some() && overlap(model, row.model)),
        None => published::find(&rows, model).is_some(),
    }
}
