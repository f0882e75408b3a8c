//! Problems as they are found: by position while parsing, by path afterwards. None hides another, and none is a mere
//! echo: what is said about a value that was already reported as unusable is dropped.

use crate::{
    codes::Code,
    index::Index,
    mask::Masked,
    path,
    report::{Diagnostic, Level, Place, Report},
    tree::Span,
};
use std::{
    collections::{BTreeSet, HashSet},
    path::{Path, PathBuf},
};

/// One problem, its place to be told apart.
pub(crate) struct Problem {
    level: Level,
    code: Code,
    message: String,
    help: Option<String>,
}

impl Problem {
    fn new(level: Level, code: Code, message: impl Into<String>) -> Self {
        Self { level, code, message: message.into(), help: None }
    }

    pub(crate) fn error(code: Code, message: impl Into<String>) -> Self {
        Self::new(Level::Error, code, message)
    }

    pub(crate) fn warning(code: Code, message: impl Into<String>) -> Self {
        Self::new(Level::Warning, code, message)
    }

    pub(crate) fn note(code: Code, message: impl Into<String>) -> Self {
        Self::new(Level::Note, code, message)
    }

    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

/// Where a problem shows.
#[derive(Clone, Copy)]
enum Side {
    Key,
    Value,
}

/// All problems of one load.
#[derive(Default)]
pub(crate) struct Problems {
    found: Vec<(Problem, Option<Span>)>,
    /// Where each path of the file stands, and which variable set it.
    pub(crate) index: Index,
    /// Paths whose value could not be used; something valid stands there instead.
    unusable: HashSet<String>,
    /// Files that were looked at besides the configuration's own, there or not.
    pub(crate) files: BTreeSet<PathBuf>,
}

impl Problems {
    /// At a position, before there are paths.
    pub(crate) fn push_at(&mut self, problem: Problem, span: Span) {
        self.found.push((problem, Some(span)));
    }

    /// About no place in the file.
    pub(crate) fn push_global(&mut self, problem: Problem) {
        self.found.push((problem, None));
    }

    /// About the value at `path`, or the nearest thing that is written.
    pub(crate) fn push(&mut self, path: &str, problem: Problem) {
        self.add(path, problem, Side::Value);
    }

    /// About the field itself.
    pub(crate) fn push_key(&mut self, path: &str, problem: Problem) {
        self.add(path, problem, Side::Key);
    }

    /// Says that `path` holds a stand-in from here on.
    pub(crate) fn mark_unusable(&mut self, path: &str) {
        self.unusable.insert(path.to_owned());
    }

    /// Is `path`, or something around it, a stand-in?
    pub(crate) fn is_unusable(&self, path: &str) -> bool {
        !self.unusable.is_empty() && path::ancestors(path).any(|path| self.unusable.contains(path))
    }

    /// Says that what is in `file` counts.
    pub(crate) fn depends_on(&mut self, file: &Path) {
        self.files.insert(file.to_owned());
    }

    /// Takes back what was said with this code.
    pub(crate) fn forget(&mut self, code: Code) {
        self.found.retain(|(problem, _)| problem.code.id != code.id);
    }

    pub(crate) fn has_errors(&self) -> bool {
        self.found.iter().any(|(problem, _)| problem.level == Level::Error)
    }

    fn add(&mut self, path: &str, mut problem: Problem, side: Side) {
        if self.is_unusable(path) {
            return;
        }
        if let Some(variable) = self.index.variable(path) {
            problem.message = format!("environment variable {variable}: {}", problem.message);
            self.found.push((problem, None));
            return;
        }
        let span =
            path::ancestors(path).find_map(|path| self.index.spot(path)).map(|spot| match (side, spot.key) {
                (_, Some(key)) if !spot.scalar => key,
                (Side::Key, Some(key)) => key,
                _ => spot.value,
            });
        self.found.push((problem, span));
    }

    /// The report, in the order of the file; what has no place comes first.
    pub(crate) fn report(mut self, file: &str, text: &Masked) -> Report {
        self.found.sort_by_key(|(problem, span)| (problem.level == Level::Note, *span));
        let diagnostics = self.found.into_iter().map(|(problem, span)| Diagnostic {
            level: problem.level,
            code: problem.code.id,
            message: visible(&problem.message),
            place: span.filter(|span| span.start.line > 0).map(|span| Place {
                file: file.to_owned(),
                line: span.start.line,
                column: span.start.column,
                len: span.width(),
                excerpt: text.line(span.start.line).to_owned(),
            }),
            help: problem.help,
        });
        Report { diagnostics: diagnostics.collect() }
    }
}

/// On one line, whatever was quoted in it.
fn visible(message: &str) -> String {
    message.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}
