//! The control paths, `/__mock/…`: how a test or a benchmark in another process sets and reads the mock.

use std::sync::Arc;

use http::{Response, StatusCode};
use serde::{Deserialize, Serialize};

use crate::bench::Bench;
use crate::body::Body;
use crate::refusal::Refusal;
use crate::reply::{self, Family};
use crate::script::ScriptStep;
use crate::state::State;

/// What control paths begin with.
pub(crate) const PREFIX: &str = "/__mock/";

/// A change of settings; what is absent stays.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// `bench` models: microseconds before an answer begins.
    pub latency_us: Option<u64>,
    /// `bench` models: content chunks of a stream.
    pub chunks: Option<u64>,
    /// `bench` models: microseconds between chunks.
    pub gap_us: Option<u64>,
    /// `bench` models: bytes of a plain answer.
    pub size: Option<usize>,
    /// `bench` models: chunks of which no two are alike; in a query 1 or 0.
    pub noise: Option<bool>,
    /// Scripts, each in place of what is left of the model's older one.
    pub models: Vec<ModelScript>,
}

/// What the next requests to a model meet. `bench` models follow no script.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelScript {
    /// The model as the upstream hears it, or `*` for all models without a script of their own.
    pub model: String,
    /// One step for each request; after the last the model is itself again.
    pub script: Vec<ScriptStep>,
    /// Begins again after the last step.
    #[serde(default)]
    pub repeat: bool,
}

impl Config {
    /// Reads the numbers from a query, `latency_us=20000&chunks=100`.
    fn from_query(query: &str) -> Result<Self, String> {
        let mut config = Self::default();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let number: u64 = value.parse().map_err(|_| format!("{name}: not a number: {value}"))?;
            match name {
                "latency_us" => config.latency_us = Some(number),
                "chunks" => config.chunks = Some(number),
                "gap_us" => config.gap_us = Some(number),
                "size" => config.size = usize::try_from(number).ok(),
                "noise" => config.noise = Some(number > 0),
                _ => return Err(format!("unknown setting {name}")),
            }
        }
        Ok(config)
    }

    /// Puts the change into force.
    pub(crate) fn apply(self, state: &State) {
        let mut settings = state.bench.load().settings;
        let before = settings;
        settings.latency_us = self.latency_us.unwrap_or(settings.latency_us);
        settings.chunks = self.chunks.unwrap_or(settings.chunks);
        settings.gap_us = self.gap_us.unwrap_or(settings.gap_us);
        settings.size = self.size.unwrap_or(settings.size);
        settings.noise = self.noise.unwrap_or(settings.noise);
        if settings != before {
            state.bench.store(Arc::new(Bench::new(settings)));
        }
        let mut scripts = state.scripts();
        for script in self.models {
            scripts.set(script.model, script.script, script.repeat);
        }
    }
}

/// Answers a control request; `action` is the path's last part.
pub(crate) fn serve(state: &State, action: &str, query: Option<&str>, body: &[u8]) -> Response<Body> {
    match action {
        "config" => match configure(state, query, body) {
            Ok(()) => document(&state.bench.load().settings),
            Err(message) => reply::error(Family::OpenAi, &message.into()),
        },
        "stats" => document(&state.stats.snapshot()),
        "requests" => document(&state.journal().all()),
        "reset" => {
            state.reset();
            document(&state.stats.snapshot())
        }
        _ => {
            let message = "control paths: config, stats, requests, reset";
            reply::error(Family::OpenAi, &Refusal::new(404, message, None))
        }
    }
}

fn configure(state: &State, query: Option<&str>, body: &[u8]) -> Result<(), String> {
    Config::from_query(query.unwrap_or_default())?.apply(state);
    if !body.trim_ascii().is_empty() {
        let config: Config = serde_json::from_slice(body).map_err(|fault| fault.to_string())?;
        config.apply(state);
    }
    Ok(())
}

fn document(value: &impl Serialize) -> Response<Body> {
    let mut out = Vec::new();
    crate::sse::json(&mut out, value);
    reply::json(StatusCode::OK, out)
}
