//! Where the request would go: the rule that holds, who is asked in which order, who is left out and why.

use super::{Run, live::HealthFacts};
use crate::{
    facts::{Call, Choice, Plan, Skip},
    state::snapshot::{ModelEntry, Target},
    upstream::errand::Outgoing,
};
use serde::Serialize;
use sluice_config::model::{Condition, Strategy};
use std::sync::Arc;

/// Where it goes.
#[derive(Debug, Serialize)]
pub(super) struct Routing {
    /// The rule that replaces the targets.
    pub(super) rule: Option<RuleFact>,
    pub(super) targets: Vec<TargetFacts>,
    /// What decides which target is asked first.
    pub(super) first_by: FirstBy,
    /// The first that is not passed by for an open circuit, by a gateway that runs; absent where none was asked, and
    /// where all circuits are open.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) first_live: Option<PlaceFact>,
}

/// A target's name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct PlaceFact {
    pub(super) provider: String,
    pub(super) model: String,
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
    /// The same as configured, by which others know the target.
    #[serde(skip)]
    pub(super) configured: Arc<str>,
    pub(super) priority: u32,
    pub(super) weight: u32,
    /// The fallback that it comes from.
    pub(super) fallback: Option<String>,
    /// Can the tries come to it, should all before it fail?
    pub(super) reachable: bool,
    /// What the request is put in for it, where that is not what the client speaks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) translated: Option<&'static str>,
    /// Members that it would not be sent.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) dropped: Vec<String>,
    /// Is it asked at all?
    pub(super) served: bool,
    /// Why not.
    pub(super) skipped: Option<String>,
    /// How it fares, by a gateway that runs; absent where none was asked, and where that one does not know it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) health: Option<HealthFacts>,
    /// The same for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) health_text: Option<String>,
}

impl TargetFacts {
    /// Writes the request as this target would be sent it, and tells what becomes of it.
    fn write(&mut self, plan: &Plan, call: &Call, choice: &Choice) {
        match Outgoing::of(plan, call, choice) {
            Ok(outgoing) => {
                self.translated =
                    outgoing.translation.as_ref().map(|_| crate::cache::key::kind(outgoing.wire));
                self.dropped.clone_from(&outgoing.dropped);
            }
            Err(unfit) => {
                self.served = false;
                self.skipped = Some(format!("{}: {}", unfit.member, unfit.why));
            }
        }
    }
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

/// Targets that stand together in the configuration: the model's own or its rule's, and those of each fallback.
pub(super) struct List<'a> {
    pub(super) entry: &'a ModelEntry,
    /// The name that it is asked for.
    pub(super) requested: &'a str,
    pub(super) targets: &'a [Arc<Target>],
    pub(super) is_fallback: bool,
}

impl List<'_> {
    fn place(&self, choice: &Choice) -> Option<usize> {
        self.targets.iter().position(|target| Arc::ptr_eq(target, &choice.target))
    }

    pub(super) fn facts(&self, choice: &Choice, skip: Option<Skip>) -> TargetFacts {
        let fallback = self.is_fallback.then(|| self.requested.to_owned());
        TargetFacts { fallback, ..facts(choice, skip) }
    }
}

/// Targets that may come in any order among themselves: the place of their list, their priority, whether they have no
/// weight; and their place, where the order is known.
pub(super) type Group = (usize, (u32, bool), usize);

/// Marks those that no try is left for. `groups` are those of the targets that are asked, in their order: the lucky
/// one of a group comes first of it.
pub(super) fn mark_reach(targets: &mut [TargetFacts], groups: &[Group], attempts: u32) {
    let attempts = usize::try_from(attempts).unwrap_or(usize::MAX);
    for (target, group) in targets.iter_mut().zip(groups) {
        target.reachable = groups.partition_point(|other| other < group) < attempts;
    }
}

impl Run<'_> {
    /// By the plan; `kept` says whether the answer may be.
    pub(super) fn planned(&self, kept: bool, plan: &Plan, call: Option<&Call>) -> Routing {
        let lists = self.lists(plan.rule);
        let is_settled = kept || plan.sticky.is_some();
        let list_of = |choice: &Choice| {
            let found = |(at, list): (usize, &List<'_>)| Some((at, list.place(choice)?));
            lists.iter().enumerate().find_map(found)
        };
        let told = |choice: &Choice, skip| match list_of(choice).and_then(|(at, _)| lists.get(at)) {
            Some(list) => list.facts(choice, skip),
            None => facts(choice, skip),
        };
        // What is drawn anew each time is told in the order of the configuration, list by list.
        let mut asked: Vec<(Group, usize, &Choice)> = Vec::new();
        for (planned, choice) in plan.choices.iter().enumerate() {
            let (list, place) = list_of(choice).unwrap_or((lists.len(), 0));
            let strategy = lists.get(list).map(|list| list.entry.strategy);
            let is_told = is_settled || strategy.is_none_or(|strategy| strategy == Strategy::Cheapest);
            let tier = (choice.target.priority, choice.target.weight == 0);
            let group = if is_told { (list, (0, false), planned) } else { (list, tier, 0) };
            asked.push((group, place, choice));
        }
        asked.sort_by_key(|(group, place, _)| (*group, *place));
        let groups: Vec<Group> = asked.iter().map(|(group, ..)| *group).collect();
        let mut targets: Vec<_> = asked
            .into_iter()
            .map(|(.., choice)| {
                let mut facts = told(choice, None);
                if let Some(call) = call {
                    facts.write(plan, call, choice);
                }
                facts
            })
            .collect();
        mark_reach(&mut targets, &groups, self.entry.attempts);
        targets.extend(plan.skipped.iter().map(|skipped| told(&skipped.choice, Some(skipped.why))));
        let first_by = self.first_by(kept, plan, &lists);
        Routing { rule: plan.rule.and_then(|at| self.rule(at)), targets, first_by, first_live: None }
    }

    /// In the order in which a plan walks them. Fallbacks that the key may not use are none.
    pub(super) fn lists(&self, rule: Option<usize>) -> Vec<List<'_>> {
        let entry = self.entry;
        let own = rule.and_then(|at| entry.rules.get(at)).map_or(&entry.targets, |rule| &rule.targets);
        let fallbacks = entry.fallbacks.iter().filter(|name| self.key.may_use(name)).filter_map(|name| {
            let entry = self.snapshot.models.find(name)?;
            Some(List { entry, requested: name, targets: &entry.targets, is_fallback: true })
        });
        let own = List { entry, requested: &self.question.model, targets: own, is_fallback: false };
        std::iter::once(own).chain(fallbacks).collect()
    }

    pub(super) fn rule(&self, at: usize) -> Option<RuleFact> {
        let when = condition(&self.entry.rules.get(at)?.when);
        Some(RuleFact { number: at + 1, when })
    }

    fn first_by(&self, kept: bool, plan: &Plan, lists: &[List<'_>]) -> FirstBy {
        let first = plan.choices.first();
        let Some(list) = first.and_then(|first| lists.iter().find(|list| list.place(first).is_some())) else {
            return FirstBy::Priority;
        };
        let best = first.map(|first| first.target.priority);
        let rivals = plan.choices.iter().filter(|choice| list.place(choice).is_some());
        if rivals.filter(|choice| is_rival(choice, best)).count() < 2 {
            return FirstBy::Priority;
        }
        match (plan.sticky, kept, list.entry.strategy) {
            // The model that was asked for says what sticks, also to a fallback.
            (Some(_), ..) if self.entry.strategy == Strategy::Session && !self.entry.affinity => {
                FirstBy::Session
            }
            (Some(_), ..) => FirstBy::Prefix,
            (None, true, _) => FirstBy::Request,
            (None, false, Strategy::Weighted | Strategy::Session) => FirstBy::Lot,
            (None, false, Strategy::LeastLatency) => FirstBy::Latency,
            (None, false, Strategy::LeastBusy) => FirstBy::Load,
            (None, false, Strategy::Cheapest) => FirstBy::Price,
        }
    }
}

pub(super) fn is_rival(choice: &Choice, best: Option<u32>) -> bool {
    Some(choice.target.priority) == best && choice.target.weight > 0
}

fn facts(choice: &Choice, skip: Option<Skip>) -> TargetFacts {
    let target = &choice.target;
    TargetFacts {
        provider: target.provider.name.to_string(),
        model: choice.model.to_string(),
        configured: target.model.clone(),
        priority: target.priority,
        weight: target.weight,
        fallback: None,
        reachable: skip.is_none(),
        translated: None,
        dropped: Vec::new(),
        served: skip.is_none(),
        skipped: skip.map(|why| why.to_string()),
        health: None,
        health_text: None,
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
