//! A chat completion's body as a request in no dialect.
//!
//! Owns what a client of OpenAI's format may say, with the extensions that are in use: `cache_control` on messages,
//! parts, tools and calls, and what a model thought before, in the forms in which gateways hand it out. What only
//! OpenAI knows is kept whole for the target's writer to judge.

mod calls;
mod images;
mod parts;
mod thinking;
mod tools;
mod turns;

use crate::canonical::Request;
use crate::envelope::Envelope;
use crate::translate::strays::Strays;
use crate::translate::{Untranslatable, openai_request};

/// The members that are read here.
const OWN: &[&str] =
    &["messages", "tools", "functions", "tool_choice", "function_call", "parallel_tool_calls"];

/// Reads a body that has passed its checks.
pub(in crate::translate) fn read_request(call: &Envelope) -> Result<Request<'_>, Untranslatable> {
    let mut request = openai_request::request(call, OWN)?;
    let mut strays = Strays::default();
    request.tools = tools::read(call, &mut strays)?;
    request.tool_choice = tools::choice(call, &mut request.tools)?;
    request.parallel_tool_calls =
        openai_request::member(call, "parallel_tool_calls").and_then(|value| value.parse().ok());
    request.turns = turns::read(openai_request::member(call, "messages").unwrap_or("[]"), &mut strays)?;
    request.extras.extend(strays.into_extras());
    Ok(request)
}

#[cfg(test)]
#[path = "read_request_tests.rs"]
mod tests;
