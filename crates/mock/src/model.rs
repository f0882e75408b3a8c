//! The language model: a walk from word to word over what the prose of `words.rs` has taught it.
//!
//! Each next word follows the last two, as a rule, or only the last one, now and then: the first makes
//! phrases that read well, the second makes sentences that the prose does not have. It knows nothing of
//! requests: it gets numbers and the prompt's last word, and gives sentences.

use std::collections::HashMap;
use std::sync::LazyLock;

use crate::rng::Rng;
use crate::words::PROSE;

/// The table of words is built once, at the first answer.
static TABLE: LazyLock<Table> = LazyLock::new(|| Table::learn(PROSE));

const SHORTEST_SENTENCE: usize = 5;
/// From here on a sentence takes the first chance to end, and at twice the length it is ended by force.
const LONG_SENTENCE: usize = 16;
const SENTENCES_PER_PARAGRAPH: usize = 5;
/// One word in so many is chosen by the last word alone.
const LEAP: u64 = 4;

/// Sentences that answer, about `words` words long, whole sentences only.
pub(crate) fn reply(rng: &mut Rng, words: usize) -> String {
    TABLE.write(rng, words, None)
}

/// Text that goes on where the prompt stops: inside its sentence if its last word is a known one.
pub(crate) fn go_on(rng: &mut Rng, prompt: &str, words: usize) -> String {
    let last = prompt.split_whitespace().next_back();
    let known = last.and_then(|word| TABLE.known.get(word.to_lowercase().as_str()).copied());
    let mut text = TABLE.write(rng, words, known);
    if !prompt.is_empty() && !prompt.ends_with(char::is_whitespace) {
        text.insert(0, ' ');
    }
    text
}

/// A word of the prose in lower case, with the comma or full stop that follows it.
#[derive(Debug)]
struct Word {
    text: String,
    /// Each time it was met within a sentence: the word before it, if any, and the word after it.
    met: Vec<(Option<usize>, usize)>,
    ends_sentence: bool,
}

#[derive(Debug)]
struct Table {
    words: Vec<Word>,
    /// The words that begin a sentence, each as often as it does.
    starts: Vec<usize>,
    known: HashMap<String, usize>,
}

impl Table {
    fn learn(prose: &'static str) -> Self {
        let mut table = Self { words: Vec::new(), starts: Vec::new(), known: HashMap::new() };
        let (mut last_but_one, mut last): (Option<usize>, Option<usize>) = (None, None);
        for text in prose.split_whitespace() {
            let ends_sentence = text.ends_with(['.', '?', '!']);
            // `The` at a sentence's start and `the` within it are one word.
            let text = text.to_lowercase();
            let id = *table.known.entry(text.clone()).or_insert_with(|| {
                table.words.push(Word { text, met: Vec::new(), ends_sentence });
                table.words.len() - 1
            });
            match last.and_then(|last| table.words.get_mut(last)) {
                Some(word) => word.met.push((last_but_one, id)),
                None => table.starts.push(id),
            }
            (last_but_one, last) = if ends_sentence { (None, None) } else { (last, Some(id)) };
        }
        table
    }

    fn write(&self, rng: &mut Rng, words: usize, mut after: Option<usize>) -> String {
        let mut text = String::with_capacity(words * 7);
        let (mut written, mut sentences) = (0, 0);
        while written < words {
            if sentences > 0 {
                text.push_str(if sentences % SENTENCES_PER_PARAGRAPH == 0 { "\n\n" } else { " " });
            }
            written += self.sentence(rng, after.take(), &mut text);
            sentences += 1;
        }
        text
    }

    /// Writes one sentence and says how many words it has.
    fn sentence(&self, rng: &mut Rng, after: Option<usize>, text: &mut String) -> usize {
        let (mut last_but_one, mut last) = (None, after);
        let mut length = 0;
        while let Some(next) = self.follower(rng, last_but_one, last, length)
            && let Some(word) = self.words.get(next)
        {
            if length > 0 {
                text.push(' ');
            }
            push_word(text, &word.text, after.is_none() && length == 0);
            length += 1;
            if word.ends_sentence {
                return length;
            }
            (last_but_one, last) = (last, Some(next));
        }
        // Nothing follows, or the sentence has run on for too long.
        text.truncate(text.trim_end_matches(',').len());
        text.push('.');
        length.max(1)
    }

    fn follower(
        &self,
        rng: &mut Rng,
        before: Option<usize>,
        last: Option<usize>,
        length: usize,
    ) -> Option<usize> {
        let Some(last) = last else { return rng.pick(&self.starts) };
        let met = &self.words.get(last)?.met;
        let ends = |id: usize| self.words.get(id).is_some_and(|word| word.ends_sentence);
        if length >= 2 * LONG_SENTENCE {
            return None;
        }
        if length >= LONG_SENTENCE
            && let Some((_, end)) = met.iter().find(|(_, next)| ends(*next))
        {
            return Some(*end);
        }
        let fits = |(was, next): &(Option<usize>, usize)| (*was == before).then_some(*next);
        let fitting = met.iter().filter_map(fits).count() as u64;
        let leaps = rng.below(LEAP) == 0;
        let chosen = if leaps || fitting == 0 {
            rng.pick(met)?.1
        } else {
            let nth = usize::try_from(rng.below(fitting)).unwrap_or(0);
            met.iter().filter_map(fits).nth(nth)?
        };
        // One more try is enough to make very short sentences rare.
        if length < SHORTEST_SENTENCE && ends(chosen) {
            rng.pick(met).map(|(_, next)| next)
        } else {
            Some(chosen)
        }
    }
}

fn push_word(text: &mut String, word: &str, capital: bool) {
    let mut chars = word.chars();
    match chars.next() {
        Some(first) if capital => {
            text.extend(first.to_uppercase());
            text.push_str(chars.as_str());
        }
        _ => text.push_str(word),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_text_and_another_seed_another() {
        let text = |seed| reply(&mut Rng::new(seed), 60);
        assert_eq!(text(7), text(7));
        assert_ne!(text(7), text(8));
    }

    #[test]
    fn a_reply_is_whole_sentences_of_about_the_length_asked_for() {
        for seed in 0..200 {
            let text = reply(&mut Rng::new(seed), 60);
            assert!(text.chars().next().unwrap().is_uppercase(), "{text}");
            assert!(text.ends_with(['.', '?', '!']), "{text}");
            let words = text.split_whitespace().count();
            assert!((60..=60 + 2 * LONG_SENTENCE).contains(&words), "{words}: {text}");
            assert!(!text.contains(",."), "{text}");
        }
    }

    #[test]
    fn a_continuation_goes_on_inside_the_prompts_sentence() {
        let text = go_on(&mut Rng::new(1), "Once", 20);
        assert!(text.starts_with(" upon a"), "{text}");
        let new = go_on(&mut Rng::new(1), "Zyzzyva?\n", 20);
        assert!(new.chars().next().unwrap().is_uppercase(), "{new}");
    }

    #[test]
    fn the_table_has_a_few_hundred_words_with_many_neighbours() {
        let table = Table::learn(PROSE);
        assert!(table.words.len() > 400, "{}", table.words.len());
        let the = table.known.get("the").and_then(|id| table.words.get(*id)).unwrap();
        assert!(the.met.len() > 80, "{}", the.met.len());
    }
}
