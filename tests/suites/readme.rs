//! What the README repeats of the code is the code's own word.

use crate::tidy::root;
use sluice_protocol::problem::codes::ERROR_CODES;
use std::{fmt::Write, fs};

const BEGIN: &str = "<!-- codes:begin -->\n";
const END: &str = "<!-- codes:end -->";

/// `SLUICE_WRITE_README=1` writes the table anew.
#[test]
fn the_readme_lists_every_error_code() {
    let mut table = "| `error.code` | status | meaning |\n| --- | --- | --- |\n".to_owned();
    for code in ERROR_CODES {
        writeln!(table, "| `{}` | {} | {} |", code.name, code.status, code.meaning).unwrap();
    }
    let path = root().join("README.md");
    let readme = fs::read_to_string(&path).unwrap();
    let (before, rest) = readme.split_once(BEGIN).unwrap();
    let (written, after) = rest.split_once(END).unwrap();
    if std::env::var_os("SLUICE_WRITE_README").is_some() {
        fs::write(&path, format!("{before}{BEGIN}{table}{END}{after}")).unwrap();
    } else {
        assert_eq!(written, table, "write it anew with SLUICE_WRITE_README=1");
    }
}
