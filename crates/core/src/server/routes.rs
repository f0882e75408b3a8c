//! Method and path → endpoint. Exact paths only: nothing is normalised, so nothing can be smuggled past a check
//! on a path.

use crate::{
    error::{ErrorKind, GatewayError},
    telemetry::labels::EndpointLabel,
};
use http::Method;
use sluice_protocol::{Dialect, Profile};
use std::borrow::Cow;

/// Whose path it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// `/openai/v1/…`: the contract's words for codes.
    Contract,
    /// `/v1/…`: OpenAI's words.
    OpenAi,
    /// `/v1/messages…` and `/anthropic/v1/…`: Anthropic's words, headers and credentials.
    Anthropic,
}

/// What was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Endpoint<'a> {
    /// A call to a model.
    Call(Dialect),
    /// The model list.
    Models,
    /// One model, by its decoded id.
    Model(Cow<'a, str>),
}

/// A path that exists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route<'a> {
    /// Whose path.
    pub family: Family,
    /// What for.
    pub endpoint: Endpoint<'a>,
}

/// Every path that is whole.
const PATHS: &[&str] = &[
    "/openai/v1/completions",
    "/openai/v1/chat/completions",
    "/openai/v1/embeddings",
    "/openai/v1/responses",
    "/openai/v1/models",
    "/v1/completions",
    "/v1/chat/completions",
    "/v1/embeddings",
    "/v1/responses",
    "/v1/models",
    "/v1/messages",
    "/v1/messages/count_tokens",
    "/anthropic/v1/messages",
    "/anthropic/v1/messages/count_tokens",
    "/anthropic/v1/models",
];

impl Route<'_> {
    /// The method that the path takes, as an `Allow` header.
    #[must_use]
    pub const fn allow(&self) -> &'static str {
        match self.endpoint {
            Endpoint::Call(_) => "POST",
            Endpoint::Models | Endpoint::Model(_) => "GET",
        }
    }

    /// How strictly bodies are read: the contract's own endpoint to its letter, all others as OpenAI takes them.
    #[must_use]
    pub const fn profile(&self) -> Profile {
        match (self.family, &self.endpoint) {
            (Family::Contract, Endpoint::Call(Dialect::Completions)) => Profile::Strict,
            _ => Profile::Open,
        }
    }

    /// The path, with nothing in it that a client makes up.
    #[must_use]
    pub fn template(&self, path: &str) -> Option<&'static str> {
        let one = || match self.family {
            Family::Contract => "/openai/v1/models/{model}",
            Family::OpenAi => "/v1/models/{model}",
            Family::Anthropic => "/anthropic/v1/models/{model}",
        };
        match self.endpoint {
            Endpoint::Model(_) => Some(one()),
            _ => PATHS.iter().find(|whole| **whole == path).copied(),
        }
    }

    /// The label in metrics.
    #[must_use]
    pub const fn label(&self) -> EndpointLabel {
        match self.endpoint {
            Endpoint::Call(Dialect::Completions) => EndpointLabel::Completions,
            Endpoint::Call(Dialect::Chat) => EndpointLabel::Chat,
            Endpoint::Call(Dialect::Embeddings) => EndpointLabel::Embeddings,
            Endpoint::Call(Dialect::Responses) => EndpointLabel::Responses,
            Endpoint::Call(Dialect::Messages) => EndpointLabel::Messages,
            Endpoint::Call(Dialect::CountTokens) => EndpointLabel::CountTokens,
            Endpoint::Models | Endpoint::Model(_) => EndpointLabel::Models,
        }
    }

    /// What the endpoint speaks, errors included.
    #[must_use]
    pub const fn dialect(&self) -> Dialect {
        match self.endpoint {
            Endpoint::Call(dialect) => dialect,
            Endpoint::Models | Endpoint::Model(_) => dialect_of(self.family),
        }
    }

    /// Is the method the path's own?
    ///
    /// # Errors
    /// `MethodNotAllowed`, with what is allowed.
    pub fn check_method(&self, method: &Method) -> Result<(), GatewayError> {
        if method.as_str() == self.allow() {
            return Ok(());
        }
        let allow = self.allow();
        Err(GatewayError::new(ErrorKind::MethodNotAllowed(allow), format!("This path takes {allow} only.")))
    }
}

/// Finds the route of a path.
#[must_use]
pub fn find(path: &str) -> Option<Route<'_>> {
    let family = family(path);
    let rest = match family {
        Family::Contract => path.strip_prefix("/openai/v1/")?,
        Family::OpenAi => path.strip_prefix("/v1/")?,
        Family::Anthropic => path.strip_prefix("/anthropic").unwrap_or(path).strip_prefix("/v1/")?,
    };
    let endpoint = match rest {
        "messages" if family == Family::Anthropic => Endpoint::Call(Dialect::Messages),
        "messages/count_tokens" if family == Family::Anthropic => Endpoint::Call(Dialect::CountTokens),
        "completions" | "chat/completions" | "embeddings" | "responses" if family == Family::Anthropic => {
            return None;
        }
        "completions" => Endpoint::Call(Dialect::Completions),
        "chat/completions" => Endpoint::Call(Dialect::Chat),
        "embeddings" => Endpoint::Call(Dialect::Embeddings),
        "responses" => Endpoint::Call(Dialect::Responses),
        "models" => Endpoint::Models,
        other => {
            // Ids hold slashes, plain or encoded.
            let id = other.strip_prefix("models/").filter(|id| !id.is_empty())?;
            Endpoint::Model(percent_encoding::percent_decode_str(id).decode_utf8().ok()?)
        }
    };
    Some(Route { family, endpoint })
}

/// What is said of a path that does not exist.
#[must_use]
pub fn unknown(path: &str) -> GatewayError {
    let path: String = path.chars().take(100).collect();
    GatewayError::new(ErrorKind::RouteUnknown, format!("There is no '{path}' here."))
}

/// The family of a path that may not exist, so that even a 404 speaks its language.
#[must_use]
pub fn family(path: &str) -> Family {
    if path.starts_with("/openai/") {
        Family::Contract
    } else if path.starts_with("/anthropic/") || path == "/v1/messages" || path.starts_with("/v1/messages/") {
        Family::Anthropic
    } else {
        Family::OpenAi
    }
}

/// The dialect in which a family's errors are told, where the endpoint does not say.
#[must_use]
pub const fn dialect_of(family: Family) -> Dialect {
    match family {
        Family::Contract | Family::OpenAi => Dialect::Chat,
        Family::Anthropic => Dialect::Messages,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exact_paths_only() {
        for path in [
            "/openai/v1/completions",
            "/v1/chat/completions",
            "/v1/models",
            "/v1/models/poolside/laguna-m.1",
            "/v1/messages",
            "/anthropic/v1/messages/count_tokens",
            "/anthropic/v1/models",
        ] {
            assert!(find(path).is_some(), "{path}");
        }
        for path in [
            "/",
            "/v1",
            "/v1/",
            "/v1/completions/",
            "//v1/completions",
            "/v1/../v1/models",
            "/V1/models",
            "/v1/models/",
            "/openai/completions",
            "/v1/chat%2Fcompletions",
            "/v1/messages/",
            "/openai/v1/messages",
            "/anthropic/v1/chat/completions",
            "/anthropic/messages",
        ] {
            assert!(find(path).is_none(), "{path}");
        }
    }

    #[test]
    fn a_template_is_the_path_without_what_a_client_makes_up() {
        for path in PATHS {
            assert_eq!(find(path).unwrap().template(path), Some(*path));
        }
        for (path, template) in [
            ("/v1/models/a/b", "/v1/models/{model}"),
            ("/openai/v1/models/a%2Fb", "/openai/v1/models/{model}"),
            ("/anthropic/v1/models/a", "/anthropic/v1/models/{model}"),
        ] {
            assert_eq!(find(path).unwrap().template(path), Some(template));
        }
    }

    #[test]
    fn only_the_contract_s_own_endpoint_is_strict() {
        for (path, profile) in [
            ("/openai/v1/completions", Profile::Strict),
            ("/v1/completions", Profile::Open),
            ("/openai/v1/chat/completions", Profile::Open),
        ] {
            assert_eq!(find(path).unwrap().profile(), profile, "{path}");
        }
    }

    #[test]
    fn model_ids_take_plain_and_encoded_slashes() {
        for path in ["/v1/models/poolside/laguna", "/v1/models/poolside%2Flaguna"] {
            assert_eq!(find(path).unwrap().endpoint, Endpoint::Model("poolside/laguna".into()), "{path}");
        }
    }
}
