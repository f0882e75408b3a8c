//! The request's log line: one JSON object, or one line for people.
//!
//! Never a prompt, an answer, a secret or a header of the client's.

use crate::telemetry::exchange::Exchange;
use serde::Serialize;
use sluice_config::model::LogFormat;
use std::{io::Write, time::Duration};

/// Members in the order in which they are read.
#[derive(Serialize)]
struct Line<'a> {
    time: String,
    level: &'static str,
    event: &'static str,
    request_id: &'a str,
    endpoint: &'static str,
    status: u16,
    outcome: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tenant: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    model: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    provider: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    upstream_model: Option<&'a str>,
    stream: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    stream_end: Option<&'static str>,
    #[serde(skip_serializing_if = "slice_is_empty")]
    attempts: Vec<Tried<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    input_tokens: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    output_tokens: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cache_read_tokens: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ttft_ms: Option<f64>,
    duration_ms: f64,
    overhead_us: u64,
    request_bytes: u64,
    response_bytes: u64,
    #[serde(skip_serializing_if = "slice_is_empty")]
    dropped: &'a [String],
    client: std::net::IpAddr,
}

#[derive(Serialize)]
struct Tried<'a> {
    provider: &'a str,
    outcome: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<u16>,
    ms: f64,
}

fn slice_is_empty<T>(list: impl AsRef<[T]>) -> bool {
    list.as_ref().is_empty()
}

/// Milliseconds with three decimals.
fn millis(time: Duration) -> f64 {
    (time.as_secs_f64() * 1e6).round() / 1e3
}

/// Appends the line, with its line feed.
pub fn write(out: &mut Vec<u8>, format: LogFormat, x: &Exchange, total: Duration, overhead: Duration) {
    let line = Line {
        time: format!("{:.3}", jiff::Timestamp::now()),
        level: "info",
        event: "request",
        request_id: &x.id,
        endpoint: x.endpoint.as_str(),
        status: x.status,
        outcome: x.outcome.as_str(),
        error: x.error_code,
        tenant: x.key.as_ref().map(|key| key.tenant.as_str()),
        key: x.key.as_ref().map(|key| key.name.as_str()),
        model: x.model.as_ref().map(|model| model.name.as_str()),
        provider: x.target.as_ref().map(|target| target.provider.name.as_str()),
        upstream_model: x.target.as_ref().map(|target| target.model.as_str()),
        stream: x.stream,
        stream_end: x.streaming.as_ref().and_then(|stream| stream.end).map(super::labels::StreamEnd::as_str),
        attempts: x
            .attempts
            .iter()
            .map(|tried| Tried {
                provider: &tried.target.provider.name,
                outcome: tried.outcome.as_str(),
                status: tried.status,
                ms: millis(tried.took()),
            })
            .collect(),
        input_tokens: x.usage.as_ref().map(|usage| usage.input),
        output_tokens: x.usage.as_ref().map(|usage| usage.output),
        cache_read_tokens: x.usage.as_ref().map(|usage| usage.cache_read),
        ttft_ms: x
            .streaming
            .as_ref()
            .and_then(|stream| stream.first_content)
            .map(|at| millis(at.saturating_duration_since(x.started))),
        duration_ms: millis(total),
        overhead_us: u64::try_from(overhead.as_micros()).unwrap_or(u64::MAX),
        request_bytes: x.request_bytes,
        response_bytes: x.response_bytes,
        dropped: &x.dropped,
        client: x.peer.ip(),
    };
    // Writing into a Vec cannot fail, and every member is serialisable.
    match format {
        LogFormat::Json => drop(serde_json::to_writer(&mut *out, &line)),
        LogFormat::Text => drop(text(out, &line)),
    }
    out.push(b'\n');
}

fn text(out: &mut Vec<u8>, line: &Line<'_>) -> std::io::Result<()> {
    let dash = "-";
    write!(
        out,
        "{} {} {} {} model={} provider={} key={} {:.1}ms",
        line.time,
        line.status,
        line.outcome,
        line.endpoint,
        line.model.unwrap_or(dash),
        line.provider.unwrap_or(dash),
        line.key.unwrap_or(dash),
        line.duration_ms,
    )?;
    if let Some(ttft) = line.ttft_ms {
        write!(out, " ttft={ttft:.1}ms")?;
    }
    if let (Some(input), Some(output)) = (line.input_tokens, line.output_tokens) {
        write!(out, " tokens={input}+{output}")?;
    }
    if line.attempts.len() > 1 {
        write!(out, " attempts={}", line.attempts.len())?;
    }
    if let Some(error) = line.error {
        write!(out, " error={error}")?;
    }
    write!(out, " id={}", line.request_id)
}
