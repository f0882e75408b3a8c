//! The largest gateway that the promises about metrics are made for: 30 models, 8 providers with 40 targets, 20
//! tenants, 200 keys, everybody with limits and a budget.

use crate::gateway::{KEY, hash};
use std::fmt::Write as _;

/// Models of the gateway: `m0` and on.
pub const MODELS: usize = 30;
const PROVIDERS: usize = 8;
const TARGETS: usize = 40;
const TENANTS: usize = 20;
const KEYS: usize = 200;

/// Its configuration. Every provider is at `base_url`; the first key's secret is [`KEY`], and every other's is its name.
#[must_use]
pub fn yaml(base_url: &str) -> String {
    let mut text = String::from(
        "version: 1\nlisteners: {api: {bind: \"127.0.0.1:0\"}, admin: {bind: \"127.0.0.1:0\"}}\n\
         auth: {mode: keys}\ncache: {mode: seeded, memory: 64MiB}\n\
         prices: [{provider: p0, model: \"*\", input: 2, cached_input: 1, output: 4}]\nproviders:\n",
    );
    for n in 0..PROVIDERS {
        line(
            &mut text,
            &format!(
                "- {{name: p{n}, kind: openai_compatible, base_url: \"{base_url}\", allow_private: true, keys: [{{name: \
             a, value: sk-a{n}}}, {{name: b, value: sk-b{n}}}]}}"
            ),
        );
    }
    line(&mut text, "models:");
    for n in 0..MODELS {
        let target = |provider: usize| format!("{{provider: p{}, model: up-{n}}}", provider % PROVIDERS);
        // The first of them have a second target, and somewhere to go after that.
        let (second, fallbacks) = if n < TARGETS - MODELS {
            (format!(", {}", target(n + 1)), format!(", fallbacks: [m{}]", n + 1))
        } else {
            Default::default()
        };
        line(&mut text, &format!("- {{name: m{n}, targets: [{}{second}]{fallbacks}}}", target(n)));
    }
    let limits = "limits: {requests: {rate: 1000000/min}, tokens: {rate: 100000000/min}, concurrency: 1000}";
    line(&mut text, "tenants:");
    for n in 0..TENANTS {
        line(&mut text, &format!("- {{name: t{n}, {limits}, budget: {{usd: 1000, per: month}}}}"));
    }
    line(&mut text, "keys:");
    for n in 0..KEYS {
        let name = format!("k{n}");
        let hash = hash(if n == 0 { KEY } else { &name });
        let tenant = n % TENANTS;
        line(
            &mut text,
            &format!(
                "- {{name: {name}, hash: \"{hash}\", models: [\"*\"], tenant: t{tenant}, {limits}, budget: {{usd: 100, per: \
             day}}}}"
            ),
        );
    }
    text
}

fn line(text: &mut String, line: &str) {
    writeln!(text, "{line}").expect("text");
}
