//! The facts that stages hand on: what one stage found out and a later one needs.
//!
//! Typed, so that the compiler keeps the order of the pipeline. Made by the stages, read by them and by the
//! upstream side; nothing here decides.

use crate::{
    cache::{entry::Tags, generations::Generation, key::CacheKey, store::ResponseCache},
    headers as names,
    health::Health,
    state::{
        provider::Known,
        snapshot::{KeyEntry, ModelEntry, Target},
    },
    telemetry::trace::{Onward, SpanId},
};
use http::{HeaderMap, HeaderName, HeaderValue};
use sluice_protocol::{Dialect, Envelope, features::Feature, tokens::estimate_prompt, translate::Toward};
use smallvec::SmallVec;
use std::{
    fmt,
    sync::{Arc, OnceLock, atomic::AtomicBool},
    time::{Duration, Instant},
};

/// The version of the Messages API that we write, and that is asked for where a client names none. Later ones
/// refuse sampling parameters.
const ANTHROPIC_VERSION: HeaderValue = HeaderValue::from_static("2023-06-01");

/// A caller who may go on.
pub struct Caller {
    /// The key that was presented, or the one that stands for everybody in open mode.
    pub key: Arc<KeyEntry>,
}

/// A body that has passed, and what else of the request goes upstream.
#[derive(Clone)]
pub struct Call {
    /// The body.
    pub envelope: Envelope,
    /// The request's id.
    pub id: Arc<str>,
    /// Is a stream asked for, of an endpoint that has streams?
    pub stream: bool,
    /// The answer may be read by several clients, of which some want usage in the stream and some do not.
    pub shared: bool,
    /// The client's headers that upstreams may see.
    pub forward: Vec<(HeaderName, SmallVec<[HeaderValue; 1]>)>,
    /// What of its trace providers that may see it are told.
    pub trace: Onward,
    /// How long the client waits, where it says so.
    pub patience: Option<Duration>,
    /// See [`Call::prompt_tokens`].
    pub prompt: OnceLock<u64>,
}

impl Call {
    /// Tokens of its prompt, estimated when somebody first wants to know: a stored answer may know them already.
    #[must_use]
    pub fn prompt_tokens(&self) -> u64 {
        *self.prompt.get_or_init(|| estimate_prompt(&self.envelope))
    }

    /// Does the client want usage in its stream?
    #[must_use]
    pub fn wants_usage(&self) -> bool {
        self.envelope.include_usage() == Some(true)
    }

    /// Adds the client's own headers to a request for an upstream; its trace, where the try is named.
    pub fn forward_headers(&self, wire: Dialect, span: Option<SpanId>, headers: &mut HeaderMap) {
        let own = self.envelope.dialect() == wire;
        for (name, values) in &self.forward {
            // Versions and betas are of the dialect that the client speaks: elsewhere they mean nothing, or
            // something else.
            if !own && *name != names::IDEMPOTENCY_KEY {
                continue;
            }
            // What the operator configured for this provider stands.
            if !headers.contains_key(name) {
                for value in values {
                    headers.append(name.clone(), value.clone());
                }
            }
        }
        if let Some(parent) = span.and_then(|span| self.trace.header(span)) {
            headers.insert(names::TRACEPARENT, parent);
        }
        if wire.is_anthropic() {
            headers.entry(names::ANTHROPIC_VERSION).or_insert(ANTHROPIC_VERSION);
        }
    }
}

/// Where a call goes, in which order, and how long it may take.
pub struct Plan {
    /// The configured model.
    pub entry: Arc<ModelEntry>,
    /// The name that the client asked for.
    pub requested: String,
    /// What may be asked, in the order in which it is.
    pub choices: SmallVec<[Choice; 2]>,
    /// What may not, and why.
    pub skipped: Vec<Skipped>,
    /// The rule that replaced the model's targets, by its place in the list.
    pub rule: Option<usize>,
    /// Requests that are alike in this meet the same target, and the same key of its pool.
    pub sticky: Option<[u8; 32]>,
    /// So many choices are not tried: our limits leave their providers no room. They stay in the plan, since what
    /// was planned enters the cache's key.
    pub passed_over: usize,
    /// All tries together end by then.
    pub deadline: Instant,
}

/// One target, and its name for the model that was asked for.
#[derive(Clone)]
pub struct Choice {
    /// Whom to ask.
    pub target: Arc<Target>,
    /// What for.
    pub model: Arc<str>,
    /// How that fares.
    pub health: Arc<Health>,
    /// What is known of the model there.
    pub family: Known,
    /// What the call is put in.
    pub wire: Dialect,
}

impl Choice {
    /// A target that is asked for this model, by a call of this dialect.
    #[must_use]
    pub fn new(target: Arc<Target>, model: Arc<str>, dialect: Dialect) -> Self {
        let health = if target.is_pattern() { target.health.behind(&model) } else { target.health.clone() };
        let family = target.family(&model);
        // Where there is no such way, the plan skips the target.
        let wire = family.wire(dialect).unwrap_or(dialect);
        Self { target, model, health, family, wire }
    }

    /// Can a call of this dialect be put to it at all?
    #[must_use]
    pub fn serves(&self, dialect: Dialect) -> bool {
        self.family.wire(dialect).is_some()
    }

    /// What a request is written for.
    #[must_use]
    pub fn toward(&self) -> Toward<'_> {
        let Target { provider, settings, .. } = &*self.target;
        Toward {
            kind: provider.kind,
            model: &self.model,
            family: &self.family,
            max_output: settings.max_output_tokens,
            ask_usage: provider.ask_usage,
            prompt_template: settings.prompt_template.as_deref(),
        }
    }
}

/// A target that is not asked.
pub struct Skipped {
    /// Which one.
    pub choice: Choice,
    /// Why not.
    pub why: Skip,
}

/// Why a target is not asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Skip {
    /// It has no endpoint for such a request, nor one that could stand for it.
    Endpoint(Dialect),
    /// The request builds on what is kept upstream, and it keeps nothing; holds the member that says so.
    State(&'static str),
    /// It cannot do what the request needs.
    Lacks(Feature),
    /// Its answers are shorter than what was asked for; holds the most it gives.
    MaxOutput(u64),
    /// Prompt and answer have no room in it; holds the room.
    Context(u64),
    /// The key may not use the model that it belongs to.
    Forbidden,
}

/// For people, without a name.
impl fmt::Display for Skip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Endpoint(dialect) => {
                write!(f, "has no endpoint for {}", dialect.as_str().replace('_', " "))
            }
            Self::State(member) => write!(f, "has no Responses API that could keep what `{member}` needs"),
            Self::Lacks(Feature::Samples) => f.write_str("cannot give several answers (n)"),
            Self::Lacks(feature) => write!(f, "cannot take {}", feature.as_str().replace('_', " ")),
            Self::MaxOutput(most) => write!(f, "gives at most {most} tokens"),
            Self::Context(window) => write!(f, "prompt and answer do not fit into {window} tokens"),
            Self::Forbidden => f.write_str("the key may not use its model"),
        }
    }
}

/// How a request may be answered from the cache, and its answer kept.
pub struct Cached {
    /// Where.
    pub cache: Arc<ResponseCache>,
    /// Under which key.
    pub key: CacheKey,
    /// A stored answer will do; else a new one is asked for, and stored.
    pub looks_up: bool,
    /// The answer may be that of an equal request under way.
    pub joins: bool,
    /// Tells whether another request's answer was waited for.
    pub coalesced: Arc<AtomicBool>,
    /// A stored stream is sent at a reading pace.
    pub paced: bool,
    /// No older answer will do.
    pub max_age: Option<Duration>,
    /// How long the answer is kept.
    pub ttl: Duration,
    /// Largest answer that is kept, bytes.
    pub limit: usize,
    /// Whose it will be.
    pub tags: Tags,
    /// As of now.
    pub generation: Generation,
}
