//! A stream that broke after the client had text, gone on with at another upstream so that the client does not see
//! the seam.
//!
//! ```text
//! eligible    which requests may be gone on with, and by which method
//! delivered   what the client has been given so far
//! appended    the body that asks for the rest of a text
//! seam        the new upstream's events, fitted to what the client has
//! chunk       one event's data, read once
//! border      how much of the delivered text has come again
//! head        the members that every chunk of a stream repeats
//! channels    the texts that an answer is made of
//! spent       token counts of an answer that two upstreams wrote
//! ```
//!
//! Owns what may be said to a client after a break; only completions and chat are known here. Whether to go on, with
//! which target and how often, is the caller's; so is what to do with events that report an error. Choices other
//! than the first, calls of tools, log probabilities and audio are never gone on with: a stream that has them ends
//! where it broke, because wrong text is worse than none.

mod appended;
mod border;
mod channels;
mod chunk;
mod delivered;
mod eligible;
mod head;
mod seam;
mod spent;

pub use appended::appended;
pub use delivered::{Delivered, MAX_TEXT};
pub use eligible::{may_append, may_repeat};
pub use seam::{Passed, Seam};

/// How another upstream is made to go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Method {
    /// It is given the prompt and the text so far ([`appended`]), and answers with the rest.
    Append,
    /// It is asked the very same again, and its answer has to begin with what the client already has.
    Repeat,
}

#[cfg(test)]
mod samples;
