//! For whom a body is written, and what is lost on the way.

use crate::canonical::{Json, Role, Turn};
use crate::capability::{Thinking, Treatment};
use crate::dialect::Dialect;
use crate::provider::ProviderKind;
use crate::translate::{Losses, Toward};

/// A target and the losses towards it.
pub(super) struct Target<'t> {
    toward: &'t Toward<'t>,
    /// What the client speaks.
    pub(super) client: Dialect,
    /// Does its template want to see what the model thought before?
    pub(super) wants_thoughts: bool,
    losses: &'t mut Losses,
}

impl<'t> Target<'t> {
    pub(super) fn new(client: Dialect, toward: &'t Toward<'t>, losses: &'t mut Losses) -> Self {
        let wants_thoughts = toward.family.treatment(client, "thinking_history") == Treatment::Native;
        Self { toward, client, wants_thoughts, losses }
    }

    /// Is it OpenAI itself, which refuses members that it does not know?
    pub(super) fn is_openai(&self) -> bool {
        match self.toward.kind {
            ProviderKind::OpenAi | ProviderKind::Azure => true,
            ProviderKind::OpenAiCompatible | ProviderKind::Anthropic => false,
        }
    }

    /// What becomes of a member of the client's.
    pub(super) fn treatment(&self, member: &str) -> Treatment {
        self.toward.family.treatment(self.client, member)
    }

    /// Is it known not to take a member that others take?
    pub(super) fn leaves_out(&self, member: &str) -> bool {
        self.toward.family.leaves_out(self.client, member)
    }

    /// Is the model known to think when it is told to?
    pub(super) fn thinks(&self) -> bool {
        match self.toward.family.thinking {
            Thinking::Budget | Thinking::Adaptive | Thinking::Always => true,
            Thinking::None => false,
        }
    }

    /// Most tokens of an answer, as far as anybody knows.
    pub(super) fn max_output(&self) -> Option<u64> {
        self.toward.max_output.or(self.toward.family.max_output)
    }

    /// Notes that a member of the client's is left out.
    pub(super) fn lose(&mut self, name: &str) {
        self.losses.add(name);
    }

    /// Notes that a tool of the client's is left out.
    pub(super) fn lose_tool(&mut self, kind: &str) {
        self.losses.add_tool(kind);
    }

    /// A mark as it goes there. OpenAI has none, and who knows it not may refuse it.
    pub(super) fn mark<'m>(&mut self, mark: Option<&'m Json<'_>>) -> Option<&'m str> {
        let mark = mark?;
        if self.is_openai() || self.leaves_out("cache_control") {
            self.lose("cache_control");
            return None;
        }
        Some(mark)
    }

    /// The client's word among those for chat and completions, for Responses and for Messages.
    pub(super) fn word(
        &self,
        openai: &'static str,
        responses: &'static str,
        messages: &'static str,
    ) -> &'static str {
        match self.client {
            Dialect::Responses => responses,
            Dialect::Messages | Dialect::CountTokens => messages,
            Dialect::Chat | Dialect::Completions | Dialect::Embeddings => openai,
        }
    }

    /// Where in the client's body a block of a turn stands.
    pub(super) fn place(&self, turn: &Turn<'_>, block: usize) -> String {
        match (self.client, turn.role) {
            (Dialect::Completions, _) => "prompt".to_owned(),
            (Dialect::Messages, Role::System) => format!("system[{block}]"),
            (Dialect::Responses, _) => format!("input[{}].content[{block}]", turn.at),
            _ => format!("messages[{}].content[{block}]", turn.at),
        }
    }
}
