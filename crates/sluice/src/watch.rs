//! Notices that the configuration, or a secret or certificate that it names, has changed on disk.
//!
//! Folders are watched rather than files, since editors rename and kubelets swap links. What the system tells only
//! says that it is worth looking; whether something changed is seen by the files themselves, which are also looked at
//! now and then: some file systems never tell, and the system may have no watch left to give.

use crate::{reload::ConfigFile, stamps::Stamps};
use ::notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};
use sluice_admin::Control;
use sluice_core::App;
use std::{collections::BTreeSet, path::PathBuf, sync::Arc, time::Duration};
use tokio::{sync::Notify, time};

/// A change is taken up when it has lain still for so long: files are often written in several steps.
const STILL: Duration = Duration::from_millis(500);
/// Who writes on and on is not waited for longer than this many times that.
const ROUNDS: usize = 4;
/// Between two looks: where others write on and on in the same folder, the system tells without end.
const PAUSE: Duration = Duration::from_millis(100);
/// How often is looked where the system tells.
const SELDOM: Duration = Duration::from_secs(10);
/// How often is looked where it does not.
const OFTEN: Duration = Duration::from_secs(1);

/// Reloads whenever the files have changed. Never ends.
pub(crate) async fn run(file: Arc<ConfigFile>, control: Arc<dyn Control>, app: Arc<App>) {
    let mut folders = Folders::new();
    loop {
        let seen = file.seen();
        folders = folders.follow(seen.clone()).await;
        // First a look, since until now nobody has told of a change in a folder that is new to us.
        match difference(seen).await {
            // Between noticing and now somebody may have asked for it.
            Some(changed) if file.seen() != changed => {
                // What came of it is in the log.
                let _ = control.reload(&app, "file").await;
            }
            Some(_) => {}
            None => {
                tokio::join!(folders.changed(), time::sleep(PAUSE));
            }
        }
    }
}

/// The files as they are, once they lie still; nothing when they are as they were.
async fn difference(seen: Stamps) -> Option<Stamps> {
    let look = |stamps: Stamps| async move {
        // On a thread that may wait: network file systems hang.
        tokio::task::spawn_blocking(move || stamps.again()).await.ok()
    };
    let mut now = look(seen.clone()).await?;
    if now == seen {
        return None;
    }
    for _ in 0..ROUNDS {
        time::sleep(STILL).await;
        let later = look(now.clone()).await?;
        if later == now {
            break;
        }
        now = later;
    }
    Some(now)
}

/// The folders that are watched.
struct Folders {
    watcher: Option<RecommendedWatcher>,
    watched: BTreeSet<PathBuf>,
    /// Those that are not, though they should be.
    missed: BTreeSet<PathBuf>,
    told: Arc<Notify>,
}

impl Folders {
    fn new() -> Self {
        let told = Arc::new(Notify::new());
        let tell = Arc::clone(&told);
        let watcher = ::notify::recommended_watcher(move |event: ::notify::Result<::notify::Event>| {
            // Reading is an event, too, and we read.
            if !event.is_ok_and(|event| matches!(event.kind, EventKind::Access(_))) {
                tell.notify_one();
            }
        });
        let watcher = watcher
            .inspect_err(|fault| {
                tracing::warn!(%fault, "the system watches no files for us; they are looked at every second");
            })
            .ok();
        Self { watcher, watched: BTreeSet::new(), missed: BTreeSet::new(), told }
    }

    /// Watches the folders of these files and no others.
    async fn follow(mut self, files: Stamps) -> Self {
        // On a thread that may wait, as above.
        let following = tokio::task::spawn_blocking(move || {
            self.watch(files.folders());
            self
        });
        following.await.unwrap_or_else(|_| Self::new())
    }

    /// A folder that was made anew under its name is another one, so all are named again; one that is not there is
    /// looked for in vain until it is.
    fn watch(&mut self, folders: BTreeSet<PathBuf>) {
        let Some(watcher) = &mut self.watcher else { return };
        for folder in self.watched.difference(&folders) {
            let _ = watcher.unwatch(folder);
        }
        let mut missed = BTreeSet::new();
        for folder in &folders {
            let Err(fault) = watcher.watch(folder, RecursiveMode::NonRecursive) else { continue };
            if folder.exists() && !self.missed.contains(folder) {
                let folder = folder.display();
                tracing::warn!(%folder, %fault, "the system does not watch a folder for us; it is looked at every second");
            }
            missed.insert(folder.clone());
        }
        (self.watched, self.missed) = (folders, missed);
    }

    /// Waits until it is worth looking.
    async fn changed(&self) {
        let is_told = self.watcher.is_some() && self.missed.is_empty();
        let patience = if is_told { SELDOM } else { OFTEN };
        let _ = time::timeout(patience, self.told.notified()).await;
    }
}
