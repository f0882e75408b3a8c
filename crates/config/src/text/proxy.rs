//! The address of a proxy, perhaps with credentials in it.

use super::{Invalid, Text};
use crate::model::{Proxy, Secret};
use percent_encoding::percent_decode_str;
use std::net::Ipv6Addr;

const HELP: &str = "http://host:port, or http://user:password@host:port";

impl Text for Proxy {
    type Value = Self;
    const NAME: &'static str = "proxy";
    const WHAT: &'static str = "the address of a proxy";
    const PATTERN: Option<&'static str> = Some("http://([^@/]*@)?[^@/]+:[0-9]+/?");
    // With a typing mistake in it nobody can tell where the credentials are.
    const SECRET: bool = true;
    const EXAMPLE: &'static str = "http://egress.example.com:3128";

    fn parse(text: &str) -> Result<Self, Invalid> {
        let Some(rest) = text.strip_prefix("http://") else {
            let what = match text.split_once("://") {
                Some(("https", _)) => "is a proxy that wants TLS to itself, which is not spoken",
                Some((scheme, _)) if scheme.starts_with("socks") => "is a SOCKS proxy, which is not spoken",
                _ => "is not the address of a proxy",
            };
            // What is tunnelled has its own TLS, where the upstream has.
            return Err(Invalid::value(what, HELP));
        };
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        let (credentials, address) = match rest.rsplit_once('@') {
            Some((credentials, address)) => (Some(self::credentials(credentials)?), address),
            None => (None, rest),
        };
        let Some((host, port)) = address.rsplit_once(':') else {
            return Err(Invalid::value("has no port", HELP));
        };
        let bracketed = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || b".-_".contains(&byte);
        let host = match bracketed {
            Some(address) => Some(address).filter(|address| address.parse::<Ipv6Addr>().is_ok()),
            None => Some(host).filter(|host| !host.is_empty() && host.bytes().all(fits)),
        };
        let port = port.parse().ok().filter(|port| *port > 0);
        let (Some(host), Some(port)) = (host, port) else {
            return Err(Invalid::value("is not the address of a proxy", HELP));
        };
        Ok(Self { host: host.to_owned(), port, credentials })
    }
}

/// What stands before the `@`, as it is sent.
fn credentials(written: &str) -> Result<Secret, Invalid> {
    const HELP: &str = "user:password; other characters than letters, digits and -._~ as %XX";
    let decoded = |part: &str| {
        let text = percent_decode_str(part).decode_utf8().ok()?;
        (!text.chars().any(char::is_control)).then(|| text.into_owned())
    };
    let (user, password) = written.split_once(':').unwrap_or((written, ""));
    match (decoded(user), decoded(password)) {
        // The one who reads it takes the first colon for the end of the user.
        (Some(user), Some(password)) if !user.is_empty() && !user.contains(':') => {
            Ok(Secret::new(format!("{user}:{password}")))
        }
        _ => Err(Invalid::value("has credentials that cannot be sent", HELP)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_with_and_without_credentials() {
        for (text, host, port, credentials) in [
            ("http://proxy:3128", "proxy", 3128, None),
            ("http://10.0.0.1:1/", "10.0.0.1", 1, None),
            ("http://[fd00::1]:8080", "fd00::1", 8080, None),
            ("http://me:secret@proxy.example.com:3128", "proxy.example.com", 3128, Some("me:secret")),
            ("http://me@proxy:3128", "proxy", 3128, Some("me:")),
            ("http://a%40b:p%3Aw%2f:%@proxy:3128", "proxy", 3128, Some("a@b:p:w/:%")),
        ] {
            let credentials = credentials.map(|text| Secret::new(text.to_owned()));
            let expected = Proxy { host: host.to_owned(), port, credentials };
            assert_eq!(Proxy::parse(text).as_ref(), Ok(&expected), "{text}");
            assert!(!format!("{expected:?}").contains("secret"));
        }
        for text in [
            "proxy:3128",
            "https://proxy:3128",
            "socks5://proxy:1080",
            "http://proxy",
            "http://proxy:0",
            "http://proxy:70000",
            "http://:3128",
            "http://proxy:3128/path",
            "http://proxy:3128?x",
            "http://[proxy]:3128",
            "http://fd00::1:3128",
            "http://:pw@proxy:3128",
            "http://a%3Ab:pw@proxy:3128",
            "http://a:p%0Aw@proxy:3128",
            "http://a:%ff@proxy:3128",
            "",
        ] {
            assert!(Proxy::parse(text).is_err(), "{text}");
        }
    }
}
