//! The configurations of the reloads: parts that change, with `{…}` of the house filled in when they are written.

/// How a reload is asked for.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Way {
    /// The file changes, and that is all.
    File,
    /// SIGHUP.
    Signal,
    /// `POST /-/reload`.
    Admin,
}

/// A configuration with the nth value of what it changes.
type Change = fn(usize) -> String;

/// Valid ones. Each changes something else: what a request meets on its way, and what has to be built anew.
pub(crate) const GOOD: &[Change] = &[
    good,
    // Limits: buckets of other sizes, here and in Redis.
    |n| good(n).replace("rate: 1000000/s", &format!("rate: {}/s", 1_000_000 + n)),
    // How upstreams are connected to: a new pool of connections.
    |n| good(n).replace("connect: 5s", &format!("connect: {}s", 6 + n % 5)),
    // Credentials and headers.
    |n| good(n).replace("sk-provider", &format!("sk-provider-{n}")),
    // Another link to Redis, another memory of answers.
    |n| {
        good(n)
            .replace("timeout: 50ms", &format!("timeout: {}ms", 51 + n))
            .replace("64MiB", &format!("{}MiB", 65 + n))
    },
    // Models and keys that come and go.
    |n| format!("{}  - {{name: more-{n}, targets: [{{provider: up, model: plain}}]}}\n", without_spare()),
    // Retries, circuits, times of waiting.
    |n| good(n) + "resilience: {attempts: 2, commit_after: 20s, circuit: {consecutive_failures: 9}}\n",
];

/// Such that are refused: not YAML, not ours, not sense, not there, not while it runs.
pub(crate) const BAD: &[&str] = &[
    "listeners: {api: {bind: \"{api}\"",
    "listners: {}\n",
    "models: [{name: paced, targets: [{provider: nobody, model: paced}]}]\n",
    "providers: [{name: up, kind: openai, keys: [{name: main, value: \"${file:not-there}\"}]}]\n",
    "listeners: {api: {bind: \"127.0.0.1:1\"}}\n",
    "",
];

/// Everything on.
pub(crate) fn good(_: usize) -> String {
    format!(
        "{HEAD}keys:\n  - {{name: main, hash: \"{{main}}\", models: [\"*\"]}}\n  - {{name: spare, hash: \"{{spare}}\", models: [\"*\"]}}\n{MODELS}"
    )
}

/// The same with one key.
pub(crate) fn without_spare() -> String {
    good(0).replace("  - {name: spare, hash: \"{spare}\", models: [\"*\"]}\n", "")
}

const HEAD: &str = "\
version: 1
state_dir: \"{state}\"
listeners: {api: {bind: \"{api}\"}, admin: {bind: \"{admin}\"}}
redis: {urls: [\"{redis}\"], timeout: 50ms}
shutdown: {delay: 1500ms, drain: 60s}
auth: {mode: keys}
cache: {mode: seeded, memory: 64MiB}
limits: {requests: {rate: 1000000/s}, tokens: {rate: 1000000000/s}, concurrency: 10000, tenant_share: 100%}
telemetry: {logs: {level: warn}}
providers:
  - name: up
    kind: openai_compatible
    base_url: \"http://{mock}/v1\"
    allow_private: true
    keys: [{name: main, value: sk-provider}]
    timeouts: {connect: 5s}
";

const MODELS: &str = "\
models:
  - {name: plain, targets: [{provider: up, model: plain}]}
  - {name: paced, targets: [{provider: up, model: paced}]}
";
