//! Can a target take the request? What it lacks, how long its answers are, how much fits in.

use crate::facts::{Call, Skip};
use sluice_config::model;
use sluice_protocol::{
    Dialect,
    features::{self, Feature, Needs},
};

/// What a request asks of its target.
pub(super) struct Demand {
    pub(super) needs: Needs,
    prompt: u64,
    output: Option<u64>,
}

impl Demand {
    /// Reads it.
    pub(super) fn of(call: &Call) -> Self {
        let output = call.envelope.max_tokens().and_then(|tokens| u64::try_from(tokens).ok());
        // Whether a prompt fits is what a count is asked for.
        let prompt = if call.envelope.dialect() == Dialect::CountTokens { 0 } else { call.prompt_tokens() };
        Self { needs: features::needs(&call.envelope), prompt, output }
    }

    /// Why the target cannot take it, if it cannot. Only the context window is a guess: its caller keeps the
    /// roomiest when no other is left, and lets the upstream count.
    pub(super) fn against(&self, target: &model::Target) -> Option<Skip> {
        if let Some(lack) = target.lacks.iter().map(|lack| feature(*lack)).find(|lack| self.needs.has(*lack))
        {
            return Some(Skip::Lacks(lack));
        }
        if let Some(most) = target.max_output_tokens.filter(|most| self.output > Some(*most)) {
            return Some(Skip::MaxOutput(most));
        }
        let all = self.prompt.saturating_add(self.output.unwrap_or_default());
        target.context_window.filter(|window| all > *window).map(Skip::Context)
    }
}

/// The configuration's word for it, as the protocol knows it.
fn feature(lack: model::Feature) -> Feature {
    match lack {
        model::Feature::Tools => Feature::Tools,
        model::Feature::Images => Feature::Images,
        model::Feature::StructuredOutput => Feature::StructuredOutput,
        model::Feature::Logprobs => Feature::Logprobs,
        model::Feature::Samples => Feature::Samples,
    }
}

/// Do any of these say what they cannot take? Else nobody has to look.
pub(super) fn is_told(target: &model::Target) -> bool {
    !target.lacks.is_empty() || target.max_output_tokens.is_some() || target.context_window.is_some()
}
