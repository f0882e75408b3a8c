//! `${VAR}`, `${VAR:-default}`, `${file:/path}` and `$$` in the text of parsed scalars: a secret can never become YAML.

use crate::{
    Options, codes,
    problems::{Problem, Problems},
    tree::{Data, Node, Scalar, Value},
};
use std::path::{Path, PathBuf};

/// Largest file that `${file:…}` reads: a secret, not a data set.
const MAX_FILE: u64 = 64 * 1024;

/// Expands every scalar of `node` in place.
pub(crate) fn tree(node: &mut Node, base: &Path, options: &Options, problems: &mut Problems) {
    let span = node.span;
    match &mut node.data {
        Data::List(items) => items.iter_mut().for_each(|item| tree(item, base, options, problems)),
        Data::Map(entries) => {
            entries.iter_mut().for_each(|entry| tree(&mut entry.value, base, options, problems));
        }
        Data::Scalar(scalar) if scalar.written.contains('$') => {
            let mut found = Found::default();
            *scalar = expanded(scalar, &Expansion { base, options }, &mut found);
            found.problems.into_iter().for_each(|problem| problems.push_at(problem, span));
            found.files.iter().for_each(|file| problems.depends_on(file));
        }
        Data::Scalar(_) => {}
    }
}

/// What a scalar's expansion came upon.
#[derive(Default)]
struct Found {
    problems: Vec<Problem>,
    files: Vec<PathBuf>,
}

struct Expansion<'a> {
    base: &'a Path,
    options: &'a Options,
}

fn expanded(scalar: &Scalar, expansion: &Expansion<'_>, found: &mut Found) -> Scalar {
    let written = scalar.written.clone();
    let mut text = String::new();
    let mut complete = true;
    let mut expanded = false;
    let mut rest = written.as_str();
    while let Some((before, after)) = rest.split_once('$') {
        text.push_str(before);
        if let Some(after) = after.strip_prefix('$') {
            text.push('$');
            rest = after;
        } else if let Some(inside) = after.strip_prefix('{') {
            let Some((name, after)) = inside.split_once('}') else {
                found.problems.push(malformed("`${` without its `}`"));
                return Scalar { value: Value::Unset, written, expanded: true };
            };
            expanded = true;
            match expansion.value(name, found) {
                Some(value) => text.push_str(&value),
                None => complete = false,
            }
            rest = after;
        } else {
            text.push('$');
            rest = after;
        }
    }
    text.push_str(rest);
    let value = if complete { Value::Text(text) } else { Value::Unset };
    Scalar { value, written, expanded }
}

fn malformed(what: &str) -> Problem {
    let help = "write ${VARIABLE}, ${VARIABLE:-default}, ${file:/path}, or $$ for a dollar sign";
    Problem::error(codes::UNSET_VARIABLE, what).help(help)
}

impl Expansion<'_> {
    fn value(&self, name: &str, found: &mut Found) -> Option<String> {
        if let Some(path) = name.strip_prefix("file:") {
            return self.file(path, found);
        }
        let (variable, default) =
            name.split_once(":-").map_or((name, None), |(name, default)| (name, Some(default)));
        let valid = |c: char| c.is_ascii_alphanumeric() || c == '_';
        if variable.is_empty() || !variable.chars().all(valid) {
            found.problems.push(malformed("`${…}` does not name a variable"));
            return None;
        }
        let value = self.options.env.get(variable);
        match default {
            // As in a shell, `:-` also stands in for an empty variable.
            Some(default) => {
                Some(value.filter(|value| !value.is_empty()).unwrap_or_else(|| default.to_owned()))
            }
            None if value.is_some() => value,
            None => {
                let message = format!("the environment variable `{variable}` is not set");
                let help = format!("set it, or give a default: ${{{variable}:-default}}");
                found.problems.push(self.missing(message).help(help));
                None
            }
        }
    }

    fn file(&self, path: &str, found: &mut Found) -> Option<String> {
        let path = self.base.join(path);
        found.files.push(path.clone());
        let refuse = |why: &str| self.missing(format!("the secret's file `{}` {why}", path.display()));
        let metadata = match std::fs::metadata(&path) {
            Ok(metadata) => metadata,
            Err(error) => {
                found.problems.push(refuse(&crate::unreadable(&error)));
                return None;
            }
        };
        if !metadata.is_file() || metadata.len() > MAX_FILE {
            found.problems.push(refuse("is not a file of at most 64 KiB"));
            return None;
        }
        if is_world_readable(&metadata) {
            let message =
                format!("everybody on this machine may read the secret's file `{}`", path.display());
            let help = format!("chmod 600 {}", path.display());
            found.problems.push(Problem::warning(codes::READABLE_SECRET, message).help(help));
        }
        match std::fs::read_to_string(&path) {
            Ok(text) => Some(text.trim_end_matches(['\n', '\r']).to_owned()),
            Err(error) => {
                found.problems.push(refuse(&crate::unreadable(&error)));
                None
            }
        }
    }

    /// With `env_optional` (a check on another machine) what is missing here is only worth a warning.
    fn missing(&self, message: String) -> Problem {
        let make = if self.options.env_optional { Problem::warning } else { Problem::error };
        make(codes::UNSET_VARIABLE, message)
    }
}

#[cfg(unix)]
fn is_world_readable(metadata: &std::fs::Metadata) -> bool {
    use std::os::unix::fs::PermissionsExt;
    metadata.permissions().mode() & 0o004 != 0
}

#[cfg(not(unix))]
fn is_world_readable(_: &std::fs::Metadata) -> bool {
    false
}

#[cfg(test)]
#[path = "expand_tests.rs"]
mod tests;
