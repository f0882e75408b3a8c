//! Paths into the file, as the reports and the `config` crate write them: `providers[0].keys[1].value`.

/// A field of the map at `path`.
pub(crate) fn field(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

/// An item of the list at `path`.
pub(crate) fn item(path: &str, index: usize) -> String {
    format!("{path}[{index}]")
}

/// `path` itself, then what it is in, outwards; the whole file is the empty path.
pub(crate) fn ancestors(path: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(Some(path), |path| {
        if path.is_empty() {
            return None;
        }
        let end = path.rfind(['.', '[']).unwrap_or(0);
        path.get(..end)
    })
}
