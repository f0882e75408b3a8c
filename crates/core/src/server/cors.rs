//! Pages of other origins: which may ask, and what their browsers are told.
//!
//! Off unless origins are listed; then a page of a listed one may ask and read, errors included. To any other page
//! nothing of this is said, and its browser keeps the answer from it. Keys travel in headers that the page sets
//! itself: cookies and other credentials of the browser are never asked for.

use crate::server::routes::Route;
use http::{HeaderMap, HeaderName, HeaderValue, Method, header, request::Parts};
use sluice_config::model::Cors;

/// How long a browser may remember what it was told, seconds: an origin that is taken off the list goes on asking
/// for so long at most.
const MAX_AGE: HeaderValue = HeaderValue::from_static("600");
/// The page of a public site that asks an address of a private network.
const REQUEST_PRIVATE: HeaderName = HeaderName::from_static("access-control-request-private-network");
const ALLOW_PRIVATE: HeaderName = HeaderName::from_static("access-control-allow-private-network");
/// Every origin.
const ANY: &str = "*";
/// Request headers that a page may add, at most.
const MOST_HEADERS: usize = 64;

/// What the page that asks is allowed: its origin, as it is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant(HeaderValue);

/// May the page that makes this request ask? None where no page asks, or one whose origin is not listed.
#[must_use]
pub fn grant(cors: Option<&Cors>, headers: &HeaderMap) -> Option<Grant> {
    let listed = &cors?.origins;
    let mut sent = headers.get_all(header::ORIGIN).iter();
    let (Some(origin), None) = (sent.next(), sent.next()) else { return None };
    if listed.iter().any(|one| one == ANY) {
        return Some(Grant(HeaderValue::from_static(ANY)));
    }
    listed.iter().any(|one| one.as_bytes() == origin.as_bytes()).then(|| Grant(origin.clone()))
}

/// Is it the browser's own question whether a page may ask?
#[must_use]
pub fn is_preflight(head: &Parts) -> bool {
    head.method == Method::OPTIONS && head.headers.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD)
}

impl Grant {
    /// The page may read this answer.
    pub fn write(&self, headers: &mut HeaderMap) {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, self.0.clone());
        headers.append(header::VARY, HeaderValue::from_static("origin"));
        // Request id, limits, and whatever else: there is nothing in our headers that is not the client's to know.
        headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static("*"));
    }
}

/// What the answer to [a preflight](is_preflight) says besides.
pub fn write_preflight(route: &Route<'_>, asked: &HeaderMap, headers: &mut HeaderMap) {
    headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static(route.allow()));
    if let Some(names) = allowed_headers(asked) {
        headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, names);
    }
    headers.insert(header::ACCESS_CONTROL_MAX_AGE, MAX_AGE);
    headers.append(
        header::VARY,
        HeaderValue::from_static("access-control-request-method, access-control-request-headers"),
    );
    if asked.contains_key(REQUEST_PRIVATE) {
        headers.insert(ALLOW_PRIVATE, HeaderValue::from_static("true"));
    }
}

/// Whatever the page wants to send, since SDKs have headers of their own and what is not known here goes no further;
/// but not what only a proxy may say.
fn allowed_headers(asked: &HeaderMap) -> Option<HeaderValue> {
    let lines = asked.get_all(header::ACCESS_CONTROL_REQUEST_HEADERS).iter();
    let names = lines.filter_map(|line| line.to_str().ok()).flat_map(|line| line.split(','));
    let names = names.filter_map(|name| name.trim().parse::<HeaderName>().ok());
    let allowed: Vec<_> = names.filter(|name| !is_a_proxy_s(name.as_str())).take(MOST_HEADERS).collect();
    let text = allowed.iter().map(HeaderName::as_str).collect::<Vec<_>>().join(", ");
    if text.is_empty() { None } else { HeaderValue::try_from(text).ok() }
}

fn is_a_proxy_s(name: &str) -> bool {
    matches!(name, "forwarded" | "x-real-ip" | "via")
        || name.starts_with("x-forwarded-")
        || name.starts_with("proxy-")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let pair = |(name, value): &(&'static str, &str)| {
            (HeaderName::from_static(name), value.parse::<HeaderValue>().unwrap())
        };
        pairs.iter().map(pair).collect()
    }

    fn granted(listed: &[&str], sent: &[(&'static str, &str)]) -> Option<String> {
        let cors = Cors { origins: listed.iter().map(ToString::to_string).collect() };
        grant(Some(&cors), &headers(sent)).map(|grant| grant.0.to_str().unwrap().to_owned())
    }

    #[test]
    fn an_origin_is_allowed_when_it_is_listed_to_the_letter() {
        let listed = ["https://a.example", "http://localhost:3000"];
        for origin in listed {
            assert_eq!(granted(&listed, &[("origin", origin)]).as_deref(), Some(origin));
            assert_eq!(granted(&["*"], &[("origin", origin)]).as_deref(), Some("*"));
        }
        for origin in [
            "https://a.example.evil",
            "https://a.example:443",
            "http://a.example",
            "https://sub.a.example",
            "https://A.example",
            "null",
            "*",
            "",
        ] {
            assert_eq!(granted(&listed, &[("origin", origin)]), None, "{origin}");
        }
        assert_eq!(granted(&listed, &[]), None);
        assert_eq!(granted(&listed, &[("origin", listed[0]), ("origin", listed[1])]), None);
        assert_eq!(granted(&[], &[("origin", listed[0])]), None);
        assert_eq!(grant(None, &headers(&[("origin", listed[0])])), None);
    }

    #[test]
    fn a_page_may_send_what_it_wants_but_for_a_proxy_s_words() {
        let asked = |text: &str| allowed_headers(&headers(&[("access-control-request-headers", text)]));
        let told =
            asked("Authorization, content-type,x-stainless-os , X-Forwarded-For,forwarded, , a b").unwrap();
        assert_eq!(told, "authorization, content-type, x-stainless-os");
        assert_eq!(asked("x-forwarded-for"), None);
        assert_eq!(allowed_headers(&HeaderMap::new()), None);
        let many = (0..100).map(|n| format!("x-{n}")).collect::<Vec<_>>().join(",");
        assert_eq!(asked(&many).unwrap().to_str().unwrap().split(", ").count(), MOST_HEADERS);
    }
}
