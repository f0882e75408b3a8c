//! The gateway as a process of its own, in a place that outlives it: configuration, ports and state.

use crate::{
    eventually,
    gateway::{self, Config},
    ledger,
    process::{Process, command, free_port},
};
use serde_json::Value;
use sluice_core::ledger::FILE;
use std::{net::SocketAddr, path::PathBuf};

/// One process at a time.
pub struct Replica {
    /// The data plane.
    pub api: SocketAddr,
    /// The admin listener.
    pub admin: SocketAddr,
    folder: tempfile::TempDir,
    process: Option<Process>,
}

impl Replica {
    /// Starts a process that drains without delay, unless told otherwise, and waits until it listens.
    pub async fn start(config: &Config) -> Self {
        let local = || SocketAddr::from(([127, 0, 0, 1], free_port()));
        let (api, admin) = (local(), local());
        let folder = tempfile::tempdir().expect("a folder");
        let mut replica = Self { api, admin, folder, process: None };
        replica.write(config);
        replica.begin().await;
        replica
    }

    /// Writes the file anew, with the same listeners; a process that runs notices soon.
    pub fn write(&self, config: &Config) {
        std::fs::write(self.file("sluice.yaml"), self.yaml(config)).expect("a file");
    }

    /// What [`Replica::write`] writes.
    #[must_use]
    pub fn yaml(&self, config: &Config) -> String {
        let mut yaml = config.yaml(&self.api.to_string(), &self.admin.to_string());
        if !yaml.contains("\nshutdown:") {
            yaml.push_str("shutdown: {delay: 0s}\n");
        }
        yaml
    }

    /// A file beside the configuration.
    #[must_use]
    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Sends a signal by its name.
    pub fn signal(&self, name: &str) {
        self.process.as_ref().expect("a process").signal(name);
    }

    /// A process with its file, ports and state, whatever else runs there.
    #[must_use]
    pub fn another(&self) -> Process {
        let path = self.folder.path().join("sluice.yaml");
        Process::start(command(&["serve", "--config", path.to_str().expect("a path")]))
    }

    /// Starts the next process beside the one that runs, and hands that over when the next one is ready.
    pub async fn relieve(&mut self) -> Process {
        let next = self.another();
        next.says("\"event\":\"ready\"").await;
        self.process.replace(next).expect("a process")
    }

    /// Starts the next process.
    pub async fn begin(&mut self) {
        let process = self.another();
        process.listens(self.api).await;
        process.listens(self.admin).await;
        self.process = Some(process);
    }

    /// Ends the process in order.
    pub async fn stop(&mut self) {
        let mut process = self.process.take().expect("a process");
        process.signal("TERM");
        assert_eq!(process.exit().await.code(), Some(0), "{}", process.output());
    }

    /// Between two processes: brings configuration and state to another folder, as a new container does that gets
    /// the old one's volume.
    pub fn move_house(&mut self) {
        assert!(self.process.is_none(), "a process lives here");
        let new = tempfile::tempdir().expect("a folder");
        for name in ["sluice.yaml", "sluice-data"] {
            std::fs::rename(self.folder.path().join(name), new.path().join(name)).expect("moved");
        }
        self.folder = new;
    }

    /// Kills the process without warning.
    pub async fn kill(&mut self) {
        let mut process = self.process.take().expect("a process");
        process.signal("KILL");
        process.exit().await;
    }

    /// Waits until the process has printed this; tells how often it has.
    pub async fn says(&self, text: &str) -> usize {
        let process = self.process.as_ref().expect("a process");
        process.says(text).await;
        process.output().matches(text).count()
    }

    /// Waits until the process has printed this so often.
    pub async fn says_times(&self, text: &str, times: usize) {
        eventually(&format!("{text:?} {times} times"), || self.printed(text) >= times).await;
    }

    /// How often the process has printed this so far.
    #[must_use]
    pub fn printed(&self, text: &str) -> usize {
        self.output().matches(text).count()
    }

    /// Everything that the process has printed so far.
    #[must_use]
    pub fn output(&self) -> String {
        self.process.as_ref().expect("a process").output()
    }

    /// See [`gateway::metric`].
    pub async fn metric(&self, series: &str) -> f64 {
        gateway::metric(self.admin, series).await
    }

    /// See [`gateway::metric_is`].
    pub async fn metric_is(&self, series: &str, value: f64) {
        gateway::metric_is(self.admin, series, value).await;
    }

    /// What its ledger has in its file.
    #[must_use]
    pub fn records(&self) -> Vec<Value> {
        ledger::records(&self.folder.path().join("sluice-data").join(FILE))
    }
}
