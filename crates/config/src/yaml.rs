//! Any YAML file with the place of every value, for those who read other files than ours.
//!
//! The same reading as for a configuration, with the same bounds; no schema, no `${…}`, and no opinion about what a
//! document is. Of duplicate fields all are kept, in the file's order: other readers take the last.

pub use crate::tree::{Data, Entry, Node, Point, Scalar, Span, Value};

use crate::{Report, Source, codes, contents, mask::Masked, parse, problems::Problems};
use std::path::Path;

/// Reads a file; `None` is an empty one.
///
/// # Errors
/// The report, when it cannot be read or is not YAML.
pub fn read(path: &Path) -> Result<Option<Node>, Report> {
    let name = path.display().to_string();
    let mut problems = Problems::default();
    let text = match contents(Source::File(path)) {
        Ok(text) => text,
        Err(problem) => {
            problems.push_global(problem);
            return Err(problems.report(&name, &Masked::of_text("")));
        }
    };
    let root = parse::root(&text, &mut problems);
    problems.forget(codes::DUPLICATE_KEY);
    match root {
        Some(root) if !problems.has_errors() => Ok(root),
        _ => Err(problems.report(&name, &Masked::of_text(&text))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reading(text: &str) -> Result<Option<Node>, Report> {
        let path =
            std::env::temp_dir().join(format!("sluice-yaml-{:x}", text.len() * 31 + text.as_ptr() as usize));
        std::fs::write(&path, text).unwrap();
        let read = read(&path);
        std::fs::remove_file(&path).unwrap();
        read
    }

    #[test]
    fn documents_of_any_shape_are_read_and_duplicates_kept() {
        assert!(reading("# nothing\n").unwrap().is_none());
        assert!(matches!(reading("[a]").unwrap().unwrap().data, Data::List(_)));
        let Data::Map(entries) = reading("a: 1\na: 2\n").unwrap().unwrap().data else { panic!("a map") };
        assert_eq!(entries.iter().map(|entry| entry.key_span.start.line).collect::<Vec<_>>(), [1, 2]);
    }

    #[test]
    fn what_is_no_yaml_is_told_with_its_place_and_without_its_values() {
        let report = reading("a: [s3cr3t\nb: }").err().unwrap();
        let said = report.render(false);
        assert!(report.has_errors() && !said.contains("s3cr3t"), "{said}");
        assert!(report.iter().all(|diagnostic| diagnostic.place.is_some()), "{said}");
        assert!(read(Path::new("/no/such/file.yaml")).err().unwrap().has_errors());
    }
}
