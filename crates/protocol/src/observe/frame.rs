//! What the events of a stream have in common: nearly all of their bytes.
//!
//! From one piece of an answer to the next, some upstreams change nothing but the piece: vLLM's chunks, Anthropic's
//! deltas. An event that is the last one byte for byte, but for a plain string in that place, says what the last one
//! said, and need not be read as JSON again. Others number their events, or fill them up with noise (OpenAI); after a
//! few of those nothing is remembered any more. Which event makes a frame is the observer's to know.

use crate::json::RawStr;
use std::ops::Range;

/// Larger events are not remembered.
const MOST: usize = 2 << 10;
/// So many frames may fit nothing, one after the other, before no further one is made.
const TRIES: u8 = 8;

/// An event without its piece; empty at first, which is no event's.
#[derive(Debug, Clone, Default)]
pub(super) struct Frame {
    /// The event's name, then its data up to the piece, then its data behind the piece.
    bytes: Vec<u8>,
    name: usize,
    before: usize,
    /// Frames since one last fitted.
    unfit: u8,
}

impl Frame {
    /// The piece of an event that fits: a string without escapes that is not empty.
    pub(super) fn piece<'a>(&mut self, name: &str, data: &'a [u8]) -> Option<RawStr<'a>> {
        let piece = self.plain_piece(name, data)?;
        self.unfit = 0;
        Some(piece)
    }

    fn plain_piece<'a>(&self, name: &str, data: &'a [u8]) -> Option<RawStr<'a>> {
        let (own, rest) = self.bytes.split_at_checked(self.name)?;
        let (before, behind) = rest.split_at_checked(self.before)?;
        let piece = data.strip_prefix(before)?.strip_suffix(behind)?;
        // A frame has at least the quotes around its piece.
        if before.is_empty() || piece.is_empty() || own != name.as_bytes() {
            return None;
        }
        RawStr::plain(piece)
    }

    /// Remembers an event whose piece stands there.
    pub(super) fn keep(&mut self, name: &str, data: &[u8], piece: Range<usize>) {
        self.forget();
        let (Some(before), Some(behind)) = (data.get(..piece.start), data.get(piece.end..)) else { return };
        if self.unfit < TRIES && name.len().saturating_add(data.len()) <= MOST {
            self.unfit += 1;
            let parts = [name.as_bytes(), before, behind];
            self.bytes.reserve_exact(parts.iter().map(|part| part.len()).sum());
            parts.iter().for_each(|part| self.bytes.extend_from_slice(part));
            (self.name, self.before) = (name.len(), before.len());
        }
    }

    /// No event fits.
    pub(super) fn forget(&mut self) {
        self.bytes.clear();
        (self.name, self.before) = (0, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_fits_that_differs_in_its_piece_alone() {
        let mut frame = Frame::default();
        assert!(frame.piece("", br#"{"a":"x"}"#).is_none(), "nothing fits no frame");
        frame.keep("n", br#"{"a":"one","b":1}"#, 6..9);
        for (name, data, piece) in [
            ("n", r#"{"a":"two","b":1}"#, Some("two")),
            ("n", r#"{"a":"é","b":1}"#, Some("é")),
            ("n", r#"{"a":"","b":1}"#, None),
            ("n", r#"{"a":"x\n","b":1}"#, None),
            ("n", r#"{"a":"x","b":2,"c":"","b":1}"#, None),
            ("n", r#"{"a":"two","b":2}"#, None),
            ("n", r#"{"a":","b":1}"#, None),
            ("m", r#"{"a":"two","b":1}"#, None),
        ] {
            assert_eq!(frame.piece(name, data.as_bytes()).map(|piece| piece.raw()), piece, "{data}");
        }
        assert!(frame.piece("n", b"{\"a\":\"\xff\",\"b\":1}").is_none(), "that is no UTF-8");
    }

    #[test]
    fn where_no_frame_fits_none_is_made_any_more() {
        let event = |n: u8| format!(r#"{{"n":{n},"a":"x"}}"#);
        let keep = |frame: &mut Frame, n| {
            frame.keep("", event(n).as_bytes(), event(n).len() - 3..event(n).len() - 2);
        };
        let mut frame = Frame::default();
        for n in 0..TRIES {
            keep(&mut frame, n);
            assert!(frame.piece("", event(n + 1).as_bytes()).is_none());
        }
        keep(&mut frame, 77);
        assert!(frame.piece("", event(77).as_bytes()).is_none(), "given up");
        let mut frame = Frame::default();
        for n in 0..3 * TRIES {
            keep(&mut frame, n);
            assert!(frame.piece("", event(n).as_bytes()).is_some(), "{n}");
        }
    }

    #[test]
    fn large_events_make_no_frame() {
        let large = format!(r#"{{"a":"x","b":"{}"}}"#, "y".repeat(MOST));
        let mut frame = Frame::default();
        frame.keep("", br#"{"a":"one"}"#, 6..9);
        frame.keep("", large.as_bytes(), 6..7);
        assert!(frame.piece("", br#"{"a":"two"}"#).is_none());
        assert!(frame.piece("", large.as_bytes()).is_none());
    }
}
