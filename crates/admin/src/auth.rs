//! Who may ask: the bearer token, and the `Host` header that a browser cannot choose freely.

use http::{HeaderMap, Uri, header, uri::Authority};
use sluice_config::model::Secret;
use std::net::{IpAddr, SocketAddr};
use subtle::ConstantTimeEq;

/// Does the request carry `Authorization: Bearer <token>`? The comparison takes the same time whatever was
/// sent, for texts of the token's length.
pub(crate) fn has_token(headers: &HeaderMap, token: &Secret) -> bool {
    let Some(value) = headers.get(header::AUTHORIZATION) else { return false };
    let Some((scheme, sent)) = value.as_bytes().split_at_checked(b"Bearer ".len()) else { return false };
    scheme.eq_ignore_ascii_case(b"Bearer ") && bool::from(sent.ct_eq(token.expose().as_bytes()))
}

/// Does the request name this machine: `localhost`, a name under it, a loopback address, or the address of the listener?
///
/// A page that rebinds its DNS name to 127.0.0.1 reaches the listener, but its browser still sends the
/// page's own name.
pub(crate) fn names_this_machine(uri: &Uri, headers: &HeaderMap, bind: SocketAddr) -> bool {
    let mut hosts = headers.get_all(header::HOST).iter();
    let (Some(host), None) = (hosts.next(), hosts.next()) else { return false };
    let Ok(host) = Authority::try_from(host.as_bytes()) else { return false };
    // An absolute-form target wins over `Host`, so both have to be right.
    is_local(host.host(), bind) && uri.authority().is_none_or(|authority| is_local(authority.host(), bind))
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
    use http::HeaderValue;

    fn headers(name: header::HeaderName, value: &str) -> HeaderMap {
        HeaderMap::from_iter([(name, HeaderValue::from_str(value).unwrap())])
    }

    #[test]
    fn only_the_exact_token_with_the_bearer_scheme_opens() {
        let token = Secret::new("t0ken".to_owned());
        let opens = |value: &str| has_token(&headers(header::AUTHORIZATION, value), &token);
        assert!(opens("Bearer t0ken"));
        assert!(opens("bearer t0ken"));
        for wrong in
            ["", "Bearer", "Bearer ", "Bearer t0keN", "Bearer t0ken2", "Bearer t0ke", "Basic t0ken", "t0ken"]
        {
            assert!(!opens(wrong), "{wrong:?} must not open");
        }
        assert!(!has_token(&HeaderMap::new(), &token));
    }

    #[test]
    fn a_rebound_name_is_not_this_machine() {
        let bind: SocketAddr = "127.0.0.1:4001".parse().unwrap();
        let named =
            |host: &str| names_this_machine(&Uri::from_static("/status"), &headers(header::HOST, host), bind);
        for right in [
            "127.0.0.1:4001",
            "127.0.0.1",
            "localhost:9",
            "LOCALHOST.",
            "app.localhost",
            "[::1]:4001",
            "127.8.0.1",
        ] {
            assert!(named(right), "{right:?} is this machine");
        }
        for wrong in [
            "evil.example",
            "localhost.evil.example",
            "10.0.0.1:4001",
            "127.0.0.1.nip.io",
            "",
            "127.0.0.1@evil.example",
        ] {
            assert!(!named(wrong), "{wrong:?} is not this machine");
        }
    }

    #[test]
    fn the_host_must_be_said_once_and_agree_with_an_absolute_target() {
        let bind: SocketAddr = "10.0.0.7:4001".parse().unwrap();
        let own = headers(header::HOST, "10.0.0.7:4001");
        assert!(names_this_machine(&Uri::from_static("/status"), &own, bind));
        assert!(!names_this_machine(&Uri::from_static("http://evil.example/status"), &own, bind));
        assert!(!names_this_machine(&Uri::from_static("/status"), &HeaderMap::new(), bind));
        let mut twice = own;
        twice.append(header::HOST, HeaderValue::from_static("localhost"));
        assert!(!names_this_machine(&Uri::from_static("/status"), &twice, bind));
    }
}
