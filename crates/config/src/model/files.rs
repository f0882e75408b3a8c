//! Files that the configuration names and that may change under the same name.

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Deserializer};
use std::{
    borrow::Cow,
    fmt,
    ops::Deref,
    path::{Path, PathBuf},
};

/// A PEM file: where it is, and what was in it when the configuration was loaded.
///
/// Two are equal when both are, so that a certificate that was renewed in its place is another setting.
#[derive(Clone, PartialEq, Eq)]
pub struct PemFile {
    path: PathBuf,
    /// Of the contents; none before they are read, and of a file that is not there.
    digest: Option<blake3::Hash>,
}

impl PemFile {
    /// Takes `path` for the file's place, and notes what is in it.
    pub(crate) fn found(&mut self, path: PathBuf, contents: Option<&[u8]>) {
        self.path = path;
        self.digest = contents.map(blake3::hash);
    }

    /// Does the same file hold something else in `other`?
    pub(crate) fn was_rewritten(&self, other: &Self) -> bool {
        self.path == other.path && self.digest != other.digest
    }
}

impl Deref for PemFile {
    type Target = Path;

    fn deref(&self) -> &Path {
        &self.path
    }
}

impl AsRef<Path> for PemFile {
    fn as_ref(&self) -> &Path {
        &self.path
    }
}

/// The path alone: the contents are renewed at each replica in its own time, and a replica that is a minute behind has
/// no other configuration.
impl fmt::Debug for PemFile {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.path.fmt(formatter)
    }
}

impl<'de> Deserialize<'de> for PemFile {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self { path: PathBuf::deserialize(deserializer)?, digest: None })
    }
}

impl JsonSchema for PemFile {
    fn schema_name() -> Cow<'static, str> {
        PathBuf::schema_name()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        PathBuf::json_schema(generator)
    }
}
