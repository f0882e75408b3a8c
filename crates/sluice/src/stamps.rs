//! Which files there are, and whether they are still what they were: without reading them.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

/// What the system says of a file behind all links; `None` when there is none.
type Stamp = Option<(u64, u64, u64, i64, i64)>;

/// Files, each with what the system said of it at one time.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Stamps(BTreeMap<PathBuf, Stamp>);

impl Stamps {
    /// As they are now.
    pub(crate) fn now(files: BTreeSet<PathBuf>) -> Self {
        Self(files.into_iter().map(|file| (file.clone(), stamp(&file))).collect())
    }

    /// The same files as they are now.
    pub(crate) fn again(&self) -> Self {
        Self(self.0.keys().map(|file| (file.clone(), stamp(file))).collect())
    }

    /// Of these files: as they were, where they were among the old ones.
    pub(crate) fn of(mut self, files: BTreeSet<PathBuf>) -> Self {
        let known = |file: PathBuf| {
            let was = self.0.remove(&file).unwrap_or_else(|| stamp(&file));
            (file, was)
        };
        Self(files.into_iter().map(known).collect())
    }

    /// The folders in which a change can be seen: where the files are said to be, and where they are.
    pub(crate) fn folders(&self) -> BTreeSet<PathBuf> {
        let folder = |file: &Path| match file.parent() {
            Some(folder) if folder.as_os_str().is_empty() => Some(PathBuf::from(".")),
            folder => folder.map(Path::to_owned),
        };
        let real = self.0.keys().filter_map(|file| fs::canonicalize(file).ok());
        self.0.keys().cloned().chain(real).filter_map(|file| folder(&file)).collect()
    }
}

fn stamp(file: &Path) -> Stamp {
    let meta = fs::metadata(file).ok()?;
    Some((meta.dev(), meta.ino(), meta.size(), meta.mtime(), meta.mtime_nsec()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder() -> PathBuf {
        let folder = std::env::temp_dir().join(format!(
            "sluice-stamps-{}-{:?}",
            std::process::id(),
            std::thread::current().id()
        ));
        fs::create_dir_all(&folder).unwrap();
        folder
    }

    #[test]
    fn a_file_that_comes_changes_moves_or_goes_is_another() {
        let folder = folder();
        let (file, other) = (folder.join("a"), folder.join("b"));
        let nothing = Stamps::now([file.clone()].into());
        assert_eq!(nothing, nothing.again());
        fs::write(&file, "1").unwrap();
        let one = nothing.again();
        assert_ne!(nothing, one);
        fs::write(&file, "22").unwrap();
        assert_ne!(one, one.again());
        let two = one.again();
        // As editors do, and kubelets with their links.
        fs::write(&other, "33").unwrap();
        fs::rename(&other, &file).unwrap();
        assert_ne!(two, two.again());
        fs::remove_file(&file).unwrap();
        assert_eq!(nothing, two.again());
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn the_folder_of_a_link_and_that_of_its_file_are_both_watched() {
        let folder = folder().canonicalize().unwrap();
        let (real, named) = (folder.join("real"), folder.join("named"));
        fs::create_dir_all(&real).unwrap();
        fs::create_dir_all(&named).unwrap();
        fs::write(real.join("a"), "1").unwrap();
        std::os::unix::fs::symlink(real.join("a"), named.join("a")).unwrap();
        let stamps = Stamps::now([named.join("a"), named.join("gone")].into());
        assert_eq!(stamps.folders(), [named, real].into());
        assert_eq!(Stamps::now(["a.yaml".into()].into()).folders(), [".".into()].into());
        fs::remove_dir_all(folder).unwrap();
    }
}
