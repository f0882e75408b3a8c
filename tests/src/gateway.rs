//! Sluice in this process: from YAML through the same loader as the binary, on ports of its own.

use crate::{client::Answer, client::Request, redis::Redis, soon, upstream::Upstream};
use sluice::{Running, StartOptions};
use sluice_config::{Env, Options, Source, model::Settings};
use sluice_core::{LedgerPlace, LogSink, MemoryLog};
use std::{fmt::Write as _, net::SocketAddr, path::Path, time::Duration};

/// The secret of the key that every configuration here has; it may use every model.
pub const KEY: &str = "sk-sluice-test-key";

/// The hash that a key entry holds for `secret`.
#[must_use]
pub fn hash(secret: &str) -> String {
    format!("blake3:{}", blake3::hash(secret.as_bytes()).to_hex())
}

/// A configuration being written: one provider `up` and one model `m` unless told otherwise.
#[derive(Debug, Clone)]
pub struct Config {
    kind: String,
    base_url: String,
    listener: String,
    timeouts: String,
    provider: String,
    others: String,
    model: String,
    keys: String,
    tenants: String,
    prices: String,
    auth: String,
    rest: String,
}

impl Config {
    /// Everything goes to this upstream.
    #[must_use]
    pub fn to(upstream: &Upstream) -> Self {
        Self::to_url(&upstream.base_url())
    }

    /// Everything goes to this base URL.
    #[must_use]
    pub fn to_url(base_url: &str) -> Self {
        Self {
            kind: "openai_compatible".into(),
            base_url: base_url.into(),
            listener: String::new(),
            timeouts: "connect: 1s, first_byte: 10s, idle: 10s, total: 60s".into(),
            provider: "allow_private: true".into(),
            others: String::new(),
            model: String::new(),
            keys: format!("  - {{name: test, hash: \"{}\", models: [\"*\"]}}\n", hash(KEY)),
            tenants: String::new(),
            prices: String::new(),
            auth: "auth: {mode: keys}".into(),
            rest: String::new(),
        }
    }

    /// The provider's kind.
    #[must_use]
    pub fn kind(mut self, kind: &str) -> Self {
        self.kind = kind.into();
        self
    }

    /// Members of `listeners.api`, `name: value, …`.
    #[must_use]
    pub fn listener(mut self, members: &str) -> Self {
        self.listener = format!(", {members}");
        self
    }

    /// The provider's timeouts, `name: value, …`; what is not named has its default.
    #[must_use]
    pub fn timeouts(mut self, members: &str) -> Self {
        self.timeouts = members.into();
        self
    }

    /// A further line of the provider.
    #[must_use]
    pub fn provider(mut self, line: &str) -> Self {
        write!(self.provider, "\n    {line}").expect("text");
        self
    }

    /// A second provider of that name with the same timeouts; call it after [`Config::timeouts`].
    #[must_use]
    pub fn also(self, name: &str, base_url: &str) -> Self {
        self.also_with(name, base_url, "")
    }

    /// The same with more members of the entry, `, name: value, …`.
    #[must_use]
    pub fn also_with(mut self, name: &str, base_url: &str, members: &str) -> Self {
        let timeouts = &self.timeouts;
        writeln!(
            self.others,
            "  - {{name: {name}, kind: openai_compatible, base_url: \"{base_url}\", allow_private: true, \
             timeouts: {{{timeouts}}}{members}}}"
        )
        .expect("text");
        self
    }

    /// The provider without `allow_private`.
    #[must_use]
    pub fn public_only(mut self) -> Self {
        self.provider = self.provider.replace("allow_private: true", "allow_private: false");
        self
    }

    /// A further model that leads to the upstream's model of that name.
    #[must_use]
    pub fn model(mut self, name: &str) -> Self {
        writeln!(self.model, "  - {{name: \"{name}\", targets: [{{provider: up, model: \"{name}\"}}]}}")
            .expect("text");
        self
    }

    /// A further model, whole entry.
    #[must_use]
    pub fn model_entry(mut self, entry: &str) -> Self {
        writeln!(self.model, "  - {entry}").expect("text");
        self
    }

    /// A further key: its secret, and more members of the entry (`models: […], …`).
    #[must_use]
    pub fn key(mut self, name: &str, secret: &str, members: &str) -> Self {
        writeln!(self.keys, "  - {{name: {name}, hash: \"{}\", {members}}}", hash(secret)).expect("text");
        self
    }

    /// A tenant, with more members of its entry (`limits: {…}, budget: {…}`).
    #[must_use]
    pub fn tenant(mut self, name: &str, members: &str) -> Self {
        writeln!(self.tenants, "  - {{name: {name}, {members}}}").expect("text");
        self
    }

    /// What the provider's model costs, in US dollars for a million tokens of either kind.
    #[must_use]
    pub fn price(mut self, model: &str, usd: u64) -> Self {
        writeln!(self.prices, "  - {{provider: up, model: {model}, input: {usd}, output: {usd}}}")
            .expect("text");
        self
    }

    /// This Redis, with more members of the section (`timeout: …`).
    #[must_use]
    pub fn redis(self, redis: &Redis, members: &str) -> Self {
        self.section(&format!("redis: {{urls: [\"{}\"], {members}}}", redis.url()))
    }

    /// `auth.mode: open` and no keys.
    #[must_use]
    pub fn open(mut self) -> Self {
        self.auth = "auth: {mode: open}".into();
        self.keys.clear();
        self
    }

    /// Further top-level sections.
    #[must_use]
    pub fn section(mut self, yaml: &str) -> Self {
        writeln!(self.rest, "{yaml}").expect("text");
        self
    }

    /// The YAML text; both listeners take any free port unless addresses are given.
    #[must_use]
    pub fn yaml(&self, api: &str, admin: &str) -> String {
        let Self { kind, base_url, listener, timeouts, provider, others, model, auth, rest, .. } = self;
        let lists = [("keys", &self.keys), ("tenants", &self.tenants), ("prices", &self.prices)];
        let lists = lists.iter().filter(|(_, entries)| !entries.is_empty());
        let lists: String = lists.map(|(name, entries)| format!("{name}:\n{entries}")).collect();
        format!(
            "version: 1\n\
             listeners:\n  api: {{bind: \"{api}\"{listener}}}\n  admin: {{bind: \"{admin}\"}}\n\
             providers:\n  - name: up\n    kind: {kind}\n    base_url: \"{base_url}\"\n\
             \x20   keys: [{{name: main, value: \"sk-provider-secret\"}}]\n\
             \x20   timeouts: {{{timeouts}}}\n    {provider}\n{others}\
             models:\n  - {{name: m, targets: [{{provider: up, model: m}}]}}\n{model}\
             {auth}\n{lists}{rest}"
        )
    }

    /// Where the ledger's file is kept; nowhere unless the gateway is told to keep one.
    #[must_use]
    pub fn state_dir(self, folder: &Path) -> Self {
        self.section(&format!("state_dir: \"{}\"", folder.display()))
    }

    /// Starts a gateway with it.
    pub async fn start(&self) -> Gateway {
        Gateway::start(&self.yaml("127.0.0.1:0", "127.0.0.1:0")).await
    }
}

/// A running gateway; it ends when dropped.
pub struct Gateway {
    /// The data plane.
    pub api: SocketAddr,
    /// The admin listener.
    pub admin: SocketAddr,
    /// The log so far.
    pub log: MemoryLog,
    /// To stop it in order.
    pub running: Running,
}

impl Gateway {
    /// Loads `yaml` and starts it; fails the test with the report when it is not valid. Usage records are kept in
    /// memory.
    pub async fn start(yaml: &str) -> Self {
        Self::start_keeping(yaml, LedgerPlace::Memory).await
    }

    /// The same with usage records kept in this place.
    pub async fn start_keeping(yaml: &str, ledger: LedgerPlace) -> Self {
        Self::with(settings(yaml), ledger).await
    }

    /// Starts a gateway with settings that are loaded already.
    pub async fn with(settings: Settings, ledger: LedgerPlace) -> Self {
        raise_descriptor_limit();
        let (sink, log) = LogSink::memory();
        let running = sluice::start(settings, StartOptions::new(sink, ledger)).await;
        let running = running.expect("a gateway");
        Self { api: running.api, admin: running.admin, log, running }
    }

    /// Puts another configuration in force, as a reload does.
    pub fn apply(&self, config: &Config) {
        let settings = settings(&config.yaml("127.0.0.1:0", "127.0.0.1:0"));
        self.running.app.apply(settings).expect("settings that can be used");
    }

    /// A gateway in front of `upstream`, all else as [`Config`] has it.
    pub async fn before(upstream: &Upstream) -> Self {
        Config::to(upstream).start().await
    }

    /// Posts JSON with the test key.
    pub async fn post(&self, path: &str, body: impl Into<bytes::Bytes>) -> Answer {
        Request::post(path, body).bearer(KEY).send(self.api).await
    }

    /// Gets a path with the test key.
    pub async fn get(&self, path: &str) -> Answer {
        Request::get(path).bearer(KEY).send(self.api).await
    }

    /// Gets a path of the admin listener.
    pub async fn ask_admin(&self, path: &str) -> Answer {
        Request::get(path).send(self.admin).await
    }

    /// The value of one metric line, `name{labels}`; 0 when it is not there.
    pub async fn metric(&self, series: &str) -> f64 {
        metric(self.admin, series).await
    }

    /// Waits until a metric line has this value.
    pub async fn metric_is(&self, series: &str, value: f64) {
        metric_is(self.admin, series, value).await;
    }
}

/// The value of one metric line at an admin listener, `name{labels}`; 0 when it is not there.
pub async fn metric(admin: SocketAddr, series: &str) -> f64 {
    let text = Request::get("/metrics").send(admin).await.expect(200).text();
    let line = text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    line.map_or(0.0, |value| value.parse().expect("a number"))
}

/// Waits until a metric line has this value.
pub async fn metric_is(admin: SocketAddr, series: &str, value: f64) {
    soon(&format!("{series} {value}"), async {
        while metric(admin, series).await != value {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await;
}

/// The settings that `yaml` means; fails the test with the report when it is not valid.
#[must_use]
pub fn settings(yaml: &str) -> Settings {
    let source = Source::Text { name: "test.yaml", text: yaml, base: Path::new(".") };
    let options = Options { env: Env::Map(std::collections::BTreeMap::new()), env_optional: false };
    let loaded = sluice_config::load(source, &options);
    loaded.unwrap_or_else(|report| panic!("{}\n{yaml}", report.render(false))).settings
}

/// A thousand streams need four descriptors each in this process: client, gateway twice, upstream.
fn raise_descriptor_limit() {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    let _ = setrlimit(Resource::Nofile, limit);
}
