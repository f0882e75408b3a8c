//! A request body, read once: where its top-level members stand, and the few facts that the gateway needs.
//!
//! The bytes are kept as they came; nothing is parsed into a tree and nothing is written again. Edits on the
//! way upstream are made with [`Splice`](crate::splice::Splice).

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

use bytes::Bytes;
use smallvec::SmallVec;

use crate::dialect::{self, Dialect, Profile, check};
pub use crate::fault::{BodyFault, SchemaFault};
use crate::json::{self, JsonError, Kind, RawStr, Scanner};

/// One member of an object, as byte ranges in the body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// The name with its quotes.
    pub name: Range<usize>,
    /// The value, without white space around it.
    pub value: Range<usize>,
}

/// A body that has passed its dialect's checks.
#[derive(Clone)]
pub struct Envelope {
    body: Bytes,
    dialect: Dialect,
    members: SmallVec<[Member; 12]>,
    /// Whether a member's name is written with escapes, so that its bytes alone do not tell it.
    escaped_names: bool,
    facts: Facts,
}

/// What the gateway wants to know of every request.
#[derive(Debug, Clone, Copy, Default)]
struct Facts {
    stream: bool,
    include_usage: Option<bool>,
    seed: Option<i64>,
    max_tokens: Option<i64>,
    samples: u64,
}

impl Envelope {
    /// Reads a body.
    ///
    /// # Errors
    /// It is not a clean JSON object, or departs from the dialect's schema; then with every departure.
    pub fn scan(body: Bytes, dialect: Dialect, profile: Profile) -> Result<Self, BodyFault> {
        if body.trim_ascii().is_empty() {
            let message = "the body is empty, expected an object".to_owned();
            return Err(BodyFault::Json { message, offset: 0 });
        }
        let mut members = SmallVec::new();
        let mut escaped_names = false;
        let mut facts = Facts::default();
        let mut scanner = Scanner::new(&body);
        let faults = check::check_body(&mut scanner, dialect::schema(dialect, profile), |name, value| {
            escaped_names |= name.is_escaped();
            facts.read(&name.decode(), body.get(value.clone()).unwrap_or_default());
            members.push(Member { name: name.range(), value });
        })?;
        scanner.finish()?;
        if !faults.is_empty() {
            return Err(BodyFault::Schema(faults));
        }
        Ok(Self { body, dialect, members, escaped_names, facts })
    }

    /// The same request without some of its members, in bytes of its own: whoever keeps it for the length of a
    /// stream does not keep a whole conversation for that.
    #[must_use]
    pub fn without(&self, names: &[&str]) -> Self {
        let kept =
            || self.members.iter().filter(|member| !names.iter().any(|name| self.is_called(member, name)));
        let size = kept().map(|member| member.name.len() + member.value.len() + 2).sum::<usize>();
        let mut body = Vec::with_capacity(size + 2);
        let mut members = SmallVec::new();
        for member in kept() {
            body.push(if members.is_empty() { b'{' } else { b',' });
            let name = copy(&mut body, self.bytes(&member.name));
            body.push(b':');
            let value = copy(&mut body, self.bytes(&member.value));
            members.push(Member { name, value });
        }
        body.extend_from_slice(if members.is_empty() { b"{}" } else { b"}" });
        Self { body: body.into(), members, ..*self }
    }

    /// The body as it came.
    #[must_use]
    pub fn body(&self) -> &Bytes {
        &self.body
    }

    /// The dialect that it was read as.
    #[must_use]
    pub fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// The top-level members in the order of the body.
    pub fn members(&self) -> impl Iterator<Item = &Member> {
        self.members.iter()
    }

    /// The top-level member that is called `name`, however that is spelled.
    #[must_use]
    pub fn member(&self, name: &str) -> Option<&Member> {
        self.members.iter().find(|member| self.is_called(member, name))
    }

    /// A member's name.
    pub(crate) fn name(&self, member: &Member) -> Option<RawStr<'_>> {
        self.string(&member.name)
    }

    /// The JSON text of a member's value.
    #[must_use]
    pub fn value(&self, name: &str) -> Option<&[u8]> {
        self.member(name).map(|member| self.bytes(&member.value))
    }

    /// The model that the client asked for.
    #[must_use]
    pub fn model(&self) -> Cow<'_, str> {
        let Some(Member { value, .. }) = self.member("model") else { return Cow::Borrowed("") };
        // Without escapes it need not be read.
        match self.bytes(value) {
            [b'"', name @ .., b'"'] if !name.contains(&b'\\') => {
                Cow::Borrowed(std::str::from_utf8(name).unwrap_or_default())
            }
            _ => self.string(value).map_or(Cow::Borrowed(""), |model| model.decode()),
        }
    }

    /// Whether the client wants a stream.
    #[must_use]
    pub fn stream(&self) -> bool {
        self.facts.stream
    }

    /// What the client said in `stream_options.include_usage`; absent and null are `None`.
    #[must_use]
    pub fn include_usage(&self) -> Option<bool> {
        self.facts.include_usage
    }

    /// The `seed`.
    #[must_use]
    pub fn seed(&self) -> Option<i64> {
        self.facts.seed
    }

    /// The most tokens that the answer may have: the larger, when several of `max_tokens`,
    /// `max_completion_tokens` and `max_output_tokens` are there.
    #[must_use]
    pub fn max_tokens(&self) -> Option<i64> {
        self.facts.max_tokens
    }

    /// How many answers the upstream makes of the prompt: the larger of `n` and `best_of`, at least 1.
    #[must_use]
    pub fn samples(&self) -> u64 {
        self.facts.samples.max(1)
    }

    fn is_called(&self, member: &Member, name: &str) -> bool {
        if self.escaped_names {
            return self.string(&member.name).is_some_and(|meant| meant == *name);
        }
        self.bytes(&(member.name.start + 1..member.name.end - 1)) == name.as_bytes()
    }

    fn bytes(&self, range: &Range<usize>) -> &[u8] {
        self.body.get(range.clone()).unwrap_or_default()
    }

    fn string(&self, range: &Range<usize>) -> Option<RawStr<'_>> {
        Scanner::new(self.bytes(range)).string().ok()
    }
}

impl Facts {
    /// Reads a member of the body; none comes twice.
    fn read(&mut self, name: &str, value: &[u8]) {
        match name {
            "stream" => self.stream = value == b"true",
            "stream_options" => self.include_usage = include_usage(value),
            "seed" => self.seed = integer(value),
            "n" | "best_of" => {
                let samples = integer(value).and_then(|samples| u64::try_from(samples).ok());
                self.samples = self.samples.max(samples.unwrap_or_default());
            }
            "max_tokens" | "max_completion_tokens" | "max_output_tokens" => {
                self.max_tokens = self.max_tokens.max(integer(value));
            }
            _ => {}
        }
    }
}

/// Shows the outline only: bodies hold prompts, and prompts are not logged.
impl fmt::Debug for Envelope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Envelope")
            .field("dialect", &self.dialect)
            .field("bytes", &self.body.len())
            .field("members", &self.members.len())
            .field("facts", &self.facts)
            .finish()
    }
}

/// Where it stands then.
fn copy(body: &mut Vec<u8>, bytes: &[u8]) -> Range<usize> {
    let start = body.len();
    body.extend_from_slice(bytes);
    start..body.len()
}

fn integer(value: &[u8]) -> Option<i64> {
    let is_number = matches!(value, [b'-' | b'0'..=b'9', ..]);
    std::str::from_utf8(value).ok().filter(|_| is_number).and_then(json::integer)
}

fn include_usage(options: &[u8]) -> Option<bool> {
    let mut include_usage = None;
    let read = Scanner::new(options).object(|scanner, name| {
        if name == "include_usage" && scanner.kind()? == Kind::Bool {
            include_usage = Some(scanner.boolean()?);
        }
        Ok::<_, JsonError>(())
    });
    read.ok().and(include_usage)
}

#[cfg(test)]
#[path = "envelope_tests.rs"]
mod tests;
