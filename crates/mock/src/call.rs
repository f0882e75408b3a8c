//! From a body's bytes to what it asks for, whichever endpoint it came to.

use serde::Deserialize;

use crate::answer::Ask;
use crate::endpoint::Endpoint;
use crate::talk::Dialect;
use crate::{chat, completions, embeddings, messages, responses};

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
    /// With the message of a 400.
    pub(crate) fn read(endpoint: Endpoint, body: &[u8]) -> Result<Self, String> {
        let (ask, dialect) = match endpoint {
            Endpoint::Completions => completions::read(parse(body)?)?,
            Endpoint::Chat => chat::read(parse(body)?)?,
            Endpoint::Responses => responses::read(parse(body)?)?,
            Endpoint::Messages => {
                let marked = memchr::memmem::find(body, b"\"cache_control\"").is_some();
                messages::read(parse(body)?, marked)?
            }
            Endpoint::CountTokens => {
                let (model, document) = messages::count_tokens(&parse(body)?);
                return Ok(Self::Document { model, document, prompt: None });
            }
            Endpoint::Embeddings => {
                let request: embeddings::Request = parse(body)?;
                let (document, tokens) = embeddings::answer(&request)?;
                return Ok(Self::Document { model: request.model, document, prompt: Some(tokens) });
            }
            Endpoint::Models => return Err("No body is expected.".to_owned()),
        };
        Ok(Self::Talk(Box::new(ask), dialect))
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

fn parse<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, String> {
    serde_json::from_slice(body)
        .map_err(|fault| format!("We could not parse the JSON body of your request: {fault}"))
}
