//! An entry as bytes, for a store that other processes write to as well.
//!
//! Whatever stands there is checked before any of it is believed: what was cut, changed, written by another
//! version or filed under another entry's key is a miss. The checksum finds damage; it is not a signature.
//!
//! ```text
//!   0   4  magic, "SLUC"
//!   4   1  format version
//!   5  32  blake3 of every other byte
//!  37   8  length of the record
//!  45  32  cache key
//!  77   1  flags: 1 stream, 2 compressed, 4 usage known
//!  78   1  dialect
//!  79  32  generation: all, tenant, model, key
//! 111   8  life granted, in milliseconds
//! 119   8  length of the body as the upstream sent it
//! 127      provider, upstream model, tenant, key, model: each a length (8) and UTF-8
//!          if usage is known: input, output, cache read, cache write, of it for an hour, reasoning (8 each)
//!          number of usage events (8), and for each where it starts and ends in the body (8 each)
//!          the body: as it was, or one LZ4 block
//! ```
//!
//! Numbers are little-endian.

pub use crate::telemetry::labels::InvalidEntry as Invalid;

use crate::cache::{
    entry::{Entry, Form, Giver, Tags},
    key::CacheKey,
};
use bytes::Bytes;
use lz4_flex::block;
use sluice_protocol::{dialect::Dialect, usage::Usage};
use smallvec::SmallVec;
use std::{
    borrow::Cow,
    ops::Range,
    sync::Arc,
    time::{Duration, Instant},
};

const MAGIC: &[u8; 4] = b"SLUC";

/// To be raised with every change of the layout; records of other versions are misses.
pub const VERSION: u8 = 2;

/// Bodies from this size on are worth compressing: 16 KiB.
pub const COMPRESS_FROM: usize = 16 * 1024;

/// Room for everything but the body. A record that is larger than this and the body's limit is not even hashed.
const ROOM: usize = 64 * 1024;

const STREAM: u8 = 1;
const COMPRESSED: u8 = 2;
const USAGE: u8 = 4;

/// Writes an entry down. A body of at least `compress_from` bytes is compressed when that makes it smaller.
#[must_use]
pub fn seal(key: &CacheKey, entry: &Entry, compress_from: usize) -> Vec<u8> {
    let body = packed(&entry.body, compress_from);
    let mut rest = Vec::with_capacity(body.len().saturating_add(512));
    rest.extend_from_slice(key.as_bytes());
    let mut flags = 0;
    if entry.form == Form::Stream {
        flags |= STREAM;
    }
    if matches!(body, Cow::Owned(_)) {
        flags |= COMPRESSED;
    }
    if entry.usage.is_some() {
        flags |= USAGE;
    }
    rest.extend_from_slice(&[flags, number_of(entry.dialect)]);
    for generation in entry.generation {
        put(&mut rest, generation);
    }
    put(&mut rest, u64::try_from(entry.ttl.as_millis()).unwrap_or(u64::MAX));
    put_length(&mut rest, entry.body.len());
    let tags = &entry.tags;
    for name in [&entry.provider, &entry.model, &tags.tenant, &tags.key, &tags.model] {
        put_length(&mut rest, name.len());
        rest.extend_from_slice(name.as_bytes());
    }
    if let Some(usage) = entry.usage {
        let Usage { input, output, cache_read, cache_write, cache_write_long, reasoning } = usage;
        for count in [input, output, cache_read, cache_write, cache_write_long, reasoning] {
            put(&mut rest, count);
        }
    }
    put_length(&mut rest, entry.usage_events.len());
    for event in &entry.usage_events {
        put_length(&mut rest, event.start);
        put_length(&mut rest, event.end);
    }
    rest.extend_from_slice(&body);
    framed(&rest)
}

/// Reads an entry that was found under `key`. `left` is the rest of its life by the store's word; `limit` bounds
/// the body, and with it everything that is allocated here. An uncompressed body is a slice of `bytes`.
///
/// # Errors
/// When any of it is not as [`seal`] wrote it for this key.
pub fn open(
    key: &CacheKey,
    bytes: &Bytes,
    now: Instant,
    left: Duration,
    limit: usize,
) -> Result<Entry, Invalid> {
    if bytes.len() > limit.saturating_add(ROOM) {
        return Err(Invalid::TooLarge);
    }
    let mut reader = Reader { rest: unframed(bytes)? };
    if reader.array::<32>()? != key.as_bytes() {
        return Err(Invalid::Binding);
    }
    let [flags, dialect] = *reader.array::<2>()?;
    // A bit or a number from a later version: what it means for the rest cannot be known.
    if flags & !(STREAM | COMPRESSED | USAGE) != 0 {
        return Err(Invalid::Version);
    }
    let dialect = dialect_of(dialect).ok_or(Invalid::Version)?;
    let generation = [reader.number()?, reader.number()?, reader.number()?, reader.number()?];
    let ttl = Duration::from_millis(reader.number()?);
    let length = reader.length()?;
    if length > limit {
        return Err(Invalid::TooLarge);
    }
    let (provider, model): (Arc<str>, Arc<str>) = (reader.name()?.into(), reader.name()?.into());
    let tags =
        Tags { tenant: reader.name()?.into(), key: reader.name()?.into(), model: reader.name()?.into() };
    let usage = if flags & USAGE == 0 { None } else { Some(reader.usage()?) };
    let usage_events = reader.ranges(length)?;
    let stored = bytes.slice_ref(reader.rest);
    let body = if flags & COMPRESSED == 0 { stored } else { unpacked(&stored, length)? };
    if body.len() != length {
        return Err(Invalid::Version);
    }
    Ok(Entry {
        form: if flags & STREAM == 0 { Form::Plain } else { Form::Stream },
        dialect,
        body,
        usage_events,
        usage,
        prompt_tokens: None,
        giver: Giver::new(&provider, &model),
        provider,
        model,
        tags,
        generation,
        ttl,
        born: now.checked_sub(ttl.saturating_sub(left)).unwrap_or(now),
    })
}

/// Puts the head before what follows the record's length.
fn framed(rest: &[u8]) -> Vec<u8> {
    let head = MAGIC.len() + 1 + blake3::OUT_LEN + size_of::<u64>();
    let mut record = Vec::with_capacity(head.saturating_add(rest.len()));
    record.extend_from_slice(MAGIC);
    record.push(VERSION);
    let mut length = Vec::with_capacity(size_of::<u64>());
    put_length(&mut length, record.capacity());
    record.extend_from_slice(checksum(&length, rest).as_bytes());
    record.extend_from_slice(&length);
    record.extend_from_slice(rest);
    record
}

/// What follows the record's length, once the whole record is known to be sound.
fn unframed(record: &[u8]) -> Result<&[u8], Invalid> {
    let mut reader = Reader { rest: record };
    if reader.array::<4>()? != MAGIC || *reader.array::<1>()? != [VERSION] {
        return Err(Invalid::Version);
    }
    let sum = *reader.array::<32>()?;
    let length = *reader.array::<8>()?;
    if u64::from_le_bytes(length) > u64::try_from(record.len()).unwrap_or(u64::MAX) {
        return Err(Invalid::Cut);
    }
    // The comparison is in constant time, which nothing here needs: it is how the hash type compares.
    if checksum(&length, reader.rest) != blake3::Hash::from_bytes(sum) {
        return Err(Invalid::Checksum);
    }
    Ok(reader.rest)
}

/// Of every byte but itself; the version is what `MAGIC` and `VERSION` say, or it would not have come this far.
fn checksum(length: &[u8], rest: &[u8]) -> blake3::Hash {
    blake3::Hasher::new().update(MAGIC).update(&[VERSION]).update(length).update(rest).finalize()
}

/// The body as it is stored: owned when it was compressed.
fn packed(body: &[u8], compress_from: usize) -> Cow<'_, [u8]> {
    if body.len() < compress_from {
        return Cow::Borrowed(body);
    }
    let packed = block::compress(body);
    if packed.len() < body.len() { Cow::Owned(packed) } else { Cow::Borrowed(body) }
}

/// `length` is known to be within the limit.
fn unpacked(stored: &[u8], length: usize) -> Result<Bytes, Invalid> {
    let mut body = vec![0; length];
    let filled = block::decompress_into(stored, &mut body).map_err(|_| Invalid::Version)?;
    body.truncate(filled);
    Ok(Bytes::from(body))
}

/// The dialect on the wire. Never to be renumbered without a new [`VERSION`].
const fn number_of(dialect: Dialect) -> u8 {
    match dialect {
        Dialect::Completions => 1,
        Dialect::Chat => 2,
        Dialect::Embeddings => 3,
        Dialect::Responses => 4,
        Dialect::Messages => 5,
        Dialect::CountTokens => 6,
    }
}

fn dialect_of(number: u8) -> Option<Dialect> {
    Dialect::ALL.into_iter().find(|dialect| number_of(*dialect) == number)
}

fn put(record: &mut Vec<u8>, number: u64) {
    record.extend_from_slice(&number.to_le_bytes());
}

fn put_length(record: &mut Vec<u8>, length: usize) {
    put(record, u64::try_from(length).unwrap_or(u64::MAX));
}

/// What has not been read yet.
struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    fn array<const N: usize>(&mut self) -> Result<&'a [u8; N], Invalid> {
        let (array, rest) = self.rest.split_first_chunk().ok_or(Invalid::Cut)?;
        self.rest = rest;
        Ok(array)
    }

    fn number(&mut self) -> Result<u64, Invalid> {
        self.array().map(|number| u64::from_le_bytes(*number))
    }

    /// A length; nothing is allocated on its word alone.
    fn length(&mut self) -> Result<usize, Invalid> {
        usize::try_from(self.number()?).map_err(|_| Invalid::TooLarge)
    }

    fn name(&mut self) -> Result<String, Invalid> {
        let length = self.length()?;
        let (name, rest) = self.rest.split_at_checked(length).ok_or(Invalid::Cut)?;
        self.rest = rest;
        String::from_utf8(name.to_vec()).map_err(|_| Invalid::Version)
    }

    fn usage(&mut self) -> Result<Usage, Invalid> {
        Ok(Usage {
            input: self.number()?,
            output: self.number()?,
            cache_read: self.number()?,
            cache_write: self.number()?,
            cache_write_long: self.number()?,
            reasoning: self.number()?,
        })
    }

    /// Ranges that can be cut out of a body of `length` bytes one after the other.
    fn ranges(&mut self, length: usize) -> Result<SmallVec<[Range<usize>; 1]>, Invalid> {
        let mut ranges = SmallVec::new();
        let mut free = 0;
        for _ in 0..self.length()? {
            let range = self.length()?..self.length()?;
            if range.start < free || range.is_empty() || range.end > length {
                return Err(Invalid::Version);
            }
            free = range.end;
            ranges.push(range);
        }
        Ok(ranges)
    }
}

#[cfg(test)]
#[path = "record_tests.rs"]
mod tests;
