//! An incremental reader of HTTP/1.1 chunked bodies.
//!
//! Shared by the raw client and (by path) the load generator, which does not link the rest of the harness.

/// Where the reader stands.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum State {
    #[default]
    Size,
    Extension,
    Data,
    AfterData,
    Trailer,
    Done,
}

/// Takes encoded bytes in any split and hands out the data between the chunk heads.
#[derive(Debug, Default)]
pub struct Chunked {
    state: State,
    left: usize,
    line: usize,
}

impl Chunked {
    /// True after the last chunk and its trailer.
    #[must_use]
    pub fn done(&self) -> bool {
        self.state == State::Done
    }

    /// Reads `input`, hands data to `on`, and returns how many bytes belonged to this body.
    ///
    /// # Errors
    /// When a chunk head is not a hexadecimal size.
    pub fn feed(&mut self, input: &[u8], mut on: impl FnMut(&[u8])) -> Result<usize, &'static str> {
        let mut at = 0;
        while at < input.len() && !self.done() {
            if self.state == State::Data {
                let n = self.left.min(input.len() - at);
                on(&input[at..at + n]);
                at += n;
                self.left -= n;
                if self.left == 0 {
                    self.state = State::AfterData;
                }
            } else {
                self.control(input[at])?;
                at += 1;
            }
        }
        Ok(at)
    }

    fn control(&mut self, byte: u8) -> Result<(), &'static str> {
        match (self.state, byte) {
            (State::Size | State::Extension, b'\n') => {
                self.line = 0;
                self.state = if self.left == 0 { State::Trailer } else { State::Data };
            }
            (State::Size, b'\r' | b';' | b' ') => self.state = State::Extension,
            (State::Size, _) => {
                let digit = char::from(byte).to_digit(16).ok_or("bad chunk size")?;
                self.left = (self.left << 4) | digit as usize;
            }
            (State::AfterData, b'\n') => self.state = State::Size,
            (State::Trailer, b'\n') if self.line == 0 => self.state = State::Done,
            (State::Trailer, b'\n') => self.line = 0,
            (State::Trailer, b'\r') => {}
            (State::Trailer, _) => self.line += 1,
            (State::Extension | State::AfterData | State::Data | State::Done, _) => {}
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::Chunked;

    #[test]
    fn any_split_reads_the_same() {
        let wire = b"4;x=y\r\nWiki\r\n5\r\npedia\r\n0\r\nTrailer: 1\r\n\r\nnext";
        for split in 0..wire.len() {
            let (mut reader, mut data, mut used) = (Chunked::default(), Vec::new(), 0);
            for part in [&wire[..split], &wire[split..]] {
                used += reader.feed(part, |piece| data.extend_from_slice(piece)).unwrap();
            }
            assert!(reader.done());
            assert_eq!((data.as_slice(), used), (&b"Wikipedia"[..], wire.len() - 4));
        }
    }
}
