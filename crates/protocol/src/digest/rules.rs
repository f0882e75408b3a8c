//! Which members do not count, and where: the one table of exclusions.
//!
//! An exclusion holds where the dialect gives the name its meaning. Inside a tool's schema, metadata, arguments
//! and unknown members the same name is the client's own data, and counts.

use crate::dialect::places::{self, Place, places};
use crate::dialect::{self, Dialect, Profile};
use crate::json::{JsonError, Kind, RawStr, Scanner};

/// A row of the table.
struct Exclusion {
    name: Name,
    /// Holds at top level.
    top: bool,
    /// Holds in messages, parts, blocks and tools.
    places: bool,
    value: Value,
}

enum Name {
    Is(&'static str),
    StartsWith(&'static str),
}

/// The values that are left out.
enum Value {
    Any,
    NullOrFalse,
}

const fn top(name: &'static str) -> Exclusion {
    Exclusion { name: Name::Is(name), top: true, places: false, value: Value::Any }
}

static EXCLUSIONS: &[Exclusion] = &[
    // One entry serves both ways of asking: a stream is made from a plain answer, and the other way round.
    top("stream"),
    top("stream_options"),
    // For tracing and abuse reports: no influence on sampling.
    top("user"),
    top("safety_identifier"),
    top("metadata"),
    // Hints on what the upstream may keep of the prompt: another bill, the same answer.
    Exclusion { places: true, ..top("cache_control") },
    Exclusion { name: Name::StartsWith("prompt_cache_"), ..top("") },
    Exclusion { top: false, places: true, ..top("prompt_cache_breakpoint") },
    // Price and speed only.
    top("service_tier"),
    top("speed"),
    // Asks for nothing when it is off; any other value is a side effect, and counts.
    Exclusion { value: Value::NullOrFalse, ..top("store") },
    // A note for editors, which never goes upstream.
    top("$schema"),
];

impl Name {
    #[inline]
    fn matches(&self, name: &str) -> bool {
        match self {
            Self::Is(whole) => name == *whole,
            Self::StartsWith(front) => name.starts_with(front),
        }
    }
}

/// Where an object stands, as far as that decides which of its members count.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Spot {
    /// It is the body.
    Top(Dialect),
    /// A message, part, block or tool.
    Place(&'static Place),
    /// The client's own data: every member counts.
    Data,
}

impl Spot {
    /// Where a member's value stands.
    #[inline]
    pub(super) fn inside(self, name: RawStr<'_>) -> Self {
        let place = match self {
            Self::Top(dialect) => places::find(places(dialect), name),
            Self::Place(place) => place.inside(name),
            Self::Data => None,
        };
        place.map_or(Self::Data, Self::Place)
    }

    /// Whether a member does not count. The scanner stands at its value, and stays there.
    #[inline]
    pub(super) fn leaves_out(self, name: RawStr<'_>, scanner: &mut Scanner<'_>) -> Result<bool, JsonError> {
        let at_top = match self {
            Self::Data => return Ok(false),
            Self::Place(_) => false,
            Self::Top(dialect) => {
                if scanner.kind()? == Kind::Null && null_is_unset(dialect, name) {
                    return Ok(true);
                }
                true
            }
        };
        let name = name.decode();
        let row = EXCLUSIONS.iter().find(|row| {
            let holds = if at_top { row.top } else { row.places };
            holds && row.name.matches(&name)
        });
        Ok(match row.map(|row| &row.value) {
            None => false,
            Some(Value::Any) => true,
            Some(Value::NullOrFalse) => match scanner.kind()? {
                Kind::Null => true,
                Kind::Bool => !scanner.clone().boolean()?,
                _ => false,
            },
        })
    }
}

/// Whether null says no more than leaving the member out. Of a member that no table knows, nobody can tell.
fn null_is_unset(dialect: Dialect, name: RawStr<'_>) -> bool {
    let schema = dialect::schema(dialect, Profile::Open);
    schema.null_is_unset && schema.field(name).is_some_and(|(_, field)| !field.required)
}
