//! How much the model thinks first, as `reasoning_effort`.
//!
//! Written where the model is known to think or the table of capabilities says that it is taken; a model that does
//! not think refuses the member. Whether the client wants to see thoughts needs no word: those that come are shown.

use super::Body;
use super::target::Target;
use crate::canonical::{Reasoning, Text};
use crate::capability::Treatment;
use crate::json::integer;
use crate::raw::Object;
use crate::translate::efforts;

pub(super) fn write(reasoning: Option<&Reasoning<'_>>, target: &mut Target<'_>, body: &mut Body) {
    let Some(reasoning) = reasoning else { return };
    let by_budget = || reasoning.thinking.as_deref().and_then(effort_of).map(Text::of);
    let Some(effort) = reasoning.effort.clone().or_else(by_budget) else { return };
    let name = match &reasoning.effort {
        Some(_) => target.word("reasoning_effort", "reasoning", "output_config.effort"),
        None => "thinking",
    };
    let is_taken = matches!(target.treatment(name), Treatment::Native | Treatment::Translated);
    if is_taken || target.thinks() {
        body.add("reasoning_effort", effort.json());
    } else if effort.meant() != "none" {
        target.lose(name);
    }
}

/// The effort that Messages' `thinking` comes near to. Where it is switched off, or as the model likes, there is
/// none to name.
fn effort_of(thinking: &str) -> Option<&'static str> {
    Object::parse(thinking).ok()?.get("budget_tokens").and_then(integer).map(efforts::of_budget)
}
