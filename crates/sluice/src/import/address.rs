//! `api_base` → `base_url`: what LiteLLM appends itself, and what is to be written out here.

use super::{
    kinds::{Kind, Style},
    section::Text,
};
use sluice_protocol::provider::preset;
use std::net::IpAddr;

/// An address as our file has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Address {
    /// Absent: the kind's own.
    pub(super) base_url: Option<String>,
    pub(super) api_version: Option<String>,
    /// It says itself that it is not on the public network.
    pub(super) private: bool,
    /// What was done to it that does not show.
    pub(super) told: Option<String>,
}

/// Endpoints that LiteLLM takes at the end of an address.
const ENDPOINTS: &[&str] = &["/chat/completions", "/completions", "/embeddings", "/messages", "/responses"];

/// Reads an address that is written out.
///
/// # Errors
/// What is wrong with it.
pub(super) fn read(kind: &Kind, written: &str) -> Result<Address, &'static str> {
    let (url, query) = written.split_once('?').map_or((written, ""), |(url, query)| (url, query));
    let mut url = url.trim().trim_end_matches('/');
    let rest = url.strip_prefix("http://").or_else(|| url.strip_prefix("https://"));
    let authority =
        rest.ok_or("an address begins with http:// or https://")?.split('/').next().unwrap_or_default();
    if authority.is_empty() || authority.contains(['@', '<', '>', ' ', '{']) {
        return Err(if authority.contains('@') {
            "credentials do not belong into an address: list them under the provider's `keys` or `headers`"
        } else {
            "not an address"
        });
    }
    for endpoint in ENDPOINTS {
        url = url.strip_suffix(endpoint).unwrap_or(url);
    }
    let version = query.strip_prefix("api-version=").filter(|_| kind.style == Style::Azure);
    let is_plain =
        |version: &str| version.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-.".contains(&byte));
    if !query.is_empty() && !version.is_some_and(is_plain) {
        return Err("an address has no query here: a header can carry what is in it");
    }
    let private = is_private(host(authority));
    let (base_url, api_version) = match kind.style {
        Style::Azure => (azure(url), version),
        _ => (url.to_owned(), None),
    };
    if kind.style == Style::Azure {
        let api_version = api_version.map(str::to_owned);
        return Ok(Address { base_url: Some(base_url), api_version, private, told: None });
    }
    let is_home = |home: &str| base_url == home || home.strip_suffix("/v1") == Some(&base_url);
    if own_address(kind).is_some_and(is_home) {
        return Ok(Address {
            base_url: kind.base_url.map(str::to_owned),
            api_version: None,
            private: false,
            told: None,
        });
    }
    if has_version(&base_url) {
        return Ok(Address { base_url: Some(base_url), api_version: None, private, told: None });
    }
    let version = if kind.ours == "gemini" { "/v1beta/openai" } else { "/v1" };
    let told = Some(format!("`{version}` is part of the address here"));
    Ok(Address { base_url: Some(format!("{base_url}{version}")), api_version: None, private, told })
}

/// An address that is in a variable: only what follows it can be written here.
pub(super) fn of_variable(kind: &Kind, reference: &str, name: &str) -> Address {
    let (suffix, told) = match kind.style {
        Style::Azure => {
            ("/openai", format!("{name} is to hold the resource's address without a slash at its end"))
        }
        Style::Bare => ("/v1", format!("{name} is to hold the server's address without a slash at its end")),
        Style::Hosted if kind.ours == "anthropic" => {
            ("/v1", format!("{name} is to hold the address without /v1 and without a slash at its end"))
        }
        _ => ("", format!("{name} is to hold the address with its version, https://host/v1")),
    };
    let base_url = Some(format!("{reference}{suffix}"));
    let local = preset(kind.ours).is_some_and(|preset| preset.local);
    let told =
        if local { told } else { format!("{told}; if it is a private one, add `allow_private: true`") };
    let told = Some(told);
    Address { base_url, api_version: None, private: false, told }
}

/// Absent in the source.
pub(super) fn absent(kind: &Kind, reference: impl Fn(&str) -> String) -> Option<Address> {
    let base_url = match (kind.style, kind.base) {
        (Style::Azure, Some(name)) => Some(format!("{}/openai", reference(name))),
        (Style::Own, Some(name)) => Some(reference(name)),
        // LiteLLM has the same default for it.
        _ if kind.ours != "openai_compatible" => None,
        _ => Some(kind.base_url?.to_owned()),
    };
    Some(Address { base_url, api_version: None, private: false, told: None })
}

fn own_address(kind: &Kind) -> Option<&'static str> {
    kind.base_url.or_else(|| preset(kind.ours)?.base_url)
}

/// `https://NAME.openai.azure.com/openai`, whatever of it is written.
fn azure(url: &str) -> String {
    let resource = url.split_once("/openai").map_or(url, |(resource, _)| resource);
    let version = if url.contains("/openai/v1") { "/openai/v1" } else { "/openai" };
    format!("{}{version}", resource.trim_end_matches('/'))
}

fn has_version(url: &str) -> bool {
    let mut segments = url.split('/').skip(3);
    segments.any(|segment| {
        segment.strip_prefix('v').is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
    })
}

/// Without its port.
fn host(authority: &str) -> &str {
    match authority.strip_prefix('[') {
        Some(bracketed) => bracketed.split(']').next().unwrap_or_default(),
        None => authority.split(':').next().unwrap_or_default(),
    }
}

/// A name without a domain is one of this network, too: a container, a service.
fn is_private(host: &str) -> bool {
    const DOMAINS: &[&str] = &[".local", ".internal", ".svc", ".lan", ".localhost", ".home.arpa"];
    match host.parse() {
        Ok(IpAddr::V4(ip)) => {
            ip.is_private() || ip.is_loopback() || ip.is_link_local() || ip.is_unspecified()
        }
        Ok(IpAddr::V6(ip)) => ip.is_loopback() || ip.is_unique_local() || ip.is_unicast_link_local(),
        Err(_) => !host.contains('.') || DOMAINS.iter().any(|domain| host.ends_with(domain)),
    }
}

/// What a provider at this address may be called.
pub(super) fn label(base_url: &str) -> String {
    let rest = base_url.split_once("://").map_or(base_url, |(_, rest)| rest);
    let authority = rest.split('/').next().unwrap_or_default();
    let host = host(authority);
    let port = authority.rsplit_once(':').map_or("", |(_, port)| port);
    let labels: Vec<&str> = host.split('.').collect();
    const COMMON: &[&str] = &["api", "www", "llm", "inference", "gateway", "ai"];
    let name = match labels.as_slice() {
        _ if host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback() || ip.is_unspecified()) => "local",
        _ if host.parse::<IpAddr>().is_ok() => host,
        ["localhost", ..] => "local",
        [first, second, _, ..] if COMMON.contains(first) => second,
        [first, ..] => first,
        [] => "",
    };
    let is_plain = !port.is_empty() && (name == "local" || host.parse::<IpAddr>().is_ok());
    Text::slug(&if is_plain { format!("{name}-{port}") } else { name.to_owned() })
}

impl Text {
    /// Lower-case letters, digits and single dashes.
    pub(super) fn slug(text: &str) -> String {
        let parts = text.split(|c: char| !c.is_ascii_alphanumeric()).filter(|part| !part.is_empty());
        parts.collect::<Vec<_>>().join("-").to_lowercase()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::import::kinds::kind;

    fn base_url(prefix: &str, written: &str) -> String {
        read(kind(prefix).unwrap(), written).unwrap().base_url.unwrap_or_else(|| "its own".to_owned())
    }

    #[test]
    fn an_address_gets_the_form_that_it_has_here() {
        for (prefix, written, expected) in [
            ("openai", "https://api.openai.com/v1/", "its own"),
            ("openai", "https://api.openai.com", "its own"),
            ("openai", "http://gpu:8000/v1/chat/completions", "http://gpu:8000/v1"),
            ("openai", "http://gpu:8000", "http://gpu:8000/v1"),
            ("anthropic", "https://api.anthropic.com", "its own"),
            ("anthropic", "https://proxy.example.com/v1/messages", "https://proxy.example.com/v1"),
            ("ollama", "http://localhost:11434", "http://localhost:11434/v1"),
            ("azure", "https://eu.openai.azure.com/", "https://eu.openai.azure.com/openai"),
            ("azure", "https://eu.openai.azure.com/openai/v1/", "https://eu.openai.azure.com/openai/v1"),
            (
                "azure",
                "https://eu.openai.azure.com/openai/deployments/x/chat/completions?api-version=2024-02-01",
                "https://eu.openai.azure.com/openai",
            ),
        ] {
            assert_eq!(base_url(prefix, written), expected, "{prefix} {written}");
        }
        assert!(read(kind("openai").unwrap(), "https://me:word@host/v1").is_err());
        assert!(read(kind("openai").unwrap(), "your-api-base").is_err());
        assert!(read(kind("openai").unwrap(), "https://host/v1?key=1").is_err());
    }

    #[test]
    fn private_addresses_and_names_are_known() {
        for (url, private, name) in [
            ("http://localhost:8000/v1", true, "local-8000"),
            ("http://10.0.0.5:8000/v1", true, "10-0-0-5-8000"),
            ("http://vllm-a:8000/v1", true, "vllm-a"),
            ("https://api.example.com/v1", false, "example"),
            ("https://team.openai.azure.com/openai", false, "team"),
        ] {
            assert_eq!(read(kind("hosted_vllm").unwrap(), url).unwrap().private, private, "{url}");
            assert_eq!(label(url), name, "{url}");
        }
    }
}
