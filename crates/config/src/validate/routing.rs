//! How models hang together: aliases, fallbacks, and settings that need more than one target or a price.

use super::{
    Check,
    budgets::targets_of,
    names::{Names, second},
};
use crate::{
    codes,
    model::{Model, Resume, Settings, Strategy},
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

    /// Some settings send a request elsewhere, and there has to be an elsewhere.
    fn second_target(&mut self, at: &str, model: &Model) {
        let lists = std::iter::once(&model.targets).chain(model.rules.iter().map(|rule| &rule.targets));
        // A model without any target, and fallbacks that cannot be read, are reported as that.
        if self.problems.is_unusable(&path::field(at, "fallbacks"))
            || !model.fallbacks.is_empty()
            || lists.map(Vec::len).max() != Some(1)
        {
            return;
        }
        let help = "add a target or `fallbacks`, or remove this";
        for (name, what) in [
            ("resume", (model.resume != Resume::None).then_some("to go on from")),
            ("hedge", model.hedge.as_ref().map(|_| "to ask as well")),
        ] {
            if let Some(what) = what {
                let message = format!("there is no second target {what}");
                self.warning(&path::field(at, name), codes::IDLE_ROUTE, message, help);
            }
        }
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
