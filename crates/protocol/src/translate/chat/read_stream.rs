//! A stream of an OpenAI-compatible upstream, chunk by chunk.

use std::collections::BTreeMap;

use crate::canonical::{Delta, Head, Text};
use crate::raw::{Garbled, Object, string};
use crate::sse::Event;
use crate::usage::Counts;

use super::read_calls::Give;
use super::read_choice::Choice;
use super::read_head;
use crate::translate::{StreamFault, openai_usage};

/// Reads the chunks of one stream.
#[derive(Debug, Default)]
pub(in crate::translate) struct StreamReader {
    /// What the chunks say around their choices, each member as it was first told.
    head: Box<Head<'static>>,
    begun: bool,
    counts: Counts,
    choices: BTreeMap<u64, Choice>,
}

impl StreamReader {
    /// Gives what an event says.
    pub(in crate::translate) fn read(&mut self, event: &Event, give: Give<'_>) -> Result<(), StreamFault> {
        let Some(data) = &event.data else { return Ok(()) };
        if event.name.as_deref() == Some(b"error") {
            return Err(StreamFault::Error(data.clone()));
        }
        let text = std::str::from_utf8(data).map_err(|_| StreamFault::Malformed)?.trim_ascii();
        if text == "[DONE]" {
            return Ok(self.finish(give)?);
        }
        let chunk = Object::parse(text)?;
        if is_error(&chunk) {
            return Err(StreamFault::Error(data.clone()));
        }
        Ok(self.read_chunk(&chunk, give)?)
    }

    /// Has every choice that began given its reason to end?
    pub(in crate::translate) fn is_finished(&self) -> bool {
        !self.choices.is_empty() && self.choices.values().all(Choice::is_finished)
    }

    fn read_chunk(&mut self, chunk: &Object<'_>, give: Give<'_>) -> Result<(), Garbled> {
        // Azure opens with a chunk that has no choices, but what its filters say of the prompt.
        let choices = if is_array(chunk.get("choices")) { chunk.items("choices")? } else { Vec::new() };
        let usage = chunk.get("usage").and_then(|usage| openai_usage::read(&mut self.counts, usage));
        if !self.begun {
            self.learn(read_head::head(chunk));
            if choices.is_empty() && usage.is_none() {
                return Ok(());
            }
            self.begin(give);
        }
        for (position, choice) in (0..).zip(choices) {
            let choice = Object::parse(choice)?;
            let index = choice.count("index").unwrap_or(position);
            self.choices.entry(index).or_default().read(index, &choice, self.head.id.as_ref(), give)?;
        }
        if let Some(tokens) = usage {
            give(Delta::Tokens(tokens));
        }
        Ok(())
    }

    fn learn(&mut self, said: Head<'_>) {
        let own = |text: Option<Text<'_>>| text.map(Text::into_owned);
        let head = &mut self.head;
        head.id = head.id.take().or_else(|| own(said.id));
        head.model = head.model.take().or_else(|| own(said.model));
        head.created =
            head.created.take().or_else(|| said.created.map(|created| created.into_owned().into()));
        head.fingerprint = head.fingerprint.take().or_else(|| own(said.fingerprint));
        head.service_tier = head.service_tier.take().or_else(|| own(said.service_tier));
    }

    fn begin(&mut self, give: Give<'_>) {
        if !std::mem::replace(&mut self.begun, true) {
            give(Delta::Begin(Head::clone(&self.head)));
        }
    }

    /// The end mark: what is open is as whole as it gets.
    fn finish(&mut self, give: Give<'_>) -> Result<(), Garbled> {
        self.begin(give);
        for (index, choice) in &mut self.choices {
            choice.close(*index, self.head.id.as_ref(), give)?;
        }
        give(Delta::End);
        Ok(())
    }
}

/// An `error`, or an error's other members where the choices should be: flat ones of old vLLM, FastAPI's `detail`, a
/// problem's `title`.
fn is_error(chunk: &Object<'_>) -> bool {
    let is_text = |name| chunk.get(name).and_then(string).is_some();
    let is_error_like = chunk.string("object").as_deref() == Some("error")
        || is_text("message")
        || is_text("title")
        || chunk.is_filled("detail");
    chunk.is_filled("error") || (is_error_like && !is_array(chunk.get("choices")))
}

fn is_array(json: Option<&str>) -> bool {
    json.is_some_and(|json| json.starts_with('['))
}

#[cfg(test)]
#[path = "read_stream_tests.rs"]
mod tests;
