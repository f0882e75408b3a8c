//! `general_settings`, `environment_variables` and what else stands at the top of the file.

use super::{
    account::{Spot, Weight},
    deployment::Defaults,
    plan::{Master, Plan},
    reasons,
    section::{Section, Text},
    source::{Data, Entry, Source},
};
use sluice_config::Env;

/// `credential_list`.
pub(super) fn credentials<'a>(root: &Section<'a>, defaults: &mut Defaults<'a>) {
    for item in root.items("credential_list") {
        if let Data::Map(entries) = &item.data {
            defaults.credentials.push(Section::new(entries, root.account, Spot::Section("providers")));
        }
    }
}

/// What is left of those that a deployment has taken.
pub(super) fn rest_of_credentials(defaults: &Defaults<'_>) {
    for item in &defaults.credentials {
        if !item.get("credential_name").is_some_and(|name| item.account.is_open(&name.value)) {
            if let Some(values) = item.section("credential_values", &item.spot) {
                values.rest(reasons::PARAMS, reasons::PARAM);
            }
            if let Some(info) = item.section("credential_info", &item.spot) {
                info.rest(reasons::INFO, reasons::INFO_FIELD);
            }
            item.rest(&[], reasons::INFO_FIELD);
        }
    }
}

/// `general_settings`.
pub(super) fn read<'a>(root: &Section<'a>, env: &Env, defaults: &mut Defaults<'a>, plan: &mut Plan) {
    let settings = root.section("general_settings", &Spot::Section("rest"));
    // LiteLLM sets these before it looks anywhere.
    let set = |name: &str| written(root, name).or_else(|| env.get(name)).filter(|value| !value.is_empty());
    let keys = settings.as_ref().map(|map| map.at("keys"));
    plan.master = master(keys.as_ref(), set);
    let Some(map) = settings else { return };
    let at = |section| map.at(section);
    let providers = at("providers");
    defaults.parallel =
        providers.whole("max_parallel_requests").filter(|count| *count > 0).or(defaults.parallel);
    let listeners = at("listeners");
    plan.max_in_flight = listeners.whole("global_max_parallel_requests").filter(|count| *count > 0);
    plan.max_body_mb = listeners.whole("max_request_size_mb").filter(|size| *size > 0);
    for (key, taken) in
        [("global_max_parallel_requests", plan.max_in_flight), ("max_request_size_mb", plan.max_body_mb)]
    {
        if taken.is_none() {
            listeners.leave(key, "a whole number above zero is expected");
        }
    }
    if providers.get("max_parallel_requests").is_some() && defaults.parallel.is_none() {
        providers.leave("max_parallel_requests", "a whole number above zero is expected");
    }
    retention(&at("ledger"), plan);
    map.rest(reasons::GENERAL, reasons::SETTING);
}

fn retention(map: &Section<'_>, plan: &mut Plan) {
    let key = "maximum_spend_logs_retention_period";
    let Some(text) = map.word(key) else { return };
    plan.retention_days =
        text.strip_suffix('d').and_then(|days| days.parse().ok()).filter(|days| (1..=36_500).contains(days));
    if plan.retention_days.is_none() {
        map.leave(key, "days are expected, such as 30d: `ledger.retention`");
    }
}

/// The value of a variable that the file itself sets.
fn written(root: &Section<'_>, name: &str) -> Option<String> {
    let Data::Map(entries) = &root.get("environment_variables")?.value.data else { return None };
    match &entries.iter().rfind(|entry| entry.key == name)?.value.data {
        Data::Scalar(scalar) => Some(scalar.written.clone()),
        _ => None,
    }
}

fn master(map: Option<&Section<'_>>, set: impl Fn(&str) -> Option<String>) -> Master {
    const KEY: &str = "master_key";
    /// Where LiteLLM looks when the file does not say it.
    const VARIABLE: &str = "LITELLM_MASTER_KEY";
    let hash = |secret: &str| Master::Hash(format!("blake3:{}", blake3::hash(secret.as_bytes()).to_hex()));
    let Some((map, text)) = map.and_then(|map| Some((map, map.text(KEY)?))) else {
        return set(VARIABLE).map_or(Master::None, |secret| hash(&secret));
    };
    match text {
        Text::Plain(secret) if secret.is_empty() => Master::None,
        Text::Plain(secret) => {
            map.tell(KEY, "its hash is listed, so that clients that have it go on");
            hash(&secret)
        }
        Text::Variable(name) => match set(&name) {
            Some(secret) => {
                map.tell(
                    KEY,
                    "the hash of what the variable holds is listed, so that clients that have it go on",
                );
                hash(&secret)
            }
            None => {
                let why = format!(
                    "{name} is not set here, so its hash could not be listed: import again with it set, or make keys \
                     with `sluice key new`"
                );
                map.leave(KEY, &why);
                Master::Unknown(name)
            }
        },
    }
}

/// `include`, `environment_variables`, and sections without a counterpart.
pub(super) fn others(root: &Section<'_>, source: &Source) {
    let spot = Spot::Section("rest");
    for item in root.items("include") {
        let missing = match &item.data {
            Data::Scalar(scalar) => source.missing.contains(&scalar.written),
            _ => true,
        };
        if missing {
            let why = "there is no such file beside this one: its models and settings are missing below";
            root.account.remark_item(Weight::Open, &spot, "include", item, why);
        } else {
            root.account.remark_item(Weight::Told, &spot, "include", item, "read as part of this file");
        }
    }
    if let Some(map) = root.section("environment_variables", &spot) {
        map.entries.iter().for_each(|entry| variable(&map, entry));
    }
    root.rest(reasons::SECTIONS, reasons::SECTION);
}

fn variable(map: &Section<'_>, entry: &Entry) {
    let name = &entry.key;
    let is_address = ["_API_BASE", "_BASE_URL"].iter().any(|end| name.ends_with(end));
    let (weight, why) = if map.account.reads(name) {
        (Weight::Open, "set it where Sluice runs: this file reads it")
    } else if is_address {
        (Weight::Open, "LiteLLM reads an address from it: write it as the provider's base_url")
    } else {
        (Weight::Told, "nothing here reads it")
    };
    map.account.remark_at(weight, &map.spot, &format!("environment_variables.{name}"), entry, why);
}
