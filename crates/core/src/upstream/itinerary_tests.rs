use super::*;
use crate::{
    error::ErrorKind,
    state::{
        shared::Shared,
        snapshot::{ModelEntry, Snapshot},
    },
    telemetry::metrics::Metrics,
    upstream::classify::Verdict,
};
use sluice_config::{Env, Options, Source, load};
use sluice_protocol::Dialect;
use std::{collections::BTreeMap, path::Path};

const TWO: &str = "[{provider: a, model: x}, {provider: b, model: y}]";

/// A plan over these targets in their order; provider `a` has two keys, `b` has one.
fn plan(targets: &str, resilience: &str) -> Plan {
    let yaml = format!(
        "
auth: {{mode: open}}
providers:
- name: a
  kind: openai_compatible
  base_url: http://127.0.0.1:1/v1
  allow_private: true
  keys: [{{name: one, value: sk-1}}, {{name: two, value: sk-2}}]
- {{name: b, kind: openai_compatible, base_url: 'http://127.0.0.1:2/v1', allow_private: true}}
models: [{{name: m, targets: {targets}}}]
resilience: {{{resilience}}}
"
    );
    let source = Source::Text { name: "test", text: &yaml, base: Path::new(".") };
    let options = Options { env: Env::Map(BTreeMap::new()), env_optional: false };
    let settings = load(source, &options).unwrap_or_else(|report| panic!("{report}")).settings;
    let snapshot = Snapshot::build(Arc::new(settings), &Shared::default(), &Metrics::new().unwrap()).unwrap();
    of(snapshot.models.find("m").unwrap().clone())
}

fn of(entry: Arc<ModelEntry>) -> Plan {
    Plan {
        choices: entry
            .targets
            .iter()
            .map(|target| Choice::new(target.clone(), target.model.clone(), Dialect::Chat))
            .collect(),
        skipped: Vec::new(),
        rule: None,
        sticky: None,
        requested: "m".to_owned(),
        passed_over: 0,
        deadline: Instant::now() + Duration::from_secs(60),
        entry,
    }
}

fn failure(outcome: AttemptOutcome, again: bool, retry_after: Option<Duration>) -> Failure {
    let mut failure = Failure::first_byte(Duration::from_secs(1));
    failure.verdict = Verdict { outcome, kind: ErrorKind::UpstreamFailed, next: true, again };
    failure.retry_after = retry_after;
    failure
}

/// Walks with failures of this kind until nobody is left; the choices in the order of the tries.
fn walk(plan: &Plan, outcome: AttemptOutcome, again: bool) -> Vec<usize> {
    let (mut way, now) = (Itinerary::new(plan), Instant::now());
    let mut asked = Vec::new();
    while let Some(mut turn) = way.next(plan, now) {
        asked.push(turn.at);
        let failure = failure(outcome, again, None);
        let pool = &plan.choices[turn.at].target.provider.pool;
        if outcome == AttemptOutcome::RateLimited {
            pool.rate_limited(turn.key, &plan.choices[turn.at].model, None, now);
        }
        turn.trial.ended(outcome, now);
        way.failed(plan, turn.at, turn.key, &failure);
        assert!(asked.len() < 20, "{asked:?}");
    }
    asked
}

#[test]
fn untried_targets_come_before_those_that_may_be_asked_again() {
    assert_eq!(walk(&plan(TWO, ""), AttemptOutcome::ServerError, true), [0, 1, 0]);
    assert_eq!(walk(&plan(TWO, "attempts: 5"), AttemptOutcome::ConnectError, true), [0, 1, 0, 1, 0]);
    let one = "[{provider: b, model: y}]";
    assert_eq!(walk(&plan(one, ""), AttemptOutcome::ServerError, true), [0, 0, 0]);
    assert_eq!(walk(&plan(one, "attempts: 1"), AttemptOutcome::ServerError, true), [0]);
}

#[test]
fn what_timed_out_is_never_asked_again() {
    assert_eq!(walk(&plan(TWO, "attempts: 9"), AttemptOutcome::Timeout, false), [0, 1]);
}

#[test]
fn every_key_of_a_pool_is_tried_without_using_up_tries() {
    // Two keys of `a`, the one of `b`.
    assert_eq!(walk(&plan(TWO, "attempts: 2"), AttemptOutcome::RateLimited, false), [0, 0, 1]);
    assert_eq!(walk(&plan(TWO, "attempts: 1"), AttemptOutcome::AuthError, false), [0, 0]);
}

#[test]
fn a_retry_budget_bounds_repetitions_and_no_fallbacks() {
    let none = "attempts: 9, retry_budget: {ratio: 0%, per_second: 0}";
    assert_eq!(walk(&plan(TWO, none), AttemptOutcome::ServerError, true), [0, 1]);
    let same = "[{provider: b, model: y}, {provider: b, model: z}]";
    assert_eq!(walk(&plan(same, none), AttemptOutcome::ServerError, true), [0], "the same provider");
    assert_eq!(walk(&plan(same, none), AttemptOutcome::ClientError, false), [0, 1], "another model may do");
    let few = plan("[{provider: b, model: y}]", "attempts: 9, retry_budget: {ratio: 0%, per_second: 2}");
    assert_eq!(walk(&few, AttemptOutcome::ServerError, true), [0, 0, 0]);
    assert_eq!(walk(&few, AttemptOutcome::ServerError, true).len(), 1, "spent by the request before");
}

#[test]
fn waits_are_jittered_and_bounded_and_a_short_wish_is_added() {
    let plan = plan(
        "[{provider: b, model: y}]",
        "attempts: 9, backoff: {initial: 50ms, max: 100ms}, retry_budget: {per_second: 100000}",
    );
    let mut longest = [Duration::ZERO; 3];
    for _ in 0..200 {
        let now = Instant::now() + Duration::from_secs(60);
        plan.choices[0].health.close();
        let mut way = Itinerary::new(&plan);
        assert_eq!(way.next(&plan, now).unwrap().wait, Duration::ZERO);
        for longest in &mut longest {
            way.failed(&plan, 0, 0, &failure(AttemptOutcome::ServerError, true, None));
            let Some(turn) = way.next(&plan, now) else { break };
            *longest = (*longest).max(turn.wait);
        }
    }
    let ms = |ms| Duration::from_millis(ms);
    assert!(longest[0] <= ms(50) && longest[0] > ms(35), "{longest:?}");
    assert!(longest[1] <= ms(100) && longest[1] > ms(70), "{longest:?}");
    let wish = |after| {
        let mut way = Itinerary::new(&plan);
        let now = Instant::now() + Duration::from_secs(120);
        drop(way.next(&plan, now));
        way.failed(&plan, 0, 0, &failure(AttemptOutcome::ServerError, true, Some(after)));
        way.next(&plan, now).map(|turn| turn.wait)
    };
    assert!(wish(ms(1500)).is_some_and(|wait| wait >= ms(1500) && wait <= ms(1600)));
    assert_eq!(wish(ms(2100)), None, "not waited for");
}

#[test]
fn an_open_circuit_is_passed_by_and_asked_anyway_where_nothing_else_is_left() {
    let (plan, now) = (plan(TWO, ""), Instant::now());
    let open = |at: usize| {
        for _ in 0..5 {
            plan.choices[at].health.anyway().ended(AttemptOutcome::ServerError, now);
        }
    };
    open(0);
    let mut way = Itinerary::new(&plan);
    assert_eq!(way.next(&plan, now).unwrap().at, 1);
    way.failed(&plan, 1, 0, &failure(AttemptOutcome::Timeout, false, None));
    assert!(way.next(&plan, now).is_none(), "one was asked, and the other is known to be down");
    open(1);
    let mut way = Itinerary::new(&plan);
    let turn = way.next(&plan, now).unwrap();
    assert_eq!(turn.at, 0, "it has been open for longest");
    way.failed(&plan, 0, turn.key, &failure(AttemptOutcome::ServerError, true, None));
    assert!(way.next(&plan, now).is_none(), "one long shot is enough");
    // Once its time is over, one request finds out.
    let later = now + Duration::from_secs(2);
    assert_eq!(Itinerary::new(&plan).next(&plan, later).unwrap().at, 0);
}

#[test]
fn a_choice_without_room_costs_no_try() {
    let plan = plan(TWO, "attempts: 1");
    let (mut way, now) = (Itinerary::new(&plan), Instant::now());
    let turn = way.next(&plan, now).unwrap();
    way.has_no_room(turn.at);
    assert_eq!(way.next(&plan, now).unwrap().at, 1);
    let mut passed_over = Itinerary::new(&Plan { passed_over: 1, ..plan });
    let plan = self::plan(TWO, "");
    assert_eq!(passed_over.next(&plan, now).unwrap().at, 1);
}

#[test]
fn when_all_keys_are_limited_nobody_is_asked_and_the_soonest_reset_is_told() {
    let (plan, now) = (plan("[{provider: a, model: x}]", ""), Instant::now());
    let pool = &plan.choices[0].target.provider.pool;
    pool.rate_limited(0, "x", Some(Duration::from_secs(30)), now);
    pool.rate_limited(1, "x", Some(Duration::from_secs(12)), now);
    let mut way = Itinerary::new(&plan);
    assert!(way.next(&plan, now).is_none());
    let (_, unready) = way.unready(&plan).next().unwrap();
    assert_eq!((unready.wait, unready.keys), (Duration::from_secs(12), 2));
}

#[test]
fn an_open_circuit_without_a_ready_key_leaves_the_way_to_the_next_and_says_why() {
    let (plan, now) = (plan(TWO, ""), Instant::now());
    for choice in &plan.choices {
        for _ in 0..5 {
            choice.health.anyway().ended(AttemptOutcome::ServerError, now);
        }
    }
    let pool = &plan.choices[0].target.provider.pool;
    pool.rate_limited(0, "x", Some(Duration::from_secs(30)), now);
    pool.rate_limited(1, "x", Some(Duration::from_secs(12)), now);
    let mut way = Itinerary::new(&plan);
    assert_eq!(way.next(&plan, now).unwrap().at, 1);
    let alone = Plan { choices: plan.choices.iter().take(1).cloned().collect(), ..plan };
    let mut way = Itinerary::new(&alone);
    assert!(way.next(&alone, now).is_none());
    let (_, unready) = way.unready(&alone).next().unwrap();
    assert_eq!(unready.wait, Duration::from_secs(12));
}

#[test]
fn where_one_may_not_be_asked_again_another_may() {
    let plan = plan(TWO, "circuit: {consecutive_failures: 1}");
    plan.choices[1].health.circuit.set_rules(sluice_config::model::Circuit {
        consecutive_failures: 9,
        ..plan.choices[1].health.circuit.rules()
    });
    assert_eq!(walk(&plan, AttemptOutcome::ServerError, true), [0, 1, 1]);
}
