//! Every environment variable that Sluice itself reads; the table is shown by `sluice --help`.
//!
//! A service manager's own variables are `notify`'s. What a configuration names as `${VAR}` is not listed here, nor the
//! variables of the well-known providers that the demo looks for: those are the provider presets' business.

use std::{env, fmt::Write as _, num::NonZeroUsize};

/// The configuration file, as `--config` names it.
pub(crate) const CONFIG: &str = "SLUICE_CONFIG";
/// Log filter: a level, or `target=level` pairs with commas.
pub(crate) const LOG: &str = "SLUICE_LOG";
/// Threads that serve requests.
pub(crate) const WORKERS: &str = "SLUICE_WORKERS";
/// Prefix of the overrides of scalar settings; read by the configuration crate.
const OVERRIDE: &str = "SLUICE__LISTENERS__API__BIND";

const TABLE: &[(&str, &str)] = &[
    (CONFIG, "configuration file, when --config is not given"),
    (LOG, "log filter: debug, or sluice_core=debug,info; beats telemetry.logs.level"),
    (WORKERS, "threads that serve requests; default: one for each core"),
    (OVERRIDE, "and so on: SLUICE__ and the path of any single setting beats the file"),
    ("NO_COLOR", "no colours in what is printed for people"),
];

/// The table for `--help`.
pub(crate) fn help() -> String {
    let width = TABLE.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    let mut text = String::from("Environment:\n");
    for (name, what) in TABLE {
        // Writing to a `String` cannot fail.
        let _ = writeln!(text, "  {name:width$}  {what}");
    }
    text
}

/// How many threads serve requests.
///
/// # Errors
/// When `SLUICE_WORKERS` is set to anything but a whole number above zero.
pub(crate) fn workers() -> Result<usize, String> {
    match env::var(WORKERS) {
        Ok(text) => text
            .trim()
            .parse::<NonZeroUsize>()
            .map(NonZeroUsize::get)
            .map_err(|_| format!("{WORKERS}={text}: expected a whole number above zero")),
        // Respects the CPU quota of a container.
        Err(_) => Ok(std::thread::available_parallelism().map_or(1, NonZeroUsize::get)),
    }
}
