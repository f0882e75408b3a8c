//! Does a request name this machine, and come from it? Shared by everything that listens without a credential.
//!
//! A web page can make a browser on this machine send requests here. It cannot choose the `Host` that the
//! browser sends (rebinding its DNS name to loopback does not change it), nor hide its `Origin` on a request
//! that it sends across sites.

use http::{HeaderMap, Uri, header, uri::Authority};
use std::net::{IpAddr, SocketAddr};

/// Exactly one `Host`, and both it and an absolute target name this machine: `localhost`, a name under it, a
/// loopback address, or the address that is listened on.
#[must_use]
pub fn names_this_machine(uri: &Uri, headers: &HeaderMap, bind: SocketAddr) -> bool {
    let mut hosts = headers.get_all(header::HOST).iter();
    let (Some(host), None) = (hosts.next(), hosts.next()) else { return false };
    let Ok(host) = Authority::try_from(host.as_bytes()) else { return false };
    is_local(host.host(), bind) && uri.authority().is_none_or(|authority| is_local(authority.host(), bind))
}

/// Sent by a page of another site: such a request needs no answer that the page could read to do its harm.
#[must_use]
pub fn is_cross_site(headers: &HeaderMap, bind: SocketAddr) -> bool {
    let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or_default());
    let foreign = |origin: &str| {
        let host = origin.parse::<Uri>().ok().and_then(|uri| Some(uri.authority()?.host().to_owned()));
        !host.is_some_and(|host| is_local(&host, bind))
    };
    match text("origin") {
        // A page that is served from this machine is as near as any other program on it.
        Some(origin) => foreign(origin),
        None => text("sec-fetch-site").is_some_and(|site| matches!(site, "cross-site" | "same-site")),
    }
}

fn is_local(host: &str, bind: SocketAddr) -> bool {
    let bare = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host);
    match bare.parse::<IpAddr>() {
        Ok(address) => address.is_loopback() || address == bind.ip(),
        Err(_) => {
            let name = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
            name == "localhost" || name.ends_with(".localhost")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| (http::HeaderName::from_static(name), value.parse().unwrap()))
            .collect()
    }

    fn bind() -> SocketAddr {
        "127.0.0.1:4000".parse().unwrap()
    }

    #[test]
    fn only_names_of_this_machine_pass() {
        for (host, local) in [
            ("localhost:4000", true),
            ("LOCALHOST", true),
            ("localhost.", true),
            ("app.localhost:80", true),
            ("127.9.9.9:4000", true),
            ("[::1]:4000", true),
            ("evil.example:4000", false),
            ("127.0.0.1.evil.example", false),
            ("localhost.evil.example", false),
            ("10.0.0.1", false),
            ("", false),
        ] {
            let path = Uri::from_static("/v1/models");
            assert_eq!(names_this_machine(&path, &headers(&[("host", host)]), bind()), local, "{host}");
        }
        let elsewhere = Uri::from_static("http://evil.example/v1/models");
        assert!(!names_this_machine(&elsewhere, &headers(&[("host", "localhost")]), bind()));
        assert!(!names_this_machine(&Uri::from_static("/"), &HeaderMap::new(), bind()));
    }

    #[test]
    fn a_page_of_another_site_is_told_by_its_origin_or_by_the_browser() {
        for (pairs, cross) in [
            (&[][..], false),
            (&[("origin", "http://localhost:3000")], false),
            (&[("origin", "http://127.0.0.1:4000")], false),
            (&[("origin", "https://evil.example")], true),
            (&[("origin", "null")], true),
            (&[("origin", "http://localhost:3000"), ("sec-fetch-site", "same-site")], false),
            (&[("origin", "https://evil.example"), ("sec-fetch-site", "none")], true),
            (&[("sec-fetch-site", "cross-site")], true),
            (&[("sec-fetch-site", "same-origin")], false),
            (&[("sec-fetch-site", "none")], false),
        ] {
            assert_eq!(is_cross_site(&headers(pairs), bind()), cross, "{pairs:?}");
        }
    }
}
