//! How diagnostics look.

use super::*;

fn diagnostic(line: usize, column: usize, len: usize, excerpt: &str) -> Diagnostic {
    let place = Place { file: "f.yaml".to_owned(), line, column, len, excerpt: excerpt.to_owned() };
    Diagnostic {
        level: Level::Error,
        code: "SL004",
        message: "bad".to_owned(),
        place: Some(place),
        help: None,
    }
}

fn render(diagnostic: Diagnostic) -> String {
    Report { diagnostics: vec![diagnostic] }.render(false)
}

#[test]
fn the_place_is_underlined() {
    assert_eq!(
        render(diagnostic(104, 5, 3, "bäd: xyz")),
        "error[SL004]: bad  f.yaml:104:5\n    |\n104 | bäd: xyz\n    |     ^^^\n\n1 error\n"
    );
}

#[test]
fn marks_never_leave_the_line() {
    assert!(render(diagnostic(1, 3, 50, "abcd")).contains("|   ^^\n"));
    assert!(render(diagnostic(1, 30, 5, "abcd")).contains("^\n"));
}

#[test]
fn a_long_line_is_cut_around_its_place() {
    let line = format!("{}here{}", "x".repeat(300), "y".repeat(300));
    let out = render(diagnostic(1, 301, 4, &line));
    let lines: Vec<_> = out.lines().collect();
    let column = |line: &str, what: &str| line.find(what).map(|at| line[..at].chars().count());
    assert_eq!(column(lines[2], "here"), column(lines[3], "^^^^"));
    assert!(lines[2].chars().count() < 140);
}

#[test]
fn colors_only_add_escapes() {
    let report = Report { diagnostics: vec![diagnostic(1, 1, 1, "a")] };
    let mut plain = String::new();
    let mut rest = report.render(true);
    while let Some((before, after)) = rest.split_once('\x1b') {
        plain.push_str(before);
        rest = after.split_once('m').unwrap().1.to_owned();
    }
    plain.push_str(&rest);
    assert_eq!(plain, report.render(false));
}

#[test]
fn an_empty_report_says_nothing() {
    assert_eq!(Report::default().render(true), "");
}
