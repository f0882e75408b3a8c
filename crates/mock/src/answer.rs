//! From what was asked to what is said: the same in every dialect.
//!
//! An [`Ask`] is a request with its dialect taken off, an [`Answer`] is the reply before a dialect is put on.

use serde_json::Value;

use crate::fault::Say;
use crate::input::Tool;
use crate::model;
use crate::rng::{Hash, Rng};
use crate::schema;
use crate::state::State;
use crate::tokens;

/// More choices than OpenAI allows are not made.
const MAX_CHOICES: i64 = 128;
/// An answer's length in words when nothing cuts it.
const SHORTEST_ANSWER: u64 = 40;
const LONGEST_ANSWER: u64 = 110;

/// A request, whatever its dialect was.
#[derive(Debug, Default)]
pub(crate) struct Ask {
    pub(crate) model: String,
    /// One but for completions with a list of prompts.
    pub(crate) prompts: Vec<Prompt>,
    /// What the user said last: tools and structured answers take their words from it.
    pub(crate) topic: String,
    pub(crate) wish: Wish,
    pub(crate) seed: Option<i64>,
    pub(crate) temperature: Option<f64>,
    pub(crate) max_tokens: Option<i64>,
    pub(crate) stop: Vec<String>,
    pub(crate) n: Option<i64>,
    pub(crate) stream: bool,
}

/// A prompt and its length.
#[derive(Debug)]
pub(crate) struct Prompt {
    pub(crate) text: String,
    pub(crate) tokens: u64,
}

impl From<String> for Prompt {
    fn from(text: String) -> Self {
        Self { tokens: tokens::count(&text), text }
    }
}

/// What kind of answer is wanted.
#[derive(Debug, Default)]
pub(crate) enum Wish {
    /// Text that answers.
    #[default]
    Reply,
    /// Text that goes on where the prompt stops.
    GoOn,
    /// A call of this function.
    Call(Tool),
    /// Text that quotes a tool's result.
    Quote(String),
    /// JSON that fits a schema; any object when that is null.
    Json(Value),
}

impl Wish {
    /// What a conversation calls for: `result` is the text of the last message if it is a tool's.
    pub(crate) fn of_conversation(result: Option<String>, tool: Option<Tool>, json: Option<Value>) -> Self {
        match (result, tool, json) {
            (_, None, Some(schema)) | (Some(_), _, Some(schema)) => Self::Json(schema),
            (Some(result), _, None) => Self::Quote(result),
            (None, Some(tool), _) => Self::Call(tool),
            (None, None, None) => Self::Reply,
        }
    }
}

/// A reply, ready for any dialect.
#[derive(Debug)]
pub(crate) struct Answer {
    /// Unique; the dialect puts its prefix before it.
    pub(crate) id: String,
    pub(crate) created: u64,
    pub(crate) model: String,
    pub(crate) fingerprint: String,
    pub(crate) choices: Vec<Choice>,
    pub(crate) usage: Usage,
}

/// One of the answer's choices.
#[derive(Debug)]
pub(crate) struct Choice {
    pub(crate) content: Content,
    pub(crate) finish: Finish,
}

/// What a choice says.
#[derive(Debug)]
pub(crate) enum Content {
    Text(String),
    /// That many short words, made as they are sent: a long stream needs no memory.
    Words(u64),
    Call {
        id: String,
        name: String,
        arguments: String,
    },
}

/// Why a choice ended.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Finish {
    Stop,
    StopSequence(String),
    Length,
    Call,
}

/// Tokens counted.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Usage {
    /// All of the prompt, cached or not.
    pub(crate) prompt: u64,
    pub(crate) completion: u64,
    pub(crate) cache_read: u64,
    /// Prompt tokens that a real upstream would now have written to its cache.
    pub(crate) cache_write: u64,
}

/// The words of [`Content::Words`], one token each.
const CYCLE: [&str; 8] = [" one", " two", " and", " then", " the", " sea", " was", " calm"];

impl Content {
    /// The piece at a position and the position after it; `None` at the end.
    pub(crate) fn piece(&self, at: usize) -> Option<(&str, usize)> {
        let text = match self {
            Self::Text(text) => text,
            Self::Call { arguments, .. } => arguments,
            Self::Words(count) => {
                let more = (at as u64) < *count;
                return CYCLE.get(at % CYCLE.len()).filter(|_| more).map(|word| (*word, at + 1));
            }
        };
        let piece = tokens::first_piece(text.get(at..)?);
        Some((piece, at + piece.len())).filter(|_| !piece.is_empty())
    }

    /// The whole text, or the arguments of a call.
    pub(crate) fn text(&self) -> String {
        let (mut text, mut at) = (String::new(), 0);
        while let Some((piece, next)) = self.piece(at) {
            text.push_str(piece);
            at = next;
        }
        text
    }

    fn tokens(&self) -> u64 {
        match self {
            Self::Text(text) => tokens::count(text),
            Self::Words(count) => *count,
            Self::Call { name, arguments, .. } => tokens::count(name) + tokens::count(arguments),
        }
    }
}

/// Answers a request. `body` is what was received, for the model that echoes it.
pub(crate) fn compose(state: &State, ask: &Ask, say: &Say, body: &[u8]) -> Answer {
    let seed = match (ask.seed, ask.temperature) {
        (Some(seed), _) => seed.cast_unsigned(),
        // The one setting that makes real models repeat themselves, nearly.
        (None, Some(0.0)) => 0,
        (None, _) => state.fresh(),
    };
    let model = Hash::new().with(ask.model.as_bytes());
    let mut usage = Usage::default();
    let mut choices = Vec::new();
    for prompt in &ask.prompts {
        let prefix = state.meet_prompt(&ask.model, prompt);
        usage.prompt += prompt.tokens;
        usage.cache_read += prefix.read;
        usage.cache_write += prefix.written;
        let hash = model.clone().with(prompt.text.as_bytes()).with_number(seed);
        for index in 0..ask.n.unwrap_or(1).clamp(1, MAX_CHOICES) {
            let mut rng = Rng::new(hash.clone().with_number(index.cast_unsigned()).finish());
            let choice = match say {
                Say::Words(count) => Choice { content: Content::Words(*count), finish: Finish::Stop },
                Say::Echo => {
                    let text = String::from_utf8_lossy(body).into_owned();
                    Choice { content: Content::Text(text), finish: Finish::Stop }
                }
                Say::Model => choose(state, ask, prompt, &mut rng),
            };
            usage.completion += choice.content.tokens();
            choices.push(choice);
        }
    }
    Answer {
        id: state.fresh_id(),
        created: crate::clock::unix_seconds(),
        model: ask.model.clone(),
        fingerprint: format!("fp_{:010x}", model.finish() >> 24),
        choices,
        usage,
    }
}

fn choose(state: &State, ask: &Ask, prompt: &Prompt, rng: &mut Rng) -> Choice {
    let length = SHORTEST_ANSWER + rng.below(LONGEST_ANSWER - SHORTEST_ANSWER);
    let length = usize::try_from(length).unwrap_or(0);
    let text = match &ask.wish {
        Wish::Reply => model::reply(rng, length),
        Wish::GoOn => model::go_on(rng, &prompt.text, length),
        Wish::Quote(result) => {
            format!("The tool says: {}\n\n{}", result.trim(), model::reply(rng, length / 3))
        }
        Wish::Json(Value::Null) => {
            let sentence = model::reply(rng, 8);
            serde_json::json!({ "answer": sentence, "confidence": rng.below(100) as f64 / 100.0 }).to_string()
        }
        Wish::Json(schema) => schema::instance(schema, &ask.topic, rng),
        Wish::Call(tool) => {
            let arguments = schema::instance(&tool.object_schema(), &ask.topic, rng);
            let name = tool.name.clone().unwrap_or_default();
            return Choice {
                content: Content::Call { id: state.fresh_id(), name, arguments },
                finish: Finish::Call,
            };
        }
    };
    let (text, finish) = cut(text, ask);
    Choice { content: Content::Text(text), finish }
}

/// Ends a text where `max_tokens` or a stop sequence ends it, whichever comes first.
fn cut(mut text: String, ask: &Ask) -> (String, Finish) {
    let mut finish = Finish::Stop;
    // A negative limit limits nothing, as with vLLM's -1.
    if let Some(limit) = ask.max_tokens.and_then(|limit| u64::try_from(limit).ok()) {
        let short = tokens::truncate(&text, limit).len();
        if short < text.len() {
            text.truncate(short);
            finish = Finish::Length;
        }
    }
    let stops = ask.stop.iter().filter(|stop| !stop.is_empty());
    if let Some((at, stop)) =
        stops.filter_map(|stop| Some((text.find(stop)?, stop))).min_by_key(|(at, _)| *at)
    {
        text.truncate(at);
        finish = Finish::StopSequence(stop.clone());
    }
    (text, finish)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(prompt: &str) -> Ask {
        Ask {
            model: "m".to_owned(),
            prompts: vec![prompt.to_owned().into()],
            seed: Some(7),
            ..Ask::default()
        }
    }

    fn say(ask: &Ask) -> (String, Finish, Usage) {
        let mut answer = compose(&State::default(), ask, &Say::Model, b"");
        let choice = answer.choices.remove(0);
        (choice.content.text(), choice.finish, answer.usage)
    }

    #[test]
    fn the_answer_depends_on_model_prompt_seed_and_choice_and_on_nothing_else() {
        let first = say(&ask("Hello")).0;
        assert_eq!(say(&ask("Hello")).0, first);
        assert_ne!(say(&ask("Hello!")).0, first);
        assert_ne!(say(&Ask { seed: Some(8), ..ask("Hello") }).0, first);
        assert_ne!(say(&Ask { model: "other".to_owned(), ..ask("Hello") }).0, first);
        let two = compose(&State::default(), &Ask { n: Some(2), ..ask("Hello") }, &Say::Model, b"");
        assert_eq!(two.choices[0].content.text(), first);
        assert_ne!(two.choices[1].content.text(), first);
    }

    #[test]
    fn without_a_seed_the_answer_varies_unless_the_temperature_is_zero() {
        let state = State::default();
        let text = |temperature| {
            let ask = Ask { seed: None, temperature, ..ask("Hello") };
            compose(&state, &ask, &Say::Model, b"").choices[0].content.text()
        };
        assert_ne!(text(None), text(None));
        assert_eq!(text(Some(0.0)), text(Some(0.0)));
    }

    #[test]
    fn max_tokens_and_stop_sequences_cut_the_same_text() {
        let (whole, finish, _) = say(&ask("Hello"));
        assert_eq!(finish, Finish::Stop);
        let (short, finish, usage) = say(&Ask { max_tokens: Some(5), ..ask("Hello") });
        assert!(whole.starts_with(&short));
        assert_eq!((finish, usage.completion), (Finish::Length, 5));
        let stop = whole.split_whitespace().nth(3).unwrap().to_owned();
        let (short, finish, _) = say(&Ask { stop: vec![stop.clone()], ..ask("Hello") });
        assert!(!short.contains(&stop) && whole.starts_with(&short));
        assert_eq!(finish, Finish::StopSequence(stop));
        assert_eq!(say(&Ask { max_tokens: Some(-1), ..ask("Hello") }).0, whole);
    }

    #[test]
    fn a_repeated_prompt_is_reported_as_cached_and_answered_alike() {
        let state = State::default();
        let ask = ask(&"word ".repeat(300));
        let (one, two) = (compose(&state, &ask, &Say::Model, b""), compose(&state, &ask, &Say::Model, b""));
        assert_eq!((one.usage.cache_read, two.usage.cache_read), (0, 256));
        assert_eq!(one.choices[0].content.text(), two.choices[0].content.text());
    }
}
