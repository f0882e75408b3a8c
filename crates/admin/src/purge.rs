//! `POST /-/cache/purge`: stored answers become misses.
//!
//! Reads what to purge, from a small JSON body or from the query, and says how far the purge has come. How
//! purging works is `sluice_core::cache::generations`' business; who may ask is `routes`'.

use crate::{
    body,
    reply::{self, Reply},
};
use bytes::Buf;
use http::{Request, StatusCode};
use http_body::Body;
use percent_encoding::percent_decode_str;
use serde::{Deserialize, Serialize};
use sluice_config::model::Settings;
use sluice_core::{App, app::Purged, cache::generations::Purge};
use std::error::Error;

/// Path of the page.
pub(crate) const PATH: &str = "/-/cache/purge";

const USAGE: &str = r#"Send one of {"all":true}, {"tenant":"NAME"}, {"model":"NAME"} and {"key":"NAME"}, or the same as a query with an empty body, such as ?tenant=NAME."#;

/// What to purge, as it is written.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
enum Wanted {
    All(bool),
    Tenant(String),
    Model(String),
    Key(String),
}

/// The answer.
#[derive(Serialize)]
struct Done<'a> {
    purged: &'a Wanted,
    /// Does the configuration in force have that name? Of everything there is no name.
    #[serde(skip_serializing_if = "Option::is_none")]
    known: Option<bool>,
    reach: &'static str,
    /// What that means, for a person.
    note: String,
}

/// Purges, and says what came of it.
pub(crate) async fn purge<B>(app: &App, request: Request<B>) -> Reply
where
    B: Body<Data: Buf, Error: Into<Box<dyn Error + Send + Sync>>>,
{
    let wanted = match body::wanted(request, bad, USAGE, read).await {
        Ok(wanted) => wanted,
        Err(refusal) => return refusal,
    };
    let purge = wanted.purge();
    let Some(reach) = app.purge_cache(&purge).await else {
        let message = "No cache is configured: there is nothing to purge. A `cache` section makes one.";
        return reply::error(StatusCode::NOT_FOUND, "no_cache", message);
    };
    let known = wanted.is_known(&app.settings());
    let word = word(reach);
    tracing::info!(who = "admin", what = purge.field(), reach = word, known, "cache purged");
    let done = Done { purged: &wanted, known, reach: word, note: wanted.note(reach, known) };
    reply::json(StatusCode::OK, &done)
}

fn bad(why: &str) -> Reply {
    reply::error(StatusCode::BAD_REQUEST, "bad_purge", &format!("{why} {USAGE}"))
}

/// What to purge: by the body or by the query, never by both, since nobody could say which one counts.
fn read(query: Option<&str>, body: &[u8]) -> Result<Wanted, String> {
    let query = query.filter(|query| !query.is_empty());
    let wanted = match (query, body.trim_ascii()) {
        (None, b"") => return Err("It is not said what to purge.".to_owned()),
        (Some(_), [_, ..]) => return Err("Both the body and the query say what to purge.".to_owned()),
        (Some(query), b"") => of_query(query)?,
        (None, body) => {
            serde_json::from_slice(body).map_err(|fault| format!("The body is not understood: {fault}."))?
        }
    };
    match &wanted {
        Wanted::All(false) => Err("`all` can only be true.".to_owned()),
        Wanted::Tenant(name) | Wanted::Model(name) | Wanted::Key(name) if name.is_empty() => {
            Err("The name is empty.".to_owned())
        }
        _ => Ok(wanted),
    }
}

fn of_query(query: &str) -> Result<Wanted, String> {
    let (member, value) = query.split_once('=').unwrap_or((query, ""));
    if value.contains(['&', '=']) {
        return Err("The query must hold exactly one member.".to_owned());
    }
    // In a query a plus sign is a space.
    let value = value.replace('+', " ");
    let value =
        percent_decode_str(&value).decode_utf8().map_err(|_| "The query is not UTF-8 text.".to_owned())?;
    let name = value.into_owned();
    match member {
        "all" if name == "true" => Ok(Wanted::All(true)),
        "all" => Err("`all` can only be true.".to_owned()),
        "tenant" => Ok(Wanted::Tenant(name)),
        "model" => Ok(Wanted::Model(name)),
        "key" => Ok(Wanted::Key(name)),
        _ => Err("The query is not understood.".to_owned()),
    }
}

impl Wanted {
    fn purge(&self) -> Purge {
        match self {
            Self::All(_) => Purge::All,
            Self::Tenant(name) => Purge::Tenant(name.clone()),
            Self::Model(name) => Purge::Model(name.clone()),
            Self::Key(name) => Purge::Key(name.clone()),
        }
    }

    /// What has been taken out of the configuration may still have answers, so unknown names are purged, too;
    /// but it may also be a slip of the pen.
    fn is_known(&self, settings: &Settings) -> Option<bool> {
        match self {
            Self::All(_) => None,
            Self::Tenant(name) => {
                let listed = settings.tenants.iter().map(|tenant| &tenant.name);
                Some(
                    name == "default"
                        || listed.chain(settings.keys.iter().map(|key| &key.tenant)).any(|own| own == name),
                )
            }
            Self::Model(name) => Some(settings.models.iter().any(|model| &model.name == name)),
            Self::Key(name) => Some(settings.keys.iter().any(|key| &key.name == name)),
        }
    }

    fn note(&self, reach: Purged, known: Option<bool>) -> String {
        let of = match self {
            Self::All(_) => "All stored answers".to_owned(),
            Self::Tenant(name) => format!("All stored answers of tenant '{name}'"),
            Self::Model(name) => format!("All stored answers of model '{name}'"),
            Self::Key(name) => {
                format!("All stored answers that key '{name}' has bought, whoever may read them,")
            }
        };
        let means = match reach {
            Purged::Here => {
                "are misses from now on; nothing is shared with other replicas, so each needs its own purge."
            }
            Purged::Everywhere => "are misses here from now on, and at every other replica within a second.",
            Purged::RedisAway => {
                "are misses here from now on. Redis could not be told: other replicas go on giving these answers \
                 until it is back. It is told then, if this process still runs."
            }
        };
        let doubt = match (known, self) {
            (Some(false), Self::Model(_)) => {
                " The configuration has no model of that name; a wildcard's answers go by its configured name."
            }
            (Some(false), _) => " The configuration has nothing of that name.",
            _ => "",
        };
        format!("{of} {means}{doubt}")
    }
}

/// The word for how far it has come.
const fn word(reach: Purged) -> &'static str {
    match reach {
        Purged::Here => "here",
        Purged::Everywhere => "everywhere",
        Purged::RedisAway => "redis_away",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_member_in_one_place_says_what_to_purge() {
        let tenant = || Ok(Wanted::Tenant("a b".to_owned()));
        assert_eq!(read(None, br#" {"all": true} "#), Ok(Wanted::All(true)));
        assert_eq!(read(Some("all=true"), b""), Ok(Wanted::All(true)));
        assert_eq!(read(None, br#"{"tenant":"a b"}"#), tenant());
        assert_eq!(read(Some(""), br#"{"tenant":"a b"}"#), tenant());
        assert_eq!(read(Some("tenant=a+b"), b"\n"), tenant());
        assert_eq!(read(Some("tenant=a%20b"), b""), tenant());
        assert_eq!(read(Some("model=openai/*"), b""), Ok(Wanted::Model("openai/*".to_owned())));
        assert_eq!(read(Some("key=a%26b%3D"), b""), Ok(Wanted::Key("a&b=".to_owned())));
    }

    #[test]
    fn anything_else_is_refused_whole() {
        for (query, body) in [
            (None, ""),
            (Some(""), " \n"),
            (None, "{}"),
            (None, "null"),
            (None, "\"all\""),
            (None, "[\"all\"]"),
            (None, "tenant=a"),
            (None, r#"{"all":false}"#),
            (None, r#"{"all":"true"}"#),
            (None, r#"{"all":true} x"#),
            (None, r#"{"all":true,"all":true}"#),
            (None, r#"{"tenant":"a","model":"b"}"#),
            (None, r#"{"tenant":"a","tenant":"b"}"#),
            (None, r#"{"tenant":""}"#),
            (None, r#"{"tenant":null}"#),
            (None, r#"{"tenant":["a"]}"#),
            (None, r#"{"provider":"a"}"#),
            (Some("all=true"), r#"{"all":true}"#),
            (Some("all"), ""),
            (Some("all=1"), ""),
            (Some("tenant"), ""),
            (Some("tenant="), ""),
            (Some("tenant=a&model=b"), ""),
            (Some("tenant=a&tenant=b"), ""),
            (Some("tenant=a=b"), ""),
            (Some("tenant=%ff"), ""),
            (Some("Tenant=a"), ""),
        ] {
            assert!(read(query, body.as_bytes()).is_err(), "{query:?} {body:?}");
        }
    }
}
