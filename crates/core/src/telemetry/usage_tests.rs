use super::*;
use crate::{
    app::{App, BuildInfo},
    ledger::{By, LedgerPlace, Totals},
    telemetry::{
        exchange::Recorder,
        labels::{EndpointLabel, Outcome},
        logs::LogSink,
    },
};
use sluice_config::{Env, Options, Source, load};
use std::{
    collections::BTreeMap,
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
    sync::Arc,
};

fn app() -> Arc<App> {
    let yaml = "
auth: {mode: open}
providers: [{name: a, kind: openai_compatible, base_url: 'http://127.0.0.1:1/v1', allow_private: true}]
models: [{name: m, targets: [{provider: a, model: x}]}]
";
    let source = Source::Text { name: "test", text: yaml, base: Path::new(".") };
    let options = Options { env: Env::Map(BTreeMap::new()), env_optional: false };
    let info = BuildInfo { version: "0", revision: "0" };
    App::build(load(source, &options).unwrap().settings, info, LogSink::discard(), LedgerPlace::Memory)
        .unwrap()
}

/// A request that has just arrived.
fn arrived(app: &Arc<App>) -> Recorder {
    Recorder::open(app.clone(), "id".into(), "127.0.0.1:1".parse().unwrap(), EndpointLabel::Chat)
}

/// One whose caller is known.
fn accepted(app: &Arc<App>) -> Recorder {
    let mut recorder = arrived(app);
    recorder.key = app.snapshot().open.clone();
    recorder
}

/// Records so far, and those of them that are errors.
fn told(app: &App) -> (u64, u64) {
    assert!(app.ledger().flush(Duration::from_secs(20)));
    let rows = app.ledger().reader().unwrap().summary(By::Key, None, None).unwrap();
    let totals = rows.first().map_or(Totals::default(), |row| row.totals);
    (totals.requests, totals.errors)
}

#[test]
fn a_request_is_recorded_once_however_its_record_goes() {
    let app = app();
    drop(arrived(&app));
    assert_eq!(told(&app), (0, 0), "nobody was let in");
    accepted(&app).finish(Outcome::Ok);
    assert_eq!(told(&app), (1, 0));
    drop(accepted(&app));
    assert_eq!(told(&app), (2, 0), "a client that left");
    accepted(&app).finish_left();
    assert_eq!(told(&app), (3, 0), "one that left a flight behind");
    let recorder = AssertUnwindSafe(accepted(&app));
    let panicked = catch_unwind(|| {
        let _recorder = { recorder }.0;
        panic!("a fault of ours");
    });
    assert!(panicked.is_err());
    assert_eq!(told(&app), (4, 1), "and one whose handler panicked");
}

#[test]
fn what_comes_after_the_end_is_counted_as_lost() {
    let app = app();
    assert!(app.ledger().close(Duration::from_secs(20)));
    accepted(&app).finish(Outcome::Ok);
    assert_eq!(app.metrics.usage_dropped.with_label_values(&["closed"]).get(), 1);
}
