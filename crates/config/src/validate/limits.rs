//! Limits of any scope, and budgets.

use super::Check;
use crate::{
    codes,
    model::{Limits, Settings, Target, Tenant},
    path,
    problems::Problem,
};

impl Check<'_> {
    /// Limits at `at`, if there are any.
    pub(super) fn limits(&mut self, at: &str, limits: Option<&Limits>) {
        let Some(limits) = limits else { return };
        for (name, ratio) in
            [("cached_input_weight", limits.cached_input_weight), ("tenant_share", limits.tenant_share)]
        {
            if let Some(ratio) = ratio {
                self.share(&path::field(at, name), ratio);
            }
        }
        if limits.tenant_share.is_some_and(|share| share.0 <= 0.0) {
            let at = path::field(at, "tenant_share");
            self.error(
                &at,
                codes::OUT_OF_RANGE,
                "no tenant could ask for anything",
                "write a share above 0%",
            );
        }
    }

    /// Tenants, and what they may spend. Adds the tenant `default`, which always exists.
    pub(super) fn tenants(&mut self, settings: &mut Settings) {
        for (index, tenant) in settings.tenants.iter().enumerate() {
            let at = path::item("tenants", index);
            self.limits(&path::field(&at, "limits"), tenant.limits.as_ref());
            self.budget(&at, tenant, settings);
        }
        if !settings.tenants.iter().any(|tenant| tenant.name == DEFAULT) {
            settings.tenants.push(Tenant { name: DEFAULT.to_owned(), limits: None, budget: None });
        }
    }

    fn budget(&mut self, at: &str, tenant: &Tenant, settings: &Settings) {
        let Some(budget) = &tenant.budget else { return };
        let at = path::field(at, "budget");
        if budget.usd <= 0.0 {
            let help = "write the dollars that may be spent";
            self.error(&path::field(&at, "usd"), codes::OUT_OF_RANGE, "a budget of nothing", help);
        }
        for (index, ratio) in budget.warn_at.iter().enumerate() {
            self.share(&path::item(&path::field(&at, "warn_at"), index), *ratio);
        }
        let mut unknown: Vec<String> = Vec::new();
        for (at, target) in reachable(tenant, settings).filter(|(_, target)| !has_price(target, settings)) {
            let part = |name, value| self.written(&path::field(&at, name), value);
            let name = format!("{}/{}", part("provider", &target.provider), part("model", &target.model));
            if !unknown.contains(&name) {
                unknown.push(name);
            }
        }
        if !unknown.is_empty() {
            let message = format!("a budget, and no price for {}", unknown.join(", "));
            let help = "add it to `prices`; what has no price is not counted";
            self.problems.push_key(&at, Problem::warning(codes::NO_PRICE, message).help(help));
        }
    }
}

/// The tenant of keys that name none.
pub(super) const DEFAULT: &str = "default";

/// Targets that the tenant's keys can reach, with their paths.
fn reachable<'a>(tenant: &Tenant, settings: &'a Settings) -> impl Iterator<Item = (String, &'a Target)> {
    let keys = settings.keys.iter().filter(|key| key.tenant == tenant.name);
    let patterns: Vec<&String> = keys.flat_map(|key| &key.models).collect();
    let models = settings.models.iter().enumerate();
    let models =
        models.filter(move |(_, model)| patterns.iter().any(|pattern| super::overlap(pattern, &model.name)));
    models.flat_map(|(index, model)| {
        let at = path::item("models", index);
        let rules = path::field(&at, "rules");
        let of_rules = model
            .rules
            .iter()
            .enumerate()
            .flat_map(move |(index, rule)| targets(&path::item(&rules, index), &rule.targets));
        targets(&at, &model.targets).chain(of_rules)
    })
}

fn targets<'a>(at: &str, targets: &'a [Target]) -> impl Iterator<Item = (String, &'a Target)> + use<'a> {
    let at = path::field(at, "targets");
    targets.iter().enumerate().map(move |(index, target)| (path::item(&at, index), target))
}

fn has_price(target: &Target, settings: &Settings) -> bool {
    let mut prices = settings.prices.iter().filter(|price| price.provider == target.provider);
    prices.any(|price| super::overlap(&price.model, &target.model))
}
