use super::*;
use sluice_config::{Env, Options, Source, load};
use sluice_protocol::usage::Usage;
use std::path::Path;

fn table(yaml: &str) -> PriceTable {
    let source = Source::Text { name: "test", text: yaml, base: Path::new(".") };
    let options = Options { env: Env::Map(std::collections::BTreeMap::new()), env_optional: true };
    let settings = load(source, &options).unwrap().settings;
    PriceTable::new(&settings.prices, &settings.providers)
}

fn with_prices(prices: &str) -> PriceTable {
    table(&format!(
        "
auth: {{mode: open}}
providers:
- {{name: home, kind: openai, keys: [{{name: k, value: k}}]}}
- {{name: elsewhere, kind: openai, base_url: 'https://proxy.example/v1', keys: [{{name: k, value: k}}]}}
- {{name: claude, kind: anthropic, keys: [{{name: k, value: k}}]}}
- {{name: mine, kind: vllm}}
models: [{{name: m, targets: [{{provider: home, model: gpt-4o}}]}}]
prices: [{prices}]
"
    ))
}

fn price(input: f64, cached_input: f64, output: f64) -> Option<Price> {
    Some(Price::per_million(input, Some(cached_input), None, output))
}

#[test]
fn the_closest_row_counts() {
    let table = with_prices(
        "{provider: mine, model: '*', input: 1, output: 0}, {provider: mine, model: 'gpt-*', input: 2, output: 0},
         {provider: mine, model: gpt-4o, input: 3, output: 0}",
    );
    assert_eq!(table.find("mine", "gpt-4o"), price(3.0, 3.0, 0.0));
    assert_eq!(table.find("mine", "gpt-4o-mini"), price(2.0, 2.0, 0.0));
    assert_eq!(table.find("mine", "llama"), price(1.0, 1.0, 0.0));
    assert_eq!(table.find("nobody", "gpt-4o"), None);
}

#[test]
fn a_published_price_holds_for_its_provider_at_its_own_address() {
    let table = with_prices("");
    assert_eq!(table.find("home", "gpt-4.1-mini"), price(0.4, 0.1, 1.6));
    let sonnet = Some(Price::per_million(3.0, Some(0.3), Some(3.75), 15.0).with_long_cache_write(Some(6.0)));
    assert_eq!(table.find("claude", "claude-sonnet-4-5"), sonnet);
    for (provider, model) in [
        ("elsewhere", "gpt-4.1-mini"),
        ("mine", "gpt-4.1-mini"),
        ("claude", "gpt-4.1-mini"),
        ("home", "gpt-4.1-mini-search"),
        ("home", "gpt-99"),
        ("home", ""),
    ] {
        assert_eq!(table.find(provider, model), None, "{provider} {model}");
    }
}

#[test]
fn what_is_configured_beats_what_is_published() {
    let table = with_prices("{provider: home, model: 'gpt-4.1*', input: 0, output: 0}");
    assert_eq!(table.find("home", "gpt-4.1"), price(0.0, 0.0, 0.0));
    assert_eq!(table.find("home", "gpt-4o"), price(2.5, 1.25, 10.0));
}

#[test]
fn a_model_stands_for_its_dated_snapshots() {
    let table = with_prices("");
    assert_eq!(table.find("home", "gpt-4.1-2025-04-14"), table.find("home", "gpt-4.1"));
    let dated = table.find("claude", "claude-haiku-4-5-20251001");
    assert!(dated.is_some() && dated == table.find("claude", "claude-haiku-4-5"));
    assert_eq!(table.find("home", "gpt-4o-2024-05-13"), None, "it has a price of its own");
    for other in
        ["gpt-4.1-", "gpt-4.1-202504", "gpt-4.1-2025-04-1x", "gpt-4.12025-04-14", "gpt-4.1-2025-0414"]
    {
        assert_eq!(table.find("home", other), None, "{other}");
    }
}

#[test]
fn the_version_follows_the_prices_and_nothing_else() {
    let [a, b] = [
        "{provider: mine, model: a, input: 1, output: 2}",
        "{provider: mine, model: b, input: 1, output: 2}",
    ];
    let version = |prices: &str| with_prices(prices).version().to_owned();
    let bare = version("");
    assert!(bare.starts_with("2026-10-") && bare.len() == "2026-10-".len() + 8, "{bare}");
    assert_ne!(version(a), bare);
    assert_ne!(version(a), version(b));
    assert_eq!(version(&format!("{a}, {b}")), version(&format!("{b}, {a}")));
}

#[test]
fn a_configured_price_of_entries_that_live_for_an_hour_counts() {
    let table = with_prices(
        "{provider: mine, model: own, input: 2, cache_write: 2.5, cache_write_1h: 4, output: 0},
         {provider: mine, model: any, input: 2, cache_write: 2.5, output: 0}",
    );
    let cost = |model| {
        let usage = Usage { input: 10, cache_write: 10, cache_write_long: 10, ..Usage::default() };
        table.find("mine", model).map(|price| price.cost(&usage))
    };
    assert_eq!((cost("own"), cost("any")), (Some(40_000), Some(25_000)));
}
