//! `/` and `/status`: what is here, and how it is doing.

use crate::reply::{self, Reply};
use http::StatusCode;
use sluice_core::App;

const INDEX: &str = "\
sluice admin

/livez            200 while the process runs
/readyz           200 when requests should be sent here, 503 otherwise; ?verbose lists the checks
/metrics          Prometheus text format
/status           version, providers and their keys, targets with their circuits, models, cache, requests in flight

POST /-/cache/purge   stored answers become misses: ?all=true, ?tenant=NAME, ?model=NAME or ?key=NAME,
                      or the same as JSON: {\"tenant\":\"NAME\"}
POST /-/circuit/close circuits close, keys are ready again: {\"provider\":\"NAME\",\"model\":\"MODEL\"},
                      {\"provider\":\"NAME\"} or {}
POST /-/reload        the configuration file is read again; what is not valid changes nothing
POST /-/log-level     how much is logged: {\"level\":\"debug\"}

/status and what is under /-/ want the admin token once one is set.
";

/// What is here.
pub(crate) fn index() -> Reply {
    reply::text(INDEX)
}

/// How it is doing, as JSON without secrets.
pub(crate) fn status(app: &App) -> Reply {
    reply::json(StatusCode::OK, &app.status())
}
