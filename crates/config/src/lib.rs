//! What an operator may write: one YAML file, checked as a whole and typed.
//!
//! [`load`] reads top to bottom what happens to it:
//! `parse` (YAML once, with positions) → `expand` (`${…}` in scalars) → `layers` (defaults < file < environment, by the
//! `config` crate) → `walk` (against the JSON schema of [`model`]) → typed [`Settings`] → `validate` (references, sense,
//! safety). No step stops at its first problem, and none hides the next one's. Nothing here opens a socket.

pub mod codes;
mod demo;
mod derived;
mod diff;
mod env;
mod expand;
mod index;
mod layers;
mod mask;
pub mod model;
mod parse;
mod path;
mod problems;
mod report;
mod restart;
mod schema;
mod show;
mod suggest;
mod text;
mod tree;
mod validate;
mod walk;
pub mod yaml;

pub use diff::{Change, Effective, What, diff, restart_only};
pub use env::Env;
pub use model::Settings;
pub use report::{Diagnostic, Level, Place, Report};
pub use schema::schema;
pub use show::{default_yaml, key_entry, show};
pub use validate::NOT_YOURS;

use mask::Masked;
use problems::{Problem, Problems};
use std::{
    borrow::Cow,
    collections::BTreeSet,
    io::Read,
    os::unix::fs::FileTypeExt as _,
    path::{Path, PathBuf},
};

/// Largest file that is read.
const MAX_FILE: u64 = 8 * 1024 * 1024;

/// Where the YAML comes from.
#[derive(Debug, Clone, Copy)]
pub enum Source<'a> {
    /// A file.
    File(&'a Path),
    /// A text with a name for reports, and the folder that its relative paths start from.
    Text {
        /// For reports.
        name: &'a str,
        /// The YAML.
        text: &'a str,
        /// Start of relative paths.
        base: &'a Path,
    },
}

/// What a load depends on beside its source.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Environment variables.
    pub env: Env,
    /// Unset variables and missing files are warnings: a check on another machine than the one that serves.
    pub env_optional: bool,
}

/// A valid configuration, and what is still to be said about it.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The configuration.
    pub settings: Settings,
    /// Warnings and notes.
    pub report: Report,
    /// For a comparison with another one.
    pub effective: Effective,
}

/// A load, and the files that it depends on whatever came of it.
#[derive(Debug)]
pub struct Attempt {
    /// The configuration, or the report with all problems, when at least one of them is an error.
    pub outcome: Result<Loaded, Report>,
    /// Files that were looked at beside the source itself, there or not: secrets, certificates.
    pub files: BTreeSet<PathBuf>,
}

/// Loads and checks a configuration.
///
/// # Errors
/// The report with all problems, when at least one of them is an error.
pub fn load(source: Source<'_>, options: &Options) -> Result<Loaded, Report> {
    attempt(source, options).outcome
}

/// Loads and checks a configuration, and tells which files have a say in it.
#[must_use]
pub fn attempt(source: Source<'_>, options: &Options) -> Attempt {
    let Reading { settings, report, effective, files, .. } = read(source, options);
    let outcome = match settings {
        Some(settings) if !report.has_errors() => {
            let effective = Effective::new(effective, &settings);
            Ok(Loaded { settings, report, effective })
        }
        _ => Err(report),
    };
    Attempt { outcome, files }
}

/// Everything that a load finds out.
struct Reading {
    settings: Option<Settings>,
    report: Report,
    /// The merged, completed tree and where its values came from.
    effective: config::Value,
    index: index::Index,
    files: BTreeSet<PathBuf>,
}

fn read(source: Source<'_>, options: &Options) -> Reading {
    let mut problems = Problems::default();
    let (name, base) = match source {
        Source::File(path) => (path.display().to_string(), path.parent().unwrap_or(Path::new(""))),
        Source::Text { name, base, .. } => (name.to_owned(), base),
    };
    let text = match contents(source) {
        Ok(text) => text,
        Err(problem) => {
            problems.push_global(problem);
            return Reading::failed(problems.report(&name, &Masked::of_text("")));
        }
    };
    let Some(mut tree) = parse::document(&text, &mut problems) else {
        return Reading::failed(problems.report(&name, &Masked::of_text(&text)));
    };
    let masked = Masked::of_tree(&text, &tree);
    expand::tree(&mut tree, base, options, &mut problems);

    let file = layers::of_file(&tree, &mut problems);
    // The layer has all of it, and both are large.
    drop(tree);
    let environment = layers::of_environment(&options.env, &mut problems);
    let settings = layers::merge(vec![walk::defaults(), file, environment]).map(|mut merged| {
        derived::fill(&mut merged);
        walk::walk(merged, &mut problems)
    });
    let (settings, effective) = match settings {
        Ok(effective) => (effective.clone().try_deserialize::<Settings>(), effective),
        Err(error) => (Err(error), layers::empty()),
    };
    // The walker admits only what the types read, so this is a mistake of ours; its text may hold a value.
    let mut settings = settings.ok();
    if settings.is_none() && !problems.has_errors() {
        let message = "the file passed its checks and could not be read all the same";
        problems.push_global(Problem::error(codes::SYNTAX, message).help("please report this with the file"));
    }
    if let Some(settings) = &mut settings {
        validate::settings(settings, base, options, &mut problems);
    }
    let (index, files) = (std::mem::take(&mut problems.index), std::mem::take(&mut problems.files));
    Reading { settings, report: problems.report(&name, &masked), effective, index, files }
}

impl Reading {
    fn failed(report: Report) -> Self {
        Self {
            settings: None,
            report,
            effective: layers::empty(),
            index: index::Index::default(),
            files: BTreeSet::new(),
        }
    }
}

fn contents(source: Source<'_>) -> Result<Cow<'_, str>, Problem> {
    let path = match source {
        Source::File(path) => path,
        Source::Text { text, .. } => return Ok(Cow::Borrowed(text)),
    };
    let refuse = |why: &str| Problem::error(codes::SYNTAX, format!("{} {why}", path.display()));
    String::from_utf8(bytes_of(path).map_err(|why| refuse(&why))?).map(Cow::Owned).map_err(|error| {
        refuse(&format!("is not UTF-8 text from byte {} on", error.utf8_error().valid_up_to()))
    })
}

/// What is in a file of a sensible size; else why that cannot be told.
fn bytes_of(path: &Path) -> Result<Vec<u8>, String> {
    let cannot = |error: std::io::Error| unreadable(&error);
    // One that lies in a folder is waited at until somebody writes to it, and nothing else is read meanwhile. What a
    // shell hands over is written already.
    let is_handed_over = ["/dev", "/proc"].iter().any(|folder| path.starts_with(folder));
    if !is_handed_over && std::fs::metadata(path).is_ok_and(|meta| meta.file_type().is_fifo()) {
        return Err("is a pipe".to_owned());
    }
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).map_err(cannot)?;
    file.take(MAX_FILE + 1).read_to_end(&mut bytes).map_err(cannot)?;
    if bytes.len() as u64 > MAX_FILE {
        return Err("is larger than 8 MiB".to_owned());
    }
    Ok(bytes)
}

/// Why a file cannot be read, in words.
fn unreadable(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::NotFound => "does not exist".to_owned(),
        std::io::ErrorKind::PermissionDenied => "may not be read by this user".to_owned(),
        kind => format!("cannot be read: {kind}"),
    }
}

#[cfg(test)]
#[path = "lib_tests.rs"]
mod tests;
