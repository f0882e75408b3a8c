//! Values that are written as text with a shape of their own: durations, sizes, rates, shares, addresses, hashes.
//!
//! One [`Text`] implementation per shape serves three readers: the walker (a check with a message for people),
//! serde (the typed value) and the JSON schema (a pattern and an example for editors). Arithmetic is exact:
//! integers stay integers, an overflow is an error. No message ever repeats the value; whoever reports decides
//! whether it may be shown.

use crate::{
    codes::{self, Code},
    model::{Bytes, Expiry, KeyHash, Proxy, Rate, Ratio, Secret},
};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, de::Error};
use std::{borrow::Cow, marker::PhantomData, net::SocketAddr, time::Duration};

mod proxy;
mod units;
mod values;

pub(crate) use units::{Percentile, Room, Wait};
pub(crate) use values::{KindName, Name, SecretText};

/// Why a text is not of its shape.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Invalid {
    pub(crate) code: Code,
    /// Completes "`value` …", as in "is not a duration".
    pub(crate) message: String,
    pub(crate) help: String,
}

impl Invalid {
    fn new(code: Code, message: impl Into<String>, help: impl Into<String>) -> Self {
        Self { code, message: message.into(), help: help.into() }
    }

    fn value(message: impl Into<String>, help: impl Into<String>) -> Self {
        Self::new(codes::BAD_VALUE, message, help)
    }
}

/// A shape of text.
pub(crate) trait Text {
    /// What serde gets.
    type Value;
    /// Name of the shape, the schema's `x-text`.
    const NAME: &'static str;
    /// What the value is, for "a bare number where … is due".
    const WHAT: &'static str;
    /// Regular expression for editors; none where it would say nothing.
    const PATTERN: Option<&'static str>;
    /// Is it never to be shown?
    const SECRET: bool = false;
    /// A valid value.
    const EXAMPLE: &'static str;

    /// Reads it.
    fn parse(text: &str) -> Result<Self::Value, Invalid>;
}

/// What the walker knows of a shape.
pub(crate) struct Shape {
    pub(crate) name: &'static str,
    pub(crate) what: &'static str,
    pub(crate) check: fn(&str) -> Result<(), Invalid>,
    /// Do two valid texts mean the same?
    pub(crate) same: fn(&str, &str) -> bool,
}

const fn shape<T: Text<Value: PartialEq>>() -> Shape {
    Shape {
        name: T::NAME,
        what: T::WHAT,
        check: |text| T::parse(text).map(|_| ()),
        same: |one, other| matches!((T::parse(one), T::parse(other)), (Ok(one), Ok(other)) if one == other),
    }
}

static SHAPES: &[Shape] = &[
    shape::<Duration>(),
    shape::<Wait>(),
    shape::<Percentile>(),
    shape::<Bytes>(),
    shape::<Room>(),
    shape::<Rate>(),
    shape::<Ratio>(),
    shape::<KeyHash>(),
    shape::<Expiry>(),
    shape::<SocketAddr>(),
    shape::<ipnet::IpNet>(),
    shape::<Name>(),
    shape::<KindName>(),
    shape::<SecretText>(),
    shape::<Proxy>(),
];

/// Finds a shape by the schema's `x-text`.
pub(crate) fn shape_named(name: &str) -> Option<&'static Shape> {
    SHAPES.iter().find(|shape| shape.name == name)
}

/// Stands for a field that is written as `T`, in the schema only: `#[schemars(with = "As<Duration>")]`.
pub(crate) struct As<T>(PhantomData<T>);

impl<T: Text> JsonSchema for As<T> {
    fn schema_name() -> Cow<'static, str> {
        T::NAME.into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let mut schema = json_schema!({"type": "string", "x-text": T::NAME});
        if let Some(pattern) = T::PATTERN {
            // What is left to `${…}` is only known when the file is loaded.
            schema.insert("pattern".to_owned(), format!("^({pattern})$|\\$\\{{").into());
        }
        if T::SECRET {
            schema.insert("x-secret".to_owned(), true.into());
        }
        if ![Name::NAME, SecretText::NAME].contains(&T::NAME) {
            schema.insert("examples".to_owned(), vec![T::EXAMPLE].into());
        }
        schema
    }
}

/// Makes a model type readable by serde and known to the schema as its [`Text`].
macro_rules! text_type {
    ($($type:ty as $text:ty),+ $(,)?) => { $(
        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                required::<$text, D>(deserializer)
            }
        }

        impl JsonSchema for $type {
            fn schema_name() -> Cow<'static, str> {
                As::<$text>::schema_name()
            }

            fn inline_schema() -> bool {
                As::<$text>::inline_schema()
            }

            fn json_schema(generator: &mut SchemaGenerator) -> Schema {
                As::<$text>::json_schema(generator)
            }
        }
    )+ };
}

text_type!(
    Bytes as Bytes,
    Rate as Rate,
    Ratio as Ratio,
    KeyHash as KeyHash,
    Expiry as Expiry,
    Proxy as Proxy,
    Secret as SecretText
);

/// `#[serde(deserialize_with = "text::required::<Duration, _>")]`.
pub(crate) fn required<'de, T: Text, D: Deserializer<'de>>(deserializer: D) -> Result<T::Value, D::Error> {
    T::parse(&String::deserialize(deserializer)?).map_err(|invalid| D::Error::custom(invalid.message))
}

/// The same for an optional field; needs `#[serde(default)]` beside it.
pub(crate) fn optional<'de, T: Text, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<T::Value>, D::Error> {
    required::<T, D>(deserializer).map(Some)
}

#[cfg(test)]
#[path = "text_tests.rs"]
mod tests;
