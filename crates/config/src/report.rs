//! What is said about a configuration: diagnostics, and how they look on a terminal.

use std::fmt::Write;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Good to know.
    Note,
    /// Works, but probably not as meant.
    Warning,
    /// Cannot be served.
    Error,
}

impl Level {
    /// As it is written in a report.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }

    fn color(self) -> &'static str {
        match self {
            Self::Note => "\x1b[1;36m",
            Self::Warning => "\x1b[1;33m",
            Self::Error => "\x1b[1;31m",
        }
    }
}

/// Where it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The file as it was named.
    pub file: String,
    /// From 1.
    pub line: usize,
    /// From 1, in characters.
    pub column: usize,
    /// Characters to point at.
    pub len: usize,
    /// The line's text; everything that could be a secret is stars.
    pub excerpt: String,
}

/// One thing to say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// How bad it is.
    pub level: Level,
    /// `SL004`; see [`crate::codes`].
    pub code: &'static str,
    /// What is wrong; never a secret.
    pub message: String,
    /// Where; absent for what is not in the file.
    pub place: Option<Place>,
    /// What to do.
    pub help: Option<String>,
}

/// Everything there is to say, in the order of the file; notes come last.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Report {
    /// The diagnostics.
    pub diagnostics: Vec<Diagnostic>,
}

const RESET: &str = "\x1b[0m";
const BOLD: &str = "\x1b[1m";
const FRAME: &str = "\x1b[34m";
/// A longer line is cut around its place.
const LONGEST_EXCERPT: usize = 120;

impl Report {
    /// Is there anything that forbids to serve?
    #[must_use]
    pub fn has_errors(&self) -> bool {
        self.count(Level::Error) > 0
    }

    /// How many of one level.
    #[must_use]
    pub fn count(&self, level: Level) -> usize {
        self.iter().filter(|diagnostic| diagnostic.level == level).count()
    }

    /// All diagnostics.
    pub fn iter(&self) -> std::slice::Iter<'_, Diagnostic> {
        self.diagnostics.iter()
    }

    /// The whole report as text, each with its code frame, and a last line that counts.
    #[must_use]
    pub fn render(&self, color: bool) -> String {
        let mut out = String::new();
        for diagnostic in self.iter() {
            diagnostic.render(color, &mut out);
        }
        let counts =
            [Level::Error, Level::Warning, Level::Note].map(|level| (self.count(level), level.name()));
        let counts = counts.iter().filter(|(count, _)| *count > 0).map(|(count, name)| match count {
            1 => format!("1 {name}"),
            _ => format!("{count} {name}s"),
        });
        let counts: Vec<String> = counts.collect();
        if !counts.is_empty() {
            out.push_str(&counts.join(", "));
            out.push('\n');
        }
        out
    }
}

impl<'a> IntoIterator for &'a Report {
    type Item = &'a Diagnostic;
    type IntoIter = std::slice::Iter<'a, Diagnostic>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl std::fmt::Display for Report {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.render(false))
    }
}

impl std::error::Error for Report {}

impl Diagnostic {
    fn render(&self, color: bool, out: &mut String) {
        let paint = |style: &'static str| if color { style } else { "" };
        let (level, reset) = (paint(self.level.color()), paint(RESET));
        let place =
            self.place.as_ref().map(|place| format!("  {}:{}:{}", place.file, place.line, place.column));
        // Writing to a String cannot fail.
        let _ = writeln!(
            out,
            "{level}{}[{}]{reset}{}: {}{reset}{}",
            self.level.name(),
            self.code,
            paint(BOLD),
            self.message,
            place.unwrap_or_default()
        );
        if self.level == Level::Note {
            return;
        }
        let frame = paint(FRAME);
        let margin = self.place.as_ref().map_or(1, |place| place.line.to_string().len());
        if let Some(place) = self.place.as_ref().filter(|place| !place.excerpt.is_empty()) {
            let (excerpt, column) = place.window();
            let marks = place.len.min(excerpt.chars().count().saturating_sub(column - 1)).max(1);
            let _ = writeln!(out, "{frame}{:margin$} |{reset}", "");
            let _ = writeln!(out, "{frame}{} |{reset} {excerpt}", place.line);
            let (indent, marks) = (" ".repeat(column - 1), "^".repeat(marks));
            let _ = writeln!(out, "{frame}{:margin$} |{reset} {indent}{level}{marks}{reset}", "");
        }
        if let Some(help) = &self.help {
            let _ = writeln!(out, "{frame}{:margin$} ={reset} help: {help}", "");
        }
        out.push('\n');
    }
}

impl Place {
    /// The part of the line to show, and the column within it.
    fn window(&self) -> (String, usize) {
        let column = self.column.max(1);
        let start = column.saturating_sub(LONGEST_EXCERPT / 2);
        if self.excerpt.chars().count() <= LONGEST_EXCERPT || start <= 1 {
            return (self.excerpt.chars().take(LONGEST_EXCERPT).collect(), column);
        }
        let part: String = self.excerpt.chars().skip(start).take(LONGEST_EXCERPT).collect();
        (format!("… {part}"), column - start + 2)
    }
}

#[cfg(test)]
#[path = "report_tests.rs"]
mod tests;
