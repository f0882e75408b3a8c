//! The question made ready for the stages: who asks, with which head and body, at which endpoint.

use super::{Question, Unexplained};
use crate::{
    error::{ErrorKind, GatewayError},
    stages::route,
    state::snapshot::{KeyEntry, Snapshot},
};
use bytes::Bytes;
use http::{HeaderMap, Request, request::Parts};
use serde::{Deserialize, de::IgnoredAny};
use sluice_protocol::{Dialect, Envelope, Profile, Splice};
use std::sync::Arc;

/// The caller that was named; where no key is asked for, the one that everybody is.
pub(super) fn caller(snapshot: &Snapshot, named: Option<&str>) -> Result<Arc<KeyEntry>, Unexplained> {
    let question = |text: String| Unexplained::Question(text);
    match (named, &snapshot.open) {
        (None, Some(open)) => Ok(open.clone()),
        (None, None) => Err(question("name a key".to_owned())),
        (Some(_), Some(_)) => {
            Err(question("auth.mode is open: nobody is asked for a key, so none can be named".to_owned()))
        }
        (Some(name), None) => snapshot.keys.named(name).cloned().ok_or_else(|| {
            let names = snapshot.settings.keys.iter().map(|key| key.name.as_str());
            let closest = names.min_by_key(|own| strsim::osa_distance(own, name));
            let hint = closest.map_or(String::new(), |own| format!("; did you mean `{own}`?"));
            question(format!("no key is called `{}`{hint}", route::shown(name)))
        }),
    }
}

/// A head with these headers; the path is the endpoint's business.
pub(super) fn head(headers: &HeaderMap) -> Parts {
    let (mut head, ()) = Request::new(()).into_parts();
    head.headers = headers.clone();
    head
}

/// The members by which a body shows its endpoint.
#[derive(Deserialize)]
struct Shape {
    messages: Option<IgnoredAny>,
    prompt: Option<IgnoredAny>,
    input: Option<IgnoredAny>,
    model: Option<serde_json::Value>,
}

/// The body as the question means it: with its model, at its endpoint.
pub(super) fn body_and_endpoint(
    body: &Bytes,
    question: &Question,
    notes: &mut Vec<String>,
) -> Result<(Dialect, Bytes), Unexplained> {
    // What cannot be read here cannot be read by the stage either, and its words are the better ones.
    let shape = serde_json::from_slice::<Shape>(body).ok();
    let guessed = shape.as_ref().and_then(|shape| match shape {
        Shape { messages: Some(_), .. } => Some((Dialect::Chat, "messages")),
        Shape { prompt: Some(_), .. } => Some((Dialect::Completions, "prompt")),
        Shape { input: Some(_), .. } => Some((Dialect::Embeddings, "input")),
        _ => None,
    });
    let endpoint = match (question.endpoint, guessed, &shape) {
        (Some(endpoint), ..) => endpoint,
        (None, Some((endpoint, member)), _) => {
            let kind = crate::cache::key::kind(endpoint);
            notes.push(format!("the endpoint was guessed from the body's `{member}`: {kind}"));
            endpoint
        }
        (None, None, None) => Dialect::Chat,
        (None, None, Some(_)) => {
            let text = "the body has neither `messages`, `prompt` nor `input`: say for which endpoint it is";
            return Err(Unexplained::Question(text.to_owned()));
        }
    };
    let Some(shape) = shape else { return Ok((endpoint, body.clone())) };
    let model = serde_json::Value::from(question.model.as_str());
    let mut splice = Splice::new(body.clone());
    match shape.model {
        Some(own) if own == model => {}
        None => {
            splice.insert_member("model", model.to_string().as_bytes());
            notes.push("the body names no model: it is told with the one that was asked for".to_owned());
        }
        Some(own) => {
            let call = Envelope::scan(body.clone(), endpoint, Profile::Open).ok();
            // Where the body cannot be read, the stage says so.
            if let Some(member) = call.as_ref().and_then(|call| call.member("model")) {
                splice.replace(member.value.clone(), model.to_string().into());
                notes.push(format!(
                    "the body asks for model {own}: it is told with the one that was asked for"
                ));
            }
        }
    }
    Ok((endpoint, splice.into_segments().into_bytes()))
}

pub(super) fn check_size(body: &Bytes, limit: u64) -> Result<(), GatewayError> {
    if body.len() as u64 > limit {
        let text = format!("The request body is larger than {limit} bytes (listeners.api.max_body).");
        return Err(GatewayError::new(ErrorKind::TooLarge, text));
    }
    Ok(())
}
