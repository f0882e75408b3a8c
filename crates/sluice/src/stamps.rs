//! Which files there are, and whether they are still what they were: without reading them.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

/// Paths that are followed for one file: links may lead in circles.
const WAYS: usize = 64;

/// What the system says of a file behind all links; `None` when there is none. The time of the last change tells of
/// new rights, too: a file that could not be read may be readable now.
type Stamp = Option<(u64, u64, u64, [i64; 4])>;

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

    /// The folders in which a change can be seen: where the files are said to be, where they are, and where each link
    /// on the way lies. A deployment that swaps a link to its newest folder changes nothing in either.
    pub(crate) fn folders(&self) -> BTreeSet<PathBuf> {
        let folders: BTreeSet<_> = self.0.keys().flat_map(|file| folders_towards(file)).collect();
        // Each once, under its real name.
        folders.into_iter().map(|folder| fs::canonicalize(&folder).unwrap_or(folder)).collect()
    }
}

/// Where `file` lies, and each link that leads there.
fn folders_towards(file: &Path) -> BTreeSet<PathBuf> {
    let mut folders = BTreeSet::new();
    let mut ways = vec![file.to_owned()];
    let mut next = 0;
    while let Some(way) = ways.get(next).cloned() {
        next += 1;
        folders.insert(folder_of(&way));
        for link in way.ancestors() {
            let Ok(target) = fs::read_link(link) else { continue };
            folders.insert(folder_of(link));
            let mut onward = folder_of(link).join(target);
            onward.extend(way.strip_prefix(link).unwrap_or(Path::new("")));
            if ways.len() < WAYS && !ways.contains(&onward) {
                ways.push(onward);
            }
        }
    }
    folders
}

fn folder_of(file: &Path) -> PathBuf {
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
    folder.unwrap_or(Path::new(".")).to_owned()
}

fn stamp(file: &Path) -> Stamp {
    let meta = fs::metadata(file).ok()?;
    let times = [meta.mtime(), meta.mtime_nsec(), meta.ctime(), meta.ctime_nsec()];
    Some((meta.dev(), meta.ino(), meta.size(), times))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    fn folder(name: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("sluice-stamps-{name}-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        folder.canonicalize().unwrap()
    }

    #[test]
    fn a_file_that_comes_changes_moves_or_goes_is_another() {
        let folder = folder("changes");
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
        // Nobody reads a secret that only another user may.
        let three = two.again();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
        assert_ne!(three, three.again());
        fs::remove_file(&file).unwrap();
        assert_eq!(nothing, two.again());
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn the_folder_of_a_link_and_that_of_its_file_are_both_watched() {
        let folder = folder("links");
        let (real, named) = (folder.join("real"), folder.join("named"));
        fs::create_dir_all(&real).unwrap();
        fs::create_dir_all(&named).unwrap();
        fs::write(real.join("a"), "1").unwrap();
        symlink(real.join("a"), named.join("a")).unwrap();
        let stamps = Stamps::now([named.join("a"), named.join("gone")].into());
        assert_eq!(stamps.folders(), [named, real].into());
        let here = std::env::current_dir().unwrap().canonicalize().unwrap();
        assert_eq!(Stamps::now(["a.yaml".into()].into()).folders(), [here].into());
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn every_link_on_the_way_to_a_file_is_watched_and_circles_end() {
        let folder = folder("chains");
        let [release, middle, links] = ["release", "middle", "links"].map(|name| folder.join(name));
        for folder in [&release, &middle, &links] {
            fs::create_dir_all(folder).unwrap();
        }
        fs::write(release.join("a"), "1").unwrap();
        symlink("../release", middle.join("newest")).unwrap();
        symlink("middle/newest", folder.join("current")).unwrap();
        symlink("../current/a", links.join("a")).unwrap();
        symlink("circle/on", links.join("circle")).unwrap();
        let seen = Stamps::now([links.join("a")].into()).folders();
        assert_eq!(seen, [folder.clone(), release, middle, links.clone()].into());
        let circle = Stamps::now([links.join("circle").join("a")].into()).folders();
        assert!(circle.contains(&links), "{circle:?}");
        fs::remove_dir_all(folder).unwrap();
    }
}
