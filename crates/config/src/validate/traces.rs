//! Where traces go: an address that takes OTLP over HTTP, and headers that can be sent there.

use super::{Check, providers::parse_url};
use crate::{codes, model::Traces};
use http::Uri;

/// Where collectors take OTLP over gRPC, which is not spoken here.
const GRPC_PORT: u16 = 4317;

impl Check<'_> {
    pub(super) fn traces(&mut self, traces: &mut Option<Traces>) {
        // `${OTEL_EXPORTER_OTLP_ENDPOINT:-}` with the variable unset means no traces.
        let wanted = traces.as_ref().is_some_and(|traces| !traces.otlp.is_empty());
        if let Some(traces) = traces {
            self.share("telemetry.traces.sample", traces.sample);
            self.headers("telemetry.traces.headers", &mut traces.headers);
            if let Some(file) = &mut traces.ca_file {
                self.pem("telemetry.traces.ca_file", file, "-----BEGIN CERTIFICATE");
            }
        }
        *traces = traces.take().filter(|_| wanted);
        if let Some(traces) = traces {
            self.collector(&traces.otlp);
        }
    }

    fn collector(&mut self, url: &str) {
        const AT: &str = "telemetry.traces.otlp";
        if let Err((what, help)) = parse_url(url) {
            let help = if what.contains("credentials") { "list them under `headers`" } else { help };
            let help = if help.starts_with("https:") { "http://collector:4318" } else { help };
            return self.error(AT, codes::BAD_VALUE, format!("not the address of a collector: {what}"), help);
        }
        let port = url.parse::<Uri>().ok().and_then(|uri| uri.port_u16());
        if port == Some(GRPC_PORT) {
            let message = "collectors take OTLP over gRPC at 4317; Sluice speaks OTLP over HTTP";
            self.warning(AT, codes::BAD_VALUE, message, "their port for that is usually 4318");
        }
    }
}
