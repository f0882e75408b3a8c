//! The kinds of value, and the signs by which the two that hold others are known.

/// What a value is, told by its first byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `{…}`
    Object,
    /// `[…]`
    Array,
    /// `"…"`
    String,
    /// `-12.5e3`
    Number,
    /// `true` or `false`
    Bool,
    /// `null`
    Null,
}

/// The signs of a container, and the words for what is missing.
#[derive(Debug)]
pub(super) struct Container {
    pub(super) opening: u8,
    pub(super) closing: u8,
    /// Whether each item has a name before it.
    pub(super) named: bool,
    /// What to call it.
    pub(super) what: &'static str,
    /// What may stand behind an item.
    pub(super) next: &'static str,
}

pub(super) const OBJECT: Container =
    Container { opening: b'{', closing: b'}', named: true, what: "an object", next: "`,` or `}`" };
pub(super) const ARRAY: Container =
    Container { opening: b'[', closing: b']', named: false, what: "an array", next: "`,` or `]`" };
