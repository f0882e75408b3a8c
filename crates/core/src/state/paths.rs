//! The addresses of a provider's endpoints.
//!
//! `base_url` and the endpoint's path, for every kind. Azure has two forms: with a version segment it is like all
//! others; without, the model is a deployment that stands in the address.

use http::{
    Uri,
    uri::{Parts, PathAndQuery},
};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use sluice_config::model;
use sluice_protocol::{
    Dialect,
    provider::{self, ProviderKind},
};
use std::borrow::Cow;

/// What may stand in a path as it is.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// See the module.
pub enum Paths {
    /// One ready address per dialect.
    Ready(Vec<(Dialect, Uri)>),
    /// One per dialect and deployment; holds the query.
    ByDeployment(String),
}

impl Paths {
    /// Makes them ready. None where the settings hold an address that is none.
    #[must_use]
    pub fn of(settings: &model::Provider, base: &Uri) -> Option<Self> {
        let version = settings.api_version.as_ref();
        let query = version.map_or_else(String::new, |version| format!("?api-version={version}"));
        if settings.preset.kind == ProviderKind::Azure && !settings.has_version_segment() {
            return Some(Self::ByDeployment(query));
        }
        let at = |dialect| Some((dialect, join(base, provider::path(dialect), &query)?));
        Dialect::ALL.into_iter().map(at).collect::<Option<Vec<_>>>().map(Self::Ready)
    }

    /// The address for a call in this dialect.
    #[must_use]
    pub fn find<'a>(&'a self, base: &'a Uri, dialect: Dialect, model: &str) -> Option<Cow<'a, Uri>> {
        match self {
            Self::Ready(ready) => {
                ready.iter().find(|(own, _)| *own == dialect).map(|(_, uri)| Cow::Borrowed(uri))
            }
            // It came after the addresses by deployment, and reads the model from the body.
            Self::ByDeployment(query) if dialect == Dialect::Responses => {
                join(base, provider::path(dialect), query).map(Cow::Owned)
            }
            // A path of dots alone would lead elsewhere.
            Self::ByDeployment(_) if model.bytes().all(|byte| byte == b'.') => None,
            Self::ByDeployment(query) => {
                let model = utf8_percent_encode(model, PLAIN);
                let path = format!("/deployments/{model}{}", provider::path(dialect));
                join(base, &path, query).map(Cow::Owned)
            }
        }
    }
}

fn join(base: &Uri, path: &str, query: &str) -> Option<Uri> {
    let path = format!("{}{path}{query}", base.path().trim_end_matches('/'));
    let mut parts: Parts = base.clone().into_parts();
    parts.path_and_query = Some(PathAndQuery::try_from(path).ok()?);
    Uri::from_parts(parts).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(paths: &Paths, base: &str, dialect: Dialect, model: &str) -> Option<String> {
        let base: Uri = base.parse().unwrap();
        paths.find(&base, dialect, model).map(|uri| uri.to_string())
    }

    #[test]
    fn a_deployment_stands_in_the_address_and_cannot_lead_out_of_it() {
        let base = "https://r.openai.azure.com/openai";
        let paths = Paths::ByDeployment("?api-version=2024-10-21".to_owned());
        let found = |model| find(&paths, base, Dialect::Chat, model);
        assert_eq!(
            found("gpt-4o.mini_1").as_deref(),
            Some(
                "https://r.openai.azure.com/openai/deployments/gpt-4o.mini_1/chat/completions?api-version=2024-10-21"
            )
        );
        let evil = found("../x?a=b#c/d").unwrap();
        assert!(evil.contains("/deployments/..%2Fx%3Fa%3Db%23c%2Fd/chat/"), "{evil}");
        assert_eq!((found(".."), found("."), found("")), (None, None, None));
        assert_eq!(
            find(&paths, base, Dialect::Responses, "gpt-4o").as_deref(),
            Some("https://r.openai.azure.com/openai/responses?api-version=2024-10-21")
        );
    }
}
