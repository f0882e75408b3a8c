//! The notes on what does nothing yet.

use crate::{Env, Level, Options, Source, load};
use std::path::Path;

fn notes(yaml: &str) -> Vec<String> {
    let options = Options {
        env: Env::Map([("SLUICE__RESILIENCE__CIRCUIT__WINDOW".to_owned(), "9s".to_owned())].into()),
        env_optional: false,
    };
    let source = Source::Text { name: "f", text: yaml, base: Path::new("") };
    let report = load(source, &options).unwrap_or_else(|report| panic!("{report}")).report;
    let notes = report.iter().filter(|one| one.level == Level::Note);
    let at = |one: &crate::Diagnostic| one.place.as_ref().map_or(0, |place| place.line);
    notes.map(|one| format!("{} {}", at(one), one.message)).collect()
}

#[test]
fn what_is_written_is_noted_once_at_its_first_place_and_defaults_are_not() {
    let yaml = "providers:
- {name: a, kind: vllm, on_client_disconnect: cancel}
- {name: b, kind: anthropic, proxy: 'http://p:1'}
- {name: c, kind: vllm, proxy: 'http://p:1', on_client_disconnect: drain}
models:
- {name: m, targets: [{provider: a, model: m}], resume: none, strategy: weighted, rules: [], strict: false}
- {name: n, targets: [{provider: a, model: m}], strategy: session, cache: {mode: all}}
cache: {ttl: 5m}
limits: {concurrency: 3}
ledger: {keep_user: true}
";
    assert_eq!(
        notes(yaml),
        [
            "0 not active yet: resilience.circuit",
            "3 not active yet: providers[].kind: anthropic (its targets are passed over; a model with no other answers 501)",
            "3 not active yet: providers[].proxy",
            "4 not active yet: providers[].on_client_disconnect: drain",
            "7 not active yet: models[].strategy (weighted is used)",
        ]
    );
}
