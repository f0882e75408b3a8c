//! Edits on raw JSON bytes: replace a value, add a member, take one out. Every other byte stays as it was,
//! and no byte is copied: the result is a list of slices of the original with the new pieces between.
//!
//! Commas are found by looking at the bytes around an edit, which must therefore be valid JSON, and the given
//! ranges must be those of its values and members, as an [`Envelope`] or a scanner tells them.

use std::fmt;
use std::ops::Range;

use bytes::{Bytes, BytesMut};
use smallvec::SmallVec;

use crate::envelope::{Envelope, Member};
use crate::raw;

/// A set of edits on one body. Order does not matter; an edit inside of a part that another one replaces or
/// removes goes away with that part.
pub struct Splice {
    body: Bytes,
    edits: SmallVec<[Edit; 4]>,
}

struct Edit {
    range: Range<usize>,
    change: Change,
}

enum Change {
    /// Puts something else in place of the range.
    Replace(Bytes),
    /// Takes out the member in the range, and the comma that it needed.
    Remove,
    /// Adds a member to the object that ends with the (empty) range's closing brace.
    Append(Bytes),
}

impl Splice {
    /// Starts without edits.
    #[must_use]
    pub fn new(body: Bytes) -> Self {
        Self { body, edits: SmallVec::new() }
    }

    /// Puts `with` in the place of a value.
    pub fn replace(&mut self, value: Range<usize>, with: Bytes) -> &mut Self {
        self.push(value, Change::Replace(with))
    }

    /// Takes a member out.
    pub fn remove_member(&mut self, member: &Member) -> &mut Self {
        self.push(member.name.start..member.value.end, Change::Remove)
    }

    /// Adds a member at the end of the body's object. `value` is JSON text.
    pub fn insert_member(&mut self, name: &str, value: &[u8]) -> &mut Self {
        let whole = 0..self.body.trim_ascii_end().len();
        self.insert_member_into(whole, name, value)
    }

    /// Adds a member at the end of the object that takes the range `object`, braces included.
    pub fn insert_member_into(&mut self, object: Range<usize>, name: &str, value: &[u8]) -> &mut Self {
        let inside = self.body.get(..object.end.saturating_sub(1)).unwrap_or_default();
        let at = inside.trim_ascii_end().len();
        let member = [raw::quoted(name).as_bytes(), b":", value].concat();
        self.push(at..at, Change::Append(member.into()))
    }

    /// Carries the edits out.
    #[must_use]
    pub fn into_segments(mut self) -> Segments {
        // Stable, and outer before inner: several members appended at one place keep their order.
        self.edits.sort_by_key(|edit| (edit.range.start, std::cmp::Reverse(edit.range.end)));
        let mut writer = Writer { body: &self.body, pos: 0, tail: None, segments: SmallVec::new() };
        let mut edits = self.edits.into_iter().peekable();
        while let Some(Edit { mut range, change }) = edits.next() {
            if range.start < writer.pos {
                continue;
            }
            match change {
                Change::Replace(with) => writer.replace(range, with),
                Change::Append(member) => writer.append(range.start, member),
                Change::Remove => {
                    // Neighbours go in one piece: only the run as a whole knows which comma is left over.
                    while let Some(next) = edits.next_if(|next| writer.continues(&range, next)) {
                        range.end = range.end.max(next.range.end);
                    }
                    writer.remove(range);
                }
            }
        }
        writer.finish()
    }

    fn push(&mut self, range: Range<usize>, change: Change) -> &mut Self {
        self.edits.push(Edit { range, change });
        self
    }
}

impl From<&Envelope> for Splice {
    fn from(envelope: &Envelope) -> Self {
        Self::new(envelope.body().clone())
    }
}

/// Writes the result from front to back.
struct Writer<'a> {
    body: &'a Bytes,
    /// How far the body has been dealt with.
    pos: usize,
    /// Set where the last removal or addition was the end of an object: the place, and whether a member is
    /// left before it, which the bytes themselves no longer say.
    tail: Option<(usize, bool)>,
    segments: SmallVec<[Bytes; 5]>,
}

impl Writer<'_> {
    /// Whether an edit is inside of a run of removed members, or goes on with it.
    fn continues(&self, run: &Range<usize>, next: &Edit) -> bool {
        let between = self.body.get(run.end..next.range.start);
        match (between, &next.change) {
            (None, _) => true,
            (Some(gap), Change::Remove) => gap.iter().all(|&byte| byte == b',' || is_space(byte)),
            (Some(_), _) => false,
        }
    }

    /// Takes out members that stand side by side, with the comma after them, or before them at the end.
    fn remove(&mut self, run: Range<usize>) {
        let before = self.body.get(..run.start).unwrap_or_default().trim_ascii_end();
        let after = self.body.get(run.end..).unwrap_or_default();
        let end_of = |rest: &[u8]| self.body.len() - rest.len();
        if let Some(rest) = after.trim_ascii_start().strip_prefix(b",") {
            let next = end_of(rest.trim_ascii_start());
            self.replace(run.start..next, Bytes::new());
            return;
        }
        let kept = before.strip_suffix(b",").map(<[u8]>::trim_ascii_end);
        self.tail = Some((run.end, kept.is_some()));
        self.replace(kept.map_or(run.start, <[u8]>::len)..run.end, Bytes::new());
    }

    fn append(&mut self, at: usize, member: Bytes) {
        let follows = match self.tail {
            Some((end, filled)) if end == at => filled,
            _ => !self.body.get(..at).unwrap_or_default().ends_with(b"{"),
        };
        self.replace(at..at, if follows { Bytes::from_static(b",") } else { Bytes::new() });
        self.replace(at..at, member);
        self.tail = Some((at, true));
    }

    fn replace(&mut self, range: Range<usize>, with: Bytes) {
        self.keep_to(range.start);
        self.pos = range.end;
        self.put(with);
    }

    /// Passes the original on up to `end`.
    fn keep_to(&mut self, end: usize) {
        let end = end.min(self.body.len());
        if self.pos < end {
            self.put(self.body.slice(self.pos..end));
        }
    }

    fn put(&mut self, segment: Bytes) {
        if !segment.is_empty() {
            self.segments.push(segment);
        }
    }

    fn finish(mut self) -> Segments {
        self.keep_to(self.body.len());
        Segments(self.segments)
    }
}

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\n' | b'\r' | b'\t')
}

/// A body in pieces, to be sent one after the other. Cloning it copies no bytes, so a body can be sent again.
#[derive(Clone, Default)]
pub struct Segments(SmallVec<[Bytes; 5]>);

impl Segments {
    /// The number of bytes in all pieces together: the `content-length`.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.iter().map(Bytes::len).sum()
    }

    /// Whether there are no bytes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The pieces in order, none of them empty.
    pub fn iter(&self) -> std::slice::Iter<'_, Bytes> {
        self.0.iter()
    }

    /// Joins the pieces. A single piece is handed out as it is; more are copied.
    #[must_use]
    pub fn into_bytes(mut self) -> Bytes {
        if self.0.len() <= 1 {
            return self.0.pop().unwrap_or_default();
        }
        let mut joined = BytesMut::with_capacity(self.len());
        self.0.iter().for_each(|segment| joined.extend_from_slice(segment));
        joined.freeze()
    }
}

impl From<Bytes> for Segments {
    fn from(whole: Bytes) -> Self {
        Self(Some(whole).into_iter().filter(|bytes| !bytes.is_empty()).collect())
    }
}

impl IntoIterator for Segments {
    type Item = Bytes;
    type IntoIter = smallvec::IntoIter<[Bytes; 5]>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl<'a> IntoIterator for &'a Segments {
    type Item = &'a Bytes;
    type IntoIter = std::slice::Iter<'a, Bytes>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// Shows sizes only: bodies hold prompts, and prompts are not logged.
impl fmt::Debug for Segments {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Segments").field(&self.0.iter().map(Bytes::len).collect::<Vec<_>>()).finish()
    }
}

#[cfg(test)]
#[path = "splice_tests.rs"]
mod tests;
