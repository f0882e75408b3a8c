//! One stream, watched event by event.

use super::frame::Frame;
use super::{Facts, Progress, Said, Verdict, chat, messages, responses};
use crate::dialect::Dialect;
use crate::json::JsonError;
use crate::sse::Event;

/// Reads the events of one answer in the order in which they pass.
#[derive(Debug)]
pub struct StreamObserver {
    dialect: Dialect,
    strip_usage: bool,
    progress: Progress,
    /// Of the last event, where it brought a piece of the answer.
    frame: Frame,
    facts: Facts,
    terminal: bool,
    /// An error or something unreadable has passed: whatever comes after, the answer lacks a piece.
    broken: bool,
}

impl StreamObserver {
    /// `strip_usage`: the client did not ask for the usage chunk, so it is to be withheld.
    #[must_use]
    pub fn new(dialect: Dialect, strip_usage: bool) -> Self {
        Self {
            dialect,
            strip_usage,
            progress: Progress::default(),
            frame: Frame::default(),
            facts: Facts::default(),
            terminal: false,
            broken: false,
        }
    }

    /// Reads one event, and says what to do with it. A malformed event leaves no trace in the facts.
    pub fn observe(&mut self, event: &Event) -> Verdict {
        let verdict = self.judge(event);
        match verdict {
            Verdict::Content => self.facts.content_events += 1,
            Verdict::Terminal => self.terminal = true,
            Verdict::Error | Verdict::Malformed => self.broken = true,
            Verdict::Forward | Verdict::Withhold => {}
        }
        self.facts.content_tokens = self.progress.written.tokens().max(self.facts.content_events);
        verdict
    }

    fn judge(&mut self, event: &Event) -> Verdict {
        let name = event.name.as_deref().and_then(|name| std::str::from_utf8(name).ok()).unwrap_or_default();
        if name == "error" {
            return Verdict::Error;
        }
        let Some(payload) = event.data.as_deref().map(<[u8]>::trim_ascii) else { return Verdict::Forward };
        if payload.is_empty() {
            return Verdict::Withhold;
        }
        if payload == b"[DONE]" {
            return Verdict::Terminal;
        }
        if let Some(piece) = self.frame.piece(name, payload) {
            self.progress.written.add(piece);
            return Verdict::Content;
        }
        let mut progress = self.progress;
        let Ok(said) = read(self.dialect, payload, name, &mut progress) else { return Verdict::Malformed };
        let before = std::mem::replace(&mut self.progress, progress).written;
        // Whatever else the event has told, counts or an end, it tells again: nothing has come in between.
        match progress.written.only_piece_since(&before, payload) {
            Some(piece) if said == Said::Content => self.frame.keep(name, payload, piece),
            _ => self.frame.forget(),
        }
        self.facts.usage = progress.counts.usage(self.dialect);
        self.facts.finish = progress.finish;
        match said {
            Said::Nothing => Verdict::Forward,
            Said::UsageOnly if self.strip_usage => Verdict::Withhold,
            Said::UsageOnly => Verdict::Forward,
            Said::Error => Verdict::Error,
            Said::Content => Verdict::Content,
            Said::Terminal => Verdict::Terminal,
        }
    }

    /// The next event is read whole.
    #[cfg(test)]
    pub(super) fn forget_frame(&mut self) {
        self.frame.forget();
    }

    /// Whether the next event need not be read whole.
    #[cfg(test)]
    pub(super) fn knows(&mut self, name: &str, data: &str) -> bool {
        self.frame.piece(name, data.as_bytes()).is_some()
    }

    /// What is known so far.
    #[must_use]
    pub fn facts(&self) -> &Facts {
        &self.facts
    }

    /// The end mark has passed: `[DONE]`, `response.completed`, `response.incomplete` or `message_stop`.
    #[must_use]
    pub fn terminal_seen(&self) -> bool {
        self.terminal
    }

    /// The answer is whole if it ends here: the end mark has passed or every choice has given its finish
    /// reason, and no error and nothing unreadable came before.
    #[must_use]
    pub fn ended_well(&self) -> bool {
        !self.broken && (self.terminal || self.progress.choices.all_finished())
    }
}

fn read(dialect: Dialect, payload: &[u8], name: &str, progress: &mut Progress) -> Result<Said, JsonError> {
    match dialect {
        // Embeddings do not stream; were one to, an error is still told from a chunk.
        Dialect::Completions | Dialect::Chat | Dialect::Embeddings => chat::read_event(payload, progress),
        Dialect::Responses => responses::read_event(payload, name, progress),
        Dialect::Messages | Dialect::CountTokens => messages::read_event(payload, name, progress),
    }
}
