//! Zero-config demo mode: a configuration that answers without a file, a key or the network.

use crate::{Env, Options, Report, Settings, Source, load};
use sluice_protocol::provider::{PRESETS, Preset};
use std::{fmt::Write, net::SocketAddr, path::Path};

impl Settings {
    /// The built-in demo: models of the mock upstream at `mock`, and for every well-known provider whose usual
    /// variable is set a wildcard `openai/*` that sends the rest of the name (`{rest}`, see
    /// [`crate::model::Target::upstream_model`]).
    ///
    /// It goes the way of any file, so that it can do nothing that a file could not.
    ///
    /// # Errors
    /// A `SLUICE__…` variable that cannot be used.
    pub fn demo(mock: SocketAddr, env: &Env) -> Result<Self, Report> {
        let options = Options { env: env.clone(), env_optional: false };
        let source = Source::Text { name: "demo", text: &yaml(mock, env), base: Path::new("") };
        load(source, &options).map(|loaded| loaded.settings)
    }
}

fn yaml(mock: SocketAddr, env: &Env) -> String {
    let mut yaml = String::from("cache: {memory: 64MiB}\nauth: {mode: open}\nproviders:\n");
    let keyed = || PRESETS.iter().filter_map(|preset| Some((preset, keyed(preset, env)?)));
    // Writing to a String cannot fail.
    let _ = writeln!(
        yaml,
        "- {{name: demo, kind: openai_compatible, base_url: 'http://{mock}/v1', allow_private: true}}"
    );
    for (Preset { id, .. }, variable) in keyed() {
        let _ =
            writeln!(yaml, "- {{name: {id}, kind: {id}, keys: [{{name: main, value: '${{{variable}}}'}}]}}");
    }
    yaml.push_str("models:\n");
    for name in ["demo", "demo-slow", "demo-flaky", "demo-limited", "demo-down"] {
        let _ = writeln!(yaml, "- {{name: {name}, targets: [{{provider: demo, model: {name}}}]}}");
    }
    yaml.push_str("- name: demo-resilient\n  targets:\n");
    yaml.push_str("  - {provider: demo, model: demo-down}\n  - {provider: demo, model: demo, priority: 1}\n");
    for (Preset { id, .. }, _) in keyed() {
        let _ = writeln!(yaml, "- {{name: '{id}/*', targets: [{{provider: {id}, model: '{{rest}}'}}]}}");
    }
    yaml
}

/// The variable that holds a provider's key, if it can be reached with that alone. A key that cannot be sent is left
/// out: the demo runs in whatever environment it meets.
fn keyed(preset: &Preset, env: &Env) -> Option<&'static str> {
    let variable = preset.key_env.filter(|_| preset.base_url.is_some())?;
    let usable = |key: &String| !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_graphic());
    env.get(variable).filter(usable).map(|_| variable)
}

#[cfg(test)]
#[path = "demo_tests.rs"]
mod tests;
