//! What the schema cannot say: references, sense, safety. Each check adds what it finds and goes on.
//! A few values also get their final form here: relative paths, lower-case header names, empty optional secrets.

mod budgets;
mod keys;
mod limits;
mod listeners;
mod models;
mod names;
mod providers;
mod routing;
mod sections;
mod traces;

pub use providers::NOT_YOURS;

use crate::{
    Options, codes,
    model::{PemFile, Ratio, Secret, Settings},
    problems::{Problem, Problems},
};
use names::Names;
use std::path::Path;

/// Checks everything, top to bottom as the file goes.
pub(crate) fn settings(settings: &mut Settings, base: &Path, options: &Options, problems: &mut Problems) {
    let providers = settings.providers.iter().map(|provider| provider.name.as_str());
    let models = settings.models.iter().map(|model| model.name.as_str());
    let tenants = settings.tenants.iter().map(|tenant| tenant.name.as_str());
    let keys = settings.keys.iter().map(|key| key.name.as_str());
    let names = Lists {
        providers: Names::new("provider", "providers", providers, problems),
        models: Names::new("model", "models", models, problems),
        tenants: Names::new("tenant", "tenants", tenants, problems).and(budgets::DEFAULT),
        keys: Names::new("key", "keys", keys, problems),
    };
    let mut check = Check { base, options, names: &names, problems };
    settings.state_dir = base.join(&settings.state_dir);
    check.listeners(settings);
    check.sections(settings);
    check.providers(&mut settings.providers);
    check.models(&mut settings.models);
    check.routing(settings);
    check.prices(&settings.prices);
    check.limits(settings);
    check.tenants(settings);
    check.keys(settings);
}

/// The names that others may refer to.
struct Lists {
    providers: Names,
    models: Names,
    tenants: Names,
    keys: Names,
}

/// One run of the checks.
struct Check<'a> {
    base: &'a Path,
    options: &'a Options,
    names: &'a Lists,
    problems: &'a mut Problems,
}

impl Check<'_> {
    fn error(&mut self, at: &str, code: codes::Code, message: impl Into<String>, help: impl Into<String>) {
        self.problems.push(at, Problem::error(code, message).help(help));
    }

    fn warning(&mut self, at: &str, code: codes::Code, message: impl Into<String>, help: impl Into<String>) {
        self.problems.push(at, Problem::warning(code, message).help(help));
    }

    /// A value as the operator wrote it: what `${…}` stood for is not shown.
    fn written(&self, at: &str, value: &str) -> String {
        self.problems.index.written(at).unwrap_or(value).to_owned()
    }

    /// A share between nothing and all of it.
    fn share(&mut self, at: &str, ratio: Ratio) {
        if ratio.0 > 1.0 {
            self.error(at, codes::OUT_OF_RANGE, "more than 100%", "write a share of at most 100%");
        }
    }

    /// A secret typed into the file ends up in version control.
    fn inline_secret(&mut self, at: &str, secret: &Secret) {
        let typed = self.problems.index.spot(at).is_some_and(|spot| !spot.expanded);
        if typed && self.problems.index.variable(at).is_none() && !secret.expose().is_empty() {
            let help = "keep it outside: ${VARIABLE} or ${file:/run/secrets/name}";
            self.warning(at, codes::INLINE_SECRET, "a secret is typed into the file", help);
        }
    }

    /// A PEM file, relative to the configuration; `marker` is what one of its blocks is called.
    fn pem(&mut self, at: &str, file: &mut PemFile, marker: &str) {
        let path = self.base.join(&*file);
        self.problems.depends_on(&path);
        let contents = crate::bytes_of(&path);
        file.found(path, contents.as_deref().ok());
        let why = match contents {
            Err(why) => why,
            Ok(bytes) if !String::from_utf8_lossy(&bytes).contains(marker) => {
                format!("holds no PEM block `{marker}…`")
            }
            Ok(_) => return,
        };
        let shown = self.written(at, &file.display().to_string());
        let make = if self.options.env_optional { Problem::warning } else { Problem::error };
        self.problems.push(
            at,
            make(codes::BAD_FILE, format!("`{shown}` {why}"))
                .help("relative paths start at the file's folder"),
        );
    }
}

/// `a*` and `*`: the only wildcards there are.
fn is_pattern(name: &str) -> bool {
    !name.trim_end_matches('*').contains('*') && name.matches('*').count() <= 1
}

/// Can one requested name match both?
fn overlap(one: &str, other: &str) -> bool {
    match (one.strip_suffix('*'), other.strip_suffix('*')) {
        (None, None) => one == other,
        (Some(prefix), None) => other.starts_with(prefix),
        (None, Some(prefix)) => one.starts_with(prefix),
        (Some(one), Some(other)) => one.starts_with(other) || other.starts_with(one),
    }
}

#[cfg(test)]
#[path = "validate_tests.rs"]
mod tests;
