//! What a running gateway cannot change: fields that are read once, when it starts.
//!
//! One list, so that a reload that would change one is refused with its name rather than half done.

/// In the order of the file.
pub(crate) const FIXED: &[&str] = &[
    "state_dir",
    "listeners.api.bind",
    "listeners.api.max_connections",
    "listeners.api.reuse_port",
    "listeners.admin.bind",
    "ledger.retention",
    "telemetry.logs.format",
];

/// The field of the list that `path` is, or is in.
pub(crate) fn fixed(path: &str) -> Option<&'static str> {
    let within = |field: &&&str| {
        let rest = path.strip_prefix(**field);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
    };
    FIXED.iter().find(within).copied()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::Shape;

    #[test]
    fn every_field_of_the_list_exists() {
        for path in FIXED {
            let shape = path.split('.').try_fold(Shape::root(), |shape, name| shape.field(name));
            assert!(shape.is_some(), "{path}");
        }
    }

    #[test]
    fn a_field_is_found_by_itself_and_from_inside() {
        for (path, found) in [
            ("state_dir", Some("state_dir")),
            ("listeners.api.bind", Some("listeners.api.bind")),
            ("listeners.api.bind[0]", Some("listeners.api.bind")),
            ("listeners.api.bindings", None),
            ("listeners.api", None),
            ("listeners.api.tls.cert", None),
        ] {
            assert_eq!(fixed(path), found, "{path}");
        }
    }
}
