//! Where the request would go: the rule that holds, who is asked in which order, who is left out and why.

use super::Run;
use crate::facts::{Choice, Plan, Skip};
use serde::Serialize;
use sluice_config::model::{Condition, Strategy};

/// Where it goes.
#[derive(Debug, Serialize)]
pub(super) struct Routing {
    /// The rule that replaces the targets.
    pub(super) rule: Option<RuleFact>,
    pub(super) targets: Vec<TargetFacts>,
    /// What decides which target is asked first.
    pub(super) first_by: FirstBy,
}

/// A rule of the model.
#[derive(Debug, Serialize)]
pub(super) struct RuleFact {
    /// Its place in the list, from 1.
    pub(super) number: usize,
    /// What it asks for.
    pub(super) when: String,
}

/// One target.
#[derive(Debug, Serialize)]
pub(super) struct TargetFacts {
    pub(super) provider: String,
    /// The upstream's name for the model.
    pub(super) model: String,
    pub(super) priority: u32,
    pub(super) weight: u32,
    /// Is it asked at all?
    pub(super) served: bool,
    /// Why not.
    pub(super) skipped: Option<String>,
    /// How it fares, by a gateway that runs; absent where none was asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) health: Option<String>,
}

/// What decides which target is asked first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum FirstBy {
    /// None can be asked.
    Nothing,
    /// It is the only one of its priority.
    Priority,
    /// The request itself, so that equal requests meet the same target.
    Request,
    /// The stable prefix that it shares with others.
    Prefix,
    /// The session that it belongs to.
    Session,
    /// Each request anew, by weight.
    Lot,
    /// The quicker of two.
    Latency,
    /// The one with the fewest requests in flight.
    Load,
    /// The lowest price.
    Price,
    /// The body: without one nobody can tell.
    Body,
}

impl FirstBy {
    /// Does the plan's own order say what would be done?
    fn is_sure(self) -> bool {
        matches!(self, Self::Request | Self::Prefix | Self::Session | Self::Price | Self::Priority)
    }
}

impl Run<'_> {
    /// `planned` is the plan, and whether the answer may be kept.
    pub(super) fn routing(&self, planned: Option<(bool, &Plan)>) -> Routing {
        let Some((kept, plan)) = planned else { return self.without_body() };
        let first_by = self.first_by(kept, plan);
        let mut asked: Vec<&Choice> = plan.choices.iter().collect();
        if !first_by.is_sure() {
            // What is drawn anew each time is told in the order of the configuration.
            let own = |choice: &Choice| {
                let same = |target: &std::sync::Arc<_>| std::sync::Arc::ptr_eq(target, &choice.target);
                self.entry.targets.iter().position(same).unwrap_or(usize::MAX)
            };
            asked.sort_by_key(|choice| (choice.target.priority, choice.target.weight == 0, own(choice)));
        }
        let skipped = plan.skipped.iter().map(|skipped| facts(&skipped.choice, Some(in_words(skipped.why))));
        Routing {
            rule: plan.rule.and_then(|at| {
                let when = condition(&self.entry.rules.get(at)?.when);
                Some(RuleFact { number: at + 1, when })
            }),
            targets: asked.into_iter().map(|choice| facts(choice, None)).chain(skipped).collect(),
            first_by,
        }
    }

    fn without_body(&self) -> Routing {
        let choices = self.entry.targets.iter().map(|target| Choice {
            model: target.upstream_model(&self.entry.name, &self.question.model),
            target: target.clone(),
        });
        let (served, not): (Vec<_>, Vec<_>) =
            choices.partition(|choice| choice.target.provider.kind.is_active());
        let best = served.first().map(|choice| choice.target.priority);
        let rivals = served.iter().filter(|choice| is_rival(choice, best)).count();
        let first_by = match (served.len(), rivals, self.entry.rules.is_empty()) {
            (0, ..) => FirstBy::Nothing,
            (_, 0 | 1, true) => FirstBy::Priority,
            _ => FirstBy::Body,
        };
        let mut targets: Vec<_> = served.iter().map(|choice| facts(choice, None)).collect();
        // Weight 0 is never drawn first.
        targets.sort_by_key(|target| (target.priority, target.weight == 0));
        targets.extend(not.iter().map(|choice| facts(choice, Some(in_words(Skip::NotActive)))));
        Routing { rule: None, targets, first_by }
    }

    fn first_by(&self, kept: bool, plan: &Plan) -> FirstBy {
        let best = plan.choices.first().map(|choice| choice.target.priority);
        if plan.choices.iter().filter(|choice| is_rival(choice, best)).count() < 2 {
            return FirstBy::Priority;
        }
        match (plan.sticky, kept, self.entry.strategy) {
            (Some(_), _, Strategy::Session) if !self.entry.affinity => FirstBy::Session,
            (Some(_), ..) => FirstBy::Prefix,
            (None, true, _) => FirstBy::Request,
            (None, false, Strategy::Weighted | Strategy::Session) => FirstBy::Lot,
            (None, false, Strategy::LeastLatency) => FirstBy::Latency,
            (None, false, Strategy::LeastBusy) => FirstBy::Load,
            (None, false, Strategy::Cheapest) => FirstBy::Price,
        }
    }
}

fn is_rival(choice: &Choice, best: Option<u32>) -> bool {
    Some(choice.target.priority) == best && choice.target.weight > 0
}

fn facts(choice: &Choice, skipped: Option<String>) -> TargetFacts {
    let target = &choice.target;
    TargetFacts {
        provider: target.provider.name.to_string(),
        model: choice.model.to_string(),
        priority: target.priority,
        weight: target.weight,
        served: skipped.is_none(),
        skipped,
        health: None,
    }
}

fn in_words(why: Skip) -> String {
    match why {
        Skip::NotActive => "not served by this version".to_owned(),
        Skip::Lacks(feature) => format!("cannot take {}", feature.as_str().replace('_', " ")),
        Skip::MaxOutput(most) => format!("gives at most {most} tokens"),
        Skip::Context(window) => format!("prompt and answer do not fit into {window} tokens"),
    }
}

fn condition(when: &Condition) -> String {
    let Condition { tenant, key, header, min_input_tokens, stream, tools } = when;
    let parts = [
        tenant.as_ref().map(|tenant| format!("tenant {tenant}")),
        key.as_ref().map(|key| format!("key {key}")),
        header.as_ref().map(|header| format!("header {}: {}", header.name, header.equals)),
        min_input_tokens.map(|least| format!("at least {least} input tokens")),
        stream.map(|stream| if stream { "streams" } else { "no streams" }.to_owned()),
        tools.map(|tools| if tools { "with tools" } else { "without tools" }.to_owned()),
    ];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    if parts.is_empty() { "always".to_owned() } else { parts.join(", ") }
}
