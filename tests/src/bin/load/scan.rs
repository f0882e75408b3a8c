//! Counts the events of a stream and reads the send times that the mock stamps into them.

use memchr::{memchr, memmem};

/// `"t=` and 20 digits: nanoseconds at which the mock sent the chunk.
const STAMP: &[u8] = b"\"t=";
const DIGITS: usize = 20;

/// A line scanner over decoded SSE bytes in any split.
#[derive(Default)]
pub(crate) struct Scan {
    line: Vec<u8>,
    pub(crate) events: u64,
}

impl Scan {
    /// Reads bytes and hands every stamp to `on`.
    pub(crate) fn feed(&mut self, bytes: &[u8], mut on: impl FnMut(u64)) {
        self.line.extend_from_slice(bytes);
        let mut from = 0;
        while let Some(length) = memchr(b'\n', &self.line[from..]) {
            let line = &self.line[from..from + length];
            if line.starts_with(b"data:") {
                self.events += 1;
                if let Some(sent) = stamp(line) {
                    on(sent);
                }
            }
            from += length + 1;
        }
        self.line.drain(..from);
    }
}

fn stamp(line: &[u8]) -> Option<u64> {
    let at = memmem::find(line, STAMP)? + STAMP.len();
    std::str::from_utf8(line.get(at..at + DIGITS)?).ok()?.parse().ok()
}
