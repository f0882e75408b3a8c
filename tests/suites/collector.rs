//! A collector that takes OTLP over HTTP and reads it with the messages of those who define it.

use crate::support::CHAT;
use opentelemetry_proto::tonic::{
    collector::trace::v1::{
        ExportTracePartialSuccess, ExportTraceServiceRequest, ExportTraceServiceResponse,
    },
    common::v1::{KeyValue, any_value::Value},
    trace::v1::{Span, span::SpanKind, status::StatusCode},
};
use prost::Message;
use serde_json::{Map, Value as Json, json};
use sluice_tests::{
    client::Request,
    eventually,
    gateway::{Config, KEY},
    upstream::{Answer, Received, Upstream},
};
use std::fmt::Write;

/// A sampled parent.
pub const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
/// Its trace.
pub const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";

/// What a collector says that has taken everything.
pub fn taken() -> Answer {
    Answer::status(200, &["content-type: application/x-protobuf"], "")
}

/// What a collector says that has not taken some spans.
pub fn taken_but(rejected_spans: i64) -> Answer {
    let partial = ExportTracePartialSuccess { rejected_spans, error_message: "too old".into() };
    let body = ExportTraceServiceResponse { partial_success: Some(partial) }.encode_to_vec();
    Answer::status(200, &["content-type: application/x-protobuf"], body)
}

/// A collector.
pub struct Collector(pub Upstream);

impl Collector {
    /// Takes everything.
    pub async fn new() -> Self {
        Self(Upstream::script([taken()]).await)
    }

    /// The section that sends traces there, with more members, `, name: value`.
    pub fn section(&self, members: &str) -> String {
        section(&format!("http://{}", self.0.address()), members)
    }

    /// All spans so far, whatever was said to them.
    pub fn spans(&self) -> Vec<Seen> {
        self.0.requests().iter().flat_map(read).collect()
    }

    /// Waits for so many spans, and gives them all: those of servers first, then in the order in which they began.
    pub async fn sent(&self, count: usize) -> Vec<Seen> {
        eventually(&format!("{count} spans"), || self.spans().len() >= count).await;
        let mut spans = self.spans();
        spans.sort_by_key(|span| (span.kind == "client", span.start));
        assert_eq!(spans.len(), count, "{spans:#?}");
        spans
    }
}

/// The section that sends traces to this address, with more members, `, name: value`.
pub fn section(url: &str, members: &str) -> String {
    format!("telemetry: {{traces: {{otlp: \"{url}\"{members}}}}}")
}

/// A gateway before this upstream that keeps every trace.
pub fn traced(upstream: &Upstream, collector: &Collector) -> Config {
    Config::to(upstream).section(&collector.section(", sample: 100%"))
}

/// A chat request with this body and this parent.
pub fn child(body: impl Into<bytes::Bytes>, parent: &str) -> Request {
    Request::post(CHAT, body).bearer(KEY).header("traceparent", parent)
}

/// A span as it came.
#[derive(Debug, Clone)]
pub struct Seen {
    pub trace: String,
    pub id: String,
    pub parent: String,
    pub remote_parent: bool,
    pub kind: &'static str,
    pub name: String,
    pub failed: bool,
    pub start: u64,
    pub end: u64,
    pub is: Json,
    pub events: Vec<(String, Json)>,
    /// When each of the events was.
    pub moments: Vec<u64>,
    /// What is said of the process.
    pub resource: Json,
}

fn read(request: &Received) -> Vec<Seen> {
    assert!(request.head.starts_with("POST /v1/traces HTTP/1.1\r\n"), "{}", request.head);
    assert_eq!(request.header("content-type"), Some("application/x-protobuf"));
    let export = ExportTraceServiceRequest::decode(request.body.clone()).expect("OTLP");
    let mut all = Vec::new();
    for resource in export.resource_spans {
        let process = attributes(&resource.resource.expect("a resource").attributes);
        for scope in resource.scope_spans {
            assert_eq!(scope.scope.expect("a scope").name, "sluice");
            all.extend(scope.spans.into_iter().map(|span| seen(span, process.clone())));
        }
    }
    all
}

fn seen(span: Span, resource: Json) -> Seen {
    let status = span.status.expect("a status");
    assert_eq!(status.message, "", "an upstream's words may quote a prompt");
    Seen {
        trace: hex(&span.trace_id),
        id: hex(&span.span_id),
        parent: hex(&span.parent_span_id),
        remote_parent: span.flags & 0x300 == 0x300,
        kind: match SpanKind::try_from(span.kind) {
            Ok(SpanKind::Server) => "server",
            Ok(SpanKind::Client) => "client",
            other => panic!("{other:?}"),
        },
        name: span.name,
        failed: status.code == i32::from(StatusCode::Error),
        start: span.start_time_unix_nano,
        end: span.end_time_unix_nano,
        is: attributes(&span.attributes),
        moments: span.events.iter().map(|event| event.time_unix_nano).collect(),
        events: span.events.into_iter().map(|event| (event.name, attributes(&event.attributes))).collect(),
        resource,
    }
}

fn attributes(all: &[KeyValue]) -> Json {
    let mut map = Map::new();
    for KeyValue { key, value, .. } in all {
        let value = json_of(value.as_ref().and_then(|value| value.value.as_ref()));
        assert_eq!(map.insert(key.clone(), value), None, "{key} stands twice");
    }
    Json::Object(map)
}

fn json_of(value: Option<&Value>) -> Json {
    match value.expect("a value") {
        Value::StringValue(text) => json!(text),
        Value::BoolValue(flag) => json!(flag),
        Value::IntValue(number) => json!(number),
        Value::DoubleValue(number) => json!(number),
        Value::ArrayValue(list) => list.values.iter().map(|one| json_of(one.value.as_ref())).collect(),
        other => panic!("{other:?}"),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("text");
        text
    })
}
