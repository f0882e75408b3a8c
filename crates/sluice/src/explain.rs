//! `sluice explain`: what would be done with a request, and why. Reads the configuration and the body; the
//! explaining is `sluice_core::explain`'s.

use crate::{
    cli::{Endpoint, ExplainArgs},
    serve::INVALID,
    terminal,
};
use bytes::Bytes;
use http::HeaderMap;
use serde_json::{Value, json};
use sluice_config::{Options, Source};
use sluice_core::explain::{Dialect, Explanation, Question, explain};
use std::{
    fs::File,
    io::{self, Read},
    path::Path,
    process::ExitCode,
};

/// Largest body that is read, whatever the configuration allows.
const MAX_BODY: u64 = 256 << 20;

/// Why there is no explanation: for people, and for programs.
struct Refusal {
    text: String,
    json: Value,
}

impl From<String> for Refusal {
    fn from(text: String) -> Self {
        Self { json: json!({"error": {"message": text}}), text: format!("error: {text}") }
    }
}

/// Prints the explanation, or why there is none.
pub(crate) fn run(args: &ExplainArgs) -> ExitCode {
    match answer(args) {
        Ok(explanation) if args.json => {
            terminal::print(&format!("{:#}", json!(explanation)));
            ExitCode::SUCCESS
        }
        Ok(explanation) => {
            terminal::print(&explanation.to_string());
            ExitCode::SUCCESS
        }
        Err(refusal) => {
            if args.json {
                terminal::print(&format!("{:#}", refusal.json));
            } else {
                terminal::tell(&refusal.text);
            }
            ExitCode::from(INVALID)
        }
    }
}

fn answer(args: &ExplainArgs) -> Result<Explanation, Refusal> {
    let options = Options { env_optional: args.env_optional, ..Options::default() };
    let loaded = sluice_config::load(Source::File(&args.file), &options).map_err(|report| Refusal {
        json: json!({"error": {"message": report.render(false)}}),
        text: report.render(terminal::tell_in_colour()),
    })?;
    let body = args.body.as_deref().map(read).transpose()?;
    let mut headers = HeaderMap::new();
    for (name, value) in &args.headers {
        headers.append(name, value.clone());
    }
    let endpoint = args.endpoint.map(|endpoint| match endpoint {
        Endpoint::Completions => Dialect::Completions,
        Endpoint::Chat => Dialect::Chat,
        Endpoint::Embeddings => Dialect::Embeddings,
        Endpoint::Responses => Dialect::Responses,
    });
    let question = Question { model: args.model.clone(), key: args.key.clone(), endpoint, body, headers };
    // Connections are set up as far as they go without a network.
    let _ = rustls::crypto::ring::default_provider().install_default();
    explain(loaded.settings, &question)
        .map_err(|why| Refusal { json: why.to_json(), text: format!("error: {why}") })
}

fn read(path: &Path) -> Result<Bytes, String> {
    let cannot = |fault: io::Error| format!("cannot read the body from {}: {fault}", path.display());
    let source: Box<dyn Read> = if path == Path::new("-") {
        Box::new(io::stdin())
    } else {
        Box::new(File::open(path).map_err(cannot)?)
    };
    let mut body = Vec::new();
    source.take(MAX_BODY + 1).read_to_end(&mut body).map_err(cannot)?;
    if body.len() as u64 > MAX_BODY {
        return Err(format!("{} is larger than 256 MiB", path.display()));
    }
    Ok(body.into())
}
