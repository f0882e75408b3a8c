//! `/livez` and `/readyz`.
//!
//! Readiness depends on this process alone: configuration loaded, not draining. A provider or a Redis that
//! is down must never take a gateway out of the load balancer, or one outage takes the whole fleet out. That
//! Redis is away is told, and that is all.

use crate::reply::{self, Reply, TEXT};
use http::StatusCode;
use sluice_core::{App, redis::LinkState};

/// The process runs and can answer.
pub(crate) fn live() -> Reply {
    reply::text("ok\n")
}

/// Should requests be sent here? `?verbose` lists the checks.
pub(crate) fn ready(app: &App, query: Option<&str>) -> Reply {
    let (ready, redis) = (app.is_ready(), app.redis_state());
    let degraded = redis.is_some_and(|state| state != LinkState::Up);
    let (status, word) = match (ready, degraded) {
        (true, false) => (StatusCode::OK, "ready"),
        (true, true) => (StatusCode::OK, "ready, degraded"),
        (false, _) => (StatusCode::SERVICE_UNAVAILABLE, "not ready"),
    };
    let verbose =
        query.is_some_and(|query| query.split('&').any(|part| matches!(part, "verbose" | "verbose=1")));
    if !verbose {
        let redis = redis.map_or(String::new(), |state| format!("redis: {}\n", state.as_str()));
        return reply::reply(status, TEXT, format!("{word}\n{redis}"));
    }
    let draining = app.is_draining();
    let redis = redis.map_or(String::new(), |state| match state {
        LinkState::Up => "[+] redis: up\n".to_owned(),
        // Neither passed nor failed: readiness does not hang on it.
        _ => format!("[~] redis: {} (degraded: requests go on without it)\n", state.as_str()),
    });
    let body = format!(
        "{config}\n{drain}\n{redis}{word}\n",
        // An app exists only with a valid configuration, so what is left to say is whether it has started.
        config = check("config loaded", ready || draining),
        drain = check("accepting requests", !draining),
    );
    reply::reply(status, TEXT, body)
}

fn check(name: &str, passed: bool) -> String {
    if passed { format!("[+] {name}: ok") } else { format!("[-] {name}: failed") }
}
