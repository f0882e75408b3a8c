//! A tree without its secrets: a digest stands in the place of each, since a comparison wants no more.
//!
//! What is in force is kept as long as the process lives, and a secret is not to lie in its memory twice.

use crate::schema::{Kind, Shape};
use config::{Value, ValueKind};

/// `value` with a digest for each secret.
pub(super) fn sealed(shape: Shape<'_>, mut value: Value) -> Value {
    seal(shape, &mut value);
    value
}

fn seal(shape: Shape<'_>, value: &mut Value) {
    match &mut value.kind {
        ValueKind::Table(table) => {
            for (name, value) in table.iter_mut() {
                if let Some(inner) = shape.inside(name) {
                    seal(inner, value);
                }
            }
        }
        ValueKind::Array(items) => {
            if let Kind::List(inner) = shape.kind() {
                items.iter_mut().for_each(|item| seal(inner, item));
            }
        }
        ValueKind::String(text) if shape.is_secret() => {
            *text = blake3::hash(text.as_bytes()).to_hex().to_string();
        }
        _ => {}
    }
}
