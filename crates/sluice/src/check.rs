//! `sluice check`, `sluice schema` and `sluice config`: what the configuration crate knows, printed.

use crate::{cli::CheckArgs, serve::INVALID, terminal};
use sluice_config::{Level, Options, Source};
use std::{path::Path, process::ExitCode};

/// Checks every file, prints every problem, and ends with the worst file's code.
pub(crate) fn run(args: &CheckArgs) -> ExitCode {
    let options = Options { env_optional: args.env_optional, ..Options::default() };
    let worst = args.files.iter().map(|file| check(file, &options)).max().unwrap_or(Verdict::Clean);
    ExitCode::from(match worst {
        Verdict::Invalid => INVALID,
        Verdict::Warned if args.strict => 1,
        Verdict::Warned | Verdict::Clean => 0,
    })
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Verdict {
    Clean,
    Warned,
    Invalid,
}

fn check(file: &Path, options: &Options) -> Verdict {
    let (report, summary) = match sluice_config::load(Source::File(file), options) {
        Ok(loaded) => {
            let settings = &loaded.settings;
            let counts = (settings.providers.len(), settings.models.len(), settings.keys.len());
            (loaded.report, format!("ok (providers: {}, models: {}, keys: {})", counts.0, counts.1, counts.2))
        }
        Err(report) => (report, "not valid".to_owned()),
    };
    terminal::print(&report.render(terminal::print_in_colour()));
    terminal::print(&format!("{}: {summary}", file.display()));
    if report.has_errors() {
        Verdict::Invalid
    } else if report.count(Level::Warning) > 0 {
        Verdict::Warned
    } else {
        Verdict::Clean
    }
}

/// Prints the JSON schema of the configuration.
pub(crate) fn schema() -> ExitCode {
    terminal::print(sluice_config::schema());
    ExitCode::SUCCESS
}

/// Prints the running defaults as annotated YAML.
pub(crate) fn default() -> ExitCode {
    terminal::print(&sluice_config::default_yaml());
    ExitCode::SUCCESS
}

/// Prints what `file` comes to.
pub(crate) fn show(file: &Path, env_optional: bool) -> ExitCode {
    let options = Options { env_optional, ..Options::default() };
    match sluice_config::show(Source::File(file), &options) {
        Ok(text) => {
            terminal::print(&text);
            ExitCode::SUCCESS
        }
        Err(report) => {
            terminal::tell(&report.render(terminal::tell_in_colour()));
            ExitCode::from(INVALID)
        }
    }
}
