//! From a request head to an answer: path (404), method (405), caller (401, 403), then the page.

use crate::{
    auth, circuits,
    control::Control,
    health, log_level,
    metrics::Renderer,
    purge, reload,
    reply::{self, Reply},
    status,
};
use bytes::Buf;
use http::{HeaderValue, Method, Request, StatusCode, header};
use http_body::Body;
use sluice_core::{App, server::loopback};
use std::{error::Error, net::SocketAddr, sync::Arc};

/// Everything that answering needs; one for the listener.
pub(crate) struct Routes {
    app: Arc<App>,
    control: Option<Arc<dyn Control>>,
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
    Purge,
    Close,
    Reload,
    LogLevel,
    /// What else is under `/-/`: nothing yet.
    Control,
}

impl Route {
    /// May this method be used? If not, the methods that may.
    fn check_method(self, method: &Method) -> Result<(), &'static str> {
        match self {
            Self::Control => Ok(()),
            _ if self.acts() => {
                if method == Method::POST {
                    Ok(())
                } else {
                    Err("POST")
                }
            }
            _ if matches!(*method, Method::GET | Method::HEAD) => Ok(()),
            _ => Err("GET, HEAD"),
        }
    }

    /// Does it change something?
    fn acts(self) -> bool {
        matches!(self, Self::Purge | Self::Close | Self::Reload | Self::LogLevel | Self::Control)
    }
}

impl Routes {
    pub(crate) fn new(app: Arc<App>, control: Option<Arc<dyn Control>>, bind: SocketAddr) -> Self {
        Self { app, control, bind, metrics: Renderer::new() }
    }

    /// The answer to one request; the body of the request is only read where something is to be done.
    pub(crate) async fn answer<B>(&self, request: Request<B>) -> Reply
    where
        B: Body<Data: Buf, Error: Into<Box<dyn Error + Send + Sync>>>,
    {
        let Some(route) = route(request.uri().path()) else { return not_found() };
        if let Err(allowed) = route.check_method(request.method()) {
            return method_not_allowed(allowed);
        }
        if let Some(refusal) = self.refuse(route, &request) {
            return refusal;
        }
        match route {
            Route::Index => status::index(),
            Route::Live => health::live(),
            Route::Ready => health::ready(&self.app, request.uri().query()),
            Route::Metrics => self.metrics.render(Arc::clone(&self.app)).await,
            Route::Status => status::status(&self.app),
            Route::Purge => purge::purge(&self.app, request).await,
            Route::Close => circuits::close(&self.app, request).await,
            Route::Reload => reload::reload(self.control.as_deref(), &self.app, request).await,
            Route::LogLevel => log_level::set(self.control.as_deref(), &self.app, request).await,
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
                let wanted = route == Route::Status || route.acts();
                (wanted && !auth::has_token(request.headers(), token)).then(unauthorized)
            }
            None if !loopback::names_this_machine(request.uri(), request.headers(), self.bind) => {
                Some(wrong_host())
            }
            None => (route.acts() && loopback::is_cross_site(request.headers(), self.bind)).then(wrong_site),
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
        purge::PATH => Some(Route::Purge),
        circuits::PATH => Some(Route::Close),
        reload::PATH => Some(Route::Reload),
        log_level::PATH => Some(Route::LogLevel),
        _ if path.starts_with("/-/") => Some(Route::Control),
        _ => None,
    }
}

fn not_found() -> Reply {
    reply::error(StatusCode::NOT_FOUND, "not_found", "No such page. GET / lists what is here.")
}

fn method_not_allowed(allowed: &'static str) -> Reply {
    let message = match allowed {
        "POST" => "This page does something: use POST.",
        _ => "This page is only read: use GET or HEAD.",
    };
    let mut reply = reply::error(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", message);
    reply.headers_mut().insert(header::ALLOW, HeaderValue::from_static(allowed));
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

fn wrong_site() -> Reply {
    let message = "Without an admin token a web page of another site may do nothing here.";
    reply::error(StatusCode::FORBIDDEN, "origin_not_allowed", message)
}
