//! `POST /-/log-level`: how much is logged, until the process ends or a reload brings another level.

use crate::{
    body,
    control::Control,
    reply::{self, Reply},
};
use bytes::Buf;
use http::{Request, StatusCode};
use http_body::Body;
use serde::{Deserialize, Serialize};
use sluice_config::model::LogLevel;
use sluice_core::App;
use std::error::Error;

/// Path of the page.
pub(crate) const PATH: &str = "/-/log-level";

const USAGE: &str =
    r#"Send {"level":"debug"}, or one of trace, info, warn and error. Request lines are info."#;

#[derive(Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    level: LogLevel,
}

/// The answer.
#[derive(Serialize)]
struct Done {
    level: &'static str,
    /// Absent where `SLUICE_LOG` holds more than a level.
    #[serde(skip_serializing_if = "Option::is_none")]
    was: Option<&'static str>,
    /// What that means, for a person.
    note: &'static str,
}

/// Sets the level, and says what it was.
pub(crate) async fn set<B>(control: Option<&dyn Control>, app: &App, request: Request<B>) -> Reply
where
    B: Body<Data: Buf, Error: Into<Box<dyn Error + Send + Sync>>>,
{
    let Wanted { level } = match body::wanted(request, bad, USAGE, read).await {
        Ok(wanted) => wanted,
        Err(refusal) => return refusal,
    };
    let Some(control) = control else {
        return reply::error(StatusCode::NOT_FOUND, "no_log", "This process has no log of its own.");
    };
    let was = control.set_log_level(app, level).map(LogLevel::as_str);
    // An error is told at every level: who turned the log down stays to be seen in it.
    tracing::error!(who = "admin", level = level.as_str(), was, "log level set");
    let note = match level {
        LogLevel::Warn | LogLevel::Error => {
            "No more lines for requests, until the process ends or a reload brings another level."
        }
        _ => "Until the process ends or a reload brings another level.",
    };
    reply::json(StatusCode::OK, &Done { level: level.as_str(), was, note })
}

fn bad(why: &str) -> Reply {
    reply::error(StatusCode::BAD_REQUEST, "bad_log_level", &format!("{why} {USAGE}"))
}

fn read(query: Option<&str>, body: &[u8]) -> Result<Wanted, String> {
    if query.is_some_and(|query| !query.is_empty()) {
        return Err("The body says which level, not a query.".to_owned());
    }
    match body.trim_ascii() {
        b"" => Err("It is not said which level.".to_owned()),
        object @ [b'{', ..] => {
            serde_json::from_slice(object).map_err(|fault| format!("The body is not understood: {fault}."))
        }
        _ => Err("The body is not a JSON object.".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_names_a_level_and_nothing_else() {
        assert_eq!(read(None, br#" {"level":"debug"} "#), Ok(Wanted { level: LogLevel::Debug }));
        for (query, body) in [
            (None, ""),
            (None, "debug"),
            (None, "[\"debug\"]"),
            (None, "{}"),
            (None, r#"{"level":"loud"}"#),
            (None, r#"{"level":null}"#),
            (None, r#"{"level":"info","level":"warn"}"#),
            (None, r#"{"level":"info","for":"1h"}"#),
            (Some("level=debug"), ""),
            (Some("level=debug"), r#"{"level":"info"}"#),
        ] {
            assert!(read(query, body.as_bytes()).is_err(), "{query:?} {body:?}");
        }
    }
}
