//! What a running gateway cannot change: fields that are read once, when it starts.
//!
//! One list, so that a reload that would change one is refused with its name rather than half done.

use crate::model::Settings;

/// A field that is read at the start, and its part of the settings as something that can be compared.
type Fixed = (&'static str, fn(&Settings, &Settings) -> bool);

const FIXED: &[Fixed] = &[
    ("state_dir", |old, new| old.state_dir == new.state_dir),
    ("listeners.api.bind", |old, new| old.listeners.api.bind == new.listeners.api.bind),
    ("listeners.api.header_timeout", |old, new| {
        old.listeners.api.header_timeout == new.listeners.api.header_timeout
    }),
    ("listeners.api.max_connections", |old, new| {
        old.listeners.api.max_connections == new.listeners.api.max_connections
    }),
    ("listeners.api.reuse_port", |old, new| old.listeners.api.reuse_port == new.listeners.api.reuse_port),
    ("listeners.api.tls", |old, new| old.listeners.api.tls == new.listeners.api.tls),
    ("listeners.admin.bind", |old, new| old.listeners.admin.bind == new.listeners.admin.bind),
    ("ledger.retention", |old, new| old.ledger.retention == new.ledger.retention),
    ("telemetry.logs.format", |old, new| old.telemetry.logs.format == new.telemetry.logs.format),
];

/// The fields that differ and need a restart, in the order of the file; empty when a reload is enough.
#[must_use]
pub fn restart_only(old: &Settings, new: &Settings) -> Vec<&'static str> {
    FIXED.iter().filter(|(_, same)| !same(old, new)).map(|(field, _)| *field).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Env, Options, Source, load};
    use std::{collections::BTreeMap, path::Path};

    fn settings(text: &str) -> Settings {
        let source = Source::Text { name: "sluice.yaml", text, base: Path::new("") };
        let options = Options { env: Env::Map(BTreeMap::new()), ..Options::default() };
        load(source, &options).unwrap().settings
    }

    #[test]
    fn each_fixed_field_is_named_and_no_other() {
        let old = settings("{}");
        for (text, named) in [
            ("{}", &[] as &[_]),
            ("state_dir: ./elsewhere", &["state_dir"]),
            (
                "listeners: {api: {bind: '127.0.0.1:4', header_timeout: 3s, max_connections: 7, reuse_port: true}}",
                &[
                    "listeners.api.bind",
                    "listeners.api.header_timeout",
                    "listeners.api.max_connections",
                    "listeners.api.reuse_port",
                ],
            ),
            ("listeners: {admin: {bind: '127.0.0.1:5'}}", &["listeners.admin.bind"]),
            (
                "{ledger: {retention: 9d}, telemetry: {logs: {format: text}}}",
                &["ledger.retention", "telemetry.logs.format"],
            ),
            (
                "{shutdown: {delay: 1s}, telemetry: {logs: {level: debug}, traces: {otlp: 'http://127.0.0.1:4318'}}, resilience: {attempts: 1}}",
                &[],
            ),
        ] {
            assert_eq!(restart_only(&old, &settings(text)), named, "{text}");
        }
    }
}
