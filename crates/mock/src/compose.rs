//! From what was asked to what is said: the same in every dialect.

use serde_json::{Value, json};

use crate::answer::{Answer, Ask, Choice, Content, Finish, Prompt, Think, Usage, Wish};
use crate::fault::{Behaviour, Manner, Say};
use crate::input::Tool;
use crate::rng::{Hash, Rng};
use crate::state::State;
use crate::{clock, model, schema, tokens};

/// More choices than OpenAI allows are not made.
const MAX_CHOICES: i64 = 128;
/// An answer's length in words when nothing cuts it.
const SHORTEST_ANSWER: u64 = 40;
const LONGEST_ANSWER: u64 = 110;
/// About as many words as it thinks before it speaks.
const THOUGHT_WORDS: usize = 12;
const REFUSAL: &str = "I would rather not help with that.";

/// Answers a request. `body` is what was received, for the model that echoes it.
pub(crate) fn compose(state: &State, ask: &Ask, behaviour: &Behaviour, body: &[u8]) -> Answer {
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
        if !ask.uncached {
            usage.cache_read += prefix.read;
            usage.cache_write += prefix.written;
        }
        let hash = model.clone().with(prompt.text.as_bytes()).with_number(seed);
        for index in 0..ask.n.unwrap_or(1).clamp(1, MAX_CHOICES) {
            let mut rng = Rng::new(hash.clone().with_number(index.cast_unsigned()).finish());
            let choice = match behaviour.say {
                Say::Words(count) => Choice::of(Content::Words(count), Finish::Stop),
                Say::Echo => {
                    Choice::of(Content::Text(String::from_utf8_lossy(body).into_owned()), Finish::Stop)
                }
                Say::Model => think_and_say(state, ask, behaviour.manner, prompt, &mut rng),
            };
            usage.completion += choice.tokens();
            let thoughts = choice.contents.iter().filter(|content| content.is_thought());
            usage.reasoning += thoughts.map(Content::tokens).sum::<u64>();
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

/// The thoughts, where they are asked for or in the model's nature, and then the answer.
fn think_and_say(state: &State, ask: &Ask, manner: Manner, prompt: &Prompt, rng: &mut Rng) -> Choice {
    // A negative limit limits nothing, as with vLLM's -1.
    let limit = ask.max_tokens.and_then(|limit| u64::try_from(limit).ok());
    let think = if manner == Manner::Thinks && ask.think == Think::No { Think::Shown } else { ask.think };
    if think == Think::No {
        return say(state, ask, manner, limit, prompt, rng);
    }
    // A generator of its own: the answer is the same with thoughts and without.
    let mut apart = Rng::new(!rng.clone().next());
    let thoughts = match manner {
        Manner::Redacted => Content::Redacted,
        _ => {
            let text = model::reply(&mut apart, THOUGHT_WORDS);
            let text = limit.map_or(&*text, |limit| tokens::truncate(&text, limit)).to_owned();
            Content::Thinking { text, shown: think == Think::Shown }
        }
    };
    let left = limit.map(|limit| limit.saturating_sub(thoughts.tokens()));
    if left == Some(0) {
        return Choice::of(thoughts, Finish::Length);
    }
    let mut choice = say(state, ask, manner, left, prompt, rng);
    choice.contents.insert(0, thoughts);
    choice
}

fn say(
    state: &State,
    ask: &Ask,
    manner: Manner,
    limit: Option<u64>,
    prompt: &Prompt,
    rng: &mut Rng,
) -> Choice {
    let length = SHORTEST_ANSWER + rng.below(LONGEST_ANSWER - SHORTEST_ANSWER);
    let length = usize::try_from(length).unwrap_or(0);
    match manner {
        Manner::Refuses => return Choice::of(Content::Refusal(REFUSAL.to_owned()), Finish::Refusal),
        Manner::Filtered => return Choice::of(Content::Text(model::reply(rng, 5)), Finish::Filter),
        _ => {}
    }
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
        Wish::Json(schema) => schema::instance(schema, &ask.topic, 0, rng),
        Wish::Call(tools) => {
            let mut contents: Vec<_> = calls(state, tools, ask, rng).collect();
            if manner == Manner::Chatty {
                contents.insert(0, Content::Text(model::reply(rng, 5)));
            }
            return Choice { contents, finish: Finish::Call };
        }
    };
    let (text, finish) = cut(text, limit, &ask.stop);
    Choice::of(Content::Text(text), finish)
}

/// A call of each tool; a tool's second call is about the topic's second word.
fn calls(state: &State, tools: &[Tool], ask: &Ask, rng: &mut Rng) -> impl Iterator<Item = Content> {
    tools.iter().enumerate().map(move |(at, tool)| {
        let earlier = tools.iter().take(at).filter(|other| other.name == tool.name).count();
        let arguments = schema::instance(&tool.object_schema(), &ask.topic, earlier, rng);
        Content::Call { id: state.fresh_id(), name: tool.name.clone().unwrap_or_default(), arguments }
    })
}

/// Ends a text where the limit of tokens or a stop sequence ends it, whichever comes first.
fn cut(mut text: String, limit: Option<u64>, stop: &[String]) -> (String, Finish) {
    let mut finish = Finish::Stop;
    if let Some(limit) = limit {
        let short = tokens::truncate(&text, limit).len();
        if short < text.len() {
            text.truncate(short);
            finish = Finish::Length;
        }
    }
    let stops = stop.iter().filter(|stop| !stop.is_empty());
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
        let mut answer = compose(&State::default(), ask, &Behaviour::default(), b"");
        let choice = answer.choices.remove(0);
        (choice.text().into_owned(), choice.finish, answer.usage)
    }

    #[test]
    fn the_answer_depends_on_model_prompt_seed_and_choice_and_on_nothing_else() {
        let first = say(&ask("Hello")).0;
        assert_eq!(say(&ask("Hello")).0, first);
        assert_ne!(say(&ask("Hello!")).0, first);
        assert_ne!(say(&Ask { seed: Some(8), ..ask("Hello") }).0, first);
        assert_ne!(say(&Ask { model: "other".to_owned(), ..ask("Hello") }).0, first);
        let two = compose(&State::default(), &Ask { n: Some(2), ..ask("Hello") }, &Behaviour::default(), b"");
        assert_eq!(two.choices[0].text(), first);
        assert_ne!(two.choices[1].text(), first);
    }

    #[test]
    fn without_a_seed_the_answer_varies_unless_the_temperature_is_zero() {
        let state = State::default();
        let text = |temperature| {
            let ask = Ask { seed: None, temperature, ..ask("Hello") };
            compose(&state, &ask, &Behaviour::default(), b"").choices[0].text().into_owned()
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
        let (one, two) = (
            compose(&state, &ask, &Behaviour::default(), b""),
            compose(&state, &ask, &Behaviour::default(), b""),
        );
        assert_eq!((one.usage.cache_read, two.usage.cache_read), (0, 256));
        assert_eq!(one.choices[0].text(), two.choices[0].text());
    }
}
