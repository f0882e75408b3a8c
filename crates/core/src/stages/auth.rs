//! Who is calling? Decided from the head alone, before a byte of the body is read: strangers cost nothing.
//!
//! What a refused caller is told depends only on what it sent, never on whether a key exists, has expired or
//! was taken back.

use crate::{
    error::{ErrorKind, GatewayError},
    facts::Caller,
    headers as names,
    server::{cors, loopback, routes::Family},
    state::snapshot::{KeyEntry, Snapshot},
    telemetry::{labels::AuthFailure, metrics::Metrics},
    timer,
};
use http::{HeaderMap, header, request::Parts};
use std::{sync::Arc, time::Instant};

/// Finds the caller of a request that has come just `now`.
///
/// # Errors
/// `Unauthorized` without a valid key; `HostNotAllowed` in open mode when the request does not come from this machine.
pub fn identify(
    snapshot: &Snapshot,
    head: &Parts,
    family: Family,
    now: Instant,
    metrics: &Metrics,
) -> Result<Caller, GatewayError> {
    if let Some(open) = &snapshot.open {
        return open_caller(open, snapshot, head);
    }
    let refuse = |why: AuthFailure, presented: Presented<'_>| {
        metrics.auth_failures.with_label_values(&[why.as_str()]).inc();
        let error = GatewayError::new(ErrorKind::Unauthorized, presented.advice());
        Err(GatewayError { reason: Some(why.as_str()), ..error })
    };
    let presented = presented(&head.headers, reads_api_key(family, &head.headers));
    let Presented::Bearer(secret) = presented else { return refuse(AuthFailure::Missing, presented) };
    let Some(key) = snapshot.keys.find(secret) else { return refuse(AuthFailure::Unknown, presented) };
    if key.has_expired(timer::second(now)) {
        return refuse(AuthFailure::Expired, presented);
    }
    Ok(Caller { key: key.clone() })
}

/// Without keys everybody on this machine may call, and nobody else: a web page could otherwise spend the
/// user's upstream keys through the user's browser.
fn open_caller(open: &Arc<KeyEntry>, snapshot: &Snapshot, head: &Parts) -> Result<Caller, GatewayError> {
    let bind = snapshot.settings.listeners.api.bind;
    let text = if !loopback::names_this_machine(&head.uri, &head.headers, bind) {
        "Without keys this gateway serves loopback host names only."
    } else if loopback::is_cross_site(&head.headers, bind) && !is_listed(snapshot, head) {
        "Without keys this gateway serves no pages of other sites."
    } else {
        return Ok(Caller { key: open.clone() });
    };
    Err(GatewayError::new(ErrorKind::HostNotAllowed, text))
}

/// The operator has named the page's origin. Everybody's page is nobody's in particular: the configuration refuses `*`
/// without keys.
fn is_listed(snapshot: &Snapshot, head: &Parts) -> bool {
    cors::grant(snapshot.settings.listeners.api.cors.as_ref(), &head.headers).is_some()
}

/// What was sent as a credential.
#[derive(Clone, Copy)]
enum Presented<'a> {
    Nothing,
    /// `x-api-key` or `api-key`, where it is not read.
    OtherHeader,
    OtherScheme,
    Bearer(&'a [u8]),
}

/// Anthropic's clients send either header, and the newer ones a bearer key; its model list shares a path with
/// OpenAI's, and only the version tells whose client asks.
fn reads_api_key(family: Family, headers: &HeaderMap) -> bool {
    family == Family::Anthropic || headers.contains_key(names::ANTHROPIC_VERSION)
}

/// Where both headers are there, the bearer key counts.
fn presented(headers: &HeaderMap, reads_api_key: bool) -> Presented<'_> {
    if reads_api_key && !headers.contains_key(header::AUTHORIZATION) {
        let mut all = headers.get_all(names::API_KEY).iter();
        if let (Some(value), None) = (all.next(), all.next()) {
            let secret = value.as_bytes().trim_ascii();
            return if secret.is_empty() { Presented::Nothing } else { Presented::Bearer(secret) };
        }
    }
    let mut all = headers.get_all(header::AUTHORIZATION).iter();
    let (Some(value), None) = (all.next(), all.next()) else {
        // Two credentials are none: who checks which would be anybody's guess.
        let has = |name: &str| headers.contains_key(name);
        return match has("authorization") {
            true => Presented::OtherScheme,
            false if has("x-api-key") || has("api-key") => Presented::OtherHeader,
            false => Presented::Nothing,
        };
    };
    let bytes = value.as_bytes();
    match bytes.split_at_checked(7) {
        Some((scheme, secret))
            if scheme.eq_ignore_ascii_case(b"bearer ") && !secret.trim_ascii().is_empty() =>
        {
            Presented::Bearer(secret.trim_ascii())
        }
        _ => Presented::OtherScheme,
    }
}

/// Prefixes of other vendors' keys, longest first.
const VENDORS: &[(&str, &str)] = &[
    ("sk-ant-", "an Anthropic key (sk-ant-…)"),
    ("sk-proj-", "an OpenAI key (sk-proj-…)"),
    ("sk-or-", "an OpenRouter key (sk-or-…)"),
    ("gsk_", "a Groq key (gsk_…)"),
    ("xai-", "an xAI key (xai-…)"),
    ("ps-", "a Poolside key (ps-…)"),
    ("AIza", "a Google key (AIza…)"),
    ("hf_", "a Hugging Face key (hf_…)"),
];

impl Presented<'_> {
    fn advice(self) -> String {
        const OURS: &str = "sk-sluice-";
        match self {
            Self::Nothing => format!("No API key. Send 'Authorization: Bearer {OURS}…'."),
            Self::OtherHeader => {
                format!("An API key header is not read on this path. Send 'Authorization: Bearer {OURS}…'.")
            }
            Self::OtherScheme => format!(
                "The Authorization header is not one Bearer key. Send 'Authorization: Bearer {OURS}…'."
            ),
            Self::Bearer(secret) => {
                let vendor = VENDORS.iter().find(|(prefix, _)| secret.starts_with(prefix.as_bytes()));
                match vendor {
                    Some((_, what)) => {
                        format!("This looks like {what}; this gateway issues its own keys, starting {OURS}.")
                    }
                    None => "This API key is not valid here.".to_owned(),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_sent_decides_the_advice() {
        let advice = |value: Option<&str>| {
            let mut headers = HeaderMap::new();
            if let Some(value) = value {
                headers.insert(header::AUTHORIZATION, value.parse().unwrap());
            }
            presented(&headers, false).advice()
        };
        assert!(advice(None).starts_with("No API key."));
        assert!(advice(Some("Basic Zm9v")).contains("not one Bearer key"));
        assert!(advice(Some("bearer sk-proj-abc")).contains("OpenAI key"));
        assert_eq!(advice(Some("Bearer sk-sluice-abc")), advice(Some("Bearer nonsense")));
    }

    #[test]
    fn an_api_key_header_counts_on_anthropic_s_paths_where_no_bearer_key_is_sent() {
        let secret = |sent: &[(&'static str, &str)], reads| {
            let pair = |(name, value): &(&'static str, &str)| {
                (http::HeaderName::from_static(name), value.parse().unwrap())
            };
            match presented(&sent.iter().map(pair).collect(), reads) {
                Presented::Bearer(secret) => String::from_utf8_lossy(secret).into_owned(),
                _ => "-".to_owned(),
            }
        };
        let both = [("x-api-key", "one"), ("authorization", "Bearer two")];
        assert_eq!(secret(&both[..1], true), "one");
        assert_eq!(secret(&both, true), "two");
        assert_eq!(secret(&both[..1], false), "-");
        assert_eq!(secret(&[("x-api-key", " ")], true), "-");
        assert_eq!(secret(&[("x-api-key", "one"), ("authorization", "Basic Zm9v")], true), "-");
    }
}
