//! From a request head to an answer: path (404), method (405), caller (401, 403), then the page.

use crate::{
    auth, health,
    metrics::Renderer,
    reply::{self, Reply},
    status,
};
use http::{HeaderValue, Method, Request, StatusCode, header};
use sluice_core::{App, server::loopback};
use std::{net::SocketAddr, sync::Arc};

/// Everything that answering needs; one for the listener.
pub(crate) struct Routes {
    app: Arc<App>,
    bind: SocketAddr,
    metrics: Renderer,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Route {
    Index,
    Live,
    Ready,
    Metrics,
    Status,
    /// `/-/…`: reload, purge and the like. None is there yet.
    Control,
}

impl Routes {
    pub(crate) fn new(app: Arc<App>, bind: SocketAddr) -> Self {
        Self { app, bind, metrics: Renderer::new() }
    }

    /// The answer to one request; the body of the request is never read.
    pub(crate) async fn answer<B>(&self, request: &Request<B>) -> Reply {
        let Some(route) = route(request.uri().path()) else { return not_found() };
        if route != Route::Control && !matches!(*request.method(), Method::GET | Method::HEAD) {
            return method_not_allowed();
        }
        if let Some(refusal) = self.refuse(route, request) {
            return refusal;
        }
        match route {
            Route::Index => status::index(),
            Route::Live => health::live(),
            Route::Ready => health::ready(&self.app, request.uri().query()),
            Route::Metrics => self.metrics.render(Arc::clone(&self.app)).await,
            Route::Status => status::status(&self.app),
            Route::Control => not_found(),
        }
    }

    /// The reason why this caller may not see this route, if there is one.
    fn refuse<B>(&self, route: Route, request: &Request<B>) -> Option<Reply> {
        // Probes tell nothing that is worth stealing, and some send no `Host` at all.
        if matches!(route, Route::Live | Route::Ready) {
            return None;
        }
        let settings = self.app.settings();
        match &settings.listeners.admin.token {
            Some(token) => {
                let wanted = matches!(route, Route::Status | Route::Control);
                (wanted && !auth::has_token(request.headers(), token)).then(unauthorized)
            }
            None => {
                (!loopback::names_this_machine(request.uri(), request.headers(), self.bind)).then(wrong_host)
            }
        }
    }
}

fn route(path: &str) -> Option<Route> {
    match path {
        "/" => Some(Route::Index),
        "/livez" => Some(Route::Live),
        "/readyz" => Some(Route::Ready),
        "/metrics" => Some(Route::Metrics),
        "/status" => Some(Route::Status),
        _ if path.starts_with("/-/") => Some(Route::Control),
        _ => None,
    }
}

fn not_found() -> Reply {
    reply::error(StatusCode::NOT_FOUND, "not_found", "No such page. GET / lists what is here.")
}

fn method_not_allowed() -> Reply {
    let message = "This page is only read: use GET or HEAD.";
    let mut reply = reply::error(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", message);
    reply.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET, HEAD"));
    reply
}

fn unauthorized() -> Reply {
    let message = "Send 'Authorization: Bearer <token>' with the value of listeners.admin.token.";
    let mut reply = reply::error(StatusCode::UNAUTHORIZED, "unauthorized", message);
    reply.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    reply
}

fn wrong_host() -> Reply {
    let message = "Without an admin token only this machine is answered: ask for 127.0.0.1 or localhost, \
                   or set listeners.admin.token.";
    reply::error(StatusCode::FORBIDDEN, "host_not_allowed", message)
}
