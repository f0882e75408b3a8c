//! The facts that stages hand on: what one stage found out and a later one needs.
//!
//! Typed, so that the compiler keeps the order of the pipeline. Made by the stages, read by them and by the
//! upstream side; nothing here decides.

use crate::{
    headers as names,
    state::snapshot::{KeyEntry, ModelEntry, Target},
};
use http::{HeaderMap, HeaderName, HeaderValue};
use sluice_protocol::Envelope;
use smallvec::SmallVec;
use std::sync::Arc;

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
    /// The client's headers that upstreams may see.
    pub forward: Vec<(HeaderName, SmallVec<[HeaderValue; 1]>)>,
    /// The client's trace, for providers that may see it.
    pub traceparent: Option<HeaderValue>,
}

impl Call {
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
}
