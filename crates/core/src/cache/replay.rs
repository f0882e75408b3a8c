//! A stored answer in the form in which a client asked for it.
//!
//! In its own form it goes out byte for byte. In the other one it is converted (`sluice_protocol::replay`), and
//! what cannot be converted without loss is not given at all.

use crate::cache::entry::{Entry, Form};
use bytes::Bytes;
use sluice_protocol::{Dialect, replay};
use smallvec::SmallVec;
use std::ops::Range;

/// Slices of an answer that go out one after the other.
pub type Slices = SmallVec<[Bytes; 2]>;

/// The answer for a client who wants it plain or as a stream, with usage in the stream or without. `None` when
/// the entry cannot serve that client.
#[must_use]
pub fn slices(entry: &Entry, stream: bool, wants_usage: bool) -> Option<Slices> {
    match (&entry.form, stream) {
        (Form::Plain, false) => Some(SmallVec::from_iter([entry.body.clone()])),
        // The client asked for usage, and this stream has none to give.
        (Form::Stream, true) if wants_usage && lacks_usage(entry) => None,
        (Form::Stream, true) => {
            Some(without(&entry.body, if wants_usage { &[] } else { &entry.usage_events }))
        }
        (Form::Stream, false) => {
            let plain = replay::to_plain(entry.dialect, &entry.body).ok()?;
            Some(SmallVec::from_iter([Bytes::from(plain)]))
        }
        (Form::Plain, true) => {
            let replayed = replay::to_stream(entry.dialect, &entry.body).ok()?;
            let usage = replayed.usage.filter(|_| !wants_usage);
            Some(without(&Bytes::from(replayed.events), usage.as_slice()))
        }
    }
}

/// In these dialects a stream tells usage only when it was asked to.
fn lacks_usage(entry: &Entry) -> bool {
    matches!(entry.dialect, Dialect::Completions | Dialect::Chat) && entry.usage.is_none()
}

/// `body` without some parts of it, in order.
fn without(body: &Bytes, parts: &[Range<usize>]) -> Slices {
    let mut slices = Slices::new();
    let mut from = 0;
    for part in parts {
        slices.extend((part.start > from).then(|| body.slice(from..part.start)));
        from = part.end;
    }
    slices.extend((from < body.len()).then(|| body.slice(from..)));
    slices
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cache::entry::tests::entry;

    /// Does the slice lie within the stored bytes?
    fn shares(slice: &Bytes, entry: &Entry) -> bool {
        let stored = entry.body.as_ptr_range();
        stored.contains(&slice.as_ptr())
    }

    #[test]
    fn a_hit_in_its_own_form_is_slices_of_the_stored_bytes() {
        let plain = entry(b"{}");
        let slices = slices(&plain, false, false).unwrap();
        assert!(slices.len() == 1 && slices.iter().all(|slice| shares(slice, &plain)));

        let mut stream = entry(b"data: a\n\ndata: usage\n\ndata: [DONE]\n\n");
        stream.form = Form::Stream;
        stream.usage_events.push(9..22);
        let with = super::slices(&stream, true, true).unwrap();
        assert!(with.len() == 1 && with.iter().all(|slice| shares(slice, &stream)));
        let without = super::slices(&stream, true, false).unwrap();
        assert!(without.len() == 2 && without.iter().all(|slice| shares(slice, &stream)));
        assert_eq!(without.concat(), b"data: a\n\ndata: [DONE]\n\n");
    }
}
