//! The shape of the answer.

use super::piece::Piece;
use crate::canonical::{Format, Request};
use crate::dialect::Dialect;
use crate::raw::{Writer, quoted};
use crate::translate::Untranslatable;

/// Stands in for a mode of the upstream that answers in any JSON: it has one for a schema only, and a schema that
/// any object meets is refused. Clients who ask for it have to say so in their own prompt as well.
const ANY_JSON: &str =
    "Answer with one valid JSON object and nothing else: no text around it, no code fence.";

/// How the shape is asked for.
#[derive(Debug, Default)]
pub(super) struct Shape<'a> {
    /// `output_config.format`.
    pub(super) native: Option<String>,
    /// A block at the end of the system prompt.
    pub(super) instruction: Option<Piece<'a>>,
}

pub(super) fn write_format<'a>(request: &Request<'a>) -> Result<Shape<'a>, Untranslatable> {
    let mut shape = Shape::default();
    match &request.format {
        None => {}
        Some(Format::JsonSchema { schema: Some(schema), .. }) => {
            let mut format = Writer::new();
            format.string("type", "json_schema").raw("schema", schema);
            shape.native = Some(format.finish());
        }
        Some(Format::JsonObject | Format::JsonSchema { schema: None, .. }) => {
            shape.instruction = Some(Piece::text(&quoted(ANY_JSON), None));
        }
        Some(Format::Native(json)) if request.dialect == Dialect::Messages => {
            shape.native = Some(json.clone().into_owned());
        }
        Some(Format::Native(_)) => {
            let member = match request.dialect {
                Dialect::Responses => "text.format",
                _ => "response_format",
            };
            return Err(Untranslatable::new(member, "the target cannot answer in this form"));
        }
    }
    Ok(shape)
}
