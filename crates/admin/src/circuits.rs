//! `POST /-/circuit/close`: circuits close and keys are given another chance, because an operator knows better.
//!
//! Reads which ones, from a small JSON body, and says what has changed. What closing means is
//! `sluice_core::health`'s business; who may ask is `routes`'.

use crate::{
    body,
    reply::{self, Reply},
};
use bytes::Buf;
use http::{Request, StatusCode};
use http_body::Body;
use serde::{Deserialize, Deserializer, Serialize};
use sluice_core::{
    App,
    app::{Closed, Upstreams},
};
use std::error::Error;

/// Path of the page.
pub(crate) const PATH: &str = "/-/circuit/close";

const USAGE: &str = r#"Send {"provider":"NAME","model":"MODEL"}, {"provider":"NAME"} for all its targets, or {} for all there are. MODEL is a target's model as configured."#;

/// Which ones, as it is written.
#[derive(Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    #[serde(default, deserialize_with = "name")]
    provider: Option<String>,
    #[serde(default, deserialize_with = "name")]
    model: Option<String>,
}

/// A member that is there has a value: a `null` from a script's unset variable must not mean everything.
fn name<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    String::deserialize(deserializer).map(Some)
}

/// The answer.
#[derive(Serialize)]
struct Done {
    #[serde(flatten)]
    closed: Closed,
    /// What that means, for a person.
    note: &'static str,
}

/// Closes, and says what came of it.
pub(crate) async fn close<B>(app: &App, request: Request<B>) -> Reply
where
    B: Body<Data: Buf, Error: Into<Box<dyn Error + Send + Sync>>>,
{
    let wanted = match body::wanted(request, bad, USAGE, read).await {
        Ok(wanted) => wanted,
        Err(refusal) => return refusal,
    };
    let upstreams = match (wanted.provider.as_deref(), wanted.model.as_deref()) {
        (None, None) => Upstreams::All,
        (Some(provider), None) => Upstreams::Provider(provider),
        (Some(provider), Some(model)) => Upstreams::Target { provider, model },
        (None, Some(_)) => return bad("It is not said whose model it is."),
    };
    let closed = match app.close_circuits(upstreams) {
        Ok(closed) => closed,
        Err(unknown) => return reply::error(StatusCode::NOT_FOUND, "no_such_upstream", &unknown.to_string()),
    };
    tracing::info!(
        who = "admin",
        provider = wanted.provider,
        model = wanted.model,
        circuits = closed.circuits.len(),
        keys = closed.keys.len(),
        "circuits closed"
    );
    let note = match (closed.circuits.as_slice(), closed.keys.as_slice()) {
        ([], []) => "Nothing was open and every key was ready: nothing has changed.",
        _ => {
            "The next requests ask them again. What still fails opens its circuit as before. Other replicas have their own."
        }
    };
    reply::json(StatusCode::OK, &Done { closed, note })
}

fn bad(why: &str) -> Reply {
    reply::error(StatusCode::BAD_REQUEST, "bad_circuit", &format!("{why} {USAGE}"))
}

fn read(query: Option<&str>, body: &[u8]) -> Result<Wanted, String> {
    // Taken for nothing, a query would close more than it names.
    if query.is_some_and(|query| !query.is_empty()) {
        return Err("The body says which circuits, not a query.".to_owned());
    }
    let wanted: Wanted = match body.trim_ascii() {
        b"" => Wanted::default(),
        // A list would be read as well, by the order of the members.
        object @ [b'{', ..] => {
            serde_json::from_slice(object).map_err(|fault| format!("The body is not understood: {fault}."))?
        }
        _ => return Err("The body is not a JSON object.".to_owned()),
    };
    if [&wanted.provider, &wanted.model].into_iter().flatten().any(String::is_empty) {
        return Err("A name is empty.".to_owned());
    }
    Ok(wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_names_a_target_a_provider_or_everything() {
        let wanted = |provider: Option<&str>, model: Option<&str>| {
            Ok(Wanted { provider: provider.map(str::to_owned), model: model.map(str::to_owned) })
        };
        assert_eq!(read(None, b""), wanted(None, None));
        assert_eq!(read(Some(""), b" {} "), wanted(None, None));
        assert_eq!(read(None, br#"{"provider":"up"}"#), wanted(Some("up"), None));
        assert_eq!(read(None, br#"{"model":"gpt-*","provider":"up"}"#), wanted(Some("up"), Some("gpt-*")));
    }

    #[test]
    fn anything_else_is_refused_whole() {
        for (query, body) in [
            (Some("provider=up"), ""),
            (Some("provider=up"), "{}"),
            (None, "all"),
            (None, "null"),
            (None, "[]"),
            (None, r#"["up","m"]"#),
            (None, "{} {}"),
            (None, r#"{"provider":null}"#),
            (None, r#"{"provider":""}"#),
            (None, r#"{"provider":7}"#),
            (None, r#"{"provider":"a","provider":"b"}"#),
            (None, r#"{"provider":"up","model":null}"#),
            (None, r#"{"provider":"up","model":""}"#),
            (None, r#"{"name":"up"}"#),
        ] {
            assert!(read(query, body.as_bytes()).is_err(), "{query:?} {body:?}");
        }
    }
}
