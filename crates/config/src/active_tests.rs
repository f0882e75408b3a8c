//! The notes on what does nothing yet.

use crate::{Env, Level, Options, Source, load};
use std::path::Path;

fn notes(yaml: &str) -> Vec<String> {
    let options = Options { env: Env::Map([].into()), env_optional: false };
    let source = Source::Text { name: "f", text: yaml, base: Path::new("") };
    let report = load(source, &options).unwrap_or_else(|report| panic!("{report}")).report;
    let notes = report.iter().filter(|one| one.level == Level::Note);
    let at = |one: &crate::Diagnostic| one.place.as_ref().map_or(0, |place| place.line);
    notes.map(|one| format!("{} {}", at(one), one.message)).collect()
}

#[test]
fn what_is_written_is_noted_once_at_its_first_place_and_defaults_are_not() {
    let yaml = "providers:
- {name: a, kind: vllm, on_client_disconnect: drain}
- {name: b, kind: anthropic, proxy: 'http://p:1'}
- {name: c, kind: vllm, proxy: 'http://p:1'}
models:
- {name: m, targets: [{provider: a, model: m}, {provider: c, model: m}], resume: completions, strict: false}
- {name: n, targets: [{provider: a, model: m}], strategy: session, strict: true, cache: {mode: all}}
resilience: {circuit: {window: 9s}, retry_budget: {ratio: 5%}, backoff: {max: 2s}}
cache: {ttl: 5m}
limits: {concurrency: 3}
ledger: {keep_user: true}
telemetry: {traces: {otlp: 'http://c:4318'}}
listeners: {api: {cors: {origins: ['https://a.example']}}}
";
    assert_eq!(notes(yaml), ["3 not active yet: providers[].proxy"]);
}
