//! The facts that stages hand on: what one stage found out and a later one needs.
//!
//! Typed, so that the compiler keeps the order of the pipeline. Made by the stages, read by them and by the
//! upstream side; nothing here decides.

use crate::{
    cache::{entry::Tags, generations::Generation, key::CacheKey, store::ResponseCache},
    headers as names,
    state::snapshot::{KeyEntry, ModelEntry, Target},
};
use http::{HeaderMap, HeaderName, HeaderValue};
use sluice_protocol::Envelope;
use smallvec::SmallVec;
use std::{
    sync::{Arc, atomic::AtomicBool},
    time::Duration,
};

/// A caller who may go on.
pub struct Caller {
    /// The key that was presented, or the one that stands for everybody in open mode.
    pub key: Arc<KeyEntry>,
}

/// A body that has passed, and what else of the request goes upstream.
pub struct Call {
    /// The body.
    pub envelope: Envelope,
    /// Is a stream asked for, of an endpoint that has streams?
    pub stream: bool,
    /// The answer may be read by several clients, of which some want usage in the stream and some do not.
    pub shared: bool,
    /// The client's headers that upstreams may see.
    pub forward: Vec<(HeaderName, SmallVec<[HeaderValue; 1]>)>,
    /// The client's trace, for providers that may see it.
    pub traceparent: Option<HeaderValue>,
}

impl Call {
    /// Does the client want usage in its stream?
    #[must_use]
    pub fn wants_usage(&self) -> bool {
        self.envelope.include_usage() == Some(true)
    }

    /// Adds the client's own headers to a request for an upstream.
    pub fn forward_headers(&self, trace: bool, headers: &mut HeaderMap) {
        for (name, values) in &self.forward {
            // What the operator configured for this provider stands.
            if !headers.contains_key(name) {
                for value in values {
                    headers.append(name.clone(), value.clone());
                }
            }
        }
        if let Some(parent) = self.traceparent.as_ref().filter(|_| trace) {
            headers.insert(names::TRACEPARENT, parent.clone());
        }
    }
}

/// Where a call goes: an ordered list of targets.
pub struct Plan {
    /// The configured model.
    pub entry: Arc<ModelEntry>,
    /// The name that the client asked for.
    pub requested: String,
    /// Targets in the order in which they are tried.
    pub targets: SmallVec<[Arc<Target>; 2]>,
    /// So many of them are not tried: our limits leave their providers no room. They stay in the plan, since what
    /// was planned enters the cache's key.
    pub passed_over: usize,
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
