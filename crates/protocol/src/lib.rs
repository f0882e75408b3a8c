//! The pure half of Sluice: everything about the wire formats that can be said without a socket.
//!
//! ```text
//! json            scanner over raw bytes: names, ranges, exact numbers
//! lenient         readers that pass over an upstream's odd types
//! raw             objects taken apart and written again, each value as its exact text
//! dialect         what clients speak, and the tables that a body is checked against
//! envelope        one scan of a request body: members, facts, faults
//! digest          what of a request can change its answer, as 256 bits
//! cacheable       what speaks for and against a stored answer
//! affinity        what requests have in common that should meet the same upstream
//! features        what a request needs of its target
//! kept            what a request builds on at its upstream, or leaves there
//! fault           why a body is refused
//! splice          edits on raw bytes; every other byte stays
//! sse             event streams, cut at any byte and put together again
//! observe         what answers say as they pass: usage, content, how they end
//! fitness         whether an answer may be kept and given again
//! replay          a kept answer for both kinds of clients: stream to plain, plain to stream
//! resume          a stream that broke, gone on with at another upstream without a seam
//! price           what tokens cost
//! tokens          how many a prompt will have, before anybody has counted
//! usage           token counts, brought to one meaning
//! provider        kinds of upstreams, presets, and the body that goes there
//! upstream_error  what went wrong there, cleaned for the client, and when to ask again
//! canonical       what requests and answers say, in no dialect
//! translate       from one dialect to another, through the middle form
//! capability      what is known of models and of those who serve them
//! problem         error bodies in each dialect
//! ```
//!
//! No I/O here: no socket, no clock, no environment, no randomness, no async. What depends on them is in
//! `sluice-core`; what comes from a file is in `sluice-config`.

pub mod affinity;
pub mod cacheable;
mod canonical;
pub mod capability;
pub mod dialect;
pub mod digest;
pub mod envelope;
mod fault;
pub mod features;
pub mod fitness;
pub mod json;
pub mod kept;
mod lenient;
pub mod observe;
pub mod price;
pub mod problem;
pub mod provider;
mod raw;
pub mod replay;
pub mod resume;
pub mod splice;
pub mod sse;
pub mod tokens;
pub mod translate;
pub mod upstream_error;
pub mod usage;

pub use cacheable::{Obstacle, Repeatable};
pub use dialect::{Dialect, Profile};
pub use digest::body_digest;
pub use envelope::{Envelope, Member};
pub use fault::{BodyFault, SchemaFault};
pub use features::{Feature, Needs};
pub use observe::{Facts, Finish, ReplyFault, StreamObserver, Verdict, observe_reply};
pub use problem::{ErrorType, Problem};
pub use splice::{Segments, Splice};
pub use upstream_error::retry::RetryHint;
pub use usage::Usage;
