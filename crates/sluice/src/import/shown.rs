//! Lines of the source as a remark may show them: on one line each, and without anything that could be a secret.

use super::source::{Data, Entry, Node, Place};
use sluice_config::yaml::{Scalar, Value};

/// Parts of field names whose values are never shown, in lower case.
const SECRET_NAMES: &[&str] = &[
    "key",
    "secret",
    "password",
    "passwd",
    "token",
    "credential",
    "auth",
    "webhook",
    "dsn",
    "cookie",
    "license",
    "database_url",
    "connection_string",
];
/// Maps whose values are never shown, whatever they are called.
const SECRET_MAPS: &[&str] =
    &["environment_variables", "headers", "extra_headers", "env", "args", "credential_values"];
/// How secrets begin.
const SECRET_STARTS: &[&str] = &[
    "sk-", "pk-", "rk-", "sk_", "pk_", "hf_", "gsk_", "xai-", "ghp_", "xox", "AKIA", "AIza", "eyJ", "Bearer ",
];
/// So many letters and digits in a row are no word.
const LONGEST_WORD: usize = 20;
const STARS: &str = "***";

/// A field under this name.
pub(super) fn field(name: &str, entry: &Entry) -> Vec<(Place, String)> {
    let mut lines = Vec::new();
    let secret = name.split('.').any(is_secret_map);
    put(entry.place, &format!("{name}:"), &entry.value, &entry.key, secret, 0, &mut lines);
    lines
}

/// A value without a name of its own.
pub(super) fn item(name: &str, node: &Node) -> Vec<(Place, String)> {
    let mut lines = Vec::new();
    let head = if name == "-" { name.to_owned() } else { format!("{name}:") };
    put(node.place, &head, node, name, name.split('.').any(is_secret_map), 0, &mut lines);
    lines
}

fn is_secret_map(name: &str) -> bool {
    SECRET_MAPS.contains(&name.to_lowercase().as_str())
}

fn put(
    place: Place,
    head: &str,
    node: &Node,
    name: &str,
    secret: bool,
    indent: usize,
    lines: &mut Vec<(Place, String)>,
) {
    let mut on_one_line = true;
    node.leaves(&mut |leaf| on_one_line &= leaf.place.line == place.line && leaf.place.file == place.file);
    let is_single = matches!(node.data, Data::Scalar(_));
    let is_item = head == "-";
    if on_one_line || is_single {
        let value = flow(node, name, secret);
        let space = if value.is_empty() { "" } else { " " };
        // An alias names a place of its own; what it stands for is shown there.
        lines.push((place, format!("{:indent$}{head}{space}{value}", "")));
        return;
    }
    let first = lines.len();
    if !is_item {
        lines.push((place, format!("{:indent$}{head}", "")));
    }
    match &node.data {
        Data::Map(entries) => {
            for entry in entries {
                let secret = secret || is_secret_map(&entry.key);
                let head = format!("{}:", plain(&entry.key));
                put(entry.place, &head, &entry.value, &entry.key, secret, indent + 2, lines);
            }
        }
        Data::List(items) => {
            for item in items {
                put(item.place, "-", item, name, secret, indent + 2, lines);
            }
        }
        Data::Scalar(_) => {}
    }
    // The dash stands in the item's first line.
    if is_item && let Some((_, text)) = lines.get_mut(first) {
        let own = text.trim_start().to_owned();
        *text = format!("{:indent$}{head} {own}", "");
    }
}

fn flow(node: &Node, name: &str, secret: bool) -> String {
    match &node.data {
        Data::Scalar(scalar) => self::scalar(scalar, name, secret),
        Data::List(items) => {
            let items: Vec<String> = items.iter().map(|item| flow(item, name, secret)).collect();
            format!("[{}]", items.join(", "))
        }
        Data::Map(entries) => {
            let fields = entries.iter().map(|entry| {
                let secret = secret || is_secret_map(&entry.key);
                format!("{}: {}", plain(&entry.key), flow(&entry.value, &entry.key, secret))
            });
            format!("{{{}}}", fields.collect::<Vec<_>>().join(", "))
        }
    }
}

fn scalar(scalar: &Scalar, name: &str, secret: bool) -> String {
    let written = scalar.written.as_str();
    let lower = name.to_lowercase();
    let guarded = secret || SECRET_NAMES.iter().any(|part| lower.contains(part));
    match &scalar.value {
        _ if written.starts_with("os.environ/") => plain(written),
        Value::Null => String::new(),
        Value::Bool(_) => written.to_owned(),
        // `max_tokens: 20` is no secret, `redis_password: 20` is.
        Value::Integer(_) | Value::Float(_)
            if !secret && !lower.contains("pass") && !lower.contains("secret") && written.len() < 12 =>
        {
            written.to_owned()
        }
        _ if guarded || looks_secret(written) => STARS.to_owned(),
        _ => plain(written),
    }
}

/// Does it look like a secret, wherever it stands?
pub(super) fn looks_secret(text: &str) -> bool {
    let has_credentials = text.split_once("://").is_some_and(|(_, rest)| rest.contains('@'));
    let words = text.split(|c: char| !c.is_ascii_alphanumeric());
    let is_noise = |word: &str| {
        word.len() >= LONGEST_WORD
            && word.bytes().any(|byte| byte.is_ascii_digit())
            && word.bytes().any(|byte| byte.is_ascii_alphabetic())
    };
    has_credentials
        || SECRET_STARTS.iter().any(|start| text.starts_with(start))
        || (text.contains("://") && text.contains("hook"))
        || text.contains("-----BEGIN")
        || words.into_iter().any(is_noise)
}

/// On one line.
fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::looks_secret;

    #[test]
    fn secrets_are_known_by_their_looks_and_names_of_models_are_not() {
        for secret in [
            "sk-1234",
            "postgresql://me:word@host/db",
            "Bearer abc",
            "https://hooks.example/T0/B0/x",
            "0123456789abcdef0123456789abcdef",
        ] {
            assert!(looks_secret(secret), "{secret}");
        }
        for name in [
            "gpt-4o-mini-2024-07-18",
            "accounts/fireworks/models/llama-v3p1-405b-instruct",
            "http://gpu:8000/v1",
        ] {
            assert!(!looks_secret(name), "{name}");
        }
    }
}
