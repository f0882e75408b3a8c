//! Objects of the body that may carry a mark for the prompt cache: tools, system blocks, blocks of messages.
//!
//! Owns how many marks there may be. A mark is written as it came, with all its members.

use std::borrow::Cow;

use crate::raw::{Object, Writer};
use crate::translate::Losses;

/// Most marks that the upstream takes, the one at top level included.
const MAX_MARKS: usize = 4;

/// What a client calls a mark, in every dialect.
const MARK: &str = "cache_control";

/// One object, and the mark on it.
#[derive(Debug)]
pub(super) struct Piece<'a> {
    /// The object without the mark.
    json: Cow<'a, str>,
    mark: Option<Cow<'a, str>>,
    kind: PieceKind,
}

/// How an object stands to marks and to its neighbours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PieceKind {
    /// A tool, a picture, a call.
    Plain,
    Text,
    /// What was thought: takes no mark, and comes first.
    Thought,
    /// Has to come before what else the user says.
    ToolResult,
    /// As the client wrote it, its own mark within.
    Whole {
        is_marked: bool,
    },
}

impl<'a> Piece<'a> {
    pub(super) fn new(json: String, mark: Option<&Cow<'a, str>>, kind: PieceKind) -> Self {
        Self { json: json.into(), mark: mark.cloned(), kind }
    }

    /// A text as a block.
    pub(super) fn text(json: &str, mark: Option<&Cow<'a, str>>) -> Self {
        let mut block = Writer::new();
        block.string("type", "text").raw("text", json);
        Self::new(block.finish(), mark, PieceKind::Text)
    }

    /// What the client's dialect has in common with the upstream's.
    pub(super) fn whole(json: &Cow<'a, str>) -> Self {
        let is_marked = Object::parse(json).is_ok_and(|object| object.some(MARK).is_some());
        Self { json: json.clone(), mark: None, kind: PieceKind::Whole { is_marked } }
    }

    pub(super) fn is(&self, kind: PieceKind) -> bool {
        self.kind == kind
    }

    pub(super) fn is_marked(&self) -> bool {
        self.mark.is_some()
    }

    /// The text of a text block, a JSON string.
    pub(super) fn as_text(&self) -> Option<&str> {
        self.json.strip_prefix(r#"{"type":"text","text":"#)?.strip_suffix('}')
    }

    /// Takes the mark off.
    pub(super) fn take_mark(&mut self) -> Option<Cow<'a, str>> {
        self.mark.take()
    }

    /// Puts a mark on, unless one is there or the object takes none.
    pub(super) fn put_mark(&mut self, mark: Cow<'a, str>, losses: &mut Losses) {
        let takes = !matches!(self.kind, PieceKind::Thought | PieceKind::Whole { .. });
        if takes && self.mark.is_none() {
            self.mark = Some(mark);
        } else {
            losses.add(MARK);
        }
    }

    pub(super) fn write(&self) -> Cow<'_, str> {
        let Some(mark) = &self.mark else { return Cow::Borrowed(&self.json) };
        let mut object = Writer::new();
        object.raw(MARK, mark);
        let mark = object.finish();
        // Every object here has a member before the mark.
        let (head, tail) =
            (self.json.strip_suffix('}').unwrap_or_default(), mark.get(1..).unwrap_or_default());
        Cow::Owned(format!("{head},{tail}"))
    }
}

/// Adds a piece; a mark that it cannot carry goes to the one before it, which ends in the same place but for what
/// cannot be marked.
pub(super) fn push<'a>(pieces: &mut Vec<Piece<'a>>, mut piece: Piece<'a>, losses: &mut Losses) {
    if piece.is(PieceKind::Thought) {
        let mark = piece.take_mark();
        hand_back(pieces, mark, losses);
    }
    pieces.push(piece);
}

/// Puts a mark, whose own object is not written, on the last piece.
pub(super) fn hand_back<'a>(pieces: &mut [Piece<'a>], mark: Option<Cow<'a, str>>, losses: &mut Losses) {
    match (mark, pieces.last_mut()) {
        (Some(mark), Some(last)) => last.put_mark(mark, losses),
        (Some(_), None) => losses.add(MARK),
        (None, _) => {}
    }
}

/// Leaves as many marks as the upstream takes. Of `pieces`, in the order of the prompt, the first mark is kept, which
/// spares what never changes, and the last ones, which spare what was said up to now.
pub(super) fn limit_marks(pieces: Vec<&mut Piece<'_>>, has_top: bool, losses: &mut Losses) {
    let is_whole = |piece: &&mut Piece<'_>| piece.is(PieceKind::Whole { is_marked: true });
    let taken = pieces.iter().filter(|piece| is_whole(piece)).count() + usize::from(has_top);
    let room = MAX_MARKS.saturating_sub(taken);
    let marked: Vec<_> = pieces.into_iter().filter(|piece| piece.is_marked()).collect();
    let surplus = marked.len().saturating_sub(room);
    let first = usize::from(room > 1);
    for piece in marked.into_iter().skip(first).take(surplus) {
        piece.mark = None;
        losses.add(MARK);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_more_marks_than_four_the_first_and_the_last_stay() {
        for (marks, has_top, kept) in
            [(4, false, "0123"), (6, false, "0345"), (3, true, "012"), (6, true, "045")]
        {
            let mut losses = Losses::default();
            let mut pieces: Vec<_> = (0..marks)
                .flat_map(|at| {
                    let mark = Cow::Owned(at.to_string());
                    [Piece::text(r#""a""#, Some(&mark)), Piece::text(r#""b""#, None)]
                })
                .collect();
            limit_marks(pieces.iter_mut().collect(), has_top, &mut losses);
            let left: Vec<_> = pieces.iter().filter_map(|piece| piece.mark.as_deref()).collect();
            assert_eq!(left.concat(), kept, "{marks} marks, one more at top level: {has_top}");
            assert_eq!(losses.into_names().is_empty(), left.len() == marks);
        }
    }

    #[test]
    fn a_mark_of_a_block_that_is_passed_whole_counts_and_stays() {
        let whole = Cow::Borrowed(r#"{"type":"search_result","cache_control":{"type":"ephemeral"}}"#);
        let mark = Cow::Borrowed("{}");
        let mut pieces: Vec<_> = (0..4).map(|_| Piece::text(r#""a""#, Some(&mark))).collect();
        pieces.push(Piece::whole(&whole));
        let mut losses = Losses::default();
        limit_marks(pieces.iter_mut().collect(), false, &mut losses);
        let marked: Vec<_> = pieces.iter().map(Piece::is_marked).collect();
        assert_eq!(marked, [true, false, true, true, false]);
        assert_eq!(pieces.last().expect("five").write(), whole);
        assert_eq!(losses.into_names(), ["cache_control"]);
    }
}
