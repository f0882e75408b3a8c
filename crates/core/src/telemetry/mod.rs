//! What is told about requests: the per-request record, metrics, log lines.
//!
//! Nothing here decides anything about a request; it is told and it tells on.

pub mod cache_note;
pub mod debts;
pub mod exchange;
pub mod labels;
pub mod laps;
pub mod line;
pub mod logs;
pub mod metrics;
pub mod runtime;
pub mod spent;
pub mod tags;
pub mod trace;
pub mod usage;
