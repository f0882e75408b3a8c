use super::*;
use crate::{
    LedgerPlace, LogSink, MemoryLog, app::BuildInfo, state::snapshot::Provider,
    telemetry::labels::EndpointLabel, upstream::body::Sent,
};
use sluice_config::{Env, Options, Source, load};
use std::{collections::BTreeMap, future::poll_fn, path::Path};

fn app(policy: &str) -> (Arc<App>, MemoryLog) {
    let yaml = format!(
        "
auth: {{mode: open}}
providers:
- {{name: a, kind: vllm, base_url: 'http://127.0.0.1:1/v1', allow_private: true, on_client_disconnect: {policy}}}
models: [{{name: m, targets: [{{provider: a, model: m}}]}}]
"
    );
    let source = Source::Text { name: "test", text: &yaml, base: Path::new(".") };
    let options = Options { env: Env::Map(BTreeMap::new()), env_optional: false };
    let settings = load(source, &options).unwrap().settings;
    let (sink, log) = LogSink::memory();
    let info = BuildInfo { version: "0", revision: "0" };
    (App::build(settings, info, sink, LedgerPlace::Memory).unwrap(), log)
}

fn provider(app: &App) -> Arc<Provider> {
    app.snapshot().models.find("m").unwrap().targets[0].provider.clone()
}

/// A walk that waits for its provider and then panics. Dropped after it has begun; gives what it left behind.
async fn dropped_and_panicking(policy: &str, sent: bool) -> (Arc<App>, MemoryLog) {
    let (app, log) = app(policy);
    let leaving = Arc::new(Leaving::default());
    let request = Sent::default();
    let recorder =
        Recorder::open(app.clone(), "mine".into(), "127.0.0.1:1".parse().unwrap(), EndpointLabel::Chat);
    let asking = leaving.asks(&provider(&app), &request);
    let (go, gone) = tokio::sync::oneshot::channel::<()>();
    let walk: Walk = Box::pin(async move {
        let _held = (recorder, asking);
        gone.await.unwrap();
        panic!("a fault");
    });
    let mut watched = Watched::new(walk, leaving, app.clone());
    poll_fn(|cx| {
        assert!(Pin::new(&mut watched).poll(cx).is_pending());
        Poll::Ready(())
    })
    .await;
    if sent {
        request.begin();
    }
    drop(watched);
    go.send(()).ok();
    app.unclaimed().ended().await;
    (app, log)
}

#[tokio::test]
async fn a_walk_that_panics_without_its_client_is_told_about_once_as_a_fault_of_ours() {
    let (app, log) = dropped_and_panicking("drain", true).await;
    assert_eq!(app.metrics.panics.get(), 1);
    assert_eq!(log.text().matches("\"mine\"").count(), 1, "{}", log.text());
    assert!(log.text().contains("\"outcome\":\"gateway_error\""), "{}", log.text());
    assert_eq!(app.in_flight.total(), 0);
}

#[tokio::test]
async fn a_walk_that_is_not_to_go_on_is_dropped_at_once() {
    for (policy, sent) in [("cancel", true), ("drain", false)] {
        let (app, log) = dropped_and_panicking(policy, sent).await;
        assert_eq!(app.metrics.panics.get(), 0);
        assert_eq!(log.text().matches("\"mine\"").count(), 1, "{}", log.text());
        assert!(log.text().contains("\"outcome\":\"cancelled\""), "{}", log.text());
    }
}
