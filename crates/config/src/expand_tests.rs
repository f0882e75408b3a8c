//! `${…}` in scalars.

use super::*;
use crate::{Env, mask::Masked, parse};
use std::{fs, os::unix::fs::PermissionsExt};

/// The value that `written` becomes, and what was said.
fn expand(written: &str, base: &Path, env_optional: bool) -> (Option<String>, Vec<String>) {
    let env = [("A", "1"), ("B", "x: y # z\n- w"), ("EMPTY", "")];
    let env = env.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    let options = Options { env: Env::Map(env), env_optional };
    let mut problems = Problems::default();
    let mut node = parse::document(&format!("k: '{written}'"), &mut problems).unwrap();
    tree(&mut node, base, &options, &mut problems);
    let Data::Map(entries) = node.data else { panic!("not a map") };
    let Data::Scalar(scalar) = &entries[0].value.data else { panic!("not a scalar") };
    let value = if let Value::Text(text) = &scalar.value { Some(text.clone()) } else { None };
    let report = problems.report("f", &Masked::of_text(""));
    (
        value,
        report
            .iter()
            .map(|diagnostic| format!("{} {}", diagnostic.level.name(), diagnostic.message))
            .collect(),
    )
}

#[test]
fn variables_defaults_and_dollars() {
    for (written, expected) in [
        ("${A}", "1"),
        ("a${A}b${A}c", "a1b1c"),
        ("${UNSET:-d}", "d"),
        ("${UNSET:-}", ""),
        ("${UNSET:-a:-b}", "a:-b"),
        ("${EMPTY:-d}", "d"),
        ("${EMPTY}", ""),
        ("$$", "$"),
        ("$${A}", "${A}"),
        ("$A $", "$A $"),
        ("no", "no"),
    ] {
        assert_eq!(expand(written, Path::new(""), false), (Some(expected.to_owned()), vec![]), "{written}");
    }
}

#[test]
fn a_value_can_never_become_yaml() {
    assert_eq!(expand("${B}", Path::new(""), false).0.as_deref(), Some("x: y # z\n- w"));
}

#[test]
fn what_is_not_expanded_twice_stays_as_it_is() {
    assert_eq!(expand("${UNSET:-$A}", Path::new(""), false).0.as_deref(), Some("$A"));
}

#[test]
fn every_unset_variable_of_a_scalar_is_named() {
    let (value, said) = expand("${X}-${Y}", Path::new(""), false);
    assert_eq!(value, None);
    assert_eq!(
        said,
        ["error the environment variable `X` is not set", "error the environment variable `Y` is not set"]
    );
    assert!(expand("${X}", Path::new(""), true).1[0].starts_with("warning"));
}

#[test]
fn files_are_read_without_their_last_line_break() {
    let dir = std::env::temp_dir().join(format!("sluice-expand-{}", std::process::id()));
    fs::create_dir_all(&dir).unwrap();
    fs::write(dir.join("secret"), " a b\n").unwrap();
    fs::set_permissions(dir.join("secret"), fs::Permissions::from_mode(0o600)).unwrap();
    fs::write(dir.join("open"), "x\r\n").unwrap();
    fs::set_permissions(dir.join("open"), fs::Permissions::from_mode(0o644)).unwrap();
    fs::write(dir.join("large"), vec![b'x'; 65 * 1024]).unwrap();

    assert_eq!(expand("${file:secret}", &dir, false), (Some(" a b".to_owned()), vec![]));
    let (value, said) = expand("${file:open}", &dir, false);
    assert_eq!(value.as_deref(), Some("x"));
    assert!(said[0].starts_with("warning everybody on this machine may read"), "{said:?}");
    assert!(expand("${file:large}", &dir, false).1[0].ends_with("is not a file of at most 64 KiB"));
    assert!(expand("${file:none}", &dir, false).1[0].ends_with("does not exist"));
    fs::remove_dir_all(&dir).unwrap();
}
