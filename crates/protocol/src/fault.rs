//! Why a request body is refused, in words for the client. How it is told (status, error body) is decided in
//! [`problem`](crate::problem).

use crate::json::JsonError;

/// A body that is not taken. Shown, it is the sentence for the client.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BodyFault {
    /// The bytes are not one clean JSON object: empty, bad syntax, not UTF-8, a byte order mark, nested too
    /// deep, a name twice, something else than an object.
    #[error("invalid JSON: {message}")]
    Json {
        /// What is wrong, and at which byte.
        message: String,
        /// Byte offset into the body.
        offset: usize,
    },
    /// It is an object, but not one that the dialect allows: every fault, in the order of the body, the
    /// missing members of an object last.
    #[error("{}", summary(.0))]
    Schema(Vec<SchemaFault>),
}

impl From<JsonError> for BodyFault {
    fn from(error: JsonError) -> Self {
        Self::Json { message: error.to_string(), offset: error.offset }
    }
}

/// Names the first fault, since that is all that an SDK shows, and counts the others.
fn summary(faults: &[SchemaFault]) -> String {
    match faults {
        [] => "unexpected body".to_owned(),
        [only] => only.to_string(),
        [first, others @ ..] => format!("{first} (and {} more)", others.len()),
    }
}

/// One departure from the schema.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{location}: {message}")]
pub struct SchemaFault {
    /// Dotted path, origin first: `body`, `body.temperature`, `body.stop[1]`.
    pub location: String,
    /// What was expected, such as `expected number <= 2`.
    pub message: String,
    /// The value found, as the JSON text that was sent. Left out when it is longer than
    /// [`MAX_ECHO`](Self::MAX_ECHO) bytes (a cut text would not be JSON), when it is content (a prompt, a
    /// message), and for a missing member.
    pub value: Option<String>,
}

impl SchemaFault {
    /// The longest value that is shown, in bytes.
    pub const MAX_ECHO: usize = 256;
}
