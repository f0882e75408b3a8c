//! Models, targets, rules, prices.

use super::{Check, is_pattern};
use crate::{
    codes,
    model::{Condition, Model, Price, Target},
    path,
    problems::Problem,
};
use http::HeaderName;
use sluice_protocol::translate::PROMPT;
use std::collections::BTreeMap;

impl Check<'_> {
    pub(super) fn models(&mut self, models: &mut [Model]) {
        for (index, model) in models.iter_mut().enumerate() {
            self.model(&path::item("models", index), model);
        }
        if models.is_empty() {
            let help = "add models: [{name: …, targets: [{provider: …, model: …}]}]";
            let message = "no model is configured: every request is refused";
            let problem = Problem::warning(codes::NOTHING_SERVED, message).help(help);
            match self.problems.index.spot("models") {
                Some(_) => self.problems.push_key("models", problem),
                None => self.problems.push_global(problem),
            }
        }
    }

    pub(super) fn prices(&mut self, prices: &[Price]) {
        for (index, price) in prices.iter().enumerate() {
            let at = path::item("prices", index);
            self.known(&self.names.providers, &path::field(&at, "provider"), &price.provider);
            self.pattern(&path::field(&at, "model"), &price.model);
        }
    }

    fn model(&mut self, at: &str, model: &mut Model) {
        self.pattern(&path::field(at, "name"), &model.name);
        self.targets(at, &model.targets, &model.name);
        let rules = path::field(at, "rules");
        let mut always: Option<usize> = None;
        for (index, rule) in model.rules.iter_mut().enumerate() {
            let at = path::item(&rules, index);
            if always.is_some() {
                let help = "put it first, or give the rule above a condition";
                self.warning(
                    &at,
                    codes::BAD_RULE,
                    "this rule is never reached: the one above always matches",
                    help,
                );
            }
            // A misspelt condition is reported as that.
            let bare = !self.problems.index.has_fields(&path::field(&at, "when"));
            if rule.when == Condition::default() && bare {
                let help = "add a condition: tenant, key, header, min_input_tokens, stream or tools";
                self.warning(
                    &path::field(&at, "when"),
                    codes::BAD_RULE,
                    "a rule without a condition always matches",
                    help,
                );
                always = always.or(Some(index));
            }
            self.condition(&path::field(&at, "when"), &mut rule.when);
            self.targets(&at, &rule.targets, &model.name);
        }
        self.cache_override(&path::field(at, "cache"), model.cache.as_ref());
        if let Some(hedge) = &model.hedge {
            self.share(&path::field(at, "hedge.max_ratio"), hedge.max_ratio);
        }
        self.fits(at, model.context_window, model.max_output_tokens);
    }

    /// An answer is part of the context window.
    fn fits(&mut self, at: &str, window: Option<u64>, output: Option<u64>) {
        if let (Some(window), Some(output)) = (window, output)
            && output > window
        {
            let message = "an answer larger than the context window";
            let at = path::field(at, "max_output_tokens");
            self.error(&at, codes::OUT_OF_RANGE, message, "write less than context_window");
        }
    }

    fn condition(&mut self, at: &str, when: &mut Condition) {
        if let Some(tenant) = &when.tenant {
            self.known(&self.names.tenants, &path::field(at, "tenant"), tenant);
        }
        if let Some(key) = &when.key {
            self.known(&self.names.keys, &path::field(at, "key"), key);
        }
        if let Some(header) = &mut when.header {
            match HeaderName::from_bytes(header.name.as_bytes()) {
                Ok(name) => name.as_str().clone_into(&mut header.name),
                Err(_) => {
                    let at = path::field(at, "header.name");
                    let message =
                        format!("`{}` is not the name of a header", self.written(&at, &header.name));
                    self.error(&at, codes::BAD_HEADER, message, "letters, digits and dashes");
                }
            }
        }
    }

    fn targets(&mut self, at: &str, targets: &[Target], pattern: &str) {
        let at = path::field(at, "targets");
        if targets.is_empty() {
            let help = "add one: {provider: …, model: …}";
            self.problems.push_key(&at, Problem::error(codes::TARGETS, "no target").help(help));
        }
        let mut weights: BTreeMap<u32, u64> = BTreeMap::new();
        for (index, target) in targets.iter().enumerate() {
            let at = path::item(&at, index);
            self.known(&self.names.providers, &path::field(&at, "provider"), &target.provider);
            let wild = target.rests();
            let model = path::field(&at, "model");
            if wild > 1 {
                let help = "one `*` or one {rest}";
                self.error(&model, codes::BAD_WILDCARD, "the rest of the name can only stand once", help);
            } else if wild == 1 && !pattern.ends_with('*') {
                let message = "the model's own name has no `*`, so there is no rest to send";
                self.error(&model, codes::BAD_WILDCARD, message, "write the upstream's name for the model");
            }
            self.fits(&at, target.context_window, target.max_output_tokens);
            self.endpoints(&at, target.endpoints.as_deref());
            if target.prompt_template.as_ref().is_some_and(|template| !template.contains(PROMPT)) {
                let message = format!("the prompt has no place in it: `{PROMPT}` is missing");
                let help = "write {prompt} where the prompt belongs";
                self.error(&path::field(&at, "prompt_template"), codes::BAD_VALUE, message, help);
            }
            let same = |other: &Target| other.provider == target.provider && other.model == target.model;
            let provider = path::field(&at, "provider");
            if targets.iter().take(index).any(same) && !self.problems.is_unusable(&provider) {
                let provider = self.written(&provider, &target.provider);
                let shown = format!("{provider}/{}", self.written(&model, &target.model));
                let message = format!("`{shown}` once more: it is the same place, and shares its circuit");
                self.warning(&model, codes::DUPLICATE_NAME, message, "remove it, or write another model");
            }
            *weights.entry(target.priority).or_default() += u64::from(target.weight);
        }
        for (priority, _) in weights.iter().filter(|(_, weight)| **weight == 0) {
            let message = format!("the weights of priority {priority} add up to nothing");
            self.error(&at, codes::TARGETS, message, "give one target a weight above 0, or remove them");
        }
    }

    /// A name that may end in `*`.
    pub(super) fn pattern(&mut self, at: &str, name: &str) {
        if !is_pattern(name) {
            let message = format!("`*` may only stand once, at the end of `{}`", self.written(at, name));
            self.error(at, codes::BAD_WILDCARD, message, "an exact name, a prefix and `*`, or `*` alone");
        }
    }
}
