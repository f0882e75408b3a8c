//! Hides what an upstream's message must not tell a client: credentials and addresses.
//!
//! Two nets: the given secrets, wherever they stand, and words that look like a key or an address. A word too
//! many hidden costs little; one too few may be somebody's key.

use std::net::{IpAddr, SocketAddr};

const KEY: &str = "[key]";
const URL: &str = "[url]";
const ADDRESS: &str = "[address]";

/// How the keys and account ids of well-known vendors begin.
#[rustfmt::skip]
const KEY_PREFIXES: &[&str] = &[
    "sk-", "sk_", "pk-", "pk_", "rk-", "rk_", "key-", "key_", "ps-", "gsk_", "xai-", "pplx-", "nvapi-", "csk-",
    "tgp_", "fw_", "hf_", "ghp_", "github_pat_", "AIza", "AKIA", "ASIA", "eyJ", "org-", "proj_",
];

/// Ends of host names. `body.temperature` has the form of one as well; nothing but the end tells them apart.
#[rustfmt::skip]
const HOST_ENDINGS: &[&str] = &[
    "com", "net", "org", "io", "ai", "dev", "app", "cloud", "co", "xyz", "eu", "internal", "intranet", "local",
    "localdomain", "lan", "corp", "svc", "cluster", "arpa",
];

/// Names after which, and an equals sign, a credential stands.
const CREDENTIALS: &[&str] = &["key", "token", "secret", "password", "authorization", "bearer", "signature"];

/// Random text of this length is taken for a credential.
const LONG: usize = 32;
/// No word of any language is this long: it is hidden unread.
const TOO_LONG: usize = 1024;

/// `text` without the `secrets` and without anything that looks like a key, a URL, a host or an address.
///
/// Cut to size afterwards, with [`cut`]: half a secret is not recognised any more.
#[must_use]
pub fn redact(text: &str, secrets: &[&str]) -> String {
    let mut text = text.to_owned();
    // A very short "secret" would tear holes into every word; it protects nothing either.
    for secret in secrets.iter().map(|secret| secret.trim()).filter(|secret| secret.len() >= 4) {
        if text.contains(secret) {
            text = text.replace(secret, KEY);
        }
    }
    let mut clean = String::with_capacity(text.len());
    let mut after_scheme = false;
    for piece in text.split_inclusive(is_delimiter) {
        let word = piece.trim_end_matches(is_delimiter).trim_end_matches(['.', ':', '!', '?', '-']);
        if word.len() > TOO_LONG || (after_scheme && word.len() >= 8) {
            clean.push_str(KEY);
        } else {
            redact_word(word, &mut clean);
        }
        clean.push_str(piece.get(word.len()..).unwrap_or_default());
        if !word.is_empty() {
            after_scheme = ["bearer", "basic"].iter().any(|scheme| word.eq_ignore_ascii_case(scheme));
        }
    }
    clean
}

/// The longest beginning of `text` that has at most `max` bytes and ends between two characters.
#[must_use]
pub fn cut(text: &str, max: usize) -> &str {
    text.get(..text.floor_char_boundary(max)).unwrap_or(text)
}

fn is_delimiter(c: char) -> bool {
    !c.is_ascii() || c.is_ascii_control() || " \"'`<>(){},;|\\".contains(c)
}

/// Writes one word, or what stands for it: as a whole, else part by part (`name=value`, `place:reason`).
fn redact_word(word: &str, clean: &mut String) {
    let mut rest = word;
    loop {
        if is_url(rest) {
            clean.push_str(URL);
        } else if is_address(rest) {
            clean.push_str(ADDRESS);
        } else if is_key(rest) {
            clean.push_str(KEY);
        } else if let Some(at) = rest.find(['=', ':', '&', '@', '/', '%', '?', '#', '[', ']']) {
            let (head, tail) = rest.split_at(at + 1);
            redact_part(head, clean);
            if head.ends_with('=') && names_credential(head) && !tail.is_empty() {
                clean.push_str(KEY);
                return;
            }
            rest = tail;
            continue;
        } else {
            clean.push_str(rest);
        }
        return;
    }
}

/// Writes the part of a word before a separator, and the separator, which is its last byte.
fn redact_part(part: &str, clean: &mut String) {
    let (name, separator) = part.split_at(part.len().saturating_sub(1));
    clean.push_str(if is_address(name) {
        ADDRESS
    } else if is_key(name) {
        KEY
    } else {
        name
    });
    clean.push_str(separator);
}

fn is_url(word: &str) -> bool {
    let scheme = word.split_once("://").map(|(scheme, _)| scheme);
    scheme.is_some_and(|scheme| {
        scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
    })
}

fn names_credential(head: &str) -> bool {
    let name = head.trim_end_matches('=').to_ascii_lowercase();
    CREDENTIALS.iter().any(|credential| name.ends_with(credential))
}

fn is_key(word: &str) -> bool {
    let has_prefix = KEY_PREFIXES.iter().any(|prefix| {
        let Some(rest) = word.strip_prefix(prefix) else { return false };
        let no_word = rest.len() >= 8 || rest.contains(|c: char| c.is_ascii_digit() || c == '*');
        rest.len() >= 3 && (no_word || prefix.starts_with("sk"))
    });
    has_prefix || word.split(|c: char| !is_base64(c)).any(is_random)
}

fn is_base64(c: char) -> bool {
    c.is_ascii_alphanumeric() || "+/_-=".contains(c)
}

/// Whether a run of base64 or hex digits is long and mixed enough to be a credential, and not a path or a
/// model's name.
fn is_random(run: &str) -> bool {
    let mixed = |part: &str| part.len() >= LONG || (part.len() >= 8 && turns(part) >= 4);
    run.len() >= LONG && run.split(|c: char| !c.is_ascii_alphanumeric()).any(mixed)
}

/// How often a word goes from letters to digits or back, or from small letters to capitals.
fn turns(word: &str) -> usize {
    let is_turn = |pair: &[u8]| match pair {
        [a, b] if a.is_ascii_digit() != b.is_ascii_digit() => true,
        [a, b] => a.is_ascii_lowercase() && b.is_ascii_uppercase(),
        _ => false,
    };
    word.as_bytes().windows(2).filter(|pair| is_turn(pair)).count()
}

/// IPv4 and IPv6 with or without port or prefix length, `host:port`, and host names with a well-known ending.
fn is_address(word: &str) -> bool {
    let bare = word.split_once('/').map_or(word, |(head, _)| head);
    let unzoned = bare.split_once('%').map_or(bare, |(head, _)| head);
    let ip = unzoned.trim_start_matches('[').trim_end_matches(']');
    if bare.parse::<SocketAddr>().is_ok() || (ip != "::" && ip.parse::<IpAddr>().is_ok()) {
        return true;
    }
    let Some((host, port)) = bare.rsplit_once(':') else { return is_named_host(bare) };
    let is_port = (2..=5).contains(&port.len()) && port.bytes().all(|byte| byte.is_ascii_digit());
    is_port && is_host(host)
}

fn is_host(word: &str) -> bool {
    let is_label = |label: &str| {
        let mut bytes = label.bytes();
        !label.is_empty() && bytes.all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
    };
    word.contains(|c: char| c.is_ascii_alphabetic()) && word.split('.').all(is_label)
}

fn is_named_host(word: &str) -> bool {
    let ending = word.rsplit_once('.').map_or("", |(_, ending)| ending);
    let known = HOST_ENDINGS.iter().any(|known| ending.eq_ignore_ascii_case(known));
    word.eq_ignore_ascii_case("localhost") || (known && is_host(word))
}

#[cfg(test)]
#[path = "redact_tests.rs"]
mod tests;
