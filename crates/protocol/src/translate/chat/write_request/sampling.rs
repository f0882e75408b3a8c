//! Length, sampling, stops, the answer's shape and the end user.

use std::borrow::Cow;

use super::Body;
use super::target::Target;
use crate::canonical::{Format, Request, Text};
use crate::dialect::Dialect;
use crate::json::{Number, integer};
use crate::raw::{self, Writer};
use crate::translate::Untranslatable;

/// OpenAI takes no more texts that end an answer.
const MOST_STOPS: usize = 4;
/// OpenAI has refused longer names of an end user.
const LONGEST_USER: usize = 64;
/// A schema's name, which chat asks for and other dialects do not have.
const SCHEMA_NAME: &str = "answer";

pub(super) fn write(
    request: &Request<'_>,
    target: &mut Target<'_>,
    body: &mut Body,
) -> Result<(), Untranslatable> {
    if let Some(wanted) = &request.max_tokens {
        // OpenAI's newer models refuse the older name, and many other servers do not know the newer.
        let name = if target.is_openai() { "max_completion_tokens" } else { "max_tokens" };
        body.add(name, &at_most(wanted, target.max_output()));
    }
    for (name, value) in [("temperature", &request.temperature), ("top_p", &request.top_p)] {
        let Some(value) = value else { continue };
        if !target.leaves_out(name) {
            body.add(name, value);
        } else if !Number::new(value).compare(1).is_eq() {
            // Models that reason take nothing but 1, which is what they do anyway.
            target.lose(name);
        }
    }
    match &request.top_k {
        Some(_) if target.is_openai() || target.leaves_out("top_k") => target.lose("top_k"),
        Some(value) => body.add("top_k", value),
        None => {}
    }
    stop(&request.stop, target, body)?;
    if let Some(format) = &request.format {
        body.add("response_format", &response_format(format, target)?);
    }
    match &request.user {
        Some(_) if target.leaves_out(target.word("user", "user", "metadata")) => {
            target.lose(target.word("user", "user", "metadata.user_id"));
        }
        Some(user) if target.is_openai() && user.meant().chars().count() > LONGEST_USER => {
            target.lose(target.word("user", "user", "metadata.user_id"));
        }
        Some(user) => body.add("user", user.json()),
        None => {}
    }
    Ok(())
}

/// More than the model can give is brought down to that: the answer is the same, and the upstream would refuse.
fn at_most<'w>(wanted: &'w str, most: Option<u64>) -> Cow<'w, str> {
    match (integer(wanted), most.and_then(|most| i64::try_from(most).ok())) {
        (Some(tokens), Some(most)) if tokens > most => most.to_string().into(),
        _ => wanted.into(),
    }
}

/// With fewer texts than the client named, the answer might run on: nothing is left out here.
fn stop(stop: &[Text<'_>], target: &Target<'_>, body: &mut Body) -> Result<(), Untranslatable> {
    if stop.len() > MOST_STOPS && target.is_openai() {
        let name = target.word("stop", "stop", "stop_sequences");
        return Err(Untranslatable::new(name, "the target takes at most 4 texts that end an answer"));
    }
    if !stop.is_empty() {
        body.add("stop", &raw::array(stop.iter().map(Text::json)));
    }
    Ok(())
}

fn response_format(format: &Format<'_>, target: &Target<'_>) -> Result<String, Untranslatable> {
    let mut out = Writer::new();
    match format {
        Format::JsonObject => Ok(out.string("type", "json_object").finish()),
        Format::JsonSchema { name, description, schema, strict } => {
            let mut inner = Writer::new();
            inner.raw("name", Text::json(name.as_ref().unwrap_or(&Text::of(SCHEMA_NAME))));
            if let Some(description) = description {
                inner.raw("description", description.json());
            }
            if let Some(strict) = strict {
                inner.raw("strict", if *strict { "true" } else { "false" });
            }
            if let Some(schema) = schema {
                inner.raw("schema", schema);
            }
            Ok(out.string("type", "json_schema").raw("json_schema", &inner.finish()).finish())
        }
        // The two have one form for it.
        Format::Native(json) if matches!(target.client, Dialect::Chat | Dialect::Completions) => {
            Ok(json.clone().into_owned())
        }
        Format::Native(_) => {
            let name = target.word("response_format", "text.format", "output_config.format");
            Err(Untranslatable::new(name, "the target has no such format"))
        }
    }
}
