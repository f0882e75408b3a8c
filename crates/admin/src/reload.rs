//! `POST /-/reload`: the configuration is read again.
//!
//! How that is done is the process's business ([`Control`]); here is only what is said about it.

use crate::{
    body,
    control::{Control, ReloadError, Reloaded},
    reply::{self, Reply},
};
use bytes::Buf;
use http::{Request, StatusCode};
use http_body::Body;
use serde::Serialize;
use sluice_core::App;
use std::{error::Error, sync::Arc};

/// Path of the page.
pub(crate) const PATH: &str = "/-/reload";

const USAGE: &str = "Send an empty body: the file that the gateway was started with is read again.";

/// The answer.
#[derive(Serialize)]
struct Done<'a> {
    config_hash: &'a str,
    changed: bool,
    /// What is different.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    changes: &'a [String],
    /// What `sluice check` would say beside errors.
    #[serde(skip_serializing_if = "str::is_empty")]
    notes: &'a str,
    /// What that means, for a person.
    note: &'static str,
}

/// Reads the configuration again, and says what came of it.
pub(crate) async fn reload<B>(control: Option<&dyn Control>, app: &Arc<App>, request: Request<B>) -> Reply
where
    B: Body<Data: Buf, Error: Into<Box<dyn Error + Send + Sync>>>,
{
    if let Err(refusal) = body::wanted(request, bad, USAGE, read).await {
        return refusal;
    }
    let outcome = match control {
        Some(control) => control.reload(app, "admin").await,
        None => Err(ReloadError::NoFile),
    };
    match outcome {
        Ok(Reloaded { hash, changes, notes }) => {
            let changed = !changes.is_empty();
            let note = match changed {
                true => "Requests from now on meet the new configuration; those that run keep theirs.",
                false => "The file says what is in force already.",
            };
            reply::json(
                StatusCode::OK,
                &Done { config_hash: &hash, changed, changes: &changes, notes: &notes, note },
            )
        }
        Err(why) => {
            let (status, code) = match &why {
                ReloadError::NoFile => (StatusCode::NOT_FOUND, "no_config_file"),
                ReloadError::RestartOnly(_) => (StatusCode::CONFLICT, "restart_needed"),
                ReloadError::Invalid(_) | ReloadError::Unusable(_) => {
                    (StatusCode::UNPROCESSABLE_ENTITY, "config_rejected")
                }
            };
            reply::error(
                status,
                code,
                &format!("{}\nThe old configuration stays in force.", why.to_string().trim_end()),
            )
        }
    }
}

fn bad(why: &str) -> Reply {
    reply::error(StatusCode::BAD_REQUEST, "bad_reload", &format!("{why} {USAGE}"))
}

/// Nothing can be chosen: what a caller sends may mean something that is not done.
fn read(query: Option<&str>, body: &[u8]) -> Result<(), String> {
    match (query.unwrap_or_default(), body.trim_ascii()) {
        ("", b"" | b"{}") => Ok(()),
        _ => Err("A reload takes nothing.".to_owned()),
    }
}
