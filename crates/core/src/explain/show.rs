//! The explanation as text for people, aligned in columns.

use super::{
    CacheFacts, Explanation,
    routing::{FirstBy, TargetFacts},
};
use crate::{error::GatewayError, reply::render};
use std::fmt::{self, Formatter};

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let by = if self.model.wildcard { "wildcard" } else { "entry" };
        line(f, "model", &format!("{}, by the {by} `{}`", self.model.requested, self.model.entry))?;
        let caller = &self.caller;
        match &caller.key {
            Some(key) if caller.expired => {
                line(
                    f,
                    "key",
                    &format!("{key} of tenant {}; EXPIRED: every request is answered 401", caller.tenant),
                )?;
            }
            Some(key) => {
                let by = &caller.may_use_by;
                line(f, "key", &format!("{key} of tenant {}; may use it by `{by}`", caller.tenant))?;
            }
            None => line(f, "key", &format!("none; tenant {}", caller.tenant))?,
        }
        line(f, "endpoint", self.endpoint.unwrap_or("not said"))?;
        self.show_targets(f)?;
        self.show_limits(f)?;
        self.cache.show(f)?;
        for note in &self.notes {
            write!(f, "\nnote: {note}")?;
        }
        writeln!(f)
    }
}

impl Explanation {
    fn show_targets(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let first = match self.routing.first_by {
            FirstBy::Nothing => "none can be asked",
            FirstBy::Priority => "the first is asked first: it has no rival of its priority",
            FirstBy::Request => {
                "the first is asked first: drawn by the request itself, so equal requests meet it"
            }
            FirstBy::Prefix => {
                "the first is asked first: drawn by the prefix, so requests that share it meet it"
            }
            FirstBy::Session => "the first is asked first: drawn by the session, whose requests meet it",
            FirstBy::Lot => "equal priorities share by lot and weight; each request is drawn anew",
            FirstBy::Latency => "of two that are drawn, the quicker is asked first",
            FirstBy::Load => "the one with the fewest requests in flight by its weight is asked first",
            FirstBy::Price => "the first is asked first: it costs least",
            FirstBy::Body => "rules and draws decide by the body; give one to see how",
        };
        writeln!(f)?;
        if let Some(rule) = &self.routing.rule {
            line(f, "rule", &format!("number {} replaces the targets: {}", rule.number, rule.when))?;
        }
        let tries = match self.model.attempts {
            1 => "1 try".to_owned(),
            attempts => format!("{attempts} tries"),
        };
        let passed = self.passed_by();
        line(f, "targets", &format!("{first}{passed}; at most {tries}"))?;
        let targets = &self.routing.targets;
        let name = |target: &TargetFacts| format!("{} / {}", target.provider, target.model);
        let width = targets.iter().map(|target| name(target).chars().count()).max().unwrap_or(0);
        for (index, target) in targets.iter().enumerate() {
            let TargetFacts { priority, weight, .. } = target;
            let name = name(target);
            write!(f, "  {:<3}{name:width$}  priority {priority}  weight {weight}", index + 1)?;
            if let Some(fallback) = &target.fallback {
                write!(f, "  fallback {fallback}")?;
            }
            if let Some(health) = &target.health_text {
                write!(f, "  {health}")?;
            }
            if let Some(wire) = target.translated {
                write!(f, "  put as {}", wire.replace('_', " "))?;
            }
            if !target.dropped.is_empty() {
                write!(f, "  without {}", target.dropped.join(", "))?;
            }
            match &target.skipped {
                Some(why) => writeln!(f, "  skipped: {why}")?,
                None if !target.reachable => writeln!(f, "  beyond the {tries}")?,
                None => writeln!(f)?,
            }
        }
        Ok(())
    }

    /// The sentence before is about the configuration: what a gateway that runs makes of its first target.
    fn passed_by(&self) -> String {
        let first = self.routing.targets.first().filter(|target| target.served && target.is_passed_by());
        let Some(first) = first else { return String::new() };
        if self.routing.first_live.is_none() {
            return " (now all circuits are open: the one whose probe is next is asked anyway)".to_owned();
        }
        match self.routing.first_by {
            // There the first is only the first of the list.
            FirstBy::Lot | FirstBy::Latency | FirstBy::Load | FirstBy::Body => {
                format!(" ({} / {} is now passed by: its circuit is open)", first.provider, first.model)
            }
            _ => " (now passed by: its circuit is open)".to_owned(),
        }
    }

    fn show_limits(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(f)?;
        if self.limits.is_empty() {
            return line(f, "limits", "none");
        }
        writeln!(f, "limits")?;
        let rows: Vec<_> =
            self.limits.iter().map(|limit| [limit.limit, limit.value.as_str(), limit.from]).collect();
        let columns = Columns::of(&rows);
        let mut last = None;
        for (fact, row) in self.limits.iter().zip(&rows) {
            if last.replace((fact.scope, &fact.name)) != Some((fact.scope, &fact.name)) {
                match &fact.name {
                    Some(name) => writeln!(f, "  {} {name}", fact.scope)?,
                    None => writeln!(f, "  a caller without a key")?,
                }
            }
            columns.row(f, "    ", row)?;
        }
        Ok(())
    }
}

impl CacheFacts {
    fn show(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(f)?;
        let verdict = match (self.eligible, self.reason, self.because) {
            (Some(true), ..) => "eligible: looked up, and stored".to_owned(),
            (Some(false), Some(word), Some(because)) => format!("bypass; reason={word}: {because}"),
            _ if !self.configured => "bypass; reason=disabled: there is no `cache` section".to_owned(),
            _ => "depends on the body".to_owned(),
        };
        line(f, "cache", &verdict)?;
        let rows: Vec<_> = self
            .settings
            .iter()
            .map(|setting| [setting.name, setting.value.as_str(), setting.from])
            .collect();
        let columns = Columns::of(&rows);
        for row in &rows {
            columns.row(f, "  ", row)?;
        }
        for wish in &self.wishes {
            writeln!(f, "  the client wants {wish}")?;
        }
        let Some(key) = &self.key else { return Ok(()) };
        writeln!(f)?;
        line(f, "cache key", &key.key)?;
        let or_none = |text: String| if text.is_empty() { "-".to_owned() } else { text };
        let (headers, left_out) = (or_none(key.headers.join("; ")), or_none(key.left_out.join(", ")));
        let namespace = or_none(key.namespace.clone());
        let parts = [
            ["format", key.format],
            ["scope", &key.scope],
            ["namespace", &namespace],
            ["endpoint", key.endpoint],
            ["target", &key.target],
            ["headers", &headers],
            ["body", &key.body],
            ["left out", &left_out],
        ];
        for [name, value] in parts {
            writeln!(f, "  {name:<10}{value}")?;
        }
        Ok(())
    }
}

/// A heading with its sentence.
fn line(f: &mut Formatter<'_>, name: &str, text: &str) -> fmt::Result {
    writeln!(f, "{name:<11}{text}")
}

/// Columns of name, value and where it comes from.
struct Columns {
    name: usize,
    value: usize,
}

impl Columns {
    fn of(rows: &[[&str; 3]]) -> Self {
        let width = |text: &str| text.chars().count();
        Self {
            name: rows.iter().map(|[name, ..]| width(name)).max().unwrap_or(0),
            value: rows.iter().map(|[_, value, _]| width(value)).max().unwrap_or(0),
        }
    }

    fn row(&self, f: &mut Formatter<'_>, indent: &str, [name, value, from]: &[&str; 3]) -> fmt::Result {
        let Self { name: names, value: values } = self;
        writeln!(f, "{indent}{name:names$}  {value:values$}  {from}")
    }
}

/// A refusal with everything that the client would be told.
pub(super) fn refusal(error: &GatewayError) -> String {
    let mut text = format!("{} {}: {}", error.kind.status(), render::code(error), error.message);
    for fault in error.details.iter().flat_map(|details| &details.faults) {
        text.push_str(&format!("\n  {}: {}", fault.location, fault.message));
    }
    text
}
