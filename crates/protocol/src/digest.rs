//! The digest of everything in a request body that can change the answer: the body's share of a cache key.
//!
//! Bodies that mean the same have the same digest, however they are written: order of members, white space,
//! escapes, spelling of numbers. Bodies that differ in anything else have different ones, unknown members
//! included; where the two aims conflict, a needless miss is the right price. What is left out stands in one
//! table, in `rules`; the canonical form is in `canonical`.
//!
//! The dialect, the target and the tenant are not part of it: the caller hashes them beside it.

mod canonical;
mod decimal;
mod escapes;
mod rules;

use std::fmt::Write;

use crate::envelope::Envelope;
use crate::json::{JsonError, Kind, Scanner};
pub(crate) use canonical::Canonical;
pub(crate) use rules::Spot;

/// The blake3-256 digest of what counts in a body.
#[must_use]
pub fn body_digest(call: &Envelope) -> [u8; 32] {
    let mut canonical = Canonical::for_body_of(call.body().len());
    match canonical.object(&mut Scanner::new(call.body()), Spot::Top(call.dialect())) {
        Ok(()) => canonical.finish(),
        // The envelope has read the whole body before. Were it not valid, only the very same bytes may match.
        Err(_) => *blake3::hash(call.body()).as_bytes(),
    }
}

/// The members of this body that do not count, as paths such as `stream` and `messages[0].cache_control`. For
/// people: it allocates.
#[must_use]
pub fn left_out(call: &Envelope) -> Vec<String> {
    let mut walk = Walk { path: String::new(), found: Vec::new() };
    // Valid, as above; a list for people may end early.
    let _ = walk.object(&mut Scanner::new(call.body()), Spot::Top(call.dialect()));
    walk.found
}

struct Walk {
    path: String,
    found: Vec<String>,
}

impl Walk {
    fn object(&mut self, scanner: &mut Scanner<'_>, spot: Spot) -> Result<(), JsonError> {
        scanner.object(|scanner, name| {
            let outside = self.path.len();
            let dot = if self.path.is_empty() { "" } else { "." };
            self.path.extend([dot, &name.decode()]);
            if spot.leaves_out(name, scanner)? {
                self.found.push(self.path.clone());
            } else if let inside @ Spot::Place(_) = spot.inside(name) {
                self.value(scanner, inside)?;
            }
            self.path.truncate(outside);
            Ok(())
        })
    }

    fn value(&mut self, scanner: &mut Scanner<'_>, spot: Spot) -> Result<(), JsonError> {
        match scanner.kind()? {
            Kind::Object => self.object(scanner, spot),
            Kind::Array => scanner.array(|scanner, index| {
                if scanner.kind()? == Kind::Object {
                    let outside = self.path.len();
                    // Writing to a string does not fail.
                    let _ = write!(self.path, "[{index}]");
                    self.object(scanner, spot)?;
                    self.path.truncate(outside);
                }
                Ok(())
            }),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
#[path = "digest/digest_tests.rs"]
mod tests;

#[cfg(test)]
#[path = "digest/equality_tests.rs"]
mod equality_tests;
