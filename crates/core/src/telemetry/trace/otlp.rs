//! What goes to a collector, on the wire: the messages of OTLP 1 that a trace needs, by their numbers in
//! `opentelemetry/proto/{collector/trace,trace,common,resource}/v1`.
//!
//! Declared here rather than taken from the project's crate, which brings its whole SDK along; the tests read what
//! is sent with that crate. What the numbers say stays as it is: OTLP is stable.

use bytes::Bytes;

/// `ExportTraceServiceRequest`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Export {
    /// By process; here there is one.
    #[prost(message, repeated, tag = "1")]
    pub resources: Vec<ResourceSpans>,
}

/// `ExportTraceServiceResponse`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Taken {
    /// What was not taken, if anything.
    #[prost(message, optional, tag = "1")]
    pub partial: Option<PartialSuccess>,
}

/// `ExportTracePartialSuccess`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct PartialSuccess {
    /// So many spans.
    #[prost(int64, tag = "1")]
    pub rejected: i64,
}

/// `ResourceSpans`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct ResourceSpans {
    /// Which process.
    #[prost(message, optional, tag = "1")]
    pub resource: Option<Resource>,
    /// By part of the process; here there is one.
    #[prost(message, repeated, tag = "2")]
    pub scopes: Vec<ScopeSpans>,
}

/// `Resource`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Resource {
    /// What is known of it.
    #[prost(message, repeated, tag = "1")]
    pub attributes: Vec<KeyValue>,
}

/// `ScopeSpans`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct ScopeSpans {
    /// Which part.
    #[prost(message, optional, tag = "1")]
    pub scope: Option<Scope>,
    /// The spans.
    #[prost(message, repeated, tag = "2")]
    pub spans: Vec<Span>,
}

/// `InstrumentationScope`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Scope {
    /// Its name.
    #[prost(string, tag = "1")]
    pub name: String,
    /// Its version.
    #[prost(string, tag = "2")]
    pub version: String,
}

/// `Span`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Span {
    /// 16 bytes.
    #[prost(bytes = "bytes", tag = "1")]
    pub trace_id: Bytes,
    /// 8 bytes.
    #[prost(bytes = "bytes", tag = "2")]
    pub span_id: Bytes,
    /// 8 bytes, or none of a root.
    #[prost(bytes = "bytes", tag = "4")]
    pub parent_span_id: Bytes,
    /// W3C's flags in the low byte; see [`flag`].
    #[prost(fixed32, tag = "16")]
    pub flags: u32,
    /// What it is about.
    #[prost(string, tag = "5")]
    pub name: String,
    /// Which side of a call.
    #[prost(enumeration = "Kind", tag = "6")]
    pub kind: i32,
    /// Nanoseconds since 1970.
    #[prost(fixed64, tag = "7")]
    pub start: u64,
    /// Nanoseconds since 1970.
    #[prost(fixed64, tag = "8")]
    pub end: u64,
    /// What is known of it.
    #[prost(message, repeated, tag = "9")]
    pub attributes: Vec<KeyValue>,
    /// What happened in it.
    #[prost(message, repeated, tag = "11")]
    pub events: Vec<Event>,
    /// Whether it went well.
    #[prost(message, optional, tag = "15")]
    pub status: Option<Status>,
}

/// Bits of [`Span::flags`].
pub mod flag {
    /// The trace is kept.
    pub const SAMPLED: u32 = 0x01;
    /// It is known where the parent is.
    pub const HAS_IS_REMOTE: u32 = 0x100;
    /// The parent is another process's.
    pub const IS_REMOTE: u32 = 0x200;
}

/// `Span.SpanKind`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, prost::Enumeration)]
#[repr(i32)]
pub enum Kind {
    /// Not said.
    Unspecified = 0,
    /// Of the one who is asked.
    Server = 2,
    /// Of the one who asks.
    Client = 3,
}

/// `Span.Event`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Event {
    /// Nanoseconds since 1970.
    #[prost(fixed64, tag = "1")]
    pub time: u64,
    /// What happened.
    #[prost(string, tag = "2")]
    pub name: String,
    /// What is known of it.
    #[prost(message, repeated, tag = "3")]
    pub attributes: Vec<KeyValue>,
}

/// `Status`. Its message stays empty: upstreams' words may quote a prompt.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Status {
    /// How it went.
    #[prost(enumeration = "Code", tag = "3")]
    pub code: i32,
}

/// `Status.StatusCode`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, prost::Enumeration)]
#[repr(i32)]
pub enum Code {
    /// Nothing to say.
    Unset = 0,
    /// It failed.
    Error = 2,
}

/// `KeyValue`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct KeyValue {
    /// The name.
    #[prost(string, tag = "1")]
    pub key: String,
    /// The value.
    #[prost(message, optional, tag = "2")]
    pub value: Option<AnyValue>,
}

/// `AnyValue`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct AnyValue {
    /// One of the kinds that there are.
    #[prost(oneof = "Value", tags = "1, 2, 3, 4, 5")]
    pub value: Option<Value>,
}

/// The kinds of values.
#[derive(Clone, PartialEq, prost::Oneof)]
pub enum Value {
    /// Text.
    #[prost(string, tag = "1")]
    Text(String),
    /// Yes or no.
    #[prost(bool, tag = "2")]
    Bool(bool),
    /// A whole number.
    #[prost(int64, tag = "3")]
    Int(i64),
    /// A number.
    #[prost(double, tag = "4")]
    Double(f64),
    /// Several values.
    #[prost(message, tag = "5")]
    List(ArrayValue),
}

/// `ArrayValue`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct ArrayValue {
    /// The values.
    #[prost(message, repeated, tag = "1")]
    pub values: Vec<AnyValue>,
}
