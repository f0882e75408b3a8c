//! `sluice diff`: what one configuration has otherwise than another, and whether a reload is enough.

use crate::{cli::DiffArgs, serve::INVALID, terminal};
use serde_json::{Value, json};
use sluice_config::{Change, Loaded, Options, Source, What, restart_only};
use std::{path::Path, process::ExitCode};

/// They differ, and a reload is enough.
const DIFFERS: u8 = 1;
/// They differ in what is read once, at the start.
const RESTART: u8 = 3;

/// Prints the difference.
pub(crate) fn run(args: &DiffArgs) -> ExitCode {
    let options = Options { env_optional: args.env_optional, ..Options::default() };
    let load = |file: &Path| {
        let loaded = sluice_config::load(Source::File(file), &options);
        loaded.inspect_err(|report| terminal::tell(&report.render(terminal::tell_in_colour()))).ok()
    };
    // Both, so that the problems of both are told.
    let (Some(old), Some(new)) = (load(&args.old), load(&args.new)) else { return ExitCode::from(INVALID) };
    let changes = Loaded::since(&new, &old.effective);
    let fixed = restart_only(&changes);
    if args.json {
        let list: Vec<_> = changes.iter().map(as_json).collect();
        terminal::print(&format!("{:#}", json!({"changes": list, "needs_restart": fixed})));
    } else {
        terminal::print(&as_text(&changes, &fixed));
    }
    match (changes.is_empty(), fixed.is_empty()) {
        (true, _) => ExitCode::SUCCESS,
        (false, true) => ExitCode::from(DIFFERS),
        (false, false) => ExitCode::from(RESTART),
    }
}

fn as_text(changes: &[Change], fixed: &[&str]) -> String {
    let mut lines: Vec<String> = changes
        .iter()
        .map(|change| match change.fixed {
            Some(_) => format!("{change}  (needs a restart)"),
            None => change.to_string(),
        })
        .collect();
    let count = match changes.len() {
        0 => return "no difference".to_owned(),
        1 => "1 change".to_owned(),
        count => format!("{count} changes"),
    };
    lines.push(String::new());
    lines.push(match fixed {
        [] => format!("{count}; a reload is enough"),
        _ => format!(
            "{count}; a reload would be refused, since a running gateway cannot change {}",
            fixed.join(", ")
        ),
    });
    lines.join("\n")
}

fn as_json(change: &Change) -> Value {
    let (kind, from, to) = match &change.what {
        What::Added(value) => ("added", None, Some(value)),
        What::Removed => ("removed", None, None),
        What::Changed { from, to } => ("changed", Some(from), Some(to)),
        What::Secret => ("secret", None, None),
        What::Rewritten => ("rewritten", None, None),
    };
    json!({"path": change.path, "change": kind, "from": from, "to": to, "needs_restart": change.fixed.is_some()})
}
