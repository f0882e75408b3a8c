//! What a client says of its request for the usage record: tags by header, and who its user is.
//!
//! Kept only as far as the operator wants it, and never in a metric's label. What cannot be read is left out: a
//! request does not fail for its book-keeping.

use crate::headers;
use http::HeaderMap;
use sluice_protocol::Envelope;
use std::sync::Arc;

/// Most tags of a request.
const MOST: usize = 8;
/// Characters kept of a value.
const LONGEST: usize = 256;

/// Tags by their configured names.
pub type Tags = Box<[(Arc<str>, Box<str>)]>;

/// Reads `x-sluice-tags: name=value, …`. Only `known` names count, and of two equal ones the first.
#[must_use]
pub fn read(headers: &HeaderMap, known: &[Arc<str>]) -> Tags {
    let mut tags: Vec<(Arc<str>, Box<str>)> = Vec::new();
    if known.is_empty() {
        return tags.into();
    }
    let lines = headers.get_all(headers::TAGS).iter();
    let parts = lines.flat_map(|line| line.as_bytes().split(|byte| *byte == b','));
    for part in parts.filter_map(|part| std::str::from_utf8(part).ok()) {
        let Some((name, value)) = part.split_once('=') else { continue };
        let Some(name) = known.iter().find(|known| ***known == *name.trim()) else { continue };
        if tags.iter().all(|(have, _)| have != name) {
            tags.push((name.clone(), kept(value.trim())));
        }
        if tags.len() == MOST {
            break;
        }
    }
    tags.into()
}

/// The `user` member of a body.
#[must_use]
pub fn user(call: &Envelope) -> Option<Box<str>> {
    let text: String = serde_json::from_slice(call.value("user")?).ok()?;
    Some(kept(&text)).filter(|user| !user.is_empty())
}

fn kept(text: &str) -> Box<str> {
    text.chars().filter(|c| !c.is_control()).take(LONGEST).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;
    use sluice_protocol::{Dialect, Profile};

    fn tags(lines: &[&str]) -> Vec<String> {
        let known: Vec<Arc<str>> = ["project", "feature"]
            .into_iter()
            .map(Arc::from)
            .chain((0..9).map(|n| format!("t{n}").into()))
            .collect();
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(headers::TAGS, HeaderValue::from_bytes(line.as_bytes()).unwrap());
        }
        read(&headers, &known).iter().map(|(name, value)| format!("{name}={value}")).collect()
    }

    #[test]
    fn only_known_names_count_and_nothing_odd_fails() {
        for (lines, expected) in [
            (&["project=a,feature=b"][..], &["project=a", "feature=b"][..]),
            (&[" project = a b ,unknown=c"], &["project=a b"]),
            (&["project=a", "feature=b"], &["project=a", "feature=b"]),
            (&["project=a,project=b"], &["project=a"]),
            (&["project=a=b"], &["project=a=b"]),
            (&["project=caf\u{e9}"], &["project=caf\u{e9}"]),
            (&["project=a\tb\u{85}c"], &["project=abc"]),
            (&["project=", "feature", "=x", ",,", "Project=x"], &["project="]),
            (&[], &[]),
        ] {
            assert_eq!(tags(lines), expected, "{lines:?}");
        }
        let mut headers = HeaderMap::new();
        headers.append(headers::TAGS, HeaderValue::from_bytes(b"project=\xff,feature=b").unwrap());
        assert_eq!(read(&headers, &["project".into(), "feature".into()]).len(), 1, "what is text is kept");
        assert!(read(&headers, &[]).is_empty(), "none without a configured name");
    }

    #[test]
    fn there_is_an_end_to_tags_and_to_values() {
        let many: String = (0..9).map(|n| format!("t{n}=x,")).collect();
        assert_eq!(tags(&[&many]).len(), 8);
        let long = "é".repeat(300);
        assert_eq!(tags(&[&format!("project={long}")]), [format!("project={}", "é".repeat(256))]);
    }

    #[test]
    fn the_user_is_a_text_or_nobody() {
        let user = |member: &str| {
            let body = format!(r#"{{"model":"m","messages":[{{"role":"user","content":"hi"}}]{member}}}"#);
            user(&Envelope::scan(body.into(), Dialect::Chat, Profile::Open).unwrap())
        };
        assert_eq!(user(r#","user":"a\"b\né""#).as_deref(), Some("a\"bé"));
        assert_eq!(user(&format!(r#","user":"{}""#, "x".repeat(300))).map(|user| user.len()), Some(256));
        assert_eq!(user(r#","user":"""#), None);
        assert_eq!(user(r#","user":null"#), None);
        assert_eq!(user(""), None);
    }
}
