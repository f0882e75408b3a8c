//! What a token is here, and how text is cut into the pieces of a stream.
//!
//! A word is one token for every four characters begun. That is near enough to real tokenisers for a demo,
//! costs one pass over the text, and gives the same number for a plain answer, for a stream and for the next
//! prompt.

const CHARS_PER_TOKEN: usize = 4;

/// A stream's piece is a word; what has no spaces (long URLs, compact JSON, Chinese) is cut after this many
/// characters.
const PIECE_CHARS: usize = 12;

/// The number of tokens in a text.
pub(crate) fn count(text: &str) -> u64 {
    text.split_whitespace().map(|word| word.chars().count().div_ceil(CHARS_PER_TOKEN) as u64).sum()
}

/// The longest beginning of a text that has at most `limit` tokens.
pub(crate) fn truncate(text: &str, limit: u64) -> &str {
    let mut left = limit;
    let mut chars_of_word = 0;
    for (at, c) in text.char_indices() {
        if c.is_whitespace() {
            chars_of_word = 0;
            continue;
        }
        if chars_of_word % CHARS_PER_TOKEN == 0 {
            if left == 0 {
                return text.get(..at).unwrap_or(text).trim_end();
            }
            left -= 1;
        }
        chars_of_word += 1;
    }
    text
}

/// The first piece of a text: a word with the space before it. Empty only when the text is.
pub(crate) fn first_piece(text: &str) -> &str {
    let mut in_word = false;
    for (chars, (at, c)) in text.char_indices().enumerate() {
        if (in_word && c.is_whitespace()) || chars == PIECE_CHARS {
            return text.get(..at).unwrap_or(text);
        }
        in_word = in_word || !c.is_whitespace();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pieces(mut text: &str) -> Vec<&str> {
        let mut all = Vec::new();
        while !text.is_empty() {
            let piece = first_piece(text);
            all.push(piece);
            text = &text[piece.len()..];
        }
        all
    }

    #[test]
    fn a_word_is_one_token_for_every_four_characters_begun() {
        assert_eq!(count(""), 0);
        assert_eq!(count(" a  bcd\nefgh ijklm "), 5);
        assert_eq!(count("ééééé"), 2);
    }

    #[test]
    fn a_cut_text_has_exactly_the_tokens_asked_for() {
        let text = "Once upon a time, there lived a lighthouse-keeper in the north.";
        for limit in 0..count(text) {
            let cut = truncate(text, limit);
            assert_eq!(count(cut), limit, "{cut}");
            assert!(text.starts_with(cut));
        }
        assert_eq!(truncate(text, 1000), text);
    }

    #[test]
    fn pieces_are_words_and_put_together_they_are_the_text() {
        assert_eq!(pieces("Hello there,  my friend\n"), ["Hello", " there,", "  my", " friend", "\n"]);
        let long = "漢字".repeat(20);
        assert_eq!(pieces(&long).concat(), long);
        assert!(pieces(&long).iter().all(|piece| piece.chars().count() <= PIECE_CHARS));
    }
}
