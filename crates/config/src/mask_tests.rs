//! What a report may show of a file.

use super::*;
use crate::{parse, problems::Problems};

fn masked(text: &str) -> Vec<String> {
    match parse::document(text, &mut Problems::default()) {
        Some(tree) => Masked::of_tree(text, &tree).0,
        None => Masked::of_text(text).0,
    }
}

#[test]
fn known_fields_are_shown_and_secrets_are_stars() {
    let text = "providers:\n- name: up  # the one\n  keys: [{name: a, value: 'hush'}]\n  headers: {x-a: hush}\n  zone: hush";
    assert_eq!(
        masked(text),
        [
            "providers:",
            "- name: up",
            "  keys: [{name: a, value: ******}]",
            "  headers: {x-a: ****}",
            "  zone: ****",
        ]
    );
}

#[test]
fn where_a_secret_comes_from_is_shown() {
    let text = "listeners: {admin: {token: '${A_B}'}}\nredis: {urls: ['${A:-hush}', '${file:/run/x}', 'a${B}', '${A}${B}']}";
    assert_eq!(
        masked(text),
        [
            "listeners: {admin: {token: '${A_B}'}}",
            "redis: {urls: [************, '${file:/run/x}', *******, **********]}",
        ]
    );
}

#[test]
fn scalars_of_many_lines_are_hidden_to_their_end() {
    let text = "providers:\n- headers:\n    x-a: |\n      one\n      two # three\n    x-b: \"four\n      five\"\n  name: up";
    assert_eq!(
        masked(text),
        [
            "providers:",
            "- headers:",
            "    x-a: |",
            "      ***",
            "      *** * *****",
            "    x-b: *****",
            "      *****",
            "  name: up",
        ]
    );
}

#[test]
fn of_what_is_no_yaml_only_the_names_are_left() {
    let text = "providers:\n  - name: \"up\n   value: sk-1\n  other";
    assert_eq!(masked(text), ["providers:", "  - name: \"**", "   value: ****", "  *****"]);
}

#[test]
fn what_follows_a_quoted_text_is_not_part_of_it() {
    let text =
        "state_dir: 'it''s' # 'hush'\nprices: [{model: \"a\\\"b\" , # hush\n provider: \"x\n y\" # hush\n}]";
    assert_eq!(
        masked(text),
        ["state_dir: 'it''s'", "prices: [{model: \"a\\\"b\" ,", " provider: \"x", " y\"", "}]"]
    );
}

#[test]
fn lines_end_as_the_parser_ends_them() {
    let all: Vec<_> = lines("a\nb\r\nc\rd\u{2028}e\n").collect();
    assert_eq!(all, ["a", "b", "c", "d\u{2028}e", ""]);
}
