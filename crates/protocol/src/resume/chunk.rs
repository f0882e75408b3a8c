//! One event's data, read once: where a chunk's members stand, and which pieces of an answer it carries.
//!
//! Owns what counts as text that can be gone on with, and what forbids it. It changes nothing.

use std::borrow::Cow;
use std::ops::Range;

use smallvec::SmallVec;

use super::channels::Channel;
use super::head::HEAD;
use crate::envelope::Member;
use crate::json::{JsonError, Kind, Names, RawStr, Scanner};
use crate::lenient::{count, is_filled, text};

/// What stands in one chunk. All ranges are those of the event's data.
#[derive(Debug, Default)]
pub(super) struct Chunk<'a> {
    /// The members that [`HEAD`] names, in its order.
    pub(super) head: [Option<Member>; HEAD.len()],
    /// The array of choices.
    pub(super) choices: Option<Range<usize>>,
    /// Whether there is a choice in it.
    pub(super) has_choice: bool,
    /// The text of the first choice; empty pieces are left out.
    pub(super) pieces: SmallVec<[Piece<'a>; 2]>,
    /// The delta's role.
    pub(super) role: Option<Member>,
    /// Whether the choice says why it ends.
    pub(super) finishes: bool,
    /// The token counts, if they are an object.
    pub(super) usage: Option<Member>,
    /// A piece of the answer that is not text of the first choice, or may be one: nobody can go on from there.
    pub(super) other: bool,
    /// It reports an error.
    pub(super) error: bool,
}

/// A piece of text.
#[derive(Debug)]
pub(super) struct Piece<'a> {
    pub(super) channel: Channel,
    /// What is meant, without escapes.
    pub(super) text: Cow<'a, str>,
    /// The string, quotes included.
    pub(super) range: Range<usize>,
}

impl<'a> Chunk<'a> {
    /// Reads an event's data.
    ///
    /// # Errors
    /// It is no clean object. A name that comes twice is a fault: nobody knows which of the two a client obeys.
    pub(super) fn read(data: &'a [u8]) -> Result<Self, JsonError> {
        let (mut chunk, mut names) = (Self::default(), Names::default());
        let mut scanner = Scanner::new(data);
        scanner.object(|scanner, name| {
            names.insert(name)?;
            match &*name.decode() {
                "choices" => chunk.read_choices(scanner)?,
                "usage" if scanner.kind()? == Kind::Object => chunk.usage = Some(member(scanner, name)?),
                "error" => chunk.error = is_filled(scanner)?,
                other => {
                    let place = HEAD.iter().position(|known| *known == other);
                    if let Some(place) = place.and_then(|place| chunk.head.get_mut(place)) {
                        *place = Some(member(scanner, name)?);
                    }
                }
            }
            Ok::<_, JsonError>(())
        })?;
        scanner.finish()?;
        Ok(chunk)
    }

    /// Whether it says anything of an answer at all; some upstreams send signs of life that are JSON.
    pub(super) fn is_chunk(&self) -> bool {
        !self.error && (self.choices.is_some() || self.usage.is_some())
    }

    /// Whether it has the token counts of the whole answer. Some upstreams count along with every chunk.
    pub(super) fn counts_all(&self) -> bool {
        self.usage.is_some() && (self.finishes || !self.has_choice)
    }

    fn read_choices(&mut self, scanner: &mut Scanner<'a>) -> Result<(), JsonError> {
        if scanner.kind()? != Kind::Array {
            return Ok(());
        }
        let start = scanner.position();
        scanner.array(|scanner, position| {
            self.has_choice = true;
            self.other |= position > 0;
            if position == 0 && scanner.kind()? == Kind::Object {
                self.read_choice(scanner)?;
            }
            Ok::<_, JsonError>(())
        })?;
        self.choices = Some(start..scanner.position());
        Ok(())
    }

    fn read_choice(&mut self, scanner: &mut Scanner<'a>) -> Result<(), JsonError> {
        let mut names = Names::default();
        scanner.object(|scanner, name| {
            names.insert(name)?;
            match &*name.decode() {
                "index" => self.other |= count(scanner)? != Some(0),
                "text" => self.read_piece(scanner, Channel::Text)?,
                "delta" if scanner.kind()? == Kind::Object => self.read_delta(scanner)?,
                "finish_reason" => self.finishes = text(scanner)?.is_some_and(|reason| reason != ""),
                // They tell of the whole piece, and would be wrong beside a part of it.
                "logprobs" | "token_ids" | "prompt_token_ids" | "prompt_logprobs" => {
                    self.other |= is_filled(scanner)?;
                }
                _ => {}
            }
            Ok::<_, JsonError>(())
        })
    }

    fn read_delta(&mut self, scanner: &mut Scanner<'a>) -> Result<(), JsonError> {
        let mut names = Names::default();
        scanner.object(|scanner, name| {
            names.insert(name)?;
            match &*name.decode() {
                "role" => {
                    let role = member(scanner, name)?;
                    self.role = (scanner.text(role.value.clone()) != "null").then_some(role);
                }
                "obfuscation" => {}
                other => match Channel::of_delta(other) {
                    Some(channel) => self.read_piece(scanner, channel)?,
                    // Calls, refusals, audio, images; and what nobody knows may be a piece as well.
                    None => self.other |= is_filled(scanner)?,
                },
            }
            Ok::<_, JsonError>(())
        })
    }

    fn read_piece(&mut self, scanner: &mut Scanner<'a>, channel: Channel) -> Result<(), JsonError> {
        if scanner.kind()? != Kind::String {
            self.other |= is_filled(scanner)?;
            return Ok(());
        }
        let written = scanner.string()?;
        let meant = written.decode();
        if has_half_a_pair(written, &meant) {
            self.other = true;
        } else if !meant.is_empty() {
            self.pieces.push(Piece { channel, text: meant, range: written.range() });
        }
        Ok(())
    }
}

/// Whether a surrogate pair is cut in two here: the text alone does not say what the client made of it.
///
/// Decoding puts U+FFFD for each half, so that there are more of these than were written.
fn has_half_a_pair(written: RawStr<'_>, meant: &str) -> bool {
    let marks = |text: &str| text.matches(char::REPLACEMENT_CHARACTER).count();
    if !written.is_escaped() || marks(meant) == 0 {
        return false;
    }
    let without_backslashes = written.raw().replace(r"\\", "").to_ascii_lowercase();
    marks(meant) > marks(written.raw()) + without_backslashes.matches(r"\ufffd").count()
}

fn member(scanner: &mut Scanner<'_>, name: RawStr<'_>) -> Result<Member, JsonError> {
    Ok(Member { name: name.range(), value: scanner.skip()? })
}

#[cfg(test)]
#[path = "chunk_tests.rs"]
mod tests;
