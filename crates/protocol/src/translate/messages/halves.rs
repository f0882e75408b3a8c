//! Characters that a stream has cut in two.

/// Where a text, as it is written between quotes, is to be cut so that it does not end in the first half of a
/// surrogate pair: clients that encode each piece on its own fail over half a character.
pub(super) fn whole(inside: &str) -> usize {
    const ESCAPE: usize = r"\ud800".len();
    let Some(start) = inside.len().checked_sub(ESCAPE) else { return inside.len() };
    let Some((before, escape)) = inside.split_at_checked(start) else { return inside.len() };
    let is_half = match escape.as_bytes() {
        [b'\\', b'u', b'd' | b'D', b'8'..=b'9' | b'a'..=b'b' | b'A'..=b'B', ..] => {
            // A backslash that is itself escaped begins no escape.
            before.bytes().rev().take_while(|byte| *byte == b'\\').count() % 2 == 0
        }
        _ => false,
    };
    if is_half { start } else { inside.len() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_first_half_of_a_pair_is_held_back() {
        for (text, kept) in [
            ("", ""),
            ("abc", "abc"),
            (r"a\ud83d", "a"),
            (r"\uDBFF", ""),
            (r"a\ud83d\ude00", r"a\ud83d\ude00"),
            (r"a\u00e9", r"a\u00e9"),
            (r"a\\ud83d", r"a\\ud83d"),
            (r"a\\\ud83d", r"a\\"),
            ("ééé", "ééé"),
            ("aéudd83d", "aéudd83d"),
        ] {
            assert_eq!(text.get(..whole(text)), Some(kept), "{text}");
        }
    }
}
