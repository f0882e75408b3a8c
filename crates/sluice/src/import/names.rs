//! Names of providers and of their keys: readable, and each its own.

use super::{
    address,
    kinds::Style,
    plan::{Key, Provider},
    section::Text,
};

/// Words of variables that say nothing.
const COMMON: &[&str] = &[
    "api",
    "key",
    "keys",
    "base",
    "url",
    "endpoint",
    "openai",
    "azure",
    "anthropic",
    "ai",
    "token",
    "secret",
    "sluice",
    "imported",
];

/// Names all providers and their keys.
pub(super) fn of_providers(providers: &mut [Provider]) {
    let mut taken: Vec<String> = Vec::new();
    for provider in providers {
        name_keys(&mut provider.keys);
        let mut name = plain(provider);
        if taken.contains(&name) {
            let suffix = match provider.keys.as_slice() {
                [key] => suffix(&key.value, provider.identity.ours),
                _ => None,
            };
            name = suffix.map_or_else(|| name.clone(), |suffix| format!("{name}-{suffix}"));
        }
        name = unique(&name, &taken);
        taken.push(name.clone());
        provider.name = name;
    }
}

fn plain(provider: &Provider) -> String {
    let identity = &provider.identity;
    let (ours, theirs) = (identity.ours, identity.kind.theirs);
    let Some(base_url) = &identity.base_url else { return ours.to_owned() };
    if let Some(variable) = base_url.strip_prefix("${").and_then(|rest| rest.split('}').next()) {
        let kind = if ours == "openai_compatible" { "upstream" } else { ours };
        return suffix(variable, ours).map_or_else(|| kind.to_owned(), |suffix| format!("{kind}-{suffix}"));
    }
    let label = address::label(base_url);
    match identity.kind.style {
        Style::Hosted if ours == "openai_compatible" => theirs.to_owned(),
        _ if ours == "openai_compatible" => label,
        _ if label.starts_with(ours) || label.is_empty() => label,
        _ => format!("{ours}-{label}"),
    }
}

/// What is special about a variable: `eu` of `AZURE_API_KEY_EU`.
fn suffix(reference: &str, kind: &str) -> Option<String> {
    let slug = Text::slug(reference);
    let of_kind = |word: &str| word.len() > 1 && kind.contains(word);
    let words = slug.split('-').filter(|word| !COMMON.contains(word) && !of_kind(word));
    let words: Vec<&str> = words.collect();
    let says = words.iter().any(|word| !word.bytes().all(|byte| byte.is_ascii_digit()));
    says.then(|| words.join("-"))
}

fn name_keys(keys: &mut [Key]) {
    if let [key] = keys {
        "main".clone_into(&mut key.name);
        return;
    }
    let mut taken: Vec<String> = Vec::new();
    for key in keys {
        key.name = unique(&suffix(&key.value, "").unwrap_or_else(|| "key".to_owned()), &taken);
        taken.push(key.name.clone());
    }
}

fn unique(name: &str, taken: &[String]) -> String {
    let numbered = (2..).map(|number| format!("{name}-{number}"));
    let mut candidates = std::iter::once(name.to_owned()).chain(numbered);
    candidates.find(|candidate| !taken.contains(candidate)).unwrap_or_else(|| name.to_owned())
}
