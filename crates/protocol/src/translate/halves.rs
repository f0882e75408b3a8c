//! Characters that an upstream cuts in two: some send the halves of a surrogate pair in two pieces of a stream
//! (`"\ud83d"`, `"\ude00"`), and many clients cannot read a half.
//!
//! Nothing is added or lost: the first half waits for the piece that follows, or for the end of its block.

use crate::canonical::Text;

/// Joins the pieces of one text.
#[derive(Debug, Default)]
pub(super) struct Halves {
    /// An escape for a first half (`\ud83d`), or nothing.
    kept: String,
}

impl Halves {
    /// A piece with what was kept back before it, and without a half at its end. It may be empty.
    pub(super) fn join<'a>(&mut self, piece: Text<'a>) -> Text<'a> {
        if self.kept.is_empty() && first_half_at_end(piece.inside()).is_none() {
            return piece;
        }
        let inside = std::mem::take(&mut self.kept) + piece.inside();
        let cut = first_half_at_end(&inside).and_then(|at| inside.split_at_checked(at));
        let (whole, half) = cut.unwrap_or((&inside, ""));
        half.clone_into(&mut self.kept);
        written(whole)
    }

    /// What is left when the text ends: a half that has no other.
    pub(super) fn rest(&mut self) -> Option<Text<'static>> {
        let kept = std::mem::take(&mut self.kept);
        (!kept.is_empty()).then(|| written(&kept))
    }
}

/// Where a text, as it is written between quotes, is to be cut so that it does not end in a first half.
pub(super) fn whole(inside: &str) -> usize {
    first_half_at_end(inside).unwrap_or(inside.len())
}

/// A text of what stands between its quotes.
fn written(inside: &str) -> Text<'static> {
    Text::read(&format!("\"{inside}\"")).map_or_else(|| Text::of(""), Text::into_owned)
}

/// Where the escape of a first half begins, if the text ends with one.
fn first_half_at_end(inside: &str) -> Option<usize> {
    let at = inside.len().checked_sub(r"\ud83d".len())?;
    let (before, escape) = inside.split_at_checked(at)?;
    let code = u16::from_str_radix(escape.strip_prefix("\\u")?, 16).ok()?;
    let backslashes = before.len() - before.trim_end_matches('\\').len();
    // After an odd number of them ours is itself what is escaped: `\\ud83d` is plain text.
    ((0xD800..0xDC00).contains(&code) && backslashes.is_multiple_of(2)).then_some(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn joined(pieces: &[&'static str]) -> (Vec<String>, Option<String>) {
        let mut halves = Halves::default();
        let texts = pieces.iter().map(|piece| halves.join(Text::read(piece).expect("a string")));
        let texts = texts.map(|text| text.inside().to_owned()).collect();
        (texts, halves.rest().map(|text| text.inside().to_owned()))
    }

    #[test]
    fn a_first_half_waits_for_the_second() {
        for (pieces, expected, rest) in [
            (vec![r#""a\ud83d""#, r#""\ude00b""#], vec!["a", r"\ud83d\ude00b"], None),
            (vec![r#""\uD83D""#, r#""""#, r#""\ude00""#], vec!["", "", r"\uD83D\ude00"], None),
            (
                vec![r#""\ud83d\ud83d""#, r#""\ude00\ud83d""#],
                vec![r"\ud83d", r"\ud83d\ude00"],
                Some(r"\ud83d"),
            ),
            (vec![r#""C:\\ud83d""#, r#""x""#], vec![r"C:\\ud83d", "x"], None),
            (vec![r#""\\\ud83d""#, r#""\ude00""#], vec![r"\\", r"\ud83d\ude00"], None),
            (vec![r#""\ude00""#, r#""é\ud7ff""#], vec![r"\ude00", r"é\ud7ff"], None),
        ] {
            let expected: Vec<String> = expected.into_iter().map(str::to_owned).collect();
            assert_eq!(joined(&pieces), (expected, rest.map(str::to_owned)), "{pieces:?}");
        }
    }
}
