//! From a body's bytes to what it asks for, whichever endpoint it came to.

use http::HeaderMap;
use serde::Deserialize;

use crate::answer::Ask;
use crate::door::Door;
use crate::endpoint::Endpoint;
use crate::refusal::Refusal;
use crate::talk::Dialect;
use crate::{chat, completions, embeddings, messages, responses, strict};

/// What a body asks for.
pub(crate) enum Call {
    /// An answer that may stream, and the way to write it.
    Talk(Box<Ask>, Box<dyn Dialect>),
    /// A document from a model: nothing to make up, nothing to stream.
    Document {
        model: String,
        document: Vec<u8>,
        /// Tokens read for it, where it is billed.
        prompt: Option<u64>,
    },
}

impl Call {
    /// Reads a body.
    ///
    /// # Errors
    /// With the refusal of what the provider would not take.
    pub(crate) fn read(door: &Door<'_>, headers: &HeaderMap, body: &[u8]) -> Result<Self, Refusal> {
        let mut call = match door.endpoint {
            Endpoint::Completions => {
                strict::members(door.house, body, &strict::COMPLETIONS)?;
                talk(completions::read(parse(body)?, door.house)?)
            }
            Endpoint::Chat => {
                chat::check::check(body, door.house)?;
                talk(chat::read(parse(body)?, door.house)?)
            }
            Endpoint::Responses => {
                strict::members(door.house, body, &strict::RESPONSES)?;
                talk(responses::read(parse(body)?)?)
            }
            Endpoint::Messages => {
                let marks = messages::check::check(body, headers, false)?;
                talk(messages::read(parse(body)?, marks)?)
            }
            Endpoint::CountTokens => {
                messages::check::check(body, headers, true)?;
                let (model, document) = messages::count_tokens(&parse(body)?);
                Self::Document { model, document, prompt: None }
            }
            Endpoint::Embeddings => {
                let mut request: embeddings::Request = parse(body)?;
                if let Some(deployment) = door.deployment {
                    deployment.clone_into(&mut request.model);
                }
                let (document, tokens) = embeddings::answer(&request)?;
                Self::Document { model: request.model, document, prompt: Some(tokens) }
            }
            Endpoint::Models => return Err("No body is expected.".into()),
        };
        if let (Some(deployment), Self::Talk(ask, _)) = (door.deployment, &mut call) {
            deployment.clone_into(&mut ask.model);
        }
        if call.model().is_empty() {
            return Err("you must provide a model parameter".into());
        }
        Ok(call)
    }

    /// The model it is for.
    pub(crate) fn model(&self) -> &str {
        match self {
            Self::Talk(ask, _) => &ask.model,
            Self::Document { model, .. } => model,
        }
    }

    /// The tokens of its prompt; `None` for what costs nothing.
    pub(crate) fn prompt_tokens(&self) -> Option<u64> {
        match self {
            Self::Talk(ask, _) => Some(ask.prompts.iter().map(|prompt| prompt.tokens).sum()),
            Self::Document { prompt, .. } => *prompt,
        }
    }
}

fn talk((ask, dialect): (Ask, Box<dyn Dialect>)) -> Call {
    Call::Talk(Box::new(ask), dialect)
}

fn parse<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, String> {
    serde_json::from_slice(body)
        .map_err(|fault| format!("We could not parse the JSON body of your request: {fault}"))
}
