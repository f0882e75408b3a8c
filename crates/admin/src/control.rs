//! What an operator asks of the process rather than of the gateway in it.
//!
//! The process knows its file and its log; a gateway that a test starts beside others has neither.

use sluice_config::model::LogLevel;
use sluice_core::App;
use std::{pin::Pin, sync::Arc};

/// A boxed future that may move between threads.
pub type Doing<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// The process behind a gateway.
pub trait Control: Send + Sync + 'static {
    /// Reads the configuration again and puts it in force, or leaves the old one.
    fn reload<'a>(&'a self, app: &'a Arc<App>, by: &'static str) -> Doing<'a, Result<Reloaded, ReloadError>>;

    /// From which level on events are logged; the level until now, where it was one.
    fn set_log_level(&self, app: &App, level: LogLevel) -> Option<LogLevel>;
}

/// A configuration is in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reloaded {
    /// Hash of the configuration, as `/status` and `sluice_config_info` have it.
    pub hash: String,
    /// What is different, a line each, as `sluice diff` prints it.
    pub changes: Vec<String>,
    /// Warnings and notes, as `sluice check` prints them; empty without any.
    pub notes: String,
}

/// The configuration stays as it was.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReloadError {
    /// There is no file to read.
    #[error("This gateway runs without a configuration file: there is nothing to read again.")]
    NoFile,
    /// The new one is not valid: the report, as `sluice check` prints it.
    #[error("{0}")]
    Invalid(String),
    /// The new one changes fields that are read once.
    #[error("{} cannot change while the gateway runs: restart it.", .0.join(", "))]
    RestartOnly(Vec<&'static str>),
    /// The new one is valid and cannot be put in force here.
    #[error("{0}")]
    Unusable(String),
}
