//! The incremental decoder: bytes in as they arrive, whole events out.
//!
//! Owns finding where an event ends and reading its `event:` and `data:` lines. An event that lies within one
//! chunk is a slice of it; only an event that spans chunks is copied together. Each byte is looked at once
//! for line ends, so the work is linear however the stream is cut.

use std::ops::Range;

use bytes::{BufMut, Bytes, BytesMut};
use memchr::memchr2;

const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

/// One event, with the bytes it came as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Everything from the end of the event before to this one's blank line, comments included. All events'
    /// `raw` in a row are the stream, byte for byte.
    pub raw: Bytes,
    /// Value of the last `event:` line.
    pub name: Option<Bytes>,
    /// Values of the `data:` lines, joined by line feeds; `None` when there was no such line (comments, blank
    /// lines).
    pub data: Option<Bytes>,
}

/// An event is longer than the decoder's limit; the stream cannot be followed any further.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a stream event is longer than {limit} bytes")]
pub struct Oversize {
    /// The limit, in bytes.
    pub limit: usize,
}

/// Splits a byte stream into events. Push a chunk, then call [`Decoder::next`] until it has no more.
#[derive(Debug)]
pub struct Decoder {
    limit: usize,
    /// Start of an event that began in earlier chunks.
    carried: BytesMut,
    /// What is left of the newest chunk.
    chunk: Bytes,
    /// How far `chunk` has been searched for line ends.
    searched: usize,
    /// The line at `searched` has no bytes yet: a line end here closes the event.
    line_is_empty: bool,
    /// The last byte was a carriage return that ended a line: a line feed that follows belongs to it.
    after_cr: bool,
    /// No event has been read yet: a byte order mark may stand here.
    at_start: bool,
    failed: bool,
}

impl Decoder {
    /// A decoder that refuses events longer than `limit` bytes and never holds more than `limit` plus one
    /// chunk.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self {
            limit,
            carried: BytesMut::new(),
            chunk: Bytes::new(),
            searched: 0,
            line_is_empty: true,
            after_cr: false,
            at_start: true,
            failed: false,
        }
    }

    /// Adds what arrived next.
    pub fn push(&mut self, chunk: Bytes) {
        if self.failed {
            return;
        }
        if self.chunk.is_empty() {
            self.chunk = chunk;
        } else if self.searched == self.chunk.len() {
            self.carried.extend_from_slice(&self.chunk);
            self.chunk = chunk;
        } else {
            // The caller did not read all events first: allowed, but it costs a copy.
            let mut joined = BytesMut::with_capacity(self.chunk.len() + chunk.len());
            joined.extend_from_slice(&self.chunk);
            joined.extend_from_slice(&chunk);
            self.chunk = joined.freeze();
            return;
        }
        self.searched = 0;
    }

    /// The next whole event, or `None` when more bytes are needed. After [`Oversize`] there are no further
    /// events.
    ///
    /// An event that ends in a lone carriage return at a chunk's end is given out at once; should a line feed
    /// follow, it opens the next event's `raw`, where it is an empty line without meaning.
    #[expect(
        clippy::should_implement_trait,
        reason = "an iterator ends for good at `None`; this goes on after the next push"
    )]
    pub fn next(&mut self) -> Result<Option<Event>, Oversize> {
        if self.failed {
            return Err(Oversize { limit: self.limit });
        }
        let end = self.find_end();
        let length = self.carried.len() + end.unwrap_or(self.chunk.len());
        if length > self.limit {
            self.fail();
            return Err(Oversize { limit: self.limit });
        }
        let Some(end) = end else { return Ok(None) };
        let part = self.chunk.split_to(end);
        self.searched = 0;
        let raw = if self.carried.is_empty() {
            part
        } else {
            self.carried.extend_from_slice(&part);
            self.carried.split().freeze()
        };
        Ok(Some(self.read(raw)))
    }

    /// Bytes received since the last whole event.
    #[must_use]
    pub fn remainder(&self) -> usize {
        self.carried.len() + self.chunk.len()
    }

    /// Part of an event is held: a stream that ends here was cut. A line end alone is not part of one.
    #[must_use]
    pub fn is_mid_event(&self) -> bool {
        self.carried.iter().chain(self.chunk.iter()).any(|byte| !matches!(byte, b'\r' | b'\n'))
    }

    /// Index in `chunk` just past the blank line that closes the current event. Remembers how far it has
    /// looked.
    fn find_end(&mut self) -> Option<usize> {
        while let Some(rest) = self.chunk.get(self.searched..).filter(|rest| !rest.is_empty()) {
            if std::mem::take(&mut self.after_cr) && rest.first() == Some(&b'\n') {
                self.searched += 1;
                continue;
            }
            let Some(at) = line_length(rest) else {
                self.line_is_empty = false;
                self.searched = self.chunk.len();
                return None;
            };
            let blank = at == 0 && self.line_is_empty;
            let is_cr = rest.get(at) == Some(&b'\r');
            let with_lf = is_cr && rest.get(at + 1) == Some(&b'\n');
            self.after_cr = is_cr && !with_lf;
            self.searched += at + 1 + usize::from(with_lf);
            self.line_is_empty = true;
            if blank {
                return Some(self.searched);
            }
        }
        None
    }

    fn read(&mut self, raw: Bytes) -> Event {
        let marked = std::mem::take(&mut self.at_start) && raw.starts_with(BYTE_ORDER_MARK);
        let mut start = if marked { BYTE_ORDER_MARK.len() } else { 0 };
        let (mut name, mut data) = (None, None);
        while let Some(rest) = raw.get(start..).filter(|rest| !rest.is_empty()) {
            let length = line_length(rest).unwrap_or(rest.len());
            match field(&raw, start..start + length) {
                Field::Name(value) => name = Some(value),
                Field::Data(value) => data = Some(Data::add(data, value)),
                Field::Other => {}
            }
            // A CRLF counts as two line ends here; the empty line between them says nothing.
            start += length + 1;
        }
        Event { name, data: data.map(Data::into_bytes), raw }
    }

    fn fail(&mut self) {
        self.failed = true;
        self.carried = BytesMut::new();
        self.chunk = Bytes::new();
    }
}

/// One line, as far as it matters here.
enum Field {
    Name(Bytes),
    Data(Bytes),
    /// Comments, empty lines, `id:`, `retry:`, unknown fields.
    Other,
}

fn field(raw: &Bytes, line: Range<usize>) -> Field {
    let bytes = raw.get(line.clone()).unwrap_or_default();
    let value = |name| Some(raw.slice(line.end - value(bytes, name)?.len()..line.end));
    if let Some(data) = value(b"data") {
        Field::Data(data)
    } else if let Some(name) = value(b"event") {
        Field::Name(name)
    } else {
        Field::Other
    }
}

/// What a line says of the field `name`, if it is of that field. A name without a colon has an empty value.
fn value<'a>(line: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    match line.strip_prefix(name)? {
        [b':', b' ', value @ ..] | [b':', value @ ..] | value @ [] => Some(value),
        _ => None,
    }
}

/// The bytes before the next line end. Every event closes with an empty line, which is not worth a search.
fn line_length(rest: &[u8]) -> Option<usize> {
    match rest {
        [b'\n' | b'\r', ..] => Some(0),
        _ => memchr2(b'\n', b'\r', rest),
    }
}

/// The data lines of one event. Almost always there is one, and then nothing is copied.
enum Data {
    Line(Bytes),
    Lines(BytesMut),
}

impl Data {
    fn add(data: Option<Self>, value: Bytes) -> Self {
        let mut lines = match data {
            None => return Self::Line(value),
            Some(Self::Line(first)) => BytesMut::from(&first[..]),
            Some(Self::Lines(lines)) => lines,
        };
        lines.put_u8(b'\n');
        lines.extend_from_slice(&value);
        Self::Lines(lines)
    }

    fn into_bytes(self) -> Bytes {
        match self {
            Self::Line(line) => line,
            Self::Lines(lines) => lines.freeze(),
        }
    }
}

#[cfg(test)]
#[path = "decode_tests.rs"]
mod tests;
