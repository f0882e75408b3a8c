//! The house rules that no compiler checks: crate direction, stages apart, file lengths, a header per module.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

/// Lines of code that a file may have; tests are not counted.
const HARD_CAP: usize = 600;
/// The median that the house aims at.
const MEDIAN: usize = 150;

/// Which of our crates each may use: `sluice → admin → core → config → protocol`, `mock → protocol`.
const MAY_USE: &[(&str, &[&str])] = &[
    ("protocol", &[]),
    ("config", &["sluice-protocol"]),
    ("core", &["sluice-config", "sluice-protocol"]),
    ("admin", &["sluice-core", "sluice-config", "sluice-protocol"]),
    ("mock", &["sluice-protocol"]),
    ("sluice", &["sluice-admin", "sluice-core", "sluice-config", "sluice-mock", "sluice-protocol"]),
];

pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// All Rust files below a folder.
fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() && !path.ends_with("target") {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found.sort();
    found
}

fn shipped() -> Vec<PathBuf> {
    MAY_USE.iter().flat_map(|(name, _)| sources(&root().join("crates").join(name).join("src"))).collect()
}

fn is_test(path: &Path) -> bool {
    let name = path.file_name().unwrap().to_str().unwrap();
    name.ends_with("_tests.rs")
        || name == "tests.rs"
        || path.components().any(|part| part.as_os_str() == "tests")
}

/// A file's lines up to its test module.
fn code_lines(text: &str) -> usize {
    let lines: Vec<&str> = text.lines().collect();
    lines.iter().position(|line| line.trim() == "#[cfg(test)]").unwrap_or(lines.len())
}

#[test]
fn crates_depend_in_one_direction() {
    let allowed: BTreeMap<&str, &[&str]> = MAY_USE.iter().copied().collect();
    for entry in fs::read_dir(root().join("crates")).unwrap().flatten() {
        let name = entry.file_name().into_string().unwrap();
        let manifest = fs::read_to_string(entry.path().join("Cargo.toml")).unwrap();
        let may = allowed.get(name.as_str()).unwrap_or_else(|| panic!("{name} has no place in the plan"));
        let before_tests = manifest.split("[dev-dependencies]").next().unwrap();
        for line in before_tests.lines().filter(|line| line.starts_with("sluice-")) {
            let used = line.split(['.', ' ', '=']).next().unwrap();
            assert!(may.contains(&used), "{name} may not use {used}");
        }
    }
}

#[test]
fn stages_never_import_each_other() {
    let folder = root().join("crates/core/src/stages");
    let stages: Vec<String> = fs::read_dir(&folder)
        .unwrap()
        .flatten()
        .map(|entry| entry.path().file_stem().unwrap().to_str().unwrap().to_owned())
        .filter(|name| name != "mod" && !name.ends_with("_tests"))
        .collect();
    assert!(stages.len() >= 3, "the stages have moved: {stages:?}");
    for path in sources(&folder).iter().filter(|path| !is_test(path)) {
        let within = path.strip_prefix(&folder).unwrap();
        let own = within.components().next().unwrap().as_os_str().to_str().unwrap().trim_end_matches(".rs");
        let text = fs::read_to_string(path).unwrap();
        let code: String = text.lines().take(code_lines(&text)).collect();
        let grouped = code.split("stages::{").skip(1).filter_map(|rest| rest.split('}').next());
        let group: Vec<&str> = grouped.flat_map(|names| names.split(',')).map(str::trim).collect();
        for other in stages.iter().filter(|name| *name != own && own != "mod") {
            let imported =
                [format!("stages::{other}"), format!("super::{other}")].iter().any(|way| code.contains(way))
                    || group.iter().any(|name| name.split("::").next() == Some(other));
            assert!(!imported, "{} imports the stage {other}", path.display());
        }
    }
}

#[test]
fn protocol_does_no_io() {
    for path in sources(&root().join("crates/protocol/src")).iter().filter(|path| !is_test(path)) {
        let text = fs::read_to_string(path).unwrap();
        let code = text.lines().take(code_lines(&text)).filter(|line| !line.trim_start().starts_with("//"));
        for line in code {
            for banned in [
                "tokio::",
                "hyper::",
                "std::fs",
                "TcpStream",
                "UdpSocket",
                "ToSocketAddrs",
                "std::env",
                "Instant",
                "SystemTime",
            ] {
                assert!(!line.contains(banned), "{}: {line}", path.display());
            }
        }
    }
}

#[test]
fn every_module_says_what_it_owns() {
    for path in shipped().into_iter().chain(sources(&root().join("tests"))) {
        let text = fs::read_to_string(&path).unwrap();
        assert!(is_test(&path) || text.starts_with("//! "), "{} has no header", path.display());
    }
}

#[test]
fn files_stay_small() {
    let mut sizes = Vec::new();
    for path in shipped().into_iter().filter(|path| !is_test(path)) {
        let size = code_lines(&fs::read_to_string(&path).unwrap());
        assert!(size <= HARD_CAP, "{} has {size} lines", path.display());
        sizes.push(size);
    }
    sizes.sort_unstable();
    let median = sizes[sizes.len() / 2];
    assert!(median <= MEDIAN, "the median file has {median} lines");
}

#[test]
fn lints_are_waived_only_with_a_reason_that_can_end() {
    for path in shipped() {
        let text = fs::read_to_string(&path).unwrap();
        for (number, line) in text.lines().enumerate() {
            assert!(
                !line.contains("#[allow("),
                "{}:{}: use #[expect(…, reason)]",
                path.display(),
                number + 1
            );
        }
    }
}

#[test]
fn nothing_banned_is_in_the_lock_file() {
    // What `cargo deny` checks too, on machines that do not have it.
    let deny = fs::read_to_string(root().join("deny.toml")).unwrap();
    let lock = fs::read_to_string(root().join("Cargo.lock")).unwrap();
    let names = deny.lines().filter_map(|line| line.trim().strip_prefix("{ name = \"")?.split('"').next());
    let banned: Vec<&str> = names.collect();
    assert!(banned.contains(&"openssl"), "deny.toml has moved: {banned:?}");
    for name in banned {
        assert!(!lock.contains(&format!("name = \"{name}\"\n")), "{name} is banned by deny.toml");
    }
    assert!(!lock.contains("source = \"git+"), "every dependency comes from a registry");
}
