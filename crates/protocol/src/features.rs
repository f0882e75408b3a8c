//! What a request needs of its target: tools, pictures, structured output, logprobs, several answers.
//!
//! Only what the body says is read; what a target has to offer, and what becomes of a request that it does not
//! suit, is decided elsewhere. A member with an odd type needs nothing: the upstream will say what is wrong.

use memchr::memmem;

use crate::dialect::Dialect;
use crate::dialect::places::{self, Enough};
use crate::envelope::Envelope;
use crate::json::{JsonError, Kind, Scanner, integer};
use crate::lenient::{is_filled, members};

/// Something that not every model can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Feature {
    /// Calls tools: `tools` or `functions` with anything in it.
    Tools,
    /// Reads pictures: one stands anywhere in the conversation.
    Images,
    /// Answers in JSON, with a schema or without.
    StructuredOutput,
    /// Tells the probabilities of tokens.
    Logprobs,
    /// Gives several answers to one prompt, or chooses among several: `n` or `best_of` above 1.
    Samples,
}

impl Feature {
    /// Every feature, in the order of declaration.
    pub const ALL: [Self; 5] =
        [Self::Tools, Self::Images, Self::StructuredOutput, Self::Logprobs, Self::Samples];

    /// The name in configuration, labels and log lines.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Tools => "tools",
            Self::Images => "images",
            Self::StructuredOutput => "structured_output",
            Self::Logprobs => "logprobs",
            Self::Samples => "samples",
        }
    }

    const fn bit(self) -> u8 {
        1 << self as u8
    }
}

/// The features that a request needs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Needs(u8);

impl Needs {
    /// Whether a feature is among them.
    #[must_use]
    pub const fn has(self, feature: Feature) -> bool {
        self.0 & feature.bit() != 0
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The features, in the order of declaration.
    pub fn iter(self) -> impl Iterator<Item = Feature> {
        Feature::ALL.into_iter().filter(move |feature| self.has(*feature))
    }
}

impl FromIterator<Feature> for Needs {
    fn from_iter<T: IntoIterator<Item = Feature>>(features: T) -> Self {
        Self(features.into_iter().fold(0, |bits, feature| bits | feature.bit()))
    }
}

/// What a request needs. Members that are not there cost nothing, and of a conversation without pictures most
/// often one quick search.
#[must_use]
pub fn needs(call: &Envelope) -> Needs {
    let is_needed = |feature: &Feature| match feature {
        Feature::Tools => has_tools(call),
        Feature::Images => has_images(call),
        Feature::StructuredOutput => wants_json(call),
        Feature::Logprobs => wants_logprobs(call),
        Feature::Samples => call.samples() > 1,
    };
    Feature::ALL.into_iter().filter(is_needed).collect()
}

/// Whether a request has tools that the model may call.
#[must_use]
pub fn has_tools(call: &Envelope) -> bool {
    let has_any = |list: &[u8]| list.starts_with(b"[") && is_filled(&mut Scanner::new(list)).unwrap_or(false);
    ["tools", "functions"].iter().any(|name| call.value(name).is_some_and(has_any))
}

/// Whether a picture stands in the conversation.
fn has_images(call: &Envelope) -> bool {
    ["messages", "input"].iter().any(|name| {
        let Some(place) = places::place(call.dialect(), name) else { return false };
        let list = call.value(name).unwrap_or_default();
        // A type that is written in escapes has at least one of these.
        let signs = ["image", "computer_screenshot", "\\u00"];
        if !signs.iter().any(|sign| memmem::find(list, sign.as_bytes()).is_some()) {
            return false;
        }
        let mut found = false;
        // It ends with the first picture.
        let _ = places::visit(&mut Scanner::new(list), place, &mut |scanner, name| {
            if name == "type" && scanner.kind()? == Kind::String {
                let is_picture = matches!(
                    &*scanner.string()?.decode(),
                    "image_url" | "input_image" | "image" | "computer_screenshot"
                );
                found |= is_picture;
            }
            if found { Err(Enough) } else { Ok(()) }
        });
        found
    })
}

/// Whether the answer has to be JSON.
fn wants_json(call: &Envelope) -> bool {
    let (direct, around) = match call.dialect() {
        Dialect::Chat | Dialect::Completions => (Some("response_format"), None),
        Dialect::Responses => (None, Some("text")),
        Dialect::Messages | Dialect::CountTokens => (Some("output_format"), Some("output_config")),
        Dialect::Embeddings => (None, None),
    };
    let mut found = false;
    // Valid, since the envelope has read it; were it not, what was found so far stands.
    if let Some(format) = direct.and_then(|name| call.value(name)) {
        let _ = format_is_json(&mut Scanner::new(format), &mut found);
    }
    if let Some(settings) = around.and_then(|name| call.value(name)) {
        let _ = members(&mut Scanner::new(settings), |scanner, name| {
            if name == "format" { format_is_json(scanner, &mut found) } else { Ok(()) }
        });
    }
    found
}

/// Reads a description of the answer's format.
fn format_is_json(scanner: &mut Scanner<'_>, found: &mut bool) -> Result<(), JsonError> {
    members(scanner, |scanner, name| {
        if name == "type" && scanner.kind()? == Kind::String {
            *found |= matches!(&*scanner.string()?.decode(), "json_schema" | "json_object");
        }
        Ok(())
    })
}

/// Whether probabilities are asked for. Of completions, 0 asks for those of the tokens that were chosen.
fn wants_logprobs(call: &Envelope) -> bool {
    let number = |name| call.value(name).filter(|value| matches!(value, [b'-' | b'0'..=b'9', ..]));
    let is_zero = |value| std::str::from_utf8(value).is_ok_and(|text| integer(text) == Some(0));
    call.value("logprobs") == Some(b"true")
        || number("logprobs").is_some()
        || number("top_logprobs").is_some_and(|value| !is_zero(value))
        || call.value("include").is_some_and(includes_logprobs)
}

/// Whether Responses' `include` lists them.
fn includes_logprobs(list: &[u8]) -> bool {
    let mut found = false;
    // No list includes nothing.
    let _ = Scanner::new(list).array::<JsonError>(|scanner, _| {
        if scanner.kind()? == Kind::String {
            found |= scanner.string()? == "message.output_text.logprobs";
        }
        Ok(())
    });
    found
}

#[cfg(test)]
#[path = "features_tests.rs"]
mod tests;
