//! `traceparent`, as W3C Trace Context has it: what a client says of its trace, and what upstreams are told.
//!
//! Of a client the trace's id, its own span and the sampled flag are taken, nothing else: `tracestate` is for the
//! client's own vendors, and is neither read nor passed on. Whatever is not exactly a `traceparent` is as good as
//! none.

use super::ids::{SpanId, TraceId, value};
use crate::headers as names;
use http::{HeaderMap, HeaderValue};

/// The one flag of version 0: whoever called keeps the trace.
const SAMPLED: u8 = 1;

/// Where a request comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parent {
    /// The trace that it belongs to.
    pub trace: TraceId,
    /// The span that it was sent in.
    pub span: SpanId,
    /// Is the trace kept there?
    pub sampled: bool,
}

impl Parent {
    /// What a client's headers say; nothing where there are several.
    #[must_use]
    pub fn of(headers: &HeaderMap) -> Option<Self> {
        let mut values = headers.get_all(names::TRACEPARENT).iter();
        let value = values.next()?;
        if values.next().is_some() { None } else { Self::parse(value.as_bytes()) }
    }

    /// Reads a `traceparent`.
    #[must_use]
    pub fn parse(text: &[u8]) -> Option<Self> {
        let (head, rest) = text.split_at_checked(55)?;
        let version = value(head.get(..2)?, 2)?;
        // Later versions may say more, behind a dash; 255 is none.
        let whole = if version == 0 { rest.is_empty() } else { rest.is_empty() || rest.starts_with(b"-") };
        let dashes = [2, 35, 52].iter().all(|at| head.get(*at) == Some(&b'-'));
        if !whole || !dashes || version == 0xff {
            return None;
        }
        let flags = u8::try_from(value(head.get(53..)?, 2)?).ok()?;
        Some(Self {
            trace: TraceId::parse(head.get(3..35)?)?,
            span: SpanId::parse(head.get(36..52)?)?,
            sampled: flags & SAMPLED != 0,
        })
    }

    /// As a header.
    #[must_use]
    pub fn header(&self) -> Option<HeaderValue> {
        let mut text = [b'-'; 55];
        for (at, part) in [
            (0, &b"00"[..]),
            (3, &self.trace.hex()),
            (36, &self.span.hex()),
            (53, if self.sampled { b"01" } else { b"00" }),
        ] {
            text.get_mut(at..at + part.len())?.copy_from_slice(part);
        }
        HeaderValue::from_bytes(&text).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    #[test]
    fn a_parent_is_written_as_it_was_read() {
        for text in [GOOD, "00-00000000000000000000000000000001-0000000000000001-00"] {
            let parent = Parent::parse(text.as_bytes()).unwrap();
            assert_eq!(parent.header().unwrap(), text);
            assert_eq!(parent.sampled, text.ends_with("01"));
        }
    }

    #[test]
    fn a_later_version_is_read_as_far_as_it_is_known() {
        for text in [
            "cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-03-what-comes",
        ] {
            let parent = Parent::parse(text.as_bytes()).unwrap();
            assert_eq!(parent.header().unwrap(), GOOD, "{text}");
        }
    }

    #[test]
    fn whatever_is_not_exactly_a_parent_is_none() {
        for text in [
            "",
            "00",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-1",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01 ",
            " 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0g",
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
            "00-0af7651916cd43dd8448eb211c80319-cb7ad6b7169203331-01",
            "00_0af7651916cd43dd8448eb211c80319c_b7ad6b7169203331_01",
            "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01x",
        ] {
            assert_eq!(Parent::parse(text.as_bytes()), None, "{text:?}");
        }
    }

    #[test]
    fn two_parents_are_none() {
        let mut headers = HeaderMap::new();
        headers.append(names::TRACEPARENT, HeaderValue::from_static(GOOD));
        assert!(Parent::of(&headers).is_some());
        headers.append(names::TRACEPARENT, HeaderValue::from_static(GOOD));
        assert_eq!(Parent::of(&headers), None);
    }
}
