//! How much the model thinks first.
//!
//! Owns the translation of efforts, and where thinking cannot be: the upstream refuses it together with a forced
//! call, with an answer that is to be gone on with, and, where it has a budget, in a tool loop that came back without
//! its thoughts.

use std::borrow::Cow;

use super::conversation::Conversation;
use crate::canonical::{Reasoning, Request, Text, ToolChoice};
use crate::capability::Thinking;
use crate::dialect::Dialect;
use crate::json;
use crate::raw::{Object, Writer};
use crate::translate::{Losses, Toward, efforts};

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
    let client = request.dialect;
    let thoughts = match &reasoning.thinking {
        Some(thinking) if client == Dialect::Messages => as_it_is(thinking, reasoning),
        Some(thinking) => match Wish::in_another_form(thinking, reasoning, toward) {
            Some(wish) => by_effort(&wish, toward, obstacles, max_tokens, losses),
            None => as_asked(thinking, reasoning, client, toward, obstacles, losses),
        },
        None if client == Dialect::Messages => Thoughts {
            effort: reasoning.effort.as_ref().map(|effort| effort.json().to_owned()),
            ..Thoughts::default()
        },
        None => match Wish::of(reasoning, client) {
            Some(wish) => by_effort(&wish, toward, obstacles, max_tokens, losses),
            None if is_unwanted(reasoning) => without(toward, client, losses),
            None => Thoughts::default(),
        },
    };
    if reasoning.summary.is_some() && !thoughts.is_on {
        losses.add(member(client));
    }
    thoughts
}

/// Both ends have the same words for it.
fn as_it_is(thinking: &str, reasoning: &Reasoning<'_>) -> Thoughts {
    Thoughts {
        thinking: Some(thinking.to_owned()),
        effort: reasoning.effort.as_ref().map(|effort| effort.json().to_owned()),
        is_on: kind_of(thinking).as_deref() != Some("disabled"),
    }
}

fn kind_of(thinking: &str) -> Option<Cow<'_, str>> {
    Object::parse(thinking).ok()?.string("type")
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
    let kind = kind_of(thinking);
    let effort = reasoning.effort.as_ref().and_then(|effort| {
        let known = toward.family.thinking.takes_efforts().then(|| adaptive(&effort.meant())).flatten();
        if known.is_none() && effort.meant() != "none" {
            losses.add(member(client));
        }
        known.map(quoted)
    });
    let is_on = kind.as_deref() != Some("disabled");
    if is_on && obstacles.are_in_the_way(kind.as_deref() == Some("enabled")) {
        losses.add("thinking");
        return Thoughts { thinking: None, effort, is_on: false };
    }
    Thoughts { thinking: Some(thinking.to_owned()), effort, is_on }
}

/// An effort that is to be asked for.
#[derive(Debug)]
struct Wish<'a> {
    effort: Cow<'a, str>,
    /// The client's member that says so.
    member: &'static str,
    /// How thoughts are to be shown.
    display: Option<Cow<'a, str>>,
}

impl<'a> Wish<'a> {
    /// The client has named it.
    fn of(reasoning: &'a Reasoning<'_>, client: Dialect) -> Option<Self> {
        let effort = reasoning.effort.as_ref()?.meant();
        let display = reasoning.summary.is_some().then_some(Cow::Borrowed("summarized"));
        (effort != "none").then_some(Self { effort, member: member(client), display })
    }

    /// What comes near to a form that the model does not take: the newer refuse a budget, and the older know nothing
    /// else.
    fn in_another_form(thinking: &'a str, reasoning: &'a Reasoning<'_>, toward: &Toward<'_>) -> Option<Self> {
        let asked = Object::parse(thinking).ok()?;
        let near = match (asked.string("type").as_deref(), toward.family.thinking) {
            (Some("enabled"), Thinking::Adaptive | Thinking::Always) => {
                asked.get("budget_tokens").and_then(json::integer).map_or("high", efforts::of_budget)
            }
            // What is done where no effort is named.
            (Some("adaptive"), Thinking::Budget) => "high",
            _ => return None,
        };
        let named = reasoning.effort.as_ref().map(Text::meant).filter(|effort| effort != "none");
        let effort = named.unwrap_or(Cow::Borrowed(near));
        Some(Self { effort, member: "thinking", display: asked.string("display") })
    }
}

fn by_effort(
    wish: &Wish<'_>,
    toward: &Toward<'_>,
    obstacles: Obstacles,
    max_tokens: &str,
    losses: &mut Losses,
) -> Thoughts {
    let mut thinking = Writer::new();
    let effort = match toward.family.thinking {
        Thinking::None => None,
        Thinking::Budget => budget(&wish.effort, max_tokens).map(|budget| {
            thinking.string("type", "enabled").number("budget_tokens", budget);
            None
        }),
        Thinking::Adaptive | Thinking::Always => adaptive(&wish.effort).map(|effort| {
            thinking.string("type", "adaptive");
            Some(quoted(effort))
        }),
    };
    let is_manual = toward.family.thinking == Thinking::Budget;
    let Some(effort) = effort.filter(|_| !obstacles.are_in_the_way(is_manual)) else {
        losses.add(wish.member);
        return Thoughts::default();
    };
    if let Some(display) = wish.display.as_ref().filter(|_| !is_manual) {
        thinking.string("display", display);
    }
    Thoughts { thinking: Some(thinking.finish()), effort, is_on: true }
}

/// Is the model told not to think?
fn is_unwanted(reasoning: &Reasoning<'_>) -> bool {
    reasoning.effort.as_ref().is_some_and(|effort| effort.meant() == "none")
}

/// Some think as they like where nothing is said, and some whatever is said.
fn without(toward: &Toward<'_>, client: Dialect, losses: &mut Losses) -> Thoughts {
    match toward.family.thinking {
        Thinking::None | Thinking::Budget => Thoughts::default(),
        Thinking::Adaptive => {
            let thinking = Some(Writer::new().string("type", "disabled").finish());
            Thoughts { thinking, ..Thoughts::default() }
        }
        Thinking::Always => {
            losses.add(member(client));
            Thoughts::default()
        }
    }
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
    let wanted = efforts::budget(effort)?;
    let max_tokens = json::integer(max_tokens)?;
    (max_tokens > LEAST).then(|| wanted.min(max_tokens / 2).max(LEAST))
}

/// What the client calls it.
fn member(client: Dialect) -> &'static str {
    match client {
        Dialect::Messages | Dialect::CountTokens => "thinking",
        Dialect::Responses => "reasoning",
        Dialect::Chat | Dialect::Completions | Dialect::Embeddings => "reasoning_effort",
    }
}

fn quoted(word: &str) -> String {
    format!("\"{word}\"")
}
