//! Who may ask: the bearer token.

use http::{HeaderMap, header};
use sluice_config::model::Secret;
use subtle::ConstantTimeEq;

/// Does the request carry `Authorization: Bearer <token>`? The comparison takes the same time whatever was
/// sent, for texts of the token's length.
pub(crate) fn has_token(headers: &HeaderMap, token: &Secret) -> bool {
    let Some(value) = headers.get(header::AUTHORIZATION) else { return false };
    let Some((scheme, sent)) = value.as_bytes().split_at_checked(b"Bearer ".len()) else { return false };
    scheme.eq_ignore_ascii_case(b"Bearer ") && bool::from(sent.ct_eq(token.expose().as_bytes()))
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
}
