//! Holds an object against its table while the scanner passes over it, and notes every fault.
//!
//! Faults do not stop the reading: a client hears of all of them at once. The words are those of the Huma
//! framework, which the contract's own servers use.

use std::fmt;
use std::ops::Range;

use super::schema::{Bounds, Field, Schema, Shape};
use crate::fault::SchemaFault;
use crate::json::{JsonError, Kind, Names, Number, RawStr, Scanner, integer};

/// So many faults are told of one array; a million wrong items say no more than a few.
const MAX_ITEM_FAULTS: usize = 16;

/// Where a value stands, told from the inside out; it is written down only for a fault.
#[derive(Clone, Copy)]
enum Path<'p> {
    Body,
    Member(&'p Path<'p>, &'static Field),
    Item(&'p Path<'p>, usize),
}

impl Path<'_> {
    /// Whether what stands here is the client's own text.
    fn is_content(&self) -> bool {
        match self {
            Self::Body => false,
            Self::Member(parent, field) => field.content || parent.is_content(),
            Self::Item(parent, _) => parent.is_content(),
        }
    }
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Body => f.write_str("body"),
            Self::Member(parent, field) => write!(f, "{parent}.{}", field.name),
            Self::Item(parent, index) => write!(f, "{parent}[{index}]"),
        }
    }
}

/// Reads the body's object, tells `member` each name and the range of its value, and returns the faults.
///
/// # Errors
/// The text is not valid JSON, or a name comes twice in an object that the schema describes.
pub(crate) fn check_body<'a>(
    scanner: &mut Scanner<'a>,
    schema: &Schema,
    member: impl FnMut(RawStr<'a>, Range<usize>),
) -> Result<Vec<SchemaFault>, JsonError> {
    let mut checker = Checker { faults: Vec::new() };
    checker.object(scanner, schema, &Path::Body, member)?;
    Ok(checker.faults)
}

struct Checker {
    faults: Vec<SchemaFault>,
}

impl Checker {
    fn object<'a>(
        &mut self,
        scanner: &mut Scanner<'a>,
        schema: &Schema,
        path: &Path<'_>,
        mut member: impl FnMut(RawStr<'a>, Range<usize>),
    ) -> Result<(), JsonError> {
        let mut names = Names::default();
        let mut seen: u64 = 0;
        scanner.object(|scanner, name| {
            names.insert(name)?;
            let kind = scanner.kind()?;
            let start = scanner.position();
            match schema.field(name) {
                None => {
                    scanner.skip()?;
                }
                Some((number, field)) => {
                    seen |= 1 << number;
                    if kind == Kind::Null && schema.null_is_unset && !field.required {
                        scanner.null()?;
                    } else {
                        self.value(scanner, kind, field.shapes, &Path::Member(path, field))?;
                    }
                }
            }
            member(name, start..scanner.position());
            Ok::<_, JsonError>(())
        })?;
        schema.fields().filter(|(number, field)| field.required && seen & (1 << number) == 0).for_each(
            |(_, field)| {
                self.fault(path, format!("expected required property {} to be present", field.name), None);
            },
        );
        Ok(())
    }

    /// Reads one value, which is of that kind and may have any of `shapes`.
    fn value(
        &mut self,
        scanner: &mut Scanner<'_>,
        kind: Kind,
        shapes: &[Shape],
        path: &Path<'_>,
    ) -> Result<(), JsonError> {
        match shapes.iter().find(|shape| shape.is(kind)) {
            Some(Shape::Boolean | Shape::String | Shape::AnyObject) => {
                scanner.skip()?;
            }
            Some(Shape::Integer) => {
                let text = scanner.number()?;
                self.note(integer_fault(text), path, text);
            }
            Some(Shape::Number(bounds)) => {
                let text = scanner.number()?;
                self.note(bounds_fault(&Number::new(text), bounds), path, text);
            }
            Some(Shape::Array { items, min }) => self.array(scanner, items, *min, path)?,
            Some(Shape::Object(schema)) => self.object(scanner, schema, path, |_, _| ())?,
            None => {
                let range = scanner.skip()?;
                if !shapes.is_empty() {
                    let kinds: Vec<String> = shapes.iter().map(Shape::to_string).collect();
                    self.fault(path, format!("expected {}", kinds.join(" or ")), Some(scanner.text(range)));
                }
            }
        }
        Ok(())
    }

    fn array(
        &mut self,
        scanner: &mut Scanner<'_>,
        items: &[Shape],
        min: usize,
        path: &Path<'_>,
    ) -> Result<(), JsonError> {
        let before = self.faults.len();
        let mut count = 0;
        scanner.array(|scanner, index| {
            count = index + 1;
            if self.faults.len() - before < MAX_ITEM_FAULTS {
                let kind = scanner.kind()?;
                self.value(scanner, kind, items, &Path::Item(path, index))?;
            }
            Ok::<_, JsonError>(())
        })?;
        if count < min {
            self.fault(path, format!("expected array length >= {min}"), Some("[]"));
        }
        Ok(())
    }

    fn note(&mut self, message: Option<String>, path: &Path<'_>, value: &str) {
        if let Some(message) = message {
            self.fault(path, message, Some(value));
        }
    }

    fn fault(&mut self, path: &Path<'_>, message: String, value: Option<&str>) {
        let shown = value.filter(|text| text.len() <= SchemaFault::MAX_ECHO && !path.is_content());
        self.faults.push(SchemaFault {
            location: path.to_string(),
            message,
            value: shown.map(str::to_owned),
        });
    }
}

fn integer_fault(text: &str) -> Option<String> {
    if integer(text).is_some() {
        return None;
    }
    Some(if Number::new(text).is_integer() {
        format!("expected integer between {} and {}", i64::MIN, i64::MAX)
    } else {
        "expected integer".to_owned()
    })
}

fn bounds_fault(number: &Number, bounds: &Bounds) -> Option<String> {
    let Bounds { min, above_min, max } = *bounds;
    let from_min = number.compare(min);
    if above_min && from_min.is_le() {
        Some(format!("expected number > {min}"))
    } else if from_min.is_lt() {
        Some(format!("expected number >= {min}"))
    } else if number.compare(max).is_gt() {
        Some(format!("expected number <= {max}"))
    } else {
        None
    }
}

#[cfg(test)]
#[path = "check_tests.rs"]
mod tests;
