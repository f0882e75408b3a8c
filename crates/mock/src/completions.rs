//! `POST /v1/completions`: text that goes on where the prompt stops.

use serde::Serialize;

use crate::answer::{Answer, Ask, Prompt, Wish};
use crate::openai::{ChunkUsage, PromptInput, Request, UsageBody, failure, finish_reason};
use crate::sse;
use crate::talk::{Dialect, Part};

/// Reads a request.
///
/// # Errors
/// With the message of a 400 when there is no prompt.
pub(crate) fn read(mut request: Request<'_>) -> Result<(Ask, Box<dyn Dialect>), String> {
    let prompts = match request.prompt.take() {
        Some(PromptInput::Text(text)) => vec![text.into_owned().into()],
        Some(PromptInput::Texts(texts)) => texts.into_iter().map(Prompt::from).collect(),
        Some(PromptInput::Tokens(tokens)) => vec![of_tokens(&tokens)],
        Some(PromptInput::TokenLists(lists)) => lists.iter().map(|tokens| of_tokens(tokens)).collect(),
        None => return Err("Missing required parameter: 'prompt'.".to_owned()),
    };
    if prompts.is_empty() {
        return Err("Invalid 'prompt': empty array.".to_owned());
    }
    let writer = Completions { include_usage: request.include_usage() };
    let ask = Ask { prompts, wish: Wish::GoOn, ..request.ask() };
    Ok((ask, Box::new(writer)))
}

fn of_tokens(tokens: &[u64]) -> Prompt {
    Prompt { text: format!("{tokens:?}\n"), tokens: tokens.len() as u64 }
}

/// Writes answers as `text_completion`.
pub(crate) struct Completions {
    pub(crate) include_usage: bool,
}

#[derive(Serialize)]
struct Document<'a> {
    id: String,
    object: &'static str,
    created: u64,
    model: &'a str,
    system_fingerprint: &'a str,
    choices: Vec<ChoiceBody<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    usage: ChunkUsage,
}

#[derive(Serialize)]
struct ChoiceBody<'a> {
    text: std::borrow::Cow<'a, str>,
    index: usize,
    logprobs: Option<()>,
    finish_reason: Option<&'a str>,
}

fn document<'a>(answer: &'a Answer, choices: Vec<ChoiceBody<'a>>, usage: ChunkUsage) -> Document<'a> {
    Document {
        id: format!("cmpl-{}", answer.id),
        object: "text_completion",
        created: answer.created,
        model: &answer.model,
        system_fingerprint: &answer.fingerprint,
        choices,
        usage,
    }
}

impl Dialect for Completions {
    fn plain(&self, answer: &Answer) -> Vec<u8> {
        let choices = answer.choices.iter().enumerate().map(|(index, choice)| ChoiceBody {
            text: choice.content.text(),
            index,
            logprobs: None,
            finish_reason: Some(finish_reason(&choice.finish)),
        });
        let mut out = Vec::with_capacity(1024);
        let usage = Some(Some(UsageBody::from(answer.usage)));
        sse::json(&mut out, &document(answer, choices.collect(), usage));
        out
    }

    fn part(&mut self, answer: &Answer, part: Part<'_>, out: &mut Vec<u8>) {
        let (index, text, reason) = match part {
            Part::Open | Part::Start(..) => return,
            Part::Piece(index, _, text) => (index, text, None),
            Part::Finish(index, choice) => (index, "", Some(finish_reason(&choice.finish))),
            Part::Close => {
                if self.include_usage {
                    let usage = Some(Some(UsageBody::from(answer.usage)));
                    sse::data(out, &document(answer, Vec::new(), usage));
                }
                out.extend_from_slice(sse::DONE);
                return;
            }
            Part::Fail => return sse::data(out, &failure()),
        };
        let choice = ChoiceBody { text: text.into(), index, logprobs: None, finish_reason: reason };
        sse::data(out, &document(answer, vec![choice], self.include_usage.then_some(None)));
    }
}
