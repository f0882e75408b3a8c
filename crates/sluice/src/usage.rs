//! `sluice usage`: what the ledger says of who used what, read while the gateway runs or not. Nothing is written,
//! and no gateway is asked.

mod figures;
mod records;
mod summary;
pub(crate) mod when;

use crate::{
    cli::{UsageArgs, UsageBy},
    serve::{self, INVALID},
    terminal,
};
use jiff::Timestamp;
use sluice_config::{Options, Source};
use sluice_core::ledger::{By, FILE, LedgerError, Reader};
use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};
use summary::Summary;

/// Why there is no answer.
enum Refusal {
    /// The question or the configuration makes no sense.
    Invalid(String),
    /// There is no ledger, or it cannot be read.
    Failed(String),
}

/// Prints sums or records.
pub(crate) fn run(args: &UsageArgs) -> ExitCode {
    match answer(args, Timestamp::now()) {
        Ok(text) => {
            terminal::print(&text);
            ExitCode::SUCCESS
        }
        Err(Refusal::Invalid(text)) => {
            terminal::tell(&text);
            ExitCode::from(INVALID)
        }
        Err(Refusal::Failed(text)) => {
            terminal::tell(&format!("error: {text}"));
            ExitCode::FAILURE
        }
    }
}

fn answer(args: &UsageArgs, now: Timestamp) -> Result<String, Refusal> {
    if let (Some(since), Some(until)) = (args.since, args.until)
        && since >= until
    {
        return Err(Refusal::Invalid(format!("error: --since {since} is not before --until {until}")));
    }
    let path = ledger(args)?;
    let reader = Reader::open(&path).map_err(|why| cannot_read(&path, &why))?;
    let answer = if args.records { tell_records(&reader, args) } else { tell_sums(&reader, args, now) };
    answer.map_err(|why| cannot_read(&path, &why))
}

fn tell_records(reader: &Reader, args: &UsageArgs) -> Result<String, LedgerError> {
    let records = reader.records(args.since, args.until, args.limit)?;
    Ok(if args.json { records::json_lines(&records) } else { records::text(&records, args.limit) })
}

fn tell_sums(reader: &Reader, args: &UsageArgs, now: Timestamp) -> Result<String, LedgerError> {
    let by = match args.by {
        UsageBy::Tenant => By::Tenant,
        UsageBy::Key => By::Key,
        UsageBy::Model => By::Model,
        UsageBy::Day => By::Day,
    };
    let (since, since_is) = match args.since {
        Some(since) => (since, None),
        None => (beginning(args.until, now), Some("the beginning of the month")),
    };
    let rows = reader.summary(by, Some(since), args.until)?;
    let summary = Summary { by, since, since_is, until: args.until, rows };
    Ok(if args.csv {
        summary.csv()
    } else if args.json {
        summary.json()
    } else {
        summary.text()
    })
}

/// The beginning of this month; of an earlier one when all of it is asked for.
fn beginning(until: Option<Timestamp>, now: Timestamp) -> Timestamp {
    // The first moment of a month ends the one before.
    let last = until.map(|until| until.checked_sub(jiff::SignedDuration::from_nanos(1)).unwrap_or(until));
    when::month_of(last.map_or(now, |last| last.min(now)))
}

/// Where the ledger is.
fn ledger(args: &UsageArgs) -> Result<PathBuf, Refusal> {
    let folder = match &args.state_dir {
        Some(folder) => folder.clone(),
        None => configured(args.config.as_deref())?,
    };
    // `config/./sluice-data` is nobody's idea of a path.
    Ok(folder.join(FILE).components().collect())
}

/// `state_dir` of the configuration that `serve` would take, or of none.
fn configured(named: Option<&Path>) -> Result<PathBuf, Refusal> {
    let file = serve::configuration(named);
    let none = Source::Text { name: "defaults", text: "version: 1", base: Path::new("") };
    let source = file.as_deref().map_or(none, Source::File);
    // Whoever asks need not have the gateway's secrets.
    let options = Options { env_optional: true, ..Options::default() };
    match sluice_config::load(source, &options) {
        Ok(loaded) => Ok(loaded.settings.state_dir),
        Err(report) => Err(Refusal::Invalid(format!(
            "{}\nWith --state-dir DIR no configuration is read.",
            report.render(terminal::tell_in_colour())
        ))),
    }
}

fn cannot_read(path: &Path, why: &LedgerError) -> Refusal {
    let path = path.display();
    Refusal::Failed(match why {
        LedgerError::Missing { .. } => format!(
            "there is no usage ledger at {path} yet.\n\
             `sluice serve` makes it in the `state_dir` of its configuration and writes a record of every request; \
             the demo keeps none.\n\
             Name the configuration that is served with --config FILE, or the folder with --state-dir DIR."
        ),
        LedgerError::Foreign { .. } => why.to_string(),
        _ => format!("cannot read {path}: {why}"),
    })
}

#[cfg(test)]
#[path = "usage/usage_tests.rs"]
mod tests;
