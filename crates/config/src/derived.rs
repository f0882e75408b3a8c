//! Defaults that depend on other values: what a provider's kind brings, `auth.mode`, `cache.redis`.
//! They are put into the merged tree before it is checked, so that nothing after it knows the difference.

use crate::{layers, model::AuthMode};
use config::{Value, ValueKind};
use sluice_protocol::provider::{Preset, preset};
use std::net::SocketAddr;

/// Fills them in.
pub(crate) fn fill(root: &mut Value) {
    let mode = auth_mode(root);
    let redis = field(root, "redis").is_some();
    let ValueKind::Table(sections) = &mut root.kind else { return };
    let auth = sections.entry("auth".to_owned()).or_insert_with(layers::empty);
    default(auth, "mode", || ValueKind::String(mode.to_owned()));
    if let Some(cache) = sections.get_mut("cache") {
        default(cache, "redis", || ValueKind::Boolean(redis));
    }
    if let Some(limits) = sections.get_mut("limits") {
        // Of the common block alone: blocks of keys, tenants, models and providers inherit nothing from it.
        default(limits, "cached_input_weight", || "100%".into());
        default(limits, "tenant_share", || "50%".into());
        default(limits, "on_redis_down", || "local".into());
    }
    if let Some(Value { kind: ValueKind::Array(providers), .. }) = sections.get_mut("providers") {
        providers.iter_mut().for_each(provider);
    }
}

fn provider(provider: &mut Value) {
    let Some(kind) = field(provider, "kind").and_then(text) else { return };
    // A kind that does not exist is reported by the walker; what it would have brought must not be missing too.
    let (base_url, drop_fields, stream_usage, local) = match preset(kind) {
        Some(Preset { base_url, drop_fields, stream_usage, local, .. }) => {
            (*base_url, *drop_fields, *stream_usage, *local)
        }
        None => (Some("https://unknown.invalid/v1"), [].as_slice(), true, false),
    };
    default(provider, "allow_private", || local.into());
    if let Some(base_url) = base_url {
        default(provider, "base_url", || ValueKind::String(base_url.to_owned()));
    }
    default(provider, "drop_fields", || drop_fields.to_vec().into());
    default(provider, "stream_usage", || if stream_usage { "auto" } else { "never" }.into());
}

/// Open while nobody else could call and no key is listed.
fn auth_mode(root: &Value) -> &'static str {
    let bind = field(root, "listeners")
        .and_then(|listeners| field(listeners, "api"))
        .and_then(|api| field(api, "bind"));
    let bind = bind.and_then(text).and_then(|bind| bind.parse::<SocketAddr>().ok());
    let keys =
        matches!(field(root, "keys"), Some(Value { kind: ValueKind::Array(keys), .. }) if !keys.is_empty());
    match bind {
        Some(bind) if !bind.ip().is_loopback() => AuthMode::Keys.name(),
        _ if keys => AuthMode::Keys.name(),
        _ => AuthMode::Open.name(),
    }
}

fn field<'a>(value: &'a Value, name: &str) -> Option<&'a Value> {
    match &value.kind {
        ValueKind::Table(table) => table.get(name),
        _ => None,
    }
}

fn text(value: &Value) -> Option<&str> {
    match &value.kind {
        ValueKind::String(text) => Some(text),
        _ => None,
    }
}

fn default(value: &mut Value, name: &str, make: impl FnOnce() -> ValueKind) {
    if let ValueKind::Table(table) = &mut value.kind {
        table.entry(name.to_owned()).or_insert_with(|| Value::new(None, make()));
    }
}
