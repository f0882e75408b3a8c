//! From what was asked to what is said: the same in every dialect.

use serde_json::{Value, json};

use crate::answer::{Answer, Ask, Choice, Content, Finish, Prompt, Usage, Wish};
use crate::fault::Say;
use crate::rng::{Hash, Rng};
use crate::state::State;
use crate::{clock, model, schema, tokens};

/// More choices than OpenAI allows are not made.
const MAX_CHOICES: i64 = 128;
/// An answer's length in words when nothing cuts it.
const SHORTEST_ANSWER: u64 = 40;
const LONGEST_ANSWER: u64 = 110;

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
        created: clock::unix_seconds(),
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
            json!({ "answer": sentence, "confidence": rng.below(100) as f64 / 100.0 }).to_string()
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
        (choice.content.text().into_owned(), choice.finish, answer.usage)
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
            compose(&state, &ask, &Say::Model, b"").choices[0].content.text().into_owned()
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
