//! What can be wrong with a JSON text, in words that a client may read.

/// A fault in a JSON text and where it is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} at byte {offset}")]
pub struct JsonError {
    /// Byte offset into the text that the scanner was given.
    pub offset: usize,
    /// The fault.
    pub what: JsonFault,
}

/// The kinds of fault. None of them quotes a value, since a value may be somebody's prompt.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JsonFault {
    /// Something else should stand here; the words name it, as in "`:`" or "a value".
    #[error("expected {0}")]
    Expected(&'static str),
    /// The text ends inside a value, or is empty.
    #[error("unexpected end")]
    UnexpectedEnd,
    /// A byte below 0x20 inside a string.
    #[error("unescaped control character in a string")]
    ControlCharacter,
    /// A backslash followed by something that RFC 8259 does not list.
    #[error("unknown escape in a string")]
    BadEscape,
    /// A number that RFC 8259 does not allow, such as `01`, `1.` or `-`.
    #[error("malformed number")]
    BadNumber,
    /// The bytes are not UTF-8.
    #[error("text that is not UTF-8")]
    NotUtf8,
    /// The text starts with U+FEFF, which RFC 8259 forbids to send.
    #[error("a byte order mark, which JSON does not allow,")]
    ByteOrderMark,
    /// More than [`MAX_DEPTH`](super::MAX_DEPTH) objects and arrays inside one another.
    #[error("nesting deeper than {} levels", super::MAX_DEPTH)]
    TooDeep,
    /// A name that this object already has, shown as it was written.
    #[error("duplicate name \"{0}\"")]
    DuplicateName(Box<str>),
    /// More than [`MAX_MEMBERS`](super::MAX_MEMBERS) members in an object whose names are checked.
    #[error("more than {} members in one object", super::MAX_MEMBERS)]
    TooManyMembers,
}
