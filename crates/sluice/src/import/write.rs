//! The plan as YAML: in the order of the annotated example, with what was said about the source where it belongs.

use super::{
    account::{Account, Imported, Remark, Spot, Weight},
    models,
    plan::{Cache, Circuit, Key, Master, Plan, Provider, Redis, duration},
    prices::dollars,
    source::{Place, Source},
};
use sluice_protocol::provider::preset;
use std::{collections::BTreeSet, fmt::Write, time::Duration};

/// What a person searches for. In two parts, because no such word is left in our own code.
pub(super) const OPEN: &str = concat!("TO", "DO");

/// The text as it grows.
pub(super) struct Writer<'a> {
    pub(super) out: String,
    remarks: &'a [Remark],
    source: &'a Source,
}

/// The whole file, and how many places are left to a person.
pub(super) fn write(plan: &Plan, account: Account, source: &Source) -> (String, usize) {
    let (remarks, imported, variables) = account.close();
    let open = remarks.iter().filter(|remark| remark.weight == Weight::Open).count();
    let mut writer = Writer { out: String::new(), remarks: &remarks, source };
    writer.head(open, &imported, &variables);
    writer.listeners(plan);
    writer.redis(plan.redis.as_ref());
    writer.providers(&plan.providers);
    writer.prices(&plan.providers);
    models::write(&mut writer, plan);
    writer.cache(plan.cache.as_ref());
    writer.resilience(plan.attempts, &plan.circuit);
    writer.tenants(plan);
    writer.keys(&plan.master);
    writer.ledger(plan.retention_days);
    writer.telemetry(plan);
    writer.rest();
    (writer.out, open)
}

impl Writer<'_> {
    /// Writing to a `String` cannot fail.
    pub(super) fn line(&mut self, text: &str) {
        let _ = writeln!(self.out, "{text}");
    }

    fn at(&self, place: Place) -> String {
        format!("{}:{}", self.source.name(place), place.line)
    }

    fn head(&mut self, open: usize, imported: &[Imported], variables: &BTreeSet<String>) {
        let files = self.source.files.join(", ");
        self.line(&format!(
            "# Made from {files} by `sluice import litellm`. See what it comes to with `sluice check` and"
        ));
        self.line("# `sluice explain`. Comments name the line of the source that they speak of.");
        match open {
            0 => self.line("# Everything in the source was taken over or explained."),
            1 => self.line(&format!("# 1 place is left to you: it begins with `# {OPEN}`.")),
            _ => self.line(&format!("# {open} places are left to you: they begin with `# {OPEN}`.")),
        }
        if !variables.is_empty() || !imported.is_empty() {
            self.line("#");
            self.line("# Read from the environment, to be set where Sluice runs:");
        }
        for name in variables {
            self.line(&format!("#   {name}"));
        }
        for Imported { variable, places, .. } in imported {
            let places: Vec<String> =
                places.iter().map(|(place, field)| format!("{} ({field})", self.at(*place))).collect();
            self.line(&format!("#   {variable}: the secret at {}", places.join(", ")));
        }
        self.line("version: 1");
    }

    /// What belongs to a section, each remark as a comment.
    pub(super) fn remarks(&mut self, spot: &Spot, indent: usize) {
        let remarks = self.remarks;
        for remark in remarks.iter().filter(|remark| remark.spot == *spot) {
            self.remark(remark, indent);
        }
    }

    /// Remarks about models that are not written.
    pub(super) fn orphans(&mut self, names: &[&str]) {
        let remarks = self.remarks;
        for remark in remarks {
            if let Spot::Model(name) = &remark.spot
                && !names.contains(&name.as_str())
            {
                self.remark(remark, 2);
            }
        }
    }

    fn remark(&mut self, remark: &Remark, indent: usize) {
        let mark = if remark.weight == Weight::Open { format!("{OPEN} ") } else { String::new() };
        for (index, (place, text)) in remark.lines.iter().enumerate() {
            let at = self.at(*place);
            let (mark, why) = match index {
                0 => (mark.clone(), format!("  -- {}", remark.why)),
                _ => (" ".repeat(mark.len()), String::new()),
            };
            let line = format!("{:indent$}# {mark}{at}: {text}{why}", "");
            self.line(line.trim_end());
        }
    }

    fn has_remarks(&self, section: &'static str) -> bool {
        self.remarks.iter().any(|remark| remark.spot == Spot::Section(section))
    }

    /// A blank line and what is said about the section.
    fn begin(&mut self, section: &'static str) {
        self.line("");
        self.remarks(&Spot::Section(section), 0);
    }

    fn listeners(&mut self, plan: &Plan) {
        self.begin("listeners");
        self.line("listeners:");
        self.line("  api:");
        self.line("    bind: \"127.0.0.1:4000\"               # 0.0.0.0:4000 for others to reach it, which needs `keys`");
        if let Some(size) = plan.max_body_mb {
            self.line(&format!("    max_body: {size}MiB"));
        }
        if let Some(most) = plan.max_in_flight {
            self.line(&format!("    max_in_flight: {most}"));
        }
        self.line("  admin:");
        self.line("    bind: \"127.0.0.1:4001\"               # metrics, health, status");
    }

    fn redis(&mut self, redis: Option<&Redis>) {
        if redis.is_some() || self.has_remarks("redis") {
            self.begin("redis");
        }
        let Some(redis) = redis else { return };
        self.line("redis:");
        if redis.mode != "single" {
            self.line(&format!("  mode: {}", redis.mode));
        }
        let urls: Vec<String> = redis.urls.iter().map(|url| quoted(url)).collect();
        self.line(&format!("  urls: [{}]", urls.join(", ")));
        if let Some(master) = &redis.master {
            self.line(&format!("  master: {}", word(master)));
        }
        if let Some(prefix) = &redis.key_prefix {
            self.line(&format!("  key_prefix: {}", word(prefix)));
        }
    }

    fn providers(&mut self, providers: &[Provider]) {
        self.begin("providers");
        if providers.is_empty() {
            return self.line("providers: []");
        }
        self.line("providers:");
        for provider in providers {
            self.provider(provider);
        }
    }

    fn provider(&mut self, provider: &Provider) {
        let identity = &provider.identity;
        self.line(&format!("  - name: {}", word(&provider.name)));
        self.line(&format!("    kind: {}", identity.ours));
        if let Some(url) = &identity.base_url {
            self.line(&format!("    base_url: {}", quoted(url)));
        }
        if let Some(version) = &identity.api_version {
            self.line(&format!("    api_version: {}", quoted(version)));
        }
        self.pool(&provider.keys);
        if let Some(timeout) = identity.timeout {
            self.line(&format!("    timeouts: {{{}}}", timeouts(timeout)));
        }
        if let Some(most) = provider.max_concurrency {
            self.line(&format!("    max_concurrency: {most}"));
        }
        if let Some(limits) = limits(provider.rpm, provider.tpm) {
            self.line(&format!("    limits: {limits}"));
        }
        if !identity.drop_fields.is_empty() {
            let fields: Vec<String> = identity.drop_fields.iter().map(|field| word(field)).collect();
            self.line(&format!("    drop_fields: [{}]", fields.join(", ")));
        }
        // Servers of one's own are expected there.
        if identity.private && preset(identity.ours).is_some_and(|preset| !preset.local) {
            self.line("    allow_private: true");
        }
        if !identity.headers.is_empty() {
            let headers =
                identity.headers.iter().map(|(name, value)| format!("{}: {}", word(name), quoted(value)));
            self.line(&format!("    headers: {{{}}}", headers.collect::<Vec<_>>().join(", ")));
        }
    }

    fn pool(&mut self, keys: &[Key]) {
        let even = keys.iter().all(|key| key.weight == 1);
        let entry = |key: &Key| {
            let weight = if even { String::new() } else { format!(", weight: {}", key.weight) };
            format!("{{name: {}, value: {}{weight}}}", word(&key.name), quoted(&key.value))
        };
        match keys {
            [] => {}
            [key] => self.line(&format!("    keys: [{}]", entry(key))),
            _ => {
                self.line("    keys:");
                keys.iter().for_each(|key| self.line(&format!("      - {}", entry(key))));
            }
        }
    }

    fn prices(&mut self, providers: &[Provider]) {
        if providers.iter().all(|provider| provider.prices.is_empty()) {
            return;
        }
        self.line("\nprices:                                  # USD per million tokens");
        for provider in providers {
            for (model, cost) in &provider.prices {
                let mut fields = format!("provider: {}, model: {}", word(&provider.name), word(model));
                for (name, amount) in [
                    ("input", Some(cost.input)),
                    ("cached_input", cost.cached_input),
                    ("cache_write", cost.cache_write),
                    ("cache_write_1h", cost.cache_write_1h),
                    ("output", Some(cost.output)),
                ] {
                    if let Some(amount) = amount {
                        let _ = write!(fields, ", {name}: {}", dollars(amount));
                    }
                }
                self.line(&format!("  - {{{fields}}}"));
            }
        }
    }

    fn cache(&mut self, cache: Option<&Cache>) {
        if cache.is_some() || self.has_remarks("cache") {
            self.begin("cache");
        }
        let Some(cache) = cache else { return };
        self.line("cache:");
        self.line(&format!("  mode: {}", cache.mode));
        if let Some(ttl) = cache.ttl {
            self.line(&format!("  ttl: {}", duration(ttl)));
        }
        if cache.memory_only {
            self.line("  redis: false");
        }
        if cache.on_demand {
            self.line("  allow_force: true");
        }
    }

    fn resilience(&mut self, attempts: Option<u64>, circuit: &Circuit) {
        let written = attempts.is_some() || circuit.failures.is_some() || circuit.open_for.is_some();
        if written || self.has_remarks("resilience") {
            self.begin("resilience");
        }
        if !written {
            return;
        }
        self.line("resilience:");
        if let Some(attempts) = attempts {
            self.line(&format!("  attempts: {attempts}                            # over all targets and fallbacks; the first counts"));
        }
        let mut fields = Vec::new();
        if let Some(failures) = circuit.failures {
            fields.push(format!("consecutive_failures: {failures}"));
        }
        if let Some(open_for) = circuit.open_for {
            // It grows with every probe that fails.
            let most = open_for.max(Duration::from_secs(60));
            fields.push(format!("open_for: {}, max_open: {}", duration(open_for), duration(most)));
        }
        if !fields.is_empty() {
            self.line(&format!("  circuit: {{{}}}", fields.join(", ")));
        }
    }

    fn tenants(&mut self, plan: &Plan) {
        if plan.budget.is_some() || self.has_remarks("tenants") {
            self.begin("tenants");
        }
        if let Some(budget) = &plan.budget {
            self.line("tenants:");
            let (usd, per) = (dollars(budget.usd), budget.per);
            self.line(&format!("  - {{name: default, budget: {{usd: {usd}, per: {per}}}}}     # of all keys without a tenant of their own"));
        }
    }

    fn keys(&mut self, master: &Master) {
        self.begin("keys");
        if let Master::Hash(hash) = master {
            self.line(
                "keys:                                    # `sluice key new NAME` prints another entry",
            );
            return self.line(&format!("  - {{name: master, hash: \"{hash}\", models: [\"*\"]}}"));
        }
        if let Master::Unknown(name) = master {
            self.line(&format!(
                "# As long as no key is listed, everybody on this machine may call. LiteLLM asked for {name}."
            ));
        } else {
            self.line("# No key is listed: everybody on this machine may call, and nobody else.");
        }
        self.line("# keys:");
        self.line("#   - {name: search-web, hash: \"blake3:…\", models: [\"*\"]}     # `sluice key new search-web` prints this entry");
    }

    fn ledger(&mut self, days: Option<u64>) {
        if days.is_some() || self.has_remarks("ledger") {
            self.begin("ledger");
        }
        if let Some(days) = days {
            self.line(&format!("ledger: {{retention: {days}d}}"));
        }
    }

    fn telemetry(&mut self, plan: &Plan) {
        let logs = plan.logs.debug || plan.logs.text;
        if logs || plan.traces.is_some() || self.has_remarks("telemetry") {
            self.begin("telemetry");
        }
        if !logs && plan.traces.is_none() {
            return;
        }
        self.line("telemetry:");
        if logs {
            let format = if plan.logs.text { "text" } else { "json" };
            let level = if plan.logs.debug { "debug" } else { "info" };
            self.line(&format!("  logs: {{format: {format}, level: {level}}}"));
        }
        if let Some(otlp) = &plan.traces {
            self.line(&format!("  traces: {{otlp: {}}}     # OTLP over HTTP, port 4318", quoted(otlp)));
        }
    }

    fn rest(&mut self) {
        if self.has_remarks("rest") {
            self.line("\n# What belongs to no section above.");
            self.remarks(&Spot::Section("rest"), 0);
        }
    }
}

/// LiteLLM's time is that of a whole answer, whose first byte comes when it is ready; a stream may go on as long as it
/// comes.
fn timeouts(timeout: Duration) -> String {
    let text = duration(timeout);
    let total = if timeout > Duration::from_secs(1800) { format!(", total: {text}") } else { String::new() };
    format!("first_byte: {text}, idle: {text}{total}")
}

/// `limits:` of a provider or a model.
pub(super) fn limits(rpm: Option<u64>, tpm: Option<u64>) -> Option<String> {
    let bucket = |name, rate: Option<u64>| rate.map(|rate| format!("{name}: {{rate: {rate}/min}}"));
    let buckets: Vec<String> =
        [bucket("requests", rpm), bucket("tokens", tpm)].into_iter().flatten().collect();
    (!buckets.is_empty()).then(|| format!("{{{}}}", buckets.join(", ")))
}

/// A text without quotes, where YAML reads it as the same text.
pub(super) fn word(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._/-".contains(&byte);
    let starts = text.bytes().next().is_some_and(|byte| byte.is_ascii_alphabetic());
    let reserved = ["true", "false", "null", "yes", "no", "on", "off", "y", "n"];
    if starts && text.bytes().all(plain) && !reserved.contains(&text.to_lowercase().as_str()) {
        text.to_owned()
    } else {
        quoted(text)
    }
}

/// JSON's quoting is YAML's.
pub(super) fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
