//! `sluice explain`: what would be done with a request, and why. Reads the configuration and the body, and asks a
//! gateway that runs if it is told to; the explaining is `sluice_core::explain`'s.

use crate::{
    admin_client::{self, Page},
    cli::{Endpoint, ExplainArgs},
    serve::INVALID,
    terminal,
};
use bytes::Bytes;
use http::HeaderMap;
use serde_json::{Value, json};
use sluice_config::{Options, Source, model::AdminListener};
use sluice_core::explain::{Dialect, Explanation, Live, Question, explain};
use std::{
    fs::File,
    io::{self, Read},
    path::Path,
    process::ExitCode,
};

/// Largest body that is read, whatever the configuration allows.
const MAX_BODY: u64 = 256 << 20;
/// Largest status page: some hundred bytes for each target, key and model.
const MAX_STATUS: u64 = 16 << 20;

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
        Endpoint::Messages => Dialect::Messages,
    });
    let question = Question { model: args.model.clone(), key: args.key.clone(), endpoint, body, headers };
    // Connections are set up as far as they go without a network.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let admin = loaded.settings.listeners.admin.clone();
    let mut explanation = explain(loaded.settings, &question)
        .map_err(|why| Refusal { json: why.to_json(), text: format!("error: {why}") })?;
    if let Some(place) = &args.live {
        // What would be done is told all the same.
        match live(place, &admin) {
            Ok(live) => explanation.add_health(&live),
            Err(why) => explanation.add_note(&format!("how the targets fare is not known: {why}")),
        }
    }
    Ok(explanation)
}

/// How targets fare at the gateway that runs: at this place, or where the configuration says.
fn live(place: &str, admin: &AdminListener) -> Result<Live, String> {
    let bind = if place.is_empty() { admin.bind } else { admin_client::resolve(place)? };
    let address = admin_client::reachable(bind);
    let page = Page { path: "/status", token: admin.token.as_ref(), longest: MAX_STATUS };
    let answer = admin_client::get(address, page)?;
    match answer.status {
        200 => serde_json::from_str(&answer.body)
            .map_err(|_| format!("the status page at {address} is not one that this version can read")),
        401 => Err(format!("the gateway at {address} wants another token than the configuration has")),
        status => Err(format!("the status page at {address} answers {status}")),
    }
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
