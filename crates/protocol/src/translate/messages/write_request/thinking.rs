//! How much the model thinks first.
//!
//! Owns the translation of efforts, and where thinking cannot be: the upstream refuses it together with a forced
//! call, with an answer that is to be gone on with, and, where it has a budget, in a tool loop that came back without
//! its thoughts.

use super::conversation::Conversation;
use crate::canonical::{Reasoning, Request, ToolChoice};
use crate::capability::Thinking;
use crate::dialect::Dialect;
use crate::json;
use crate::raw::{Object, Writer};
use crate::translate::{Losses, Toward};

/// The least budget that the upstream takes.
const LEAST: i64 = 1024;

/// What is said of thinking.
#[derive(Debug, Default)]
pub(super) struct Thoughts {
    /// `thinking`.
    pub(super) thinking: Option<String>,
    /// `output_config.effort`, a JSON string.
    pub(super) effort: Option<String>,
    /// Is it asked to think? Then it cannot be told how to choose its words.
    pub(super) is_on: bool,
}

pub(super) fn decide(
    request: &Request<'_>,
    toward: &Toward<'_>,
    conversation: &Conversation<'_>,
    max_tokens: &str,
    losses: &mut Losses,
) -> Thoughts {
    let Some(reasoning) = &request.reasoning else { return Thoughts::default() };
    let obstacles = Obstacles::find(request, conversation);
    let thoughts = match &reasoning.thinking {
        Some(thinking) => as_asked(thinking, reasoning, request.dialect, toward, obstacles, losses),
        None => by_effort(reasoning, request.dialect, toward, obstacles, max_tokens, losses),
    };
    if reasoning.summary.is_some() && !thoughts.is_on {
        losses.add(member(request.dialect));
    }
    thoughts
}

/// The client has said it in the upstream's own form.
fn as_asked(
    thinking: &str,
    reasoning: &Reasoning<'_>,
    client: Dialect,
    toward: &Toward<'_>,
    obstacles: Obstacles,
    losses: &mut Losses,
) -> Thoughts {
    let kind = Object::parse(thinking).ok().and_then(|object| object.string("type").map(String::from));
    let is_on = kind.as_deref() != Some("disabled");
    let effort = reasoning.effort.as_ref().and_then(|effort| {
        if client == Dialect::Messages {
            return Some(effort.json().to_owned());
        }
        let known =
            (toward.family.thinking == Thinking::Adaptive).then(|| adaptive(&effort.meant())).flatten();
        if known.is_none() && effort.meant() != "none" {
            losses.add(member(client));
        }
        known.map(quoted)
    });
    let is_hindered =
        client != Dialect::Messages && obstacles.are_in_the_way(kind.as_deref() == Some("enabled"));
    if is_on && is_hindered {
        losses.add("thinking");
        return Thoughts { thinking: None, effort, is_on: false };
    }
    Thoughts { thinking: Some(thinking.to_owned()), effort, is_on }
}

/// The client has named an effort.
fn by_effort(
    reasoning: &Reasoning<'_>,
    client: Dialect,
    toward: &Toward<'_>,
    obstacles: Obstacles,
    max_tokens: &str,
    losses: &mut Losses,
) -> Thoughts {
    let Some(effort) = &reasoning.effort else { return Thoughts::default() };
    if client == Dialect::Messages {
        return Thoughts { effort: Some(effort.json().to_owned()), ..Thoughts::default() };
    }
    let effort = effort.meant();
    if effort == "none" {
        return Thoughts::default();
    }
    let thoughts = match toward.family.thinking {
        Thinking::None => None,
        Thinking::Budget => budget(&effort, max_tokens).map(|budget| {
            let mut thinking = Writer::new();
            thinking.string("type", "enabled").number("budget_tokens", budget);
            Thoughts { thinking: Some(thinking.finish()), effort: None, is_on: true }
        }),
        Thinking::Adaptive => adaptive(&effort).map(|effort| {
            let mut thinking = Writer::new();
            thinking.string("type", "adaptive");
            if reasoning.summary.is_some() {
                thinking.string("display", "summarized");
            }
            Thoughts { thinking: Some(thinking.finish()), effort: Some(quoted(effort)), is_on: true }
        }),
    };
    let is_manual = toward.family.thinking == Thinking::Budget;
    thoughts.filter(|_| !obstacles.are_in_the_way(is_manual)).unwrap_or_else(|| {
        losses.add(member(client));
        Thoughts::default()
    })
}

/// What keeps a request from thinking.
#[derive(Debug, Clone, Copy)]
struct Obstacles {
    /// The model has to call, or its answer has begun.
    for_all: bool,
    /// A tool loop is open that has no thoughts at its beginning.
    for_budgets: bool,
}

impl Obstacles {
    fn find(request: &Request<'_>, conversation: &Conversation<'_>) -> Self {
        let is_forced = matches!(request.tool_choice, Some(ToolChoice::Required | ToolChoice::Function(_)));
        Self {
            for_all: is_forced || conversation.is_prefilled(),
            for_budgets: conversation.has_thoughtless_loop(),
        }
    }

    fn are_in_the_way(self, has_budget: bool) -> bool {
        self.for_all || has_budget && self.for_budgets
    }
}

/// The upstream's word for an effort.
fn adaptive(effort: &str) -> Option<&'static str> {
    Some(match effort {
        "minimal" | "low" => "low",
        "medium" => "medium",
        "high" => "high",
        "xhigh" => "xhigh",
        "max" => "max",
        _ => return None,
    })
}

/// How many tokens an effort is worth: at most half of the answer, whose tokens it is taken from.
fn budget(effort: &str, max_tokens: &str) -> Option<i64> {
    let wanted = match effort {
        "minimal" => LEAST,
        "low" => 2048,
        "medium" => 8192,
        "high" => 16_384,
        "xhigh" | "max" => 32_768,
        _ => return None,
    };
    let max_tokens = json::integer(max_tokens)?;
    (max_tokens > LEAST).then(|| wanted.min(max_tokens / 2).max(LEAST))
}

/// What the client calls it.
fn member(client: Dialect) -> &'static str {
    match client {
        Dialect::Messages => "thinking",
        Dialect::Responses => "reasoning",
        Dialect::Chat | Dialect::Completions | Dialect::Embeddings => "reasoning_effort",
    }
}

fn quoted(word: &str) -> String {
    format!("\"{word}\"")
}
