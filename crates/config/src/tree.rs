//! A parsed YAML document with its positions, before anything is known about its meaning.

/// A place in the text: lines and columns count from 1, columns in characters; `end` is exclusive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Span {
    /// Its first character.
    pub start: Point,
    /// The character behind its last.
    pub end: Point,
}

/// One character of the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Point {
    /// From 1; 0 is no place.
    pub line: usize,
    /// From 1.
    pub column: usize,
}

impl Span {
    /// Characters on its first line, at least one.
    pub(crate) fn width(self) -> usize {
        let one_line = self.start.line == self.end.line;
        if one_line { self.end.column.saturating_sub(self.start.column).max(1) } else { 1 }
    }
}

/// Lines as the YAML parser counts them; a byte order mark is not part of the first.
pub(crate) fn lines(text: &str) -> impl Iterator<Item = &str> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let text = rest?;
        let Some((line, after)) = text.split_once(['\n', '\r']) else {
            rest = None;
            return Some(text);
        };
        let pair = text.get(line.len()..).is_some_and(|end| end.starts_with("\r\n"));
        rest = if pair { after.strip_prefix('\n') } else { Some(after) };
        Some(line)
    })
}

/// A value. No `Debug`: it may hold secrets.
#[derive(Clone)]
pub struct Node {
    /// Where it stands; what an alias copies keeps the place of its anchor, but for the outermost value.
    pub span: Span,
    /// What it is.
    pub data: Data,
}

/// What a value is.
#[derive(Clone)]
pub enum Data {
    /// One value.
    Scalar(Scalar),
    /// A list.
    List(Vec<Node>),
    /// A map in the file's order, duplicates included.
    Map(Vec<Entry>),
}

/// A field of a map.
#[derive(Clone)]
pub struct Entry {
    /// The field's name.
    pub key: String,
    /// Where the name stands.
    pub key_span: Span,
    /// Its value.
    pub value: Node,
}

/// A scalar as it is written and as it is meant.
#[derive(Clone)]
pub struct Scalar {
    /// What it means.
    pub value: Value,
    /// The text with quotes removed and escapes resolved, before `${…}`.
    pub written: String,
    /// `${…}` stood in it: the value is text that a number or boolean field may read.
    pub expanded: bool,
}

/// A scalar's meaning in YAML 1.2's core schema.
#[derive(Clone)]
pub enum Value {
    /// Nothing.
    Null,
    /// True or false.
    Bool(bool),
    /// A whole number.
    Integer(i128),
    /// A number with a point or an exponent.
    Float(f64),
    /// Text.
    Text(String),
    /// `${…}` that stood for nothing; already reported.
    Unset,
}

impl Value {
    /// The meaning of an unquoted scalar. YAML 1.1's `yes`, `on`, `0777` and `1:30` are text or plain numbers here.
    pub(crate) fn of_plain(text: &str) -> Self {
        match text {
            "" | "~" | "null" | "Null" | "NULL" => return Self::Null,
            "true" | "True" | "TRUE" => return Self::Bool(true),
            "false" | "False" | "FALSE" => return Self::Bool(false),
            _ => {}
        }
        let radix = |prefix, radix| {
            text.strip_prefix(prefix).and_then(|digits| i128::from_str_radix(digits, radix).ok())
        };
        if let Some(integer) = text.parse().ok().or_else(|| radix("0x", 16)).or_else(|| radix("0o", 8)) {
            return Self::Integer(integer);
        }
        // Rust's parser knows `inf` and `nan` as words; the core schema writes them with a point, and neither is an amount.
        let numeric = text.bytes().all(|byte| byte.is_ascii_digit() || b"+-.eE".contains(&byte));
        match text.parse::<f64>() {
            Ok(float) if numeric && float.is_finite() => Self::Float(float),
            _ => Self::Text(text.to_owned()),
        }
    }
}
