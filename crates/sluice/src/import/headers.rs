//! `extra_headers` and `additional_drop_params`: what a provider is sent beside, and what it is not sent.

use super::{
    account::Weight,
    section::{Section, Text},
    shown,
    source::Data,
};
use http::{HeaderName, HeaderValue};
use sluice_config::NOT_YOURS;
use sluice_protocol::provider::{DropFields, preset};

/// Headers as our file has them, names in lower case.
pub(super) fn read(params: &Section<'_>) -> Vec<(String, String)> {
    let mut headers: Vec<(String, String)> = Vec::new();
    for map in ["extra_headers", "headers"] {
        let Some(section) = params.section(map, &params.spot) else { continue };
        for entry in section.entries {
            let path = format!("{map}.{}", entry.key);
            let Some(value) = section.text(&entry.key) else { continue };
            let name = HeaderName::from_bytes(entry.key.as_bytes()).ok();
            let Some(name) = name.filter(|name| !NOT_YOURS.contains(&name.as_str())) else {
                section.account.remark_at(
                    Weight::Open,
                    &section.spot,
                    &path,
                    entry,
                    "not a header that can be set",
                );
                continue;
            };
            let value = match &value {
                Text::Plain(text) if HeaderValue::from_str(text).is_err() => {
                    section.account.remark_at(
                        Weight::Open,
                        &section.spot,
                        &path,
                        entry,
                        "not a value that can be sent",
                    );
                    continue;
                }
                Text::Plain(text) if is_credential(name.as_str()) || shown::looks_secret(text) => {
                    section.account.secret(text, &entry.key, entry.value.place)
                }
                text => text.ours(section.account),
            };
            headers.retain(|(known, _)| known != name.as_str());
            headers.push((name.as_str().to_owned(), value));
        }
    }
    headers
}

fn is_credential(name: &str) -> bool {
    ["auth", "key", "token", "secret", "cookie", "pass", "credential", "session"]
        .iter()
        .any(|part| name.contains(part))
}

/// Members that are not sent, those included that the kind refuses anyway; empty: the kind's own alone.
pub(super) fn drop_fields(params: &Section<'_>, ours: &str) -> Vec<String> {
    let mut fields: Vec<String> = Vec::new();
    for item in params.items("additional_drop_params") {
        let name = match &item.data {
            Data::Scalar(scalar) => scalar.written.clone(),
            _ => String::new(),
        };
        if DropFields::parse(std::slice::from_ref(&name)).is_ok() {
            params.account.take(item);
            fields.push(name);
        } else {
            let why = "only a member's name can be dropped, or `**.name` wherever the dialect defines it";
            params.account.remark_item(Weight::Open, &params.spot, "additional_drop_params", item, why);
        }
    }
    if !fields.is_empty() {
        let own = preset(ours).map_or(&[][..], |preset| preset.drop_fields);
        for field in
            own.iter().rev().filter(|field| !fields.iter().any(|known| known == *field)).collect::<Vec<_>>()
        {
            fields.insert(0, (*field).to_owned());
        }
    }
    fields
}
