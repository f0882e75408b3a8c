//! How models hang together: aliases, fallbacks, and settings that need more than one target or a price.

use super::{
    Check,
    budgets::targets_of,
    names::{Names, second},
};
use crate::{
    codes,
    model::{Model, Settings, Strategy},
    path,
};
use std::collections::{HashMap, HashSet};

impl Check<'_> {
    pub(super) fn routing(&mut self, settings: &Settings) {
        self.aliases(&settings.models);
        // A wildcard is no answer to a misspelt fallback.
        let exact = self.names.models.without_wildcards();
        for (index, model) in settings.models.iter().enumerate() {
            let at = path::item("models", index);
            self.fallbacks(&at, model, &exact, &settings.models);
            self.second_target(&at, model);
            self.reach(&at, model, settings);
            self.choice(&at, model, settings);
        }
    }

    /// Every name leads to one model.
    fn aliases(&mut self, models: &[Model]) {
        let mut seen: HashMap<&str, String> = HashMap::new();
        for (index, model) in models.iter().enumerate() {
            let at = path::field(&path::item("models", index), "name");
            if !self.problems.is_unusable(&at) {
                seen.entry(&model.name).or_insert(at);
            }
        }
        for (index, model) in models.iter().enumerate() {
            let at = path::field(&path::item("models", index), "aliases");
            if model.name.ends_with('*') && !model.aliases.is_empty() {
                let message = "an alias of a model whose own name ends in `*`: there is no rest to send";
                let help = "make a model of each, with targets of its own";
                self.error(&at, codes::BAD_WILDCARD, message, help);
            }
            for (index, alias) in model.aliases.iter().enumerate() {
                let at = path::item(&at, index);
                if self.problems.is_unusable(&at) {
                    continue;
                }
                if alias.contains('*') {
                    let message = format!("`{}` is not one fixed name", self.written(&at, alias));
                    let help = "an alias has no `*`; a model's name may end in one";
                    self.error(&at, codes::BAD_WILDCARD, message, help);
                } else if *alias == model.name {
                    self.error(&at, codes::DUPLICATE_NAME, "the model's own name once more", "remove it");
                } else if let Some(first) = seen.get(alias.as_str()) {
                    second("model", alias, &at, first, self.problems);
                } else {
                    seen.insert(alias, at);
                }
            }
        }
    }

    /// Each fallback is one other model.
    fn fallbacks(&mut self, at: &str, model: &Model, exact: &Names, models: &[Model]) {
        let at = path::field(at, "fallbacks");
        let mut seen = HashSet::new();
        for (index, name) in model.fallbacks.iter().enumerate() {
            let at = path::item(&at, index);
            if self.problems.is_unusable(&at) {
                continue;
            }
            let is_alias = || models.iter().any(|model| model.aliases.contains(name));
            let shown = self.written(&at, name);
            if name.contains('*') {
                let message = format!("`{shown}` is not one model");
                let help = "write the exact name of a model that has no `*`";
                self.error(&at, codes::BAD_WILDCARD, message, help);
            } else if *name == model.name {
                self.error(&at, codes::BAD_VALUE, "a model cannot be its own fallback", "remove it");
            } else if !seen.insert(name.as_str()) {
                let message = format!("`{shown}` once more: it is tried where it stands first");
                self.error(&at, codes::DUPLICATE_NAME, message, "remove it");
            } else if !exact.contains(name) && is_alias() {
                let message = format!("`{shown}` is an alias");
                self.error(&at, codes::UNKNOWN_NAME, message, "write the model's own `name`");
            } else {
                self.known(exact, &at, name);
            }
        }
    }

    /// A second request goes elsewhere, and there has to be an elsewhere.
    fn second_target(&mut self, at: &str, model: &Model) {
        // A model without any target, and fallbacks that cannot be read, are reported as that.
        if self.problems.is_unusable(&path::field(at, "fallbacks"))
            || !model.fallbacks.is_empty()
            || longest_list(model) != 1
        {
            return;
        }
        if model.hedge.is_some() {
            let message = "there is no second target to ask as well";
            let help = "add a target or `fallbacks`, or remove this";
            self.warning(&path::field(at, "hedge"), codes::IDLE_ROUTE, message, help);
        }
    }

    /// Fallbacks come after the targets, and the tries may be over by then.
    fn reach(&mut self, at: &str, model: &Model, settings: &Settings) {
        let own = model.resilience.as_ref().and_then(|own| own.attempts);
        let attempts = own.unwrap_or(settings.resilience.attempts);
        let targets = longest_list(model);
        // No tries at all are reported as that.
        if model.fallbacks.is_empty() || attempts == 0 || u32::try_from(targets).is_ok_and(|n| n < attempts) {
            return;
        }
        let (use_up, s) = if targets == 1 { ("uses", "") } else { ("use", "s") };
        let tries = if attempts == 1 { "only try".to_owned() } else { format!("{attempts} tries") };
        let message = format!("{targets} target{s} {use_up} up the {tries} before the fallbacks");
        let help = "raise resilience.attempts, the model's own or the common one";
        self.warning(&path::field(at, "fallbacks"), codes::IDLE_ROUTE, message, help);
    }

    /// Can the strategy choose, and does it get to?
    fn choice(&mut self, at: &str, model: &Model, settings: &Settings) {
        let strategy = path::field(at, "strategy");
        if model.strategy == Strategy::Cheapest {
            let unknown = self.unpriced(targets_of(at, model), settings);
            if !unknown.is_empty() {
                let message = format!("a choice by price, and no price for {}", unknown.join(", "));
                let help = "add it to `prices`; what has no price cannot be compared";
                self.warning(&strategy, codes::NO_PRICE, message, help);
            }
        }
        if model.prompt_cache_affinity && model.strategy != Strategy::Weighted {
            let message = "prompt_cache_affinity decides before the strategy";
            let help = "the strategy is left with requests without a stable prefix, and those whose target is \
                unhealthy; keep one of the two if that is not meant";
            self.warning(&strategy, codes::IDLE_ROUTE, message, help);
        }
    }
}

/// How many targets a request may have before the fallbacks: the model's own, or those of a rule.
fn longest_list(model: &Model) -> usize {
    let of_rules = model.rules.iter().map(|rule| rule.targets.len());
    of_rules.max().unwrap_or_default().max(model.targets.len())
}
