//! The collector: where it is, how it is spoken to (OTLP over HTTP, protobuf), and what it says.
//!
//! Owns a client of its own, apart from those of providers. Knows nothing of queues and of trying again.

use super::{
    names::service,
    otlp::{AnyValue, Export, KeyValue, Resource, ResourceSpans, Scope, ScopeSpans, Span, Taken, Value},
};
use crate::{
    telemetry::labels::SpanLoss,
    upstream::{
        body::read_some,
        client::{TlsError, tls_config},
        connect::{ConnectError, Connector},
        connections::Connections,
    },
};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, Uri, header};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper_util::{
    client::legacy::Client,
    rt::{TokioExecutor, TokioTimer},
};
use prost::Message;
use sluice_config::model::Traces;
use std::{error::Error as _, sync::Arc, time::Duration};

/// Of this release.
const VERSION: &str = env!("CARGO_PKG_VERSION");
/// Who sends, as collectors see it.
const USER_AGENT: &str = concat!("sluice/", env!("CARGO_PKG_VERSION"));
/// What is appended to the address.
const PATH: &str = "/v1/traces";
/// A collector answers within this.
const PATIENCE: Duration = Duration::from_secs(10);
/// A part of it.
const CONNECT: Duration = Duration::from_secs(5);
/// Of an answer no more is read.
const MAX_ANSWER: usize = 64 << 10;
/// Nor is it waited for.
const ANSWER_PATIENCE: Duration = Duration::from_secs(1);

/// Why a collector cannot be spoken to at all.
#[derive(Debug, thiserror::Error)]
pub enum BadCollector {
    /// The address is none.
    #[error("telemetry.traces.otlp is not an address")]
    Address,
    /// A header cannot be sent.
    #[error("telemetry.traces.headers: `{0}` cannot be sent")]
    Header(String),
    /// TLS cannot be set up.
    #[error("telemetry.traces: {0}")]
    Tls(#[from] TlsError),
}

/// Why a batch was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// No connection.
    Connect(ConnectError),
    /// The connection broke, or what came is not HTTP.
    NoAnswer,
    /// No answer in time.
    Timeout,
    /// An answer that is no success, and how long to wait.
    Refused(StatusCode, Option<Duration>),
}

impl Fault {
    /// Might it be taken later? The specification names the statuses.
    pub(super) fn may_pass(&self) -> bool {
        match self {
            Self::Connect(_) | Self::NoAnswer | Self::Timeout => true,
            Self::Refused(status, _) => matches!(status.as_u16(), 429 | 502 | 503 | 504),
        }
    }

    /// How long the collector wants to be left alone.
    pub(super) fn wanted_pause(&self) -> Option<Duration> {
        if let Self::Refused(_, pause) = self { *pause } else { None }
    }

    /// What is lost for it.
    pub(super) fn loss(&self) -> SpanLoss {
        if let Self::Refused(..) = self { SpanLoss::Refused } else { SpanLoss::Unreachable }
    }

    /// A closed word for the log.
    pub(super) fn reason(&self) -> &'static str {
        match self {
            Self::Connect(error) => error.reason(),
            Self::NoAnswer => "no_http_answer",
            Self::Timeout => "timeout",
            Self::Refused(..) => "refused",
        }
    }

    /// The collector's status.
    pub(super) fn status(&self) -> Option<u16> {
        if let Self::Refused(status, _) = self { Some(status.as_u16()) } else { None }
    }
}

/// Where spans go.
pub(super) struct Collector {
    client: Client<Connector, Full<Bytes>>,
    uri: Uri,
    headers: HeaderMap,
    resource: Resource,
    scope: Scope,
}

impl Collector {
    /// Makes ready what is needed to send; nothing is sent yet.
    pub(super) fn new(settings: &Traces) -> Result<Self, BadCollector> {
        let uri = endpoint(&settings.otlp).ok_or(BadCollector::Address)?;
        let mut headers = HeaderMap::new();
        for (name, value) in &settings.headers {
            let bad = || BadCollector::Header(name.clone());
            let mut value = HeaderValue::try_from(value.expose()).map_err(|_| bad())?;
            value.set_sensitive(true);
            headers.append(HeaderName::try_from(name).map_err(|_| bad())?, value);
        }
        headers.insert(header::USER_AGENT, HeaderValue::from_static(USER_AGENT));
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/x-protobuf"));
        let secure = uri.scheme_str() == Some("https");
        let tls = if secure { Some(Arc::new(tls_config(settings.ca_file.as_deref(), false)?)) } else { None };
        // The operator's own machine, as a rule: private addresses are what is meant.
        let connector = Connector::new(true, CONNECT, tls, None, None, Connections::default());
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .timer(TokioTimer::new())
            .pool_max_idle_per_host(1)
            .build(connector);
        let scope = Scope { name: "sluice".to_owned(), version: VERSION.to_owned() };
        Ok(Self { client, uri, headers, resource: resource(), scope })
    }

    /// A batch as it is sent.
    pub(super) fn pack(&self, spans: Vec<Span>) -> Bytes {
        let scopes = vec![ScopeSpans { scope: Some(self.scope.clone()), spans }];
        let resources = vec![ResourceSpans { resource: Some(self.resource.clone()), scopes }];
        Export { resources }.encode_to_vec().into()
    }

    /// Sends a batch once; how many of its spans the collector has rejected.
    pub(super) async fn send(&self, body: Bytes) -> Result<usize, Fault> {
        let answered = tokio::time::timeout(PATIENCE, self.post(body)).await;
        let response = answered.unwrap_or(Err(Fault::Timeout))?;
        let (parts, body) = response.into_parts();
        let told = read_some(body, MAX_ANSWER, ANSWER_PATIENCE).await;
        // The specification says 200; some that stand before a collector say 202 or 204.
        if !parts.status.is_success() {
            return Err(Fault::Refused(parts.status, retry_after(&parts.headers)));
        }
        // Some answer with nothing, or with something else: the status says it all.
        let partial = Taken::decode(told).ok().and_then(|taken| taken.partial);
        Ok(partial.map_or(0, |partial| usize::try_from(partial.rejected).unwrap_or(0)))
    }

    async fn post(&self, body: Bytes) -> Result<Response<Incoming>, Fault> {
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.uri.clone();
        *request.headers_mut() = self.headers.clone();
        self.client.request(request).await.map_err(|error| {
            let mut source = error.source();
            while let Some(cause) = source {
                if let Some(connect) = cause.downcast_ref::<ConnectError>() {
                    return Fault::Connect(*connect);
                }
                source = cause.source();
            }
            Fault::NoAnswer
        })
    }
}

/// The address with its path, as the specification has it for `OTEL_EXPORTER_OTLP_ENDPOINT`; one that has the path
/// already, as `OTEL_EXPORTER_OTLP_TRACES_ENDPOINT` has, is taken as it is.
fn endpoint(base: &str) -> Option<Uri> {
    let base = base.trim_end_matches('/');
    let path = if base.ends_with(PATH) { "" } else { PATH };
    format!("{base}{path}").parse().ok()
}

fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds))
}

/// Which process tells. Its instance is drawn, as a UUID: two that share a host are two.
fn resource() -> Resource {
    let drawn = fastrand::u128(..) & !(0xf << 76) & !(0b11 << 62) | 0x4 << 76 | 0b10 << 62;
    let digits = format!("{drawn:032x}");
    let parts = [0..8, 8..12, 12..16, 16..20, 20..32].map(|part| digits.get(part).unwrap_or_default());
    let text = |key: &'static str, value: String| KeyValue {
        key: Bytes::from_static(key.as_bytes()),
        value: Some(AnyValue { value: Some(Value::Text(value)) }),
    };
    Resource {
        attributes: vec![
            text(service::NAME, "sluice".to_owned()),
            text(service::VERSION, VERSION.to_owned()),
            text(service::INSTANCE, parts.join("-")),
        ],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_is_appended_to_what_has_none() {
        for (base, whole) in [
            ("http://c:4318", "http://c:4318/v1/traces"),
            ("http://c:4318/", "http://c:4318/v1/traces"),
            ("https://c/otlp", "https://c/otlp/v1/traces"),
            ("https://c/otlp/v1/traces", "https://c/otlp/v1/traces"),
        ] {
            assert_eq!(endpoint(base).unwrap(), whole);
        }
    }

    #[test]
    fn an_instance_is_a_uuid_of_version_4() {
        let drawn = resource();
        let Some(Value::Text(id)) = drawn.attributes[2].value.clone().unwrap().value else { panic!() };
        assert_eq!(id.split('-').map(str::len).collect::<Vec<_>>(), [8, 4, 4, 4, 12], "{id}");
        assert_eq!(&id[14..15], "4", "{id}");
        assert!("89ab".contains(&id[19..20]), "{id}");
    }

    #[test]
    fn only_what_may_pass_is_tried_again() {
        for (status, again) in
            [(429, true), (502, true), (503, true), (504, true), (500, false), (400, false)]
        {
            let status = StatusCode::from_u16(status).unwrap();
            assert_eq!(Fault::Refused(status, None).may_pass(), again, "{status}");
        }
    }
}
