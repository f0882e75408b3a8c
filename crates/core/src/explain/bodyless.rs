//! Where a request would go as far as that is known without its body: rules that ask for the caller or a header are
//! judged, those that ask for the body leave it open.

use super::{
    Run,
    routing::{FirstBy, Group, Routing, is_rival, mark_reach},
};
use crate::{
    cache::policy::Policy,
    facts::{Choice, Plan},
    headers as names,
    stages::{intake, route},
    state::snapshot::Rule,
};
use http::request::Parts;
use sluice_config::model::{CacheMode, Strategy};
use sluice_protocol::{Dialect, Profile};
use std::time::Instant;

/// What a condition comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    /// Whatever the body.
    Holds,
    /// The body decides.
    Open,
    /// Whatever the body.
    Fails,
}

impl Run<'_> {
    pub(super) fn without_body(&self, head: &Parts) -> Routing {
        let judged = self.entry.rules.iter().map(|rule| self.judge(rule, head)).enumerate();
        // Those that cannot hold are passed; what comes after one that may hold is open with it.
        let decisive = judged.into_iter().find(|(_, verdict)| *verdict != Verdict::Fails);
        let rule = decisive.and_then(|(at, verdict)| (verdict == Verdict::Holds).then_some(at));
        let is_open = decisive.is_some() && rule.is_none();
        if let Some(plan) = self.by_session(head).filter(|_| !is_open) {
            return self.planned(false, &plan, None);
        }
        let (mut targets, mut first_by) = (Vec::new(), None);
        for (at, list) in self.lists(rule).into_iter().enumerate() {
            let choices = list.targets.iter().map(|target| {
                let model = target.upstream_model(&list.entry.name, list.requested);
                Choice::new(target.clone(), model, Dialect::Chat)
            });
            let served: Vec<_> = choices.collect();
            if let (None, Some(best)) = (first_by, served.first()) {
                let best = Some(best.target.priority);
                let rivals = served.iter().filter(|choice| is_rival(choice, best)).count();
                first_by = Some(if is_open || rivals > 1 { FirstBy::Body } else { FirstBy::Priority });
            }
            targets.extend(served.iter().map(|choice| {
                // Weight 0 is never drawn first.
                let group: Group = (at, (choice.target.priority, choice.target.weight == 0), 0);
                (group, list.facts(choice, None))
            }));
        }
        targets.sort_by_key(|(group, _)| *group);
        let (groups, mut targets): (Vec<_>, Vec<_>) = targets.into_iter().unzip();
        mark_reach(&mut targets, &groups, self.entry.attempts);
        let first_by = first_by.unwrap_or(FirstBy::Nothing);
        Routing { rule: rule.and_then(|at| self.rule(at)), targets, first_by, first_live: None }
    }

    fn judge(&self, rule: &Rule, head: &Parts) -> Verdict {
        match (rule.knows(self.key, &head.headers), rule.asks_for_the_body()) {
            (false, _) => Verdict::Fails,
            (true, false) => Verdict::Holds,
            (true, true) => Verdict::Open,
        }
    }

    /// A session that is named by a header has its order whatever the body, unless the answer may be kept. Planned
    /// with an empty prompt, which every target can take.
    fn by_session(&self, head: &Parts) -> Option<Plan> {
        let Self { snapshot, key, entry, question, .. } = self;
        let keeps = snapshot.cache.as_ref().is_some_and(|setup| {
            Policy::of(&setup.common, entry.cache.as_ref(), key.cache.as_ref()).mode != CacheMode::Disabled
        });
        let is_session = entry.strategy == Strategy::Session && !entry.affinity;
        if keeps || !is_session || !head.headers.contains_key(names::SESSION) {
            return None;
        }
        let body = serde_json::json!({"model": question.model, "prompt": ""}).to_string();
        let call = intake::read(head, body.into(), Dialect::Completions, Profile::Open, &"".into()).ok()?;
        let headers = &head.headers;
        let came = Instant::now();
        let asking = route::Asking { snapshot, key, headers, call: &call, came };
        route::plan((*entry).clone(), asking, None).ok()
    }
}

#[cfg(test)]
#[path = "bodyless_tests.rs"]
mod tests;
