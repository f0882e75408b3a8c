//! YAML text to a [`Node`], once, with every position; aliases and nesting are bounded, duplicate keys reported.
//! The parser below us only yields events: what a document may grow to is decided here.

use crate::{
    codes,
    problems::{Problem, Problems},
    tree::{Data, Entry, Node, Point, Scalar, Span, Value, lines},
};
use saphyr_parser::{Event, Parser, ScalarStyle, ScanError, StrInput, Tag};
use std::{borrow::Cow, collections::HashMap};

/// Deepest nesting of lists and maps, aliases followed.
pub(crate) const MAX_DEPTH: usize = 64;
/// Most that anchors and aliases may copy, in values; a long text counts for several. What is written out is bounded
/// by the size of the file.
pub(crate) const MAX_COPIES: usize = 100_000;
/// Bytes of text that count as one more value.
const TEXT_VALUE: usize = 32;

/// Parses one document. `None`: nothing useful could be read, the reason is reported.
/// An empty document is refused.
pub(crate) fn document(text: &str, problems: &mut Problems) -> Option<Node> {
    const HELP: &str = "start with `version: 1` and `providers:`";
    let (problem, span) = match root(text, problems)? {
        Some(node @ Node { data: Data::Map(_), .. }) => return Some(node),
        // Nothing is most likely a file that was not written to its end, and an open gateway is no default for it.
        None => (Problem::error(codes::EMPTY_VALUE, "the file is empty"), Span::default()),
        Some(node) => (Problem::error(codes::WRONG_TYPE, "the file must be a map of sections"), node.span),
    };
    problems.push_at(problem.help(HELP), span);
    None
}

/// The same for a document of any shape; `Some(None)` is an empty one.
pub(crate) fn root(text: &str, problems: &mut Problems) -> Option<Option<Node>> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut reader = Reader {
        parser: Parser::new_from_str(text),
        lines: lines(text).collect(),
        anchors: HashMap::new(),
        nodes: 0,
        copies: 0,
        problems,
    };
    match reader.document() {
        Ok(node) => Some(node),
        Err(Stop(problem, span)) => {
            problems.push_at(problem, span);
            None
        }
    }
}

/// Why reading cannot go on.
struct Stop(Problem, Span);

impl From<ScanError> for Stop {
    fn from(error: ScanError) -> Self {
        let at = point(error.marker());
        let span = Span { start: at, end: at };
        Self(Problem::error(codes::SYNTAX, format!("not valid YAML: {}", error.info())), span)
    }
}

struct Anchor {
    node: Node,
    nodes: usize,
    depth: usize,
}

struct Reader<'a, 'p> {
    parser: Parser<'a, StrInput<'a>>,
    lines: Vec<&'a str>,
    anchors: HashMap<usize, Anchor>,
    /// Values so far, aliases followed.
    nodes: usize,
    /// Those of them that are there by an alias.
    copies: usize,
    problems: &'p mut Problems,
}

type Tagged<'a> = Option<Cow<'a, Tag>>;

impl<'a> Reader<'a, '_> {
    fn next(&mut self) -> Result<(Event<'a>, Span), Stop> {
        let Some(event) = self.parser.next_event() else {
            return Ok((Event::StreamEnd, Span::default()));
        };
        let (event, span) = event?;
        let mut span = Span { start: point(&span.start), end: point(&span.end) };
        if let Event::Scalar(_, ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted, ..) = event {
            span.end = self.closing_quote(span);
        }
        Ok((event, span))
    }

    /// Where a quoted scalar ends. The parser says: behind the blanks and the comment that follow.
    fn closing_quote(&self, span: Span) -> Point {
        let mut column = span.start.column;
        let mut quote = None;
        for line in span.start.line..=span.end.line {
            let text = self.lines.get(line - 1).copied().unwrap_or_default();
            let mut chars = text.chars().skip(column - 1).peekable();
            while let Some(c) = chars.next() {
                column += 1;
                match quote {
                    None => quote = Some(c),
                    Some('"') if c == '\\' => column += usize::from(chars.next().is_some()),
                    Some('\'') if c == '\'' && chars.next_if_eq(&'\'').is_some() => column += 1,
                    Some(open) if c == open => return Point { line, column },
                    Some(_) => {}
                }
            }
            column = 1;
        }
        span.end
    }

    fn document(&mut self) -> Result<Option<Node>, Stop> {
        let mut root = None;
        loop {
            let (event, span) = self.next()?;
            match event {
                Event::StreamEnd => break,
                Event::StreamStart | Event::DocumentEnd | Event::Nothing => {}
                Event::DocumentStart(_) if root.is_some() => {
                    let problem = Problem::error(codes::SYNTAX, "a second document begins here");
                    return Err(Stop(
                        problem.help("one file holds one configuration: remove the `---`"),
                        span,
                    ));
                }
                Event::DocumentStart(_) => {}
                event => root = Some(self.node(event, span, 0)?.0),
            }
        }
        Ok(root.filter(|node| !matches!(&node.data, Data::Scalar(Scalar { value: Value::Null, .. }))))
    }

    /// The value that `event` begins, and how many levels there are in it.
    fn node(&mut self, event: Event<'a>, span: Span, level: usize) -> Result<(Node, usize), Stop> {
        let before = self.nodes;
        Self::check_level(level, span)?;
        self.nodes = self.nodes.saturating_add(1);
        let (anchor, node, depth) = match event {
            Event::Alias(anchor) => return self.alias(anchor, span, level),
            Event::Scalar(text, style, anchor, tag) => (anchor, self.scalar(text, style, &tag, span), 0),
            Event::SequenceStart(anchor, tag) => {
                self.refuse_tag(&tag, span);
                let (node, depth) = self.list(span, level)?;
                (anchor, node, depth)
            }
            Event::MappingStart(anchor, tag) => {
                self.refuse_tag(&tag, span);
                let (node, depth) = self.map(span, level)?;
                (anchor, node, depth)
            }
            _ => return Err(Stop(Problem::error(codes::SYNTAX, "not valid YAML: a value is missing"), span)),
        };
        if anchor != 0 {
            let nodes = self.nodes.saturating_sub(before);
            self.copy(nodes, span)?;
            self.anchors.insert(anchor, Anchor { node: node.clone(), nodes, depth });
        }
        Ok((node, depth))
    }

    fn alias(&mut self, anchor: usize, span: Span, level: usize) -> Result<(Node, usize), Stop> {
        // Counted before it is copied: a bomb costs nothing.
        let Some((nodes, depth)) = self.anchors.get(&anchor).map(|anchor| (anchor.nodes, anchor.depth))
        else {
            return Err(Stop(
                Problem::error(codes::SYNTAX, "an alias that stands inside its own anchor"),
                span,
            ));
        };
        Self::check_level(level.saturating_add(depth), span)?;
        self.nodes = self.nodes.saturating_add(nodes);
        self.copy(nodes, span)?;
        let node = self.anchors.get(&anchor).map(|anchor| anchor.node.clone());
        node.map(|node| (Node { span, ..node }, depth))
            .ok_or_else(|| Stop(Problem::error(codes::SYNTAX, "an alias without an anchor"), span))
    }

    fn copy(&mut self, nodes: usize, span: Span) -> Result<(), Stop> {
        self.copies = self.copies.saturating_add(nodes);
        if self.copies > MAX_COPIES {
            let message = format!("anchors and aliases that copy more than {MAX_COPIES} values");
            return Err(Stop(Problem::error(codes::TOO_DEEP, message), span));
        }
        Ok(())
    }

    fn check_level(level: usize, span: Span) -> Result<(), Stop> {
        if level > MAX_DEPTH {
            let message = format!("nested deeper than {MAX_DEPTH} levels");
            return Err(Stop(Problem::error(codes::TOO_DEEP, message), span));
        }
        Ok(())
    }

    fn list(&mut self, mut span: Span, level: usize) -> Result<(Node, usize), Stop> {
        let mut items = Vec::new();
        let mut depth = 0;
        loop {
            let (event, at) = self.next()?;
            if event == Event::SequenceEnd {
                span.end = at.end;
                return Ok((Node { span, data: Data::List(items) }, depth));
            }
            let (item, below) = self.node(event, at, level + 1)?;
            depth = depth.max(below + 1);
            items.push(item);
        }
    }

    fn map(&mut self, mut span: Span, level: usize) -> Result<(Node, usize), Stop> {
        let mut entries: Vec<Entry> = Vec::new();
        let mut seen: HashMap<String, Span> = HashMap::new();
        let mut depth = 0;
        loop {
            let (event, key_span) = self.next()?;
            if event == Event::MappingEnd {
                span.end = key_span.end;
                return Ok((Node { span, data: Data::Map(entries) }, depth));
            }
            let Event::Scalar(key, ..) = event else {
                let problem = Problem::error(codes::SYNTAX, "a field's name must be plain text");
                return Err(Stop(problem, key_span));
            };
            let key = key.into_owned();
            let (event, at) = self.next()?;
            let (value, below) = self.node(event, at, level + 1)?;
            depth = depth.max(below + 1);
            if let Some(first) = seen.get(&key) {
                let message = format!(
                    "duplicate field `{key}`: it already stands at line {}, column {}",
                    first.start.line, first.start.column
                );
                self.problems.push_at(Problem::error(codes::DUPLICATE_KEY, message), key_span);
                // Kept, so that what may be shown of it is known; only the first counts.
                entries.push(Entry { key, key_span, value });
                continue;
            }
            seen.insert(key.clone(), key_span);
            entries.push(Entry { key, key_span, value });
        }
    }

    fn scalar(&mut self, text: Cow<'a, str>, style: ScalarStyle, tag: &Tagged<'_>, span: Span) -> Node {
        let text = text.into_owned();
        self.nodes = self.nodes.saturating_add(text.len() / TEXT_VALUE);
        let string = tag.as_ref().is_some_and(|tag| tag.is_yaml_core_schema() && tag.suffix == "str");
        if !string {
            self.refuse_tag(tag, span);
        }
        let value = match style {
            ScalarStyle::Plain if !string => Value::of_plain(&text),
            _ => Value::Text(text.clone()),
        };
        Node { span, data: Data::Scalar(Scalar { value, written: text, expanded: false }) }
    }

    fn refuse_tag(&mut self, tag: &Tagged<'_>, span: Span) {
        if tag.is_some() {
            let problem =
                Problem::error(codes::SYNTAX, "a YAML tag has no meaning here").help("remove the `!…`");
            self.problems.push_at(problem, span);
        }
    }
}

fn point(marker: &saphyr_parser::Marker) -> Point {
    Point { line: marker.line().max(1), column: marker.col() + 1 }
}

#[cfg(test)]
#[path = "parse_tests.rs"]
mod tests;
