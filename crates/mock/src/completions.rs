//! `POST …/completions`: text that goes on where the prompt stops.

use serde::Serialize;

use serde_json::Value;

use crate::answer::{Answer, Ask, Choice, Prompt, Wish};
use crate::door::House;
use crate::openai::{ChunkUsage, PromptInput, Request, UsageBody, failure, finish_reason};
use crate::talk::{Dialect, Part};
use crate::{azure, logprobs, sse};

/// Reads a request.
///
/// # Errors
/// With the message of a 400 when there is no prompt.
pub(crate) fn read(mut request: Request<'_>, house: House) -> Result<(Ask, Box<dyn Dialect>), String> {
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
    let writer = Completions {
        include_usage: request.include_usage(),
        logprobs: request.logprobs(),
        filtered: house.is_azure(),
        offsets: Vec::new(),
    };
    let ask = Ask { prompts, wish: Wish::GoOn, ..request.ask() };
    Ok((ask, Box::new(writer)))
}

fn of_tokens(tokens: &[u64]) -> Prompt {
    Prompt { text: format!("{tokens:?}\n"), tokens: tokens.len() as u64 }
}

/// Writes answers as `text_completion`.
#[derive(Debug, Default)]
pub(crate) struct Completions {
    pub(crate) include_usage: bool,
    /// So many alternatives beside each piece's own likelihood.
    pub(crate) logprobs: Option<u64>,
    /// With the findings of Azure's filters.
    pub(crate) filtered: bool,
    /// The characters of each choice that have been sent.
    pub(crate) offsets: Vec<usize>,
}

#[derive(Serialize)]
struct Document<'a> {
    id: String,
    object: &'static str,
    created: u64,
    model: &'a str,
    system_fingerprint: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    prompt_filter_results: Option<Value>,
    choices: Vec<ChoiceBody<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    usage: ChunkUsage,
}

#[derive(Serialize)]
struct ChoiceBody<'a> {
    text: std::borrow::Cow<'a, str>,
    index: usize,
    logprobs: Option<Value>,
    finish_reason: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    content_filter_results: Option<Value>,
}

fn document<'a>(answer: &'a Answer, choices: Vec<ChoiceBody<'a>>, usage: ChunkUsage) -> Document<'a> {
    Document {
        id: format!("cmpl-{}", answer.id),
        object: "text_completion",
        created: answer.created,
        model: &answer.model,
        system_fingerprint: &answer.fingerprint,
        prompt_filter_results: None,
        choices,
        usage,
    }
}

impl Completions {
    fn whole<'a>(&self, index: usize, choice: &'a Choice) -> ChoiceBody<'a> {
        let text = choice.text();
        ChoiceBody {
            logprobs: self.logprobs.map(|top| logprobs::completions(&text, top, 0)),
            text,
            index,
            finish_reason: Some(finish_reason(&choice.finish)),
            content_filter_results: self.filtered.then(|| azure::findings("safe")),
        }
    }

    /// The likelihoods of a piece, which begins where the one before it ended.
    fn likely(&mut self, index: usize, text: &str) -> Option<Value> {
        let top = self.logprobs?;
        self.offsets.resize(self.offsets.len().max(index + 1), 0);
        let offset = self.offsets.get_mut(index)?;
        let likely = logprobs::completions(text, top, *offset);
        *offset += text.chars().count();
        Some(likely)
    }
}

impl Dialect for Completions {
    fn plain(&self, answer: &Answer) -> Vec<u8> {
        let choices = answer.choices.iter().enumerate().map(|(index, choice)| self.whole(index, choice));
        let usage = Some(Some(UsageBody::from(answer.usage)));
        let mut document = document(answer, choices.collect(), usage);
        document.prompt_filter_results = self.filtered.then(azure::prompt_findings);
        let mut out = Vec::with_capacity(1024);
        sse::json(&mut out, &document);
        out
    }

    fn part(&mut self, answer: &Answer, part: Part<'_>, out: &mut Vec<u8>) {
        let (index, text, likely, reason) = match part {
            // Thoughts, refusals and calls have no place in a completion.
            Part::Piece(spot, text) if spot.content.is_text() => {
                (spot.index, text, self.likely(spot.index, text), None)
            }
            Part::Open | Part::Start(_) | Part::Stop(_) | Part::Piece(..) => return,
            Part::Finish(index, choice) => (index, "", None, Some(finish_reason(&choice.finish))),
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
        let choice = ChoiceBody {
            text: text.into(),
            index,
            logprobs: likely,
            finish_reason: reason,
            content_filter_results: self.filtered.then(|| azure::findings("safe")),
        };
        sse::data(out, &document(answer, vec![choice], self.include_usage.then_some(None)));
    }
}
