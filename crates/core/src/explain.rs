//! What the gateway would do with a request, and why: a dry run.
//!
//! Runs the request through the stages that serve traffic (`intake`, `route`, `cache`) on a gateway that listens
//! nowhere and asks nobody, then tells what they decided. Nothing is decided here: where a stage says no, its
//! words are the answer. Redis is taken out before, since no decision depends on it.
//!
//! `show` has it as text for people; as JSON it is what the types here say.

mod bodyless;
mod caching;
mod limits;
mod live;
mod question;
mod routing;
mod show;

pub use caching::{CacheFacts, KeyParts};
pub use live::Live;
pub use sluice_protocol::Dialect;

use crate::{
    app::{App, BuildError, BuildInfo},
    error::GatewayError,
    facts::Call,
    ledger::LedgerPlace,
    reply::render,
    stages::{cache, intake, route},
    state::snapshot::{KeyEntry, ModelEntry, Snapshot},
    telemetry::{exchange::Recorder, labels::EndpointLabel, logs::LogSink},
};
use bytes::Bytes;
use http::{HeaderMap, request::Parts};
use limits::LimitFact;
use question::{body_and_endpoint, caller, check_size, head};
use routing::Routing;
use serde::Serialize;
use sluice_config::model::{AuthMode, Settings};
use sluice_protocol::Profile;
use std::{net::SocketAddr, sync::Arc, time::Instant};

/// What is asked.
#[derive(Debug, Clone, Default)]
pub struct Question {
    /// The model that a client asks for.
    pub model: String,
    /// The name of the client's key; without one, a caller without rights or limits of its own.
    pub key: Option<String>,
    /// The endpoint; worked out from the body when absent.
    pub endpoint: Option<Dialect>,
    /// The request's body.
    pub body: Option<Bytes>,
    /// The request's headers.
    pub headers: HeaderMap,
}

/// Why there is no explanation.
#[derive(Debug, thiserror::Error)]
pub enum Unexplained {
    /// The gateway could not start with this configuration.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// The question itself cannot be answered.
    #[error("{0}")]
    Question(String),
    /// The gateway refuses the request, with these words.
    #[error("the gateway answers {}", show::refusal(.0))]
    Refused(GatewayError),
}

impl From<GatewayError> for Unexplained {
    fn from(error: GatewayError) -> Self {
        Self::Refused(error)
    }
}

impl Unexplained {
    /// For programs.
    #[must_use]
    pub fn to_json(&self) -> serde_json::Value {
        let Self::Refused(error) = self else {
            return serde_json::json!({"error": {"message": self.to_string()}});
        };
        let faults = error.details.iter().flat_map(|details| &details.faults);
        let faults = faults.map(|fault| serde_json::json!({"at": fault.location, "message": fault.message}));
        serde_json::json!({"error": {
            "status": error.kind.status(),
            "code": render::code(error),
            "message": error.message,
            "faults": faults.collect::<Vec<_>>(),
        }})
    }
}

/// What the gateway would do. Its `Display` is for people, its JSON for programs.
#[derive(Debug, Serialize)]
pub struct Explanation {
    model: ModelFacts,
    caller: CallerFacts,
    /// Absent without a body when nobody said it.
    endpoint: Option<&'static str>,
    #[serde(flatten)]
    routing: Routing,
    limits: Vec<LimitFact>,
    cache: CacheFacts,
    /// What the explanation rests on, where it is not what was asked word for word.
    notes: Vec<String>,
}

#[derive(Debug, Serialize)]
struct ModelFacts {
    requested: String,
    /// Name of the configured entry.
    entry: String,
    wildcard: bool,
    attempts: u32,
}

#[derive(Debug, Serialize)]
struct CallerFacts {
    /// Absent when none was named.
    key: Option<String>,
    tenant: String,
    /// Which of its patterns lets it ask for the model.
    may_use_by: String,
    /// Does it still work?
    expired: bool,
}

/// Explains what a gateway with these settings would do.
///
/// # Errors
/// When the gateway would refuse the request, or the question makes no sense.
pub fn explain(mut settings: Settings, question: &Question) -> Result<Explanation, Unexplained> {
    // Nothing is started: no link to Redis, nobody who sends traces.
    let redis = settings.redis.take().is_some();
    if let Some(cache) = &mut settings.cache {
        cache.redis = false;
    }
    settings.telemetry.traces = None;
    let mut notes = Vec::new();
    if question.key.is_none() && settings.auth.mode == AuthMode::Keys {
        // The caller of open mode has the rights of nobody in particular.
        settings.auth.mode = AuthMode::Open;
        notes.push(
            "no key was named: told for a caller of tenant `default` who may use every model and has no settings \
             of its own"
                .to_owned(),
        );
    }
    let app = App::build(
        settings,
        BuildInfo { version: "", revision: "" },
        LogSink::discard(),
        LedgerPlace::Memory,
    )?;
    let snapshot = app.snapshot();
    let caller = caller(&snapshot, question.key.as_deref())?;
    let head = head(&question.headers);
    let (call, entry) = match &question.body {
        Some(body) => {
            let (endpoint, body) = body_and_endpoint(body, question, &mut notes)?;
            check_size(&body, snapshot.settings.listeners.api.max_body.0)?;
            let call = intake::read(&head, body, endpoint, Profile::Open, &"explain".into())?;
            let entry = route::resolve(&snapshot, &caller, &call, &app.metrics)?;
            (Some(call), entry)
        }
        None => (None, route::find(&snapshot, &caller, &question.model, &app.metrics)?.clone()),
    };
    let run = Run { app: &app, snapshot: &snapshot, key: &caller, entry: &entry, redis, question };
    run.tell(&head, call.as_ref(), notes)
}

/// One dry run, with what is known before the body counts.
struct Run<'a> {
    app: &'a Arc<App>,
    snapshot: &'a Snapshot,
    key: &'a Arc<KeyEntry>,
    entry: &'a Arc<ModelEntry>,
    /// Do replicas share their buckets?
    redis: bool,
    question: &'a Question,
}

impl Run<'_> {
    fn tell(
        &self,
        head: &Parts,
        call: Option<&Call>,
        mut notes: Vec<String>,
    ) -> Result<Explanation, Unexplained> {
        let (key, entry) = (self.key, self.entry);
        let mut decided = None;
        if let Some(call) = call {
            let endpoint = EndpointLabel::Other;
            // Told to nobody: the log is thrown away with the gateway.
            let mut record = Recorder::open(self.app.clone(), "explain".into(), NOWHERE, endpoint);
            let setup = self.snapshot.cache.as_ref();
            let candidate = cache::judge(setup, key, entry, &head.headers, call, &mut record)?;
            let draft = candidate.map(|candidate| candidate.draft);
            let asking = route::Asking {
                snapshot: self.snapshot,
                key,
                headers: &head.headers,
                call,
                came: Instant::now(),
            };
            let plan = route::plan(entry.clone(), asking, draft.as_ref())?;
            decided = Some((draft, record.cache.bypass, plan));
        }
        let plan = decided.as_ref().map(|(draft, _, plan)| (draft.is_some(), plan));
        notes.extend(limits::replaced(&self.snapshot.settings, self.asked().key));
        Ok(Explanation {
            model: ModelFacts {
                requested: self.question.model.clone(),
                entry: entry.name.to_string(),
                wildcard: entry.name.ends_with('*'),
                attempts: entry.attempts,
            },
            caller: self.caller(),
            endpoint: call
                .map(|call| call.envelope.dialect())
                .or(self.question.endpoint)
                .map(crate::cache::key::kind),
            routing: plan
                .map_or_else(|| self.without_body(head), |(kept, plan)| self.planned(kept, plan, call)),
            limits: self.limits(),
            cache: self.caching(head, call, decided.as_ref())?,
            notes,
        })
    }

    fn caller(&self) -> CallerFacts {
        let Self { key, question, .. } = self;
        let by = key.models.iter().find(|pattern| pattern.matches(&question.model));
        CallerFacts {
            key: (self.snapshot.open.is_none()).then(|| key.name.to_string()),
            tenant: key.tenant.to_string(),
            may_use_by: by.map(ToString::to_string).unwrap_or_default(),
            expired: key.has_expired(jiff::Timestamp::now().as_second()),
        }
    }

    fn limits(&self) -> Vec<LimitFact> {
        limits::in_force(&self.snapshot.settings, self.asked())
    }

    fn asked(&self) -> limits::Asked<'_> {
        limits::Asked {
            key: self.snapshot.open.is_none().then_some(&*self.key.name),
            tenant: &self.key.tenant,
            model: &self.entry.name,
            redis: self.redis,
        }
    }
}

/// Who asks, in a record that nobody reads.
const NOWHERE: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0);

#[cfg(test)]
#[path = "explain/explain_tests.rs"]
mod tests;
