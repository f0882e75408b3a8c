use super::*;
use crate::{
    app::BuildInfo,
    ledger::LedgerPlace,
    telemetry::{exchange::Recorder, labels::EndpointLabel, logs::LogSink, trace::SpanId},
    upstream::body::Sent,
};
use sluice_config::{Env, Options, Source, load};
use sluice_protocol::observe::Finish;
use std::{collections::BTreeMap, path::Path, sync::Arc, time::Instant};

const PROMPT: u64 = 40;

fn app() -> Arc<App> {
    let yaml = "
auth: {mode: open}
providers:
- {name: a, kind: openai_compatible, base_url: 'http://127.0.0.1:1/v1', allow_private: true}
- {name: b, kind: openai_compatible, base_url: 'http://127.0.0.1:2/v1', allow_private: true}
models: [{name: m, targets: [{provider: a, model: x}, {provider: b, model: y, priority: 1}]}]
prices: [{provider: a, model: x, input: 1, output: 10}]
";
    let source = Source::Text { name: "test", text: yaml, base: Path::new(".") };
    let options = Options { env: Env::Map(BTreeMap::new()), env_optional: false };
    let info = BuildInfo { version: "0", revision: "0" };
    App::build(load(source, &options).unwrap().settings, info, LogSink::discard(), LedgerPlace::Memory)
        .unwrap()
}

/// What a request has bought whose tries at the model's targets, in their order, ended so.
fn spent(tries: &[(AttemptOutcome, Option<Facts>)]) -> Spent {
    let sent = Sent::default();
    sent.begin();
    spent_when(&sent, tries)
}

fn spent_when(sent: &Sent, tries: &[(AttemptOutcome, Option<Facts>)]) -> Spent {
    let app = app();
    let peer = "127.0.0.1:1".parse().unwrap();
    let mut x = Recorder::open(app.clone(), "id".into(), peer, EndpointLabel::Chat);
    x.prompt_tokens = PROMPT;
    let entry = app.snapshot().models.find("m").unwrap().clone();
    for (target, (outcome, facts)) in entry.targets.iter().zip(tries) {
        x.attempts.push(Attempt {
            target: target.clone(),
            span: SpanId::draw(),
            model: target.model.clone(),
            outcome: *outcome,
            status: None,
            reason: None,
            said: None,
            began: Instant::now(),
            took: None,
            sent: sent.clone(),
            facts: *facts,
            trial: target.health.anyway(),
        });
    }
    Spent::of(&app, &x)
}

fn told(input: u64, output: u64) -> Facts {
    let usage = Some(Usage { input, output, cache_read: 5, ..Usage::default() });
    Facts { usage, finish: Some(Finish::Stop), content_tokens: output, content_events: 1 }
}

fn came(content_tokens: u64) -> Facts {
    Facts { content_tokens, content_events: 1, ..Facts::default() }
}

fn counted(source: TokenSource, input: u64, cache_read: u64, output: u64) -> Option<Counted> {
    Some(Counted { tokens: Tokens { input, cache_read, output, ..Tokens::default() }, source })
}

#[test]
fn the_upstream_s_word_counts_and_else_what_was_sent_and_came() {
    use AttemptOutcome::{BadResponse, Cancelled, ConnectError, Ok, RateLimited, ServerError, Timeout};
    use TokenSource::{Estimated, Provider};
    let cases = [
        (Ok, Some(told(105, 7)), counted(Provider, 100, 5, 7)),
        (Cancelled, Some(told(105, 7)), counted(Provider, 100, 5, 7)),
        // An answer without usage, and streams that were cut by either side.
        (Ok, Some(came(9)), counted(Estimated, PROMPT, 0, 9)),
        (Cancelled, Some(came(9)), counted(Estimated, PROMPT, 0, 9)),
        (BadResponse, Some(came(9)), counted(Estimated, PROMPT, 0, 9)),
        (Timeout, Some(came(9)), counted(Estimated, PROMPT, 0, 9)),
        // Left before anything came; failures and refusals.
        (Cancelled, None, counted(Estimated, PROMPT, 0, 0)),
        (Timeout, None, None),
        (ConnectError, None, None),
        (ServerError, None, None),
        (RateLimited, None, None),
        (BadResponse, None, None),
    ];
    for (outcome, facts, expected) in cases {
        let spent = spent(&[(outcome, facts)]);
        assert_eq!(spent.counted, expected, "{outcome:?} {facts:?}");
        assert_eq!(spent.tries[0].counted, expected, "{outcome:?} {facts:?}");
        assert_eq!(spent.cost.is_some(), expected.is_some(), "{outcome:?} {facts:?}");
    }
    assert_eq!(spent(&[]).counted, None);
    let unsent = spent_when(&Sent::default(), &[(Cancelled, None)]);
    assert_eq!(unsent.counted, None, "there was no connection yet: nobody was asked");
}

#[test]
fn a_count_that_was_told_before_the_answer_is_not_the_answer_s() {
    let begun = |output, content_tokens, finish| Facts {
        usage: Some(Usage { input: 100, output, ..Usage::default() }),
        content_tokens,
        content_events: 1,
        finish,
    };
    let of = |facts| spent(&[(AttemptOutcome::Cancelled, Some(facts))]).counted;
    assert_eq!(of(begun(1, 80, None)), counted(TokenSource::Estimated, 100, 0, 80), "told at the start");
    assert_eq!(of(begun(70, 80, None)), counted(TokenSource::Provider, 100, 0, 70), "told with each event");
    assert_eq!(of(begun(1, 80, Some(Finish::Stop))), counted(TokenSource::Provider, 100, 0, 1));
}

#[test]
fn a_request_costs_what_its_tries_cost_together() {
    let good = (AttemptOutcome::Ok, Some(told(105, 7)));
    let cut = (AttemptOutcome::BadResponse, Some(came(2)));
    let one = spent(&[good]);
    let cost = one.cost.as_ref().unwrap();
    assert_eq!(cost.nano_usd, 105_000 + 70_000);
    assert_eq!(cost.prices, *app().snapshot().prices.version());
    assert_eq!(one.told().map(|tokens| tokens.output), Some(7));

    // The second target has no price.
    let fell_back = spent(&[(AttemptOutcome::ServerError, None), good]);
    assert_eq!(fell_back.counted, counted(TokenSource::Provider, 100, 5, 7));
    assert_eq!(fell_back.cost, None, "unknown is not zero");
    assert_eq!(fell_back.tries.len(), 2);
    assert_eq!(fell_back.tries[0], Bought::default());
    assert_eq!(fell_back.tries[1].nano_usd, None);

    let both = spent(&[cut, good]);
    assert_eq!(
        both.counted,
        counted(TokenSource::Estimated, PROMPT + 100, 5, 9),
        "one estimate makes it one"
    );
    assert_eq!(both.cost.as_ref().unwrap().nano_usd, PROMPT * 1_000 + 20_000, "what is known of it");
    assert_eq!(both.told().map(|tokens| tokens.output), Some(7), "for the pace of the answer");
}
