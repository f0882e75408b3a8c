//! The canonical form of a body, written for hashing and never seen by anyone.
//!
//! Every value is a tag and what belongs to it, with lengths in front or an end behind, so that no two
//! different bodies are written alike. Members are sorted by their written names: any total order would do.
//! Of equal names, which only objects have that nobody here reads, all are kept, in their order.
//!
//! Time and memory are linear in the body, whatever its nesting, because no value is longer than [`SHORT`]
//! once it is written: a longer one is replaced by its own hash. So moving a member to its place costs little,
//! and each byte of the body is hashed once.

use std::mem;

use blake3::Hasher;

use super::decimal::Decimal;
use super::escapes;
use super::rules::Spot;
use crate::json::{self, JsonError, Kind, RawStr, Scanner};

/// The longest value, in bytes, that stands as it is.
const SHORT: usize = 512;
/// So much of a list is gathered before it is hashed; blake3 is at its best with several KiB at once.
const BATCH: usize = 32 << 10;

const NULL: u8 = 0;
const FALSE: u8 = 1;
const TRUE: u8 = 2;
/// With the eight bytes of an `i64`. Every integer that fits is written so, in whatever spelling it came.
const INTEGER: u8 = 3;
/// Any other number, with its exponent as an `i64`; the digits follow as [`BYTES`].
const POSITIVE: u8 = 4;
const NEGATIVE: u8 = 5;
/// A number whose exponent is out of reach; its text follows as [`BYTES`].
const UNREAD_NUMBER: u8 = 6;
/// A string, with its length in two bytes.
const BYTES: u8 = 7;
/// A string that is longer than [`SHORT`], with its hash.
const LONG_BYTES: u8 = 8;
const ARRAY: u8 = 9;
const OBJECT: u8 = 10;
/// Ends an array or an object; no value begins with it.
const END: u8 = 11;
/// An array or object that is longer than [`SHORT`], with the hash of how it would be written.
const LONG_VALUE: u8 = 12;

/// A body, or values one behind the other, as they are being written.
pub(crate) struct Canonical {
    out: Vec<u8>,
    /// The members so far of all objects that are open, the innermost last.
    members: Vec<Written>,
    spare: Vec<u8>,
}

/// Where a member stands in `out`: its name, and its value right behind.
struct Written {
    start: usize,
    name_end: usize,
    end: usize,
}

impl Canonical {
    /// Makes room for a body of that length, as most are: with nothing longer than it is short.
    pub(crate) fn for_body_of(length: usize) -> Self {
        let members = Vec::with_capacity(16);
        Self { out: Vec::with_capacity(length.min(4 * SHORT)), members, spare: Vec::new() }
    }

    /// The hash of what was written.
    pub(crate) fn finish(self) -> [u8; 32] {
        *blake3::hash(&self.out).as_bytes()
    }

    /// Writes an object, without the members that do not count where it stands.
    pub(super) fn object(&mut self, scanner: &mut Scanner<'_>, spot: Spot) -> Result<(), JsonError> {
        self.out.push(OBJECT);
        let (start, outer) = (self.out.len(), self.members.len());
        let mut sortable = true;
        scanner.object(|scanner, name| {
            if spot.leaves_out(name, scanner)? {
                return Ok(());
            }
            let start = self.out.len();
            // Readers differ in whether two names with halves of surrogate pairs are the same name, and of
            // equal names the order counts: such an object stays as it is.
            sortable &= self.string(name);
            let name_end = self.out.len();
            self.value(scanner, spot.inside(name))?;
            self.members.push(Written { start, name_end, end: self.out.len() });
            Ok::<_, JsonError>(())
        })?;
        if sortable {
            self.sort(start, outer);
        }
        self.members.truncate(outer);
        self.out.push(END);
        Ok(())
    }

    /// Brings the members of one object, written from `start` on, into their order.
    fn sort(&mut self, start: usize, outer: usize) {
        let Self { out, members, spare } = self;
        let members = members.get_mut(outer..).unwrap_or_default();
        let name = |member: &Written| out.get(member.start..member.name_end).unwrap_or_default();
        if members.is_sorted_by(|a, b| name(a) <= name(b)) {
            return;
        }
        members.sort_unstable_by(|a, b| name(a).cmp(name(b)).then(a.start.cmp(&b.start)));
        spare.clear();
        for member in members {
            spare.extend_from_slice(out.get(member.start..member.end).unwrap_or_default());
        }
        out.truncate(start);
        out.extend_from_slice(spare);
    }

    /// Writes any value, in no more than [`SHORT`] bytes and a few for tag and length.
    pub(crate) fn value(&mut self, scanner: &mut Scanner<'_>, spot: Spot) -> Result<(), JsonError> {
        match scanner.kind()? {
            Kind::Object => {
                let start = self.out.len();
                self.object(scanner, spot)?;
                self.shorten(start, None);
            }
            Kind::Array => self.array(scanner, spot)?,
            Kind::String => {
                let text = scanner.string()?;
                self.string(text);
            }
            Kind::Number => self.number(scanner)?,
            Kind::Bool => {
                let tag = if scanner.boolean()? { TRUE } else { FALSE };
                self.out.push(tag);
            }
            Kind::Null => {
                scanner.null()?;
                self.out.push(NULL);
            }
        }
        Ok(())
    }

    fn array(&mut self, scanner: &mut Scanner<'_>, spot: Spot) -> Result<(), JsonError> {
        let start = self.out.len();
        // Boxed, since it is large and the stack holds one for each array that is open.
        let mut hasher: Option<Box<Hasher>> = None;
        self.out.push(ARRAY);
        scanner.array(|scanner, _| {
            // A list of places holds objects; a list within the list is none.
            let spot = if scanner.kind()? == Kind::Object { spot } else { Spot::Data };
            self.value(scanner, spot)?;
            if self.out.len() - start > BATCH {
                hasher.get_or_insert_default().update(self.out.get(start..).unwrap_or_default());
                self.out.truncate(start);
            }
            Ok::<_, JsonError>(())
        })?;
        self.out.push(END);
        self.shorten(start, hasher);
        Ok(())
    }

    /// Replaces an array or object, written from `start` on, by its hash if it is long. Its front may be in a
    /// hasher already.
    fn shorten(&mut self, start: usize, hasher: Option<Box<Hasher>>) {
        let written = self.out.get(start..).unwrap_or_default();
        let hash = match hasher {
            Some(mut hasher) => hasher.update(written).finalize(),
            None if written.len() > SHORT => blake3::hash(written),
            None => return,
        };
        self.out.truncate(start);
        self.out.push(LONG_VALUE);
        self.out.extend_from_slice(hash.as_bytes());
    }

    /// Writes a string, or a member's name. False if it has half a surrogate pair.
    fn string(&mut self, text: RawStr<'_>) -> bool {
        if !text.is_escaped() {
            self.bytes([text.raw(), ""].map(str::as_bytes));
            return true;
        }
        let mut resolved = mem::take(&mut self.spare);
        resolved.clear();
        resolved.reserve(text.raw().len());
        let is_text = escapes::resolve(text.raw(), &mut resolved);
        self.bytes([&resolved, b""]);
        self.spare = resolved;
        is_text
    }

    /// Writes a string of bytes that comes in two pieces.
    fn bytes(&mut self, [head, tail]: [&[u8]; 2]) {
        match u16::try_from(head.len() + tail.len()) {
            Ok(length) if usize::from(length) <= SHORT => {
                self.out.push(BYTES);
                self.out.extend_from_slice(&length.to_le_bytes());
                self.out.extend_from_slice(head);
                self.out.extend_from_slice(tail);
            }
            _ => {
                let hash = Hasher::new().update(head).update(tail).finalize();
                self.out.push(LONG_BYTES);
                self.out.extend_from_slice(hash.as_bytes());
            }
        }
    }

    fn number(&mut self, scanner: &mut Scanner<'_>) -> Result<(), JsonError> {
        // Nearly every number is a plain count, and a prompt may be a million token ids.
        if let Some(count) = scanner.digit_run().and_then(|count| i64::try_from(count).ok()) {
            self.integer(count);
            return Ok(());
        }
        let text = scanner.number()?;
        if let Some(integer) = json::integer(text) {
            self.integer(integer);
        } else if let Some(decimal) = Decimal::read(text) {
            self.out.push(if decimal.negative { NEGATIVE } else { POSITIVE });
            self.out.extend_from_slice(&decimal.exponent.to_le_bytes());
            self.bytes(decimal.digits.map(str::as_bytes));
        } else {
            self.out.push(UNREAD_NUMBER);
            self.bytes([text, ""].map(str::as_bytes));
        }
        Ok(())
    }

    fn integer(&mut self, value: i64) {
        self.out.push(INTEGER);
        self.out.extend_from_slice(&value.to_le_bytes());
    }
}
