//! The vocabulary of the tables: what a member may be, in the few words of JSON Schema that are needed.

use std::fmt;

use crate::json::{Kind, RawStr};

/// What is asked of an object's members.
#[derive(Debug)]
pub(crate) struct Schema {
    /// The members that are checked, in groups so that dialects can share some. Others may be anything.
    pub(crate) groups: &'static [&'static [Field]],
    /// Whether null is as good as leaving an optional member out.
    pub(crate) null_is_unset: bool,
}

impl Schema {
    /// The members that are checked, each with a number below 64.
    pub(crate) fn fields(&self) -> impl Iterator<Item = (u32, &'static Field)> {
        (0..).zip(self.groups.iter().copied().flatten())
    }

    /// The member of that name.
    pub(crate) fn field(&self, name: RawStr<'_>) -> Option<(u32, &'static Field)> {
        let mut number = 0;
        // In plain loops: a message's names are looked up here, and there may be thousands.
        for group in self.groups {
            for field in *group {
                if name == *field.name {
                    return Some((number, field));
                }
                number += 1;
            }
        }
        None
    }
}

/// One member and the values that it may have.
#[derive(Debug)]
pub(crate) struct Field {
    pub(crate) name: &'static str,
    pub(crate) required: bool,
    /// Carries the client's own text, which no error message repeats.
    pub(crate) content: bool,
    /// Any one of these; no two of the same kind.
    pub(crate) shapes: &'static [Shape],
}

/// A kind of value, with its limits.
#[derive(Debug)]
pub(crate) enum Shape {
    Boolean,
    String,
    /// A number without a fraction that fits in 64 bits, in any spelling.
    Integer,
    Number(Bounds),
    /// Items of any of these shapes (none listed: of any), and how many there must be at least.
    Array {
        items: &'static [Shape],
        min: usize,
    },
    /// An object whose members are checked.
    Object(&'static Schema),
    /// An object that is only passed on.
    AnyObject,
}

/// From where to where a number may go.
#[derive(Debug)]
pub(crate) struct Bounds {
    pub(crate) min: i64,
    /// Whether `min` itself is already outside.
    pub(crate) above_min: bool,
    pub(crate) max: i64,
}

impl Shape {
    pub(crate) fn is(&self, kind: Kind) -> bool {
        match self {
            Self::Boolean => kind == Kind::Bool,
            Self::String => kind == Kind::String,
            Self::Integer | Self::Number(_) => kind == Kind::Number,
            Self::Array { .. } => kind == Kind::Array,
            Self::Object(_) | Self::AnyObject => kind == Kind::Object,
        }
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Boolean => "boolean",
            Self::String => "string",
            Self::Integer => "integer",
            Self::Number(_) => "number",
            Self::Array { .. } => "array",
            Self::Object(_) | Self::AnyObject => "object",
        })
    }
}

pub(super) const BOOLEAN: &[Shape] = &[Shape::Boolean];
pub(super) const STRING: &[Shape] = &[Shape::String];
pub(super) const INTEGER: &[Shape] = &[Shape::Integer];
pub(super) const STRINGS: &[Shape] = &[Shape::Array { items: STRING, min: 0 }];
pub(super) const ANY_OBJECT: &[Shape] = &[Shape::AnyObject];

/// Text, several texts, token ids, or several lists of token ids.
pub(super) const TEXT_OR_TOKENS: &[Shape] = &[
    Shape::String,
    Shape::Array { items: &[Shape::String, Shape::Integer, Shape::Array { items: INTEGER, min: 0 }], min: 0 },
];

/// A number from `min` to `max`, both allowed.
pub(super) const fn between(min: i64, max: i64) -> Shape {
    Shape::Number(Bounds { min, above_min: false, max })
}

/// A number above `min` and up to `max`.
pub(super) const fn above(min: i64, max: i64) -> Shape {
    Shape::Number(Bounds { min, above_min: true, max })
}

pub(super) const fn required(name: &'static str, shapes: &'static [Shape]) -> Field {
    Field { name, required: true, content: false, shapes }
}

pub(super) const fn optional(name: &'static str, shapes: &'static [Shape]) -> Field {
    Field { name, required: false, content: false, shapes }
}

impl Field {
    /// Marks a member whose values are never repeated in an error.
    pub(super) const fn content(self) -> Self {
        Self { content: true, ..self }
    }
}

/// A schema in the open profile.
pub(super) const fn open(groups: &'static [&'static [Field]]) -> Schema {
    Schema { groups, null_is_unset: true }
}

/// What the gateway reads in every dialect, or sends on its own account. `seed` is read even where the vendor
/// has none: it is the handle of the cache.
pub(super) const SHARED: &[Field] = &[
    required("model", STRING),
    optional("stream", BOOLEAN),
    optional("stream_options", &[Shape::Object(&open(&[&[optional("include_usage", BOOLEAN)]]))]),
    optional("seed", INTEGER),
    optional("temperature", &[between(0, 2)]),
    optional("top_p", &[between(0, 1)]),
    optional("$schema", STRING),
];

/// How many tokens and answers OpenAI's two completion endpoints may make, and where they end.
pub(super) const LENGTH: &[Field] = &[
    optional("max_tokens", INTEGER),
    optional("max_completion_tokens", INTEGER),
    optional("n", INTEGER),
    optional("stop", &[Shape::String, Shape::Array { items: STRING, min: 0 }]),
];

/// At least one message, each with a role; what else a message holds is the upstream's to judge.
pub(super) const CONVERSATION: &[Shape] =
    &[Shape::Array { items: &[Shape::Object(&open(&[&[required("role", STRING)]]))], min: 1 }];
