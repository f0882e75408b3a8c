//! `/metrics`: Prometheus text format 0.0.4, rendered away from the request threads.

use crate::reply::{self, Reply};
use http::{HeaderValue, StatusCode};
use sluice_core::App;
use std::sync::Arc;
use tokio::sync::Semaphore;

const CONTENT_TYPE: HeaderValue = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");

/// Renders scrapes one at a time: thousands of series cost milliseconds, and many scrapers at once must not
/// take every core from the requests.
pub(crate) struct Renderer {
    turn: Arc<Semaphore>,
}

impl Renderer {
    pub(crate) fn new() -> Self {
        Self { turn: Arc::new(Semaphore::new(1)) }
    }

    /// All metrics, as text.
    pub(crate) async fn render(&self, app: Arc<App>) -> Reply {
        // The turn is held by the thread that renders, not by this future: a scraper that hangs up does not
        // let the next one in early.
        let turn = Arc::clone(&self.turn).acquire_owned().await;
        let rendered = tokio::task::spawn_blocking(move || {
            let text = app.metrics_text();
            drop(turn);
            text
        });
        match rendered.await {
            Ok(text) => reply::reply(StatusCode::OK, CONTENT_TYPE, text),
            Err(fault) => {
                tracing::error!(%fault, "metrics cannot be rendered");
                reply::error(
                    StatusCode::INTERNAL_SERVER_ERROR,
                    "internal_error",
                    "Metrics cannot be rendered; see the log.",
                )
            }
        }
    }
}
