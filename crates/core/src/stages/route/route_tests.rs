use super::*;
use crate::{
    cache::key::{Draft, Scope},
    facts::{Plan, Skip},
    state::shared::Shared,
    telemetry::trace::Onward,
};
use http::HeaderMap;
use sluice_config::{Env, Options, Source, load};
use sluice_protocol::{Dialect, Envelope, Profile, features::Feature};
use std::{
    collections::BTreeMap,
    path::Path,
    sync::OnceLock,
    time::{Duration, Instant},
};

/// A snapshot of these models, before providers `a` and `b`.
fn snapshot(models: &str) -> Snapshot {
    let yaml = format!(
        "
auth: {{mode: open}}
tenants: [{{name: team}}]
providers:
- {{name: a, kind: openai_compatible, base_url: 'http://127.0.0.1:1/v1', allow_private: true}}
- {{name: b, kind: openai_compatible, base_url: 'http://127.0.0.1:2/v1', allow_private: true}}
- {{name: numbers, kind: openai_compatible, base_url: 'http://127.0.0.1:3/v1', allow_private: true, endpoints: [embeddings]}}
- {{name: claude, kind: anthropic, base_url: 'http://127.0.0.1:4/v1', allow_private: true}}
prices:
- {{provider: a, model: '*', input: 9, output: 9}}
- {{provider: b, model: '*', input: 1, output: 1}}
models:
{models}"
    );
    let source = Source::Text { name: "test", text: &yaml, base: Path::new(".") };
    let options = Options { env: Env::Map(BTreeMap::new()), env_optional: false };
    let settings = load(source, &options).unwrap_or_else(|report| panic!("{report}")).settings;
    Snapshot::build(Arc::new(settings), &Shared::default(), &Metrics::new().unwrap()).unwrap()
}

const WEIGHTED: &str = "
- name: m
  targets:
  - {provider: a, model: heavy, weight: 3}
  - {provider: a, model: light, weight: 1}
  - {provider: a, model: never, weight: 0}
  - {provider: a, model: last, priority: 1}
";

fn call(body: &str) -> Call {
    call_of(Dialect::Chat, body)
}

fn call_of(dialect: Dialect, body: &str) -> Call {
    Call {
        id: "test".into(),
        envelope: Envelope::scan(body.to_owned().into(), dialect, Profile::Open).unwrap(),
        stream: body.contains("\"stream\":true"),
        shared: false,
        forward: Vec::new(),
        trace: Onward::Nothing,
        patience: None,
        prompt: OnceLock::new(),
    }
}

fn body(more: &str) -> String {
    format!(r#"{{"model":"m","messages":[{{"role":"user","content":"hi"}}]{more}}}"#)
}

struct Ask<'a> {
    snapshot: &'a Snapshot,
    headers: HeaderMap,
    tokens: u64,
}

impl<'a> Ask<'a> {
    fn new(snapshot: &'a Snapshot) -> Self {
        Self { snapshot, headers: HeaderMap::new(), tokens: 10 }
    }

    fn header(mut self, name: &'static str, value: &str) -> Self {
        self.headers.insert(name, value.parse().unwrap());
        self
    }

    fn plan(&self, body: &str) -> Result<Plan, GatewayError> {
        self.plan_with(body, false)
    }

    fn plan_with(&self, body: &str, kept: bool) -> Result<Plan, GatewayError> {
        self.plan_call(&call(body), kept)
    }

    fn plan_call(&self, call: &Call, kept: bool) -> Result<Plan, GatewayError> {
        let key = self.snapshot.open.as_ref().unwrap();
        let asking = Asking {
            snapshot: self.snapshot,
            key,
            headers: &self.headers,
            call: &Call { prompt: self.tokens.into(), ..call.clone() },
            came: Instant::now(),
        };
        let draft = kept.then(|| Draft::new(Scope::Tenant("t"), "", &self.headers, &call.envelope));
        plan(self.snapshot.models.find(&call.envelope.model()).unwrap().clone(), asking, draft.as_ref())
    }
}

fn names(plan: &Plan) -> Vec<&str> {
    plan.choices.iter().map(|choice| &*choice.model).collect()
}

/// How often each target came first.
fn firsts(plans: impl Iterator<Item = Plan>) -> BTreeMap<String, u32> {
    let mut first = BTreeMap::<String, u32>::new();
    for plan in plans {
        *first.entry(names(&plan)[0].to_owned()).or_default() += 1;
    }
    first
}

#[test]
fn equal_targets_are_drawn_by_weight_and_fallbacks_stay_behind_them() {
    let snapshot = snapshot(WEIGHTED);
    let plans = (0..4000).map(|_| {
        let plan = Ask::new(&snapshot).plan(&body("")).unwrap();
        assert_eq!(names(&plan)[2..], ["never", "last"]);
        plan
    });
    let first = firsts(plans);
    assert!((2880..3120).contains(&first["heavy"]), "three quarters, give or take three percent: {first:?}");
}

#[test]
fn equal_requests_meet_the_same_target_and_different_ones_share_by_weight() {
    let snapshot = snapshot(WEIGHTED);
    let order = |seed: u32| Ask::new(&snapshot).plan_with(&body(&format!(",\"seed\":{seed}")), true).unwrap();
    let first = firsts((0..4000).map(order));
    assert_eq!(first, firsts((0..4000).map(order)));
    assert!((2850..3150).contains(&first["heavy"]), "{first:?}");
}

#[test]
fn the_first_rule_that_holds_replaces_the_targets() {
    let snapshot = snapshot(
        "
- name: m
  targets: [{provider: a, model: usual}]
  rules:
  - {when: {tenant: team}, targets: [{provider: a, model: team}]}
  - {when: {header: {name: X-Tier, equals: gold}, stream: true}, targets: [{provider: a, model: gold}]}
  - {when: {min_input_tokens: 1000}, targets: [{provider: a, model: long}]}
  - {when: {tools: true}, targets: [{provider: a, model: tools}]}
",
    );
    let tools = body(r#","tools":[{"type":"function","function":{"name":"f"}}]"#);
    let stream = body(",\"stream\":true");
    let plain = Ask::new(&snapshot);
    let gold = Ask::new(&snapshot).header("x-tier", "gold");
    let long = Ask { tokens: 1000, ..Ask::new(&snapshot) };
    for (ask, body, rule, target) in [
        (&plain, &body(""), None, "usual"),
        (&plain, &stream, None, "usual"),
        (&plain, &tools, Some(3), "tools"),
        (&gold, &stream, Some(1), "gold"),
        (&gold, &body(""), None, "usual"),
        (&Ask::new(&snapshot).header("x-tier", "golden"), &stream, None, "usual"),
        (&long, &tools, Some(2), "long"),
    ] {
        let plan = ask.plan(body).unwrap();
        assert_eq!((plan.rule, &*names(&plan)), (rule, &[target][..]), "{body}");
    }
}

#[test]
fn a_target_that_cannot_take_the_request_is_skipped_with_its_reason() {
    let snapshot = snapshot(
        "
- name: m
  targets:
  - {provider: numbers, model: z}
  - {provider: a, model: small, context_window: 100}
  - {provider: a, model: short, max_output_tokens: 50}
  - {provider: a, model: blind, lacks: [images, tools]}
  - {provider: b, model: able, priority: 1}
",
    );
    let plan = Ask::new(&snapshot)
        .plan(&body(r#","max_tokens":95,"tools":[{"type":"function","function":{"name":"f"}}]"#))
        .unwrap();
    assert_eq!(names(&plan), ["able"]);
    let why: Vec<_> = plan.skipped.iter().map(|skipped| (&*skipped.choice.model, skipped.why)).collect();
    assert_eq!(
        why,
        [
            ("z", Skip::Endpoint(Dialect::Chat)),
            ("small", Skip::Context(100)),
            ("short", Skip::MaxOutput(50)),
            ("blind", Skip::Lacks(Feature::Tools))
        ]
    );
}

#[test]
fn when_no_target_can_take_it_the_client_is_told_why_and_only_a_guess_is_left_to_the_upstream() {
    let snapshot = snapshot(
        "
- {name: m, targets: [{provider: a, model: s, context_window: 100}, {provider: a, model: l, context_window: 200}]}
- {name: short, targets: [{provider: a, model: s, max_output_tokens: 50}, {provider: a, model: t, max_output_tokens: 60}]}
- {name: blind, targets: [{provider: a, model: s, lacks: [structured_output]}]}
- {name: numbers, targets: [{provider: numbers, model: z}]}
",
    );
    let ask = |tokens| Ask { tokens, ..Ask::new(&snapshot) }.plan(&body(""));
    assert_eq!(names(&ask(400).unwrap()), ["l"], "a prompt's tokens are only estimated");
    assert_eq!(ask(401).err().unwrap().kind, ErrorKind::MaxTokens, "beyond any doubt");
    let refused = |model: &str, more: &str| {
        let body = body(more).replace("\"m\"", &format!("\"{model}\""));
        let error = Ask::new(&snapshot).plan(&body).err().unwrap();
        (error.kind, error.message)
    };
    let (kind, text) = refused("short", ",\"max_tokens\":61");
    let told =
        "No target of model 'short' can take this request: gives at most 50 tokens; gives at most 60 tokens.";
    assert_eq!((kind, &*text), (ErrorKind::MaxTokens, told));
    let (kind, text) = refused("blind", r#","response_format":{"type":"json_object"}"#);
    let told = "No target of model 'blind' can take this request: cannot take structured output.";
    assert_eq!((kind, &*text), (ErrorKind::Unserved, told));
    let (kind, text) = refused("numbers", "");
    let told = "No target of model 'numbers' can take this request: has no endpoint for chat.";
    assert_eq!((kind, &*text), (ErrorKind::Unserved, told));
}

#[test]
fn fallback_models_follow_where_the_key_may_use_them_and_theirs_do_not() {
    let snapshot = snapshot(
        "
- {name: m, targets: [{provider: a, model: own}], fallbacks: [second, third]}
- {name: second, targets: [{provider: b, model: two}], fallbacks: [fourth]}
- {name: third, targets: [{provider: b, model: three}], aliases: [also]}
- {name: fourth, targets: [{provider: b, model: four}]}
",
    );
    assert_eq!(names(&Ask::new(&snapshot).plan(&body("")).unwrap()), ["own", "two", "three"]);
    let alias = body("").replace("\"m\"", "\"also\"");
    assert_eq!(names(&Ask::new(&snapshot).plan(&alias).unwrap()), ["three"]);
    let mut narrow = snapshot;
    Arc::get_mut(narrow.open.as_mut().unwrap()).unwrap().models =
        vec![Pattern::parse("m"), Pattern::parse("third")];
    assert_eq!(names(&Ask::new(&narrow).plan(&body("")).unwrap()), ["own", "three"]);
}

#[test]
fn each_strategy_puts_its_own_first() {
    let with = |strategy: &str| {
        snapshot(&format!(
            "
- name: m
  strategy: {strategy}
  targets: [{{provider: a, model: dear}}, {{provider: b, model: cheap}}, {{provider: b, model: off, weight: 0}}]
"
        ))
    };
    let first = |snapshot: &Snapshot| firsts((0..200).map(|_| Ask::new(snapshot).plan(&body("")).unwrap()));
    assert_eq!(first(&with("cheapest")).keys().collect::<Vec<_>>(), ["cheap"]);

    let busy = with("least_busy");
    let dear = busy.models.find("m").unwrap().targets[0].clone();
    let under_way = dear.health.anyway();
    assert_eq!(first(&busy).keys().collect::<Vec<_>>(), ["cheap"]);
    drop(under_way);
    assert_eq!(first(&busy).len(), 2, "equal again");

    let quick = with("least_latency");
    let entry = quick.models.find("m").unwrap().clone();
    entry.targets[0].health.latency.observe(Duration::from_millis(10), false, Instant::now());
    entry.targets[1].health.latency.observe(Duration::from_millis(90), false, Instant::now());
    assert_eq!(first(&quick).keys().collect::<Vec<_>>(), ["dear"]);
}

#[test]
fn a_session_meets_the_same_target_and_sessions_share_by_weight() {
    let snapshot = snapshot(
        "
- {name: m, strategy: session, targets: [{provider: a, model: heavy, weight: 3}, {provider: b, model: light}]}
",
    );
    let by_header =
        |name: &str| Ask::new(&snapshot).header("x-sluice-session", name).plan(&body("")).unwrap();
    let by_user = |name: &str| Ask::new(&snapshot).plan(&body(&format!(",\"user\":\"{name}\""))).unwrap();
    for session in 0..200 {
        let name = session.to_string();
        let first = names(&by_header(&name))[0].to_owned();
        assert!((0..3).all(|_| names(&by_header(&name))[0] == first && names(&by_user(&name))[0] == first));
    }
    let first = firsts((0..4000).map(|session| by_header(&session.to_string())));
    assert!((2850..3150).contains(&first["heavy"]), "{first:?}");
    assert_eq!(
        firsts((0..200).map(|_| Ask::new(&snapshot).plan(&body("")).unwrap())).len(),
        2,
        "none: by lot"
    );
}

#[test]
fn requests_with_one_prefix_meet_one_target_whether_or_not_their_answers_are_kept() {
    let snapshot = snapshot(
        "
- {name: m, prompt_cache_affinity: true, targets: [{provider: a, model: one}, {provider: b, model: two}]}
",
    );
    let turn = |system: u32, user: u32, kept: bool| {
        let body = format!(
            r#"{{"model":"m","seed":7,"messages":[{{"role":"system","content":"s{system}"}},{{"role":"user","content":"u{user}"}}]}}"#
        );
        Ask::new(&snapshot).plan_with(&body, kept).unwrap()
    };
    for kept in [false, true] {
        for system in 0..50 {
            let plan = turn(system, 0, kept);
            assert!(plan.sticky.is_some());
            assert!((1..5).all(|user| {
                let other = turn(system, user, kept);
                names(&other) == names(&plan) && other.sticky == plan.sticky
            }));
        }
        assert_eq!(firsts((0..200).map(|system| turn(system, 0, kept))).len(), 2);
    }
}

#[test]
fn the_clients_patience_bounds_all_tries() {
    let snapshot = snapshot(WEIGHTED);
    let asking_with = |patience: Option<Duration>| {
        let call = Call { patience, ..call(&body("")) };
        let key = snapshot.open.as_ref().unwrap();
        let came = Instant::now();
        let headers = HeaderMap::new();
        let asking = Asking { snapshot: &snapshot, key, headers: &headers, call: &call, came };
        let plan = plan(snapshot.models.find("m").unwrap().clone(), asking, None).unwrap();
        plan.deadline - came
    };
    assert_eq!(asking_with(Some(Duration::from_millis(300))), Duration::from_millis(300));
    assert_eq!(asking_with(None), Duration::from_secs(3 * 30 * 60), "what three tries may take");
}

#[test]
fn a_request_goes_to_whom_nothing_of_it_has_to_be_left_out_first() {
    let snapshot = snapshot(
        "- {name: m, targets: [{provider: claude, model: c, weight: 100}, {provider: a, model: o}]}",
    );
    let first = |more: &str| firsts((0..200).map(|_| Ask::new(&snapshot).plan(&body(more)).unwrap()));
    assert!(first("")["c"] > 150, "by weight: both can take it");
    for more in [r#","n":2"#, r#","logprobs":true"#] {
        assert_eq!(first(more), BTreeMap::from([("o".to_owned(), 200)]), "{more}");
        assert_eq!(
            names(&Ask::new(&snapshot).plan(&body(more)).unwrap()),
            ["o", "c"],
            "still the second choice"
        );
    }
}

#[test]
fn what_builds_on_kept_state_goes_where_that_is_and_nowhere_else() {
    let snapshot = snapshot(
        "
- name: m
  targets: [{provider: claude, model: c}, {provider: a, model: one}, {provider: b, model: two}]
- {name: stateless, targets: [{provider: claude, model: c}]}
",
    );
    let plan = |members: &str| {
        let body = format!(r#"{{"model":"m","input":"x"{members}}}"#);
        Ask::new(&snapshot).plan_call(&call_of(Dialect::Responses, &body), false)
    };
    let past = r#","previous_response_id":"resp_1""#;
    let bound = plan(past).unwrap();
    let [home] = names(&bound)[..] else { panic!("one place alone: {:?}", names(&bound)) };
    let keeps: Vec<_> = (0..50).map(|_| plan("").unwrap()).collect();
    let keeper = |plan: &Plan| names(plan).into_iter().find(|name| *name != "c").unwrap().to_owned();
    assert!(keeps.iter().all(|plan| keeper(plan) == home), "an answer is kept where it will be looked for");
    assert!(
        firsts((0..50).map(|_| plan(r#","store":false"#).unwrap())).len() > 1,
        "what is not kept is shared"
    );
    let body = r#"{"model":"stateless","input":"x","previous_response_id":"resp_1"}"#;
    let refused = Ask::new(&snapshot).plan_call(&call_of(Dialect::Responses, body), false).err().unwrap();
    assert_eq!(refused.kind, ErrorKind::Unserved);
    assert!(refused.message.contains("no Responses API"), "{}", refused.message);
}
