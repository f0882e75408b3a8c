//! Environment variables, of the process or of a test.

use std::collections::BTreeMap;

/// Where variables are looked up.
#[derive(Clone, Default)]
pub enum Env {
    /// The process's own.
    #[default]
    Process,
    /// These and no others.
    Map(BTreeMap<String, String>),
}

impl Env {
    /// The variable's value; what is not UTF-8 counts as not set.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<String> {
        match self {
            Self::Process => std::env::var(name).ok(),
            Self::Map(map) => map.get(name).cloned(),
        }
    }

    /// All variables whose name starts with `prefix`, sorted.
    pub(crate) fn with_prefix(&self, prefix: &str) -> BTreeMap<String, String> {
        let chosen = |(name, _): &(String, String)| name.starts_with(prefix);
        match self {
            Self::Process => {
                let all = std::env::vars_os()
                    .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
                all.filter(chosen).collect()
            }
            Self::Map(map) => map.clone().into_iter().filter(chosen).collect(),
        }
    }
}

/// Names only: values may be secrets.
impl std::fmt::Debug for Env {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Process => formatter.write_str("Process"),
            Self::Map(map) => formatter.debug_set().entries(map.keys()).finish(),
        }
    }
}
