//! JSON as it travels: one validating, zero-copy pull scanner on which everything else here is built.
//!
//! The scanner never builds a tree. It hands out byte ranges and text as written, so that what is forwarded
//! stays byte for byte what the sender wrote: member order, number spellings, escapes, white space.
//!
//! It accepts exactly the grammar of RFC 8259, and refuses three things that the grammar leaves open: a byte
//! order mark, nesting over [`MAX_DEPTH`], and text that is not UTF-8. Duplicate names are grammatical; who
//! gives names a meaning asks [`Names`]. Writing JSON is not done here.

mod error;
mod kind;
mod names;
mod number;
mod scanner;
mod stops;
mod string;

pub use error::{JsonError, JsonFault};
pub use kind::Kind;
pub use names::{MAX_MEMBERS, Names};
pub use number::{Number, integer};
pub use scanner::{MAX_DEPTH, Scanner};
pub(crate) use stops::Stops;
pub use string::RawStr;

/// Checks that `bytes` are one whole JSON document in UTF-8, and nothing else.
///
/// # Errors
/// The first fault, with its offset.
pub fn validate(bytes: &[u8]) -> Result<(), JsonError> {
    let mut scanner = Scanner::new(bytes);
    scanner.skip()?;
    scanner.finish()
}

/// Can a text stand between quotes as it is?
#[must_use]
pub(crate) fn is_plain(text: &str) -> bool {
    string::plain_prefix(text.as_bytes()) == text.len()
}

#[cfg(test)]
pub(crate) mod samples;

#[cfg(test)]
#[path = "json/grammar_tests.rs"]
mod tests;
