//! Providers: address, keys, headers.

use super::{Check, names::unique};
use crate::{
    codes,
    model::{Endpoint, PoolKey, Provider, Secret},
    path,
    problems::Problem,
};
use http::{HeaderName, HeaderValue, Uri};
use sluice_protocol::provider::{DropFields, PRESETS, ProviderKind};
use std::net::IpAddr;

/// Headers of one connection, and those that frame a message, in lower case: a provider's `headers` cannot set them.
pub const NOT_YOURS: &[&str] = &[
    "connection",
    "content-length",
    "host",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// Headers that carry a secret.
const CREDENTIALS: &[&str] = &["authorization", "api-key", "x-api-key"];

impl Check<'_> {
    pub(super) fn providers(&mut self, providers: &mut [Provider]) {
        for (index, provider) in providers.iter_mut().enumerate() {
            let at = path::item("providers", index);
            self.base_url(&at, provider);
            self.api_version(&at, provider);
            self.endpoints(&at, provider.endpoints.as_deref());
            self.pool(&at, provider);
            self.headers(&path::field(&at, "headers"), &mut provider.headers);
            self.drop_fields(&path::field(&at, "drop_fields"), &provider.drop_fields);
            if let Some(file) = &mut provider.ca_file {
                self.pem(&path::field(&at, "ca_file"), file, "-----BEGIN CERTIFICATE");
            }
            if let Some(credentials) = provider.proxy.as_ref().and_then(|proxy| proxy.credentials.as_ref()) {
                self.inline_secret(&path::field(&at, "proxy"), credentials);
            }
        }
    }

    fn base_url(&mut self, at: &str, provider: &mut Provider) {
        let at = path::field(at, "base_url");
        provider.base_url.truncate(provider.base_url.trim_end_matches('/').len());
        let host = match parse_url(&provider.base_url) {
            Ok(host) => host,
            Err((what, help)) => return self.error(&at, codes::BASE_URL, what, help),
        };
        let shown = self.written(&at, &provider.base_url);
        if PRESETS.iter().any(|preset| preset.is_home(&provider.base_url)) {
            // The table knows the few that have no version.
        } else if provider.preset.kind == ProviderKind::Azure && provider.api_version.is_some() {
            // Addresses by deployment carry the version as a parameter.
        } else if !provider.has_version_segment() {
            let mut help =
                format!("the rest of the path is appended to it: {}/v1", shown.trim_end_matches('/'));
            if provider.preset.kind == ProviderKind::Azure {
                help.push_str("; or set api_version for addresses by deployment");
            }
            self.error(&at, codes::BASE_URL, format!("`{shown}` has no version segment"), help);
        }
        if is_private(&host) && !provider.allow_private {
            let help = "set allow_private: true if this upstream is meant";
            let message = format!("`{shown}` is a private address: every connection to it will be refused");
            self.warning(&at, codes::BASE_URL, message, help);
        }
    }

    fn api_version(&mut self, at: &str, provider: &Provider) {
        let Some(version) = &provider.api_version else { return };
        let at = path::field(at, "api_version");
        if provider.preset.kind != ProviderKind::Azure {
            let help = "only `kind: azure` has addresses with an api-version";
            return self.error(&at, codes::BAD_VALUE, "this kind has no api-version", help);
        }
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.');
        if version.is_empty() || !version.bytes().all(is_plain) {
            let help = "a date, and perhaps `-preview`: \"2024-10-21\"";
            self.error(&at, codes::BAD_VALUE, "not an api-version", help);
        }
    }

    /// A target without any endpoint could never be asked.
    pub(super) fn endpoints(&mut self, at: &str, endpoints: Option<&[Endpoint]>) {
        if endpoints.is_some_and(<[_]>::is_empty) {
            let help = "name what the upstream has, or leave it out for what is known of its kind";
            self.error(&path::field(at, "endpoints"), codes::BAD_VALUE, "no endpoint at all", help);
        }
    }

    fn drop_fields(&mut self, at: &str, fields: &[String]) {
        for (index, field) in fields.iter().enumerate() {
            if DropFields::parse(std::slice::from_ref(field)).is_err() {
                let at = path::item(at, index);
                let message = format!("`{}` cannot be dropped", self.written(&at, field));
                let help =
                    "a member's name that no request needs, or \"**.name\" wherever the dialect defines it";
                self.error(&at, codes::BAD_VALUE, message, help);
            }
        }
    }

    fn pool(&mut self, at: &str, provider: &mut Provider) {
        let at = path::field(at, "keys");
        unique("key", &at, provider.keys.iter().map(|key| key.name.as_str()), self.problems);
        let local =
            provider.preset.local || parse_url(&provider.base_url).is_ok_and(|host| is_private(&host));
        let mut index = 0;
        provider.keys.retain(|key| {
            let at = path::field(&path::item(&at, index), "value");
            index += 1;
            self.pool_key(&at, key, local)
        });
        let hosted = provider.preset.is_home(&provider.base_url) && !local;
        let authorized =
            provider.headers.iter().any(|(name, _)| CREDENTIALS.contains(&name.to_lowercase().as_str()));
        if hosted && provider.keys.is_empty() && !authorized {
            let variable = provider.preset.key_env.unwrap_or("KEY");
            let help = format!("keys: [{{name: main, value: \"${{{variable}}}\"}}]");
            let problem =
                Problem::warning(codes::MISSING, "no key for an upstream that asks for one").help(help);
            self.problems.push_key(&at, problem);
        }
        let weights = provider.keys.iter().map(|key| u64::from(key.weight)).sum::<u64>();
        if weights == 0 && !provider.keys.is_empty() {
            self.error(
                &at,
                codes::OUT_OF_RANGE,
                "the weights add up to nothing",
                "give one key a weight above 0",
            );
        }
    }

    /// Is it a key to use?
    fn pool_key(&mut self, at: &str, key: &PoolKey, local: bool) -> bool {
        if key.value.expose().is_empty() {
            let help = "remove the entry, or set its variable";
            self.warning(at, codes::BAD_VALUE, "the key is empty and is left out", help);
            return false;
        }
        if !key.value.expose().bytes().all(|byte| byte.is_ascii_graphic()) {
            let help = "visible ASCII characters only: look for a line break or a space";
            self.error(at, codes::BAD_VALUE, "the key cannot be sent in a header", help);
        }
        if !local {
            self.inline_secret(at, &key.value);
        }
        true
    }

    /// Names and values that can be sent, none twice; names get their lower-case form.
    pub(super) fn headers(&mut self, at: &str, headers: &mut [(String, Secret)]) {
        let mut seen: Vec<HeaderName> = Vec::new();
        for (name, value) in headers {
            let at = path::field(at, name);
            let Ok(header) = HeaderName::from_bytes(name.as_bytes()) else {
                let message = format!("`{name}` is not the name of a header");
                self.bad_header(&at, message, "letters, digits and dashes");
                continue;
            };
            if NOT_YOURS.contains(&header.as_str()) {
                let message = format!("`{header}` belongs to the connection and is set by Sluice");
                self.bad_header(&at, message, "remove it");
            }
            if HeaderValue::from_str(value.expose()).is_err() {
                let help = "visible characters and spaces: look for a line break";
                self.bad_header(&at, format!("the value of `{header}` cannot be sent"), help);
            }
            if seen.contains(&header) {
                let message = format!("`{header}` stands twice: upper and lower case are the same");
                self.bad_header(&at, message, "remove one");
            }
            if CREDENTIALS.contains(&header.as_str()) {
                self.inline_secret(&at, value);
            }
            header.as_str().clone_into(name);
            seen.push(header);
        }
    }

    fn bad_header(&mut self, at: &str, message: String, help: &str) {
        self.problems.push_key(at, Problem::error(codes::BAD_HEADER, message).help(help));
    }
}

/// The host of an absolute http(s) URL without credentials, query and fragment; or what is wrong and what to do.
pub(super) fn parse_url(url: &str) -> Result<String, (&'static str, &'static str)> {
    const HELP: &str = "https://api.example.com/v1";
    let uri: Uri = url.parse().map_err(|_| ("not a URL", HELP))?;
    if !matches!(uri.scheme_str(), Some("http" | "https")) {
        return Err(("the address must start with http:// or https://", HELP));
    }
    let authority = uri.authority().ok_or(("the address has no host", HELP))?;
    if authority.as_str().contains('@') {
        return Err(("credentials do not belong into the address", "list them under `keys` or `headers`"));
    }
    if uri.query().is_some() || url.contains('#') {
        return Err(("the address has a query or a fragment", HELP));
    }
    let host = authority.host();
    if host.is_empty() {
        return Err(("the address has no host", HELP));
    }
    Ok(host.trim_matches(['[', ']']).to_owned())
}

/// As far as it shows without asking anybody; the guard proper is at connect time.
fn is_private(host: &str) -> bool {
    match host.parse() {
        Ok(IpAddr::V4(ip)) => {
            ip.is_private() || ip.is_loopback() || ip.is_link_local() || ip.is_unspecified()
        }
        Ok(IpAddr::V6(ip)) => {
            ip.is_loopback() || ip.is_unspecified() || ip.is_unique_local() || ip.is_unicast_link_local()
        }
        Err(_) => host == "localhost" || host.ends_with(".localhost"),
    }
}
