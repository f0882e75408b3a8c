//! `/livez` and `/readyz`.
//!
//! Readiness depends on this process alone: configuration loaded, not draining. A provider or a Redis that
//! is down must never take a gateway out of the load balancer, or one outage takes the whole fleet out.

use crate::reply::{self, Reply, TEXT};
use http::StatusCode;
use sluice_core::App;

/// The process runs and can answer.
pub(crate) fn live() -> Reply {
    reply::text("ok\n")
}

/// Should requests be sent here? `?verbose` lists the checks.
pub(crate) fn ready(app: &App, query: Option<&str>) -> Reply {
    let ready = app.is_ready();
    let (status, word) =
        if ready { (StatusCode::OK, "ready") } else { (StatusCode::SERVICE_UNAVAILABLE, "not ready") };
    let verbose =
        query.is_some_and(|query| query.split('&').any(|part| matches!(part, "verbose" | "verbose=1")));
    if !verbose {
        return reply::reply(status, TEXT, format!("{word}\n"));
    }
    let draining = app.is_draining();
    let body = format!(
        "{config}\n{drain}\n{word}\n",
        // An app exists only with a valid configuration, so what is left to say is whether it has started.
        config = check("config loaded", ready || draining),
        drain = check("accepting requests", !draining),
    );
    reply::reply(status, TEXT, body)
}

fn check(name: &str, passed: bool) -> String {
    if passed { format!("[+] {name}: ok") } else { format!("[-] {name}: failed") }
}
