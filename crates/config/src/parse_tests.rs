//! Positions, limits, and what a scalar means.

use super::*;

fn parsed(text: &str) -> (Option<Node>, Vec<String>) {
    let mut problems = Problems::default();
    let node = document(text, &mut problems);
    let report = problems.report("f", &crate::mask::Masked::of_text(text));
    let seen = report.iter().map(|diagnostic| {
        let place = diagnostic.place.as_ref().map(|place| (place.line, place.column)).unwrap_or_default();
        format!("{}:{} {}", place.0, place.1, diagnostic.message)
    });
    (node, seen.collect())
}

fn entry<'a>(node: &'a Node, key: &str) -> &'a Entry {
    let Data::Map(entries) = &node.data else { panic!("not a map") };
    entries.iter().find(|entry| entry.key == key).unwrap()
}

fn at(span: Span) -> (usize, usize, usize, usize) {
    (span.start.line, span.start.column, span.end.line, span.end.column)
}

#[test]
fn every_value_knows_where_it_stands() {
    let (node, _) = parsed("\u{feff}# häh\nä: \"ü ö\"\r\nb:\n  - x: 'y'  # z\n  - |\n    line\n");
    let node = node.unwrap();
    let a = entry(&node, "ä");
    assert_eq!((at(a.key_span), at(a.value.span)), ((2, 1, 2, 2), (2, 4, 2, 9)));
    let Data::List(items) = &entry(&node, "b").value.data else { panic!("not a list") };
    let x = entry(&items[0], "x");
    assert_eq!((at(x.key_span), at(x.value.span)), ((4, 5, 4, 6), (4, 8, 4, 11)));
    // A block scalar begins with its text.
    assert_eq!(items[1].span.start, Point { line: 6, column: 5 });
}

#[test]
fn scalars_mean_what_yaml_1_2_says() {
    let kind = |text: &str| match Value::of_plain(text) {
        Value::Null => "null".to_owned(),
        Value::Bool(value) => value.to_string(),
        Value::Integer(value) => format!("integer {value}"),
        Value::Float(value) => format!("float {value}"),
        Value::Text(_) => "text".to_owned(),
        Value::Unset => "unset".to_owned(),
    };
    for (text, expected) in [
        ("", "null"),
        ("~", "null"),
        ("true", "true"),
        ("False", "false"),
        ("yes", "text"),
        ("on", "text"),
        ("0777", "integer 777"),
        ("0x1F", "integer 31"),
        ("0o17", "integer 15"),
        ("-5", "integer -5"),
        ("1_000", "text"),
        ("1:30", "text"),
        ("1.5", "float 1.5"),
        ("1e3", "float 1000"),
        (".inf", "text"),
        ("nan", "text"),
        ("2027-06-30", "text"),
        ("1.2.3", "text"),
        ("-", "text"),
    ] {
        assert_eq!(kind(text), expected, "{text}");
    }
}

#[test]
fn duplicate_fields_name_both_places() {
    let (_, problems) = parsed("a: 1\nb: {c: 1, d: 2, c: 3}\na: 2\n");
    assert_eq!(
        problems,
        [
            "2:17 duplicate field `c`: it already stands at line 2, column 5",
            "3:1 duplicate field `a`: it already stands at line 1, column 1",
        ]
    );
}

#[test]
fn nesting_has_an_end_with_and_without_aliases() {
    let deep = |levels: usize| format!("a: {}{}", "[".repeat(levels), "]".repeat(levels));
    assert_eq!(parsed(&deep(MAX_DEPTH)).1, [""; 0]);
    assert!(parsed(&deep(MAX_DEPTH + 1)).1[0].contains("nested deeper than 64 levels"));
    let half = MAX_DEPTH / 2;
    let (open, close) = ("[".repeat(half), "]".repeat(half));
    assert!(parsed(&format!("a: &a {open}{close}\nb: {open}*a{close}\n")).1.is_empty());
    assert!(parsed(&format!("a: &a {open}{close}\nb: [{open}*a{close}]\n")).1[0].contains("nested deeper"));
    let (none, problems) = parsed(&"[".repeat(100_000));
    assert!(none.is_none() && problems.len() == 1);
}

#[test]
fn an_anchor_cannot_hold_itself() {
    let (node, problems) = parsed("a: &a [*a]\n");
    assert!(node.is_none());
    assert_eq!(problems, ["1:8 an alias that stands inside its own anchor"]);
}

#[test]
fn an_alias_is_the_same_value_again() {
    let (node, problems) = parsed("a: &a {x: 1}\nb: *a\n");
    assert!(problems.is_empty());
    let node = node.unwrap();
    assert_eq!(at(entry(&node, "b").value.span), (2, 4, 2, 6));
    assert_eq!(at(entry(&entry(&node, "b").value, "x").value.span), (1, 11, 1, 12));
}

#[test]
fn an_empty_document_is_refused() {
    for text in ["", "# only a comment\n", "---\n", "null", "~"] {
        let (_, problems) = parsed(text);
        assert_eq!(problems.len(), 1, "{text:?}");
    }
}

#[test]
fn garbage_of_any_kind_ends_in_a_report_and_soon() {
    let start = std::time::Instant::now();
    for piece in [
        "{", "[", "- ", "? ", "a: ", "'", "\"", "|\n", "&a ", "*a ", "%", "!", "\t", "\u{0}", ": ", "{a: ",
        "[[],",
    ] {
        let _ = parsed(&piece.repeat(20_000));
    }
    assert!(start.elapsed() < std::time::Duration::from_secs(5), "{:?}", start.elapsed());
}
