//! Client keys.

use super::{Check, is_pattern, overlap};
use crate::{
    codes,
    model::{Model, Settings},
    path,
};
use std::collections::HashMap;

impl Check<'_> {
    pub(super) fn keys(&mut self, settings: &Settings) {
        let mut hashes = HashMap::new();
        let now = jiff::Timestamp::now().as_second();
        for (index, key) in settings.keys.iter().enumerate() {
            let at = path::item("keys", index);
            self.known(&self.names.tenants, &path::field(&at, "tenant"), &key.tenant);
            let hash = path::field(&at, "hash");
            if !self.problems.is_unusable(&hash)
                && let Some(other) = hashes.insert(key.hash, key.name.clone())
            {
                let message = format!("the hash of key `{other}` once more: the two could not be told apart");
                self.error(&hash, codes::DUPLICATE_NAME, message, "give every key its own secret");
            }
            if key.expires.is_some_and(|expires| expires.0 <= now) {
                let help = "remove the key, or give it a later date";
                self.warning(&path::field(&at, "expires"), codes::EXPIRED, "this key no longer works", help);
            }
            self.allowed(&path::field(&at, "models"), &key.models, &settings.models);
            if let Some(budget) = &key.budget {
                let models: Vec<&str> = key.models.iter().map(String::as_str).collect();
                self.budget(&at, budget, &models, settings);
            }
            self.cache_override(&path::field(&at, "cache"), key.cache.as_ref());
        }
    }

    fn allowed(&mut self, at: &str, patterns: &[String], models: &[Model]) {
        if patterns.is_empty() {
            let help = "list names, prefixes ending in `*`, or \"*\"";
            self.warning(at, codes::NO_MODEL, "this key may ask for nothing", help);
        }
        for (index, pattern) in patterns.iter().enumerate() {
            let at = path::item(at, index);
            self.pattern(&at, pattern);
            let matched = models.iter().flat_map(Model::names).any(|name| overlap(pattern, name));
            if is_pattern(pattern) && !matched && !self.names.models.is_empty() {
                let help = self.names.models.closest(pattern);
                let help = help.unwrap_or_else(|| "add the model, or remove this".to_owned());
                let message = format!("no model matches `{}`", self.written(&at, pattern));
                self.warning(&at, codes::NO_MODEL, message, help);
            }
        }
    }
}
