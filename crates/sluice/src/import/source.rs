//! The files of a LiteLLM configuration as one tree, each value with its place.
//!
//! What Python's YAML reader does and ours does not is done here: merge keys (`<<`) are followed, and of duplicate
//! fields the last counts. `include` is followed as LiteLLM does it: lists of an included file are appended, its other
//! sections replace. What a value means is not known here.

use sluice_config::{
    Diagnostic, Level, Place as Spot, Report, codes,
    yaml::{self, Scalar, Value},
};
use std::path::Path;

/// Where a value stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    /// Which of the files, in the order of reading.
    pub(super) file: usize,
    pub(super) line: usize,
    pub(super) column: usize,
}

#[derive(Clone)]
pub(super) struct Node {
    pub(super) place: Place,
    /// Where the alias stands that brought it here: the same lines mean something else at each.
    pub(super) alias: Option<Place>,
    pub(super) data: Data,
}

#[derive(Clone)]
pub(super) enum Data {
    Scalar(Scalar),
    List(Vec<Node>),
    Map(Vec<Entry>),
}

#[derive(Clone)]
pub(super) struct Entry {
    pub(super) key: String,
    pub(super) place: Place,
    pub(super) value: Node,
    /// The same field stands again below, and counts there.
    pub(super) repeated: bool,
}

/// All that was read.
pub(super) struct Source {
    /// File names as they are shown, the main one first.
    pub(super) files: Vec<String>,
    /// Sections of all files; a section that an included file replaces is still there, as repeated.
    pub(super) sections: Vec<Entry>,
    /// Names of files that `include` asks for and that are not there.
    pub(super) missing: Vec<String>,
}

/// Reads `path` and what it includes.
///
/// # Errors
/// The report, when a file is not a YAML map.
pub(super) fn read(path: &Path) -> Result<Source, Report> {
    let mut source = Source { files: Vec::new(), sections: Vec::new(), missing: Vec::new() };
    source.sections = source.file(path, shown(path))?;
    for name in includes(&source.sections) {
        let included = path.parent().unwrap_or(Path::new("")).join(&name);
        if !included.is_file() {
            source.missing.push(name);
            continue;
        }
        for entry in source.file(&included, name)? {
            merge(&mut source.sections, entry);
        }
    }
    Ok(source)
}

/// A report of one problem.
pub(super) fn refusal(
    file: &str,
    place: Option<Place>,
    code: codes::Code,
    message: &str,
    help: &str,
) -> Report {
    let place = place.map(|place| Spot {
        file: file.to_owned(),
        line: place.line,
        column: place.column,
        len: 1,
        excerpt: String::new(),
    });
    let (message, help) = (message.to_owned(), Some(help.to_owned()));
    Report { diagnostics: vec![Diagnostic { level: Level::Error, code: code.id, message, place, help }] }
}

impl Source {
    /// The name of the file that a place is in.
    pub(super) fn name(&self, place: Place) -> &str {
        self.files.get(place.file).map_or("", String::as_str)
    }

    fn file(&mut self, path: &Path, shown: String) -> Result<Vec<Entry>, Report> {
        let root = yaml::read(path)?;
        let number = self.files.len();
        self.files.push(shown);
        let path = path.display().to_string();
        let help = "a LiteLLM configuration begins with sections such as `model_list:`";
        let Some(root) = root else {
            return Err(refusal(&path, None, codes::EMPTY_VALUE, &format!("{path} is empty"), help));
        };
        let node = node(root, number, None);
        match node.data {
            Data::Map(entries) => Ok(entries),
            _ => {
                let message = "the file must be a map of sections";
                Err(refusal(&path, Some(node.place), codes::WRONG_TYPE, message, help))
            }
        }
    }
}

/// The name alone: remarks are read beside the file.
fn shown(path: &Path) -> String {
    path.file_name().map_or_else(|| path.display().to_string(), |name| name.to_string_lossy().into_owned())
}

fn includes(sections: &[Entry]) -> Vec<String> {
    let Some(entry) = sections.iter().rfind(|entry| entry.key == "include") else { return Vec::new() };
    let name = |node: &Node| match &node.data {
        Data::Scalar(scalar) => Some(scalar.written.clone()),
        _ => None,
    };
    match &entry.value.data {
        Data::List(items) => items.iter().filter_map(name).collect(),
        _ => name(&entry.value).into_iter().collect(),
    }
}

fn merge(sections: &mut Vec<Entry>, entry: Entry) {
    let Some(known) = sections.iter_mut().rfind(|known| known.key == entry.key && !known.repeated) else {
        sections.push(entry);
        return;
    };
    match (&mut known.value.data, entry.value.data) {
        (Data::List(items), Data::List(more)) => items.extend(more),
        (_, data) => {
            known.repeated = true;
            sections.push(Entry { value: Node { data, ..entry.value }, ..entry });
        }
    }
}

fn node(node: yaml::Node, file: usize, alias: Option<Place>) -> Node {
    let place = place(node.span, file);
    // What an alias copies has kept its places, which are outside of it.
    let alias = if is_copy(&node) { Some(place) } else { alias };
    let data = match node.data {
        yaml::Data::Scalar(scalar) => Data::Scalar(scalar),
        yaml::Data::List(items) => {
            Data::List(items.into_iter().map(|item| self::node(item, file, alias)).collect())
        }
        yaml::Data::Map(entries) => Data::Map(map(entries, file, alias)),
    };
    Node { place, alias, data }
}

fn is_copy(node: &yaml::Node) -> bool {
    let first = match &node.data {
        yaml::Data::Scalar(_) => None,
        yaml::Data::List(items) => items.first().map(|item| item.span),
        yaml::Data::Map(entries) => entries.first().map(|entry| entry.key_span),
    };
    first.is_some_and(|first| first.start < node.span.start)
}

fn place(span: yaml::Span, file: usize) -> Place {
    Place { file, line: span.start.line, column: span.start.column }
}

fn map(entries: Vec<yaml::Entry>, file: usize, alias: Option<Place>) -> Vec<Entry> {
    let mut own: Vec<Entry> = Vec::new();
    let mut merged: Vec<Entry> = Vec::new();
    for entry in entries {
        let is_merge = entry.key == "<<";
        let value = node(entry.value, file, alias);
        if is_merge && let Some(fields) = merge_fields(&value) {
            merged.extend(fields);
            continue;
        }
        for earlier in own.iter_mut().filter(|earlier| earlier.key == entry.key) {
            earlier.repeated = true;
        }
        own.push(Entry { place: place(entry.key_span, file), key: entry.key, value, repeated: false });
    }
    for entry in merged {
        // Own fields go before merged ones, and of those the first.
        if !own.iter().any(|known| known.key == entry.key) {
            own.push(entry);
        }
    }
    own
}

/// The fields that `<<` brings: of a map, or of a list of maps. They count as those of the anchor, so that what one
/// map makes of them need not be said of the anchor again.
fn merge_fields(value: &Node) -> Option<Vec<Entry>> {
    match &value.data {
        Data::Map(entries) => {
            let mut entries = entries.clone();
            entries.iter_mut().for_each(|entry| entry.value.forget_alias());
            Some(entries)
        }
        Data::List(items) if !items.is_empty() => {
            let maps: Option<Vec<Vec<Entry>>> = items.iter().map(merge_fields).collect();
            maps.map(|maps| maps.into_iter().flatten().collect())
        }
        _ => None,
    }
}

impl Node {
    /// Nothing is written: `key:` or `key: null`.
    pub(super) fn is_null(&self) -> bool {
        matches!(&self.data, Data::Scalar(Scalar { value: Value::Null, .. }))
    }

    fn forget_alias(&mut self) {
        self.alias = None;
        match &mut self.data {
            Data::Scalar(_) => {}
            Data::List(items) => items.iter_mut().for_each(Self::forget_alias),
            Data::Map(entries) => entries.iter_mut().for_each(|entry| entry.value.forget_alias()),
        }
    }

    /// Calls `visit` for every single value, and for every empty list and map.
    pub(super) fn leaves(&self, visit: &mut impl FnMut(&Node)) {
        match &self.data {
            Data::List(items) if !items.is_empty() => items.iter().for_each(|item| item.leaves(visit)),
            Data::Map(entries) if !entries.is_empty() => {
                entries.iter().for_each(|entry| entry.value.leaves(visit));
            }
            _ => visit(self),
        }
    }
}
