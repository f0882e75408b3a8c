//! The file's text as a report may show it. Only what is known to be harmless is kept: field names, structure, bare
//! `${NAME}`, and scalars at places that the schema knows and does not call secret. All else is stars, comments are cut.

use crate::{
    schema::{Kind, Shape},
    tree::{Data, Node, Point, Span, lines},
};

/// The lines of a file, masked.
pub(crate) struct Masked(Vec<String>);

impl Masked {
    /// With the tree, whose scalars have places in the schema.
    pub(crate) fn of_tree(text: &str, tree: &Node) -> Self {
        let mut spans = Vec::new();
        looks(tree, Some(Shape::root()), &mut spans);
        spans.sort_unstable_by_key(|(span, _)| *span);
        let mut spans = spans.into_iter().peekable();
        let lines = lines(text).enumerate().map(|(index, line)| {
            mask_line(line, |column| {
                let at = Point { line: index + 1, column };
                while spans.next_if(|(span, _)| span.end <= at).is_some() {}
                spans.peek().filter(|(span, _)| span.start <= at).map_or(Look::Between, |(_, look)| *look)
            })
        });
        Self(lines.collect())
    }

    /// Of a text that is no YAML: up to the first colon of each line.
    pub(crate) fn of_text(text: &str) -> Self {
        let lines = lines(text).map(|line| {
            let key = line.find(':').and_then(|end| line.get(..end)).map_or(0, |key| key.chars().count());
            mask_line(line, |column| if column <= key { Look::Shown } else { Look::Between })
        });
        Self(lines.collect())
    }

    /// Line `number`, from 1.
    pub(crate) fn line(&self, number: usize) -> &str {
        number.checked_sub(1).and_then(|index| self.0.get(index)).map_or("", String::as_str)
    }
}

/// How a character looks in a report.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Look {
    Shown,
    Hidden,
    /// Neither a name nor a scalar: signs of structure are kept, a comment ends the line.
    Between,
}

fn mask_line(line: &str, mut look: impl FnMut(usize) -> Look) -> String {
    let mut out = String::new();
    let mut blank = true;
    for (index, c) in line.chars().enumerate() {
        let shown = match look(index + 1) {
            Look::Shown => true,
            Look::Hidden => false,
            Look::Between if c == '#' && blank => break,
            Look::Between => "{}[],:?|>\"'&*!".contains(c) || (c == '-' && blank),
        };
        blank = c.is_whitespace();
        out.push(match c {
            c if blank => {
                if c == '\t' {
                    ' '
                } else {
                    c
                }
            }
            c if shown => c,
            _ => '*',
        });
    }
    out.truncate(out.trim_end().len());
    out
}

/// The spans of names and scalars, and how they look.
fn looks(node: &Node, shape: Option<Shape<'_>>, spans: &mut Vec<(Span, Look)>) {
    match &node.data {
        Data::Scalar(scalar) => {
            let public = shape.is_some_and(Shape::is_public_scalar) && !has_credentials(&scalar.written);
            let public = public || is_reference(&scalar.written);
            spans.push((node.span, if public { Look::Shown } else { Look::Hidden }));
        }
        Data::List(items) => {
            let inner =
                shape.and_then(|shape| if let Kind::List(inner) = shape.kind() { Some(inner) } else { None });
            items.iter().for_each(|item| looks(item, inner, spans));
        }
        Data::Map(entries) => {
            for entry in entries {
                spans.push((entry.key_span, Look::Shown));
                let inner = shape.and_then(|shape| shape.inside(&entry.key));
                looks(&entry.value, inner, spans);
            }
        }
    }
}

/// `${NAME}` or `${file:/path}` and nothing else: says where a secret is, not what it is.
fn is_reference(written: &str) -> bool {
    let inside = written.strip_prefix("${").and_then(|rest| rest.strip_suffix('}'));
    inside.is_some_and(|inside| !inside.contains(['$', '{', '}']) && !inside.contains(":-"))
}

/// `scheme://user:password@host`, in whatever field.
pub(crate) fn has_credentials(text: &str) -> bool {
    text.split_once("://").is_some_and(|(_, rest)| rest.contains('@'))
}

#[cfg(test)]
#[path = "mask_tests.rs"]
mod tests;
