//! Writing answers as `chat.completion` and `chat.completion.chunk`.

use std::borrow::Cow;

use serde::Serialize;
use serde_json::Value;

use crate::answer::{Answer, Choice, Content};
use crate::openai::{ChunkUsage, UsageBody, failure, finish_reason};
use crate::talk::{Dialect, Part, Spot};
use crate::{azure, logprobs, sse};

/// How the client wants its answer.
#[derive(Debug, Default)]
pub(crate) struct Chat {
    pub(crate) include_usage: bool,
    /// So many alternatives beside each piece's own likelihood.
    pub(crate) logprobs: Option<u64>,
    /// With the findings of Azure's filters.
    pub(crate) filtered: bool,
}

#[derive(Serialize)]
struct Document<'a, C> {
    id: String,
    object: &'static str,
    created: u64,
    model: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    prompt_filter_results: Option<Value>,
    service_tier: &'static str,
    system_fingerprint: &'a str,
    choices: Vec<C>,
    #[serde(skip_serializing_if = "Option::is_none")]
    usage: ChunkUsage,
}

#[derive(Serialize)]
struct Whole<'a> {
    index: usize,
    message: Said<'a>,
    logprobs: Option<Value>,
    finish_reason: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    content_filter_results: Option<Value>,
}

#[derive(Serialize)]
struct Said<'a> {
    role: &'static str,
    content: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning_content: Option<Cow<'a, str>>,
    refusal: Option<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tool_calls: Vec<ToolCall<'a>>,
    annotations: [(); 0],
}

#[derive(Serialize)]
struct Chunk<'a> {
    index: usize,
    delta: Delta<'a>,
    logprobs: Option<Value>,
    finish_reason: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    content_filter_results: Option<Value>,
}

#[derive(Default, Serialize)]
struct Delta<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<&'static str>,
    /// The role's delta says null when no text follows.
    #[serde(skip_serializing_if = "Option::is_none")]
    content: Option<Option<&'a str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning_content: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    refusal: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_calls: Option<[ToolCall<'a>; 1]>,
}

#[derive(Serialize)]
struct ToolCall<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    index: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    kind: Option<&'static str>,
    function: Function<'a>,
}

#[derive(Serialize)]
struct Function<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    arguments: Cow<'a, str>,
}

fn document<'a, C>(
    answer: &'a Answer,
    object: &'static str,
    choices: Vec<C>,
    usage: ChunkUsage,
) -> Document<'a, C> {
    Document {
        id: format!("chatcmpl-{}", answer.id),
        object,
        created: answer.created,
        model: &answer.model,
        prompt_filter_results: None,
        service_tier: "default",
        system_fingerprint: &answer.fingerprint,
        choices,
        usage,
    }
}

fn call<'a>(index: Option<usize>, id: &str, name: &'a str, arguments: &'a str) -> ToolCall<'a> {
    let function = Function { name: Some(name), arguments: arguments.into() };
    ToolCall { index, id: Some(format!("call_{id}")), kind: Some("function"), function }
}

/// A call's place among its choice's calls.
fn number(spot: Spot<'_>) -> usize {
    spot.choice.contents.iter().take(spot.block).filter(|content| content.is_call()).count()
}

/// The delta that opens a content: the role, where it is the choice's first, and a call's id and name.
fn opening(spot: Spot<'_>) -> Option<Delta<'_>> {
    let role = (spot.block == 0).then_some("assistant");
    let null = role.map(|_| None);
    Some(match spot.content {
        Content::Call { id, name, .. } => {
            let call = call(Some(number(spot)), id, name, "");
            Delta { role, content: null, tool_calls: Some([call]), ..Delta::default() }
        }
        Content::Thinking { .. } => {
            Delta { role, content: null, reasoning_content: Some(""), ..Delta::default() }
        }
        Content::Refusal(_) => Delta { role, content: null, refusal: Some(""), ..Delta::default() },
        Content::Text(_) | Content::Words(_) | Content::Redacted => {
            // Text after thoughts just begins.
            role?;
            Delta { role, content: Some(Some("")), ..Delta::default() }
        }
    })
}

fn piece<'a>(spot: Spot<'_>, text: &'a str) -> Delta<'a> {
    match spot.content {
        Content::Call { .. } => {
            let function = Function { name: None, arguments: text.into() };
            let call = ToolCall { index: Some(number(spot)), id: None, kind: None, function };
            Delta { tool_calls: Some([call]), ..Delta::default() }
        }
        Content::Thinking { .. } => Delta { reasoning_content: Some(text), ..Delta::default() },
        Content::Refusal(_) => Delta { refusal: Some(text), ..Delta::default() },
        _ => Delta { content: Some(Some(text)), ..Delta::default() },
    }
}

impl Chat {
    fn whole<'a>(&self, index: usize, choice: &'a Choice) -> Whole<'a> {
        let mut said = Said {
            role: "assistant",
            content: None,
            reasoning_content: None,
            refusal: None,
            tool_calls: Vec::new(),
            annotations: [],
        };
        for content in &choice.contents {
            match content {
                Content::Call { id, name, arguments } => {
                    said.tool_calls.push(call(None, id, name, arguments));
                }
                Content::Thinking { .. } => said.reasoning_content = Some(content.text()),
                Content::Refusal(text) => said.refusal = Some(text),
                Content::Redacted => {}
                Content::Text(_) | Content::Words(_) => said.content = Some(content.text()),
            }
        }
        let logprobs = self.logprobs.and_then(|top| Some(logprobs::chat(said.content.as_deref()?, top)));
        Whole {
            index,
            message: said,
            logprobs,
            finish_reason: finish_reason(&choice.finish),
            content_filter_results: self.filtered.then(|| azure::findings("safe")),
        }
    }

    /// The event before all others, in which Azure says what its filters found in the prompt.
    fn open(&self, out: &mut Vec<u8>) {
        if self.filtered {
            let findings = azure::prompt_findings();
            sse::data(
                out,
                &serde_json::json!({
                    "choices": [], "created": 0, "id": "", "model": "", "object": "",
                    "prompt_filter_results": findings,
                }),
            );
        }
    }
}

impl Dialect for Chat {
    fn plain(&self, answer: &Answer) -> Vec<u8> {
        let choices =
            answer.choices.iter().enumerate().map(|(index, choice)| self.whole(index, choice)).collect();
        let usage = Some(Some(UsageBody::from(answer.usage)));
        let mut document = document(answer, "chat.completion", choices, usage);
        document.prompt_filter_results = self.filtered.then(azure::prompt_findings);
        let mut out = Vec::with_capacity(1024);
        sse::json(&mut out, &document);
        out
    }

    fn part(&mut self, answer: &Answer, part: Part<'_>, out: &mut Vec<u8>) {
        const OBJECT: &str = "chat.completion.chunk";
        let mut found = self.filtered.then(|| Value::Object(serde_json::Map::new()));
        let mut likely = None;
        let (index, delta, reason) = match part {
            Part::Open => return self.open(out),
            Part::Start(spot) => match opening(spot) {
                Some(delta) => (spot.index, delta, None),
                None => return,
            },
            Part::Piece(spot, text) => {
                if spot.content.is_text() {
                    likely = self.logprobs.map(|top| logprobs::chat(text, top));
                    found = self.filtered.then(|| azure::findings("safe"));
                }
                (spot.index, piece(spot, text), None)
            }
            Part::Stop(_) => return,
            Part::Finish(index, choice) => (index, Delta::default(), Some(finish_reason(&choice.finish))),
            Part::Close => {
                if self.include_usage {
                    let usage = Some(Some(UsageBody::from(answer.usage)));
                    sse::data(out, &document::<Chunk<'_>>(answer, OBJECT, Vec::new(), usage));
                }
                out.extend_from_slice(sse::DONE);
                return;
            }
            Part::Fail => return sse::data(out, &failure()),
        };
        let chunk =
            Chunk { index, delta, logprobs: likely, finish_reason: reason, content_filter_results: found };
        sse::data(out, &document(answer, OBJECT, vec![chunk], self.include_usage.then_some(None)));
    }
}
