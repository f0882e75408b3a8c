//! The data plane of Sluice: from a client's first byte to the last byte of its answer.
//!
//! ```text
//! server      listening, connections, method + path -> endpoint
//! pipeline    the request function
//! facts       what stages hand on
//! stages      auth, intake, route, limits, cache, models: each one file, none imports another
//! upstream    failover over a plan, one attempt, client, connector, address guard
//! reply       head, body, stream, error bodies, the end of a request
//! cache       answers kept and given again
//! redis       the link to a shared Redis: bounded, with a breaker
//! limits      the buckets
//! health      circuits, what looks for lost targets, latencies, retry budgets, key pools
//! ledger      one record per request, kept in SQLite
//! state       snapshot (one configuration, made ready) and what outlives it
//! explain     a dry run: what would be done with a request, and why
//! telemetry   the record of a request, metrics, the log line, the log sink, traces
//! ```
//!
//! `server -> pipeline -> {stages, upstream, reply} -> {cache, limits, health, state, telemetry, error}`. What an operator may write is
//! `sluice-config`'s; what the wire formats mean is `sluice-protocol`'s.

pub mod app;
pub mod cache;
pub mod error;
pub mod explain;
pub mod facts;
pub mod fading;
pub mod gather;
pub mod headers;
pub mod health;
pub mod ledger;
pub mod limits;
pub mod pipeline;
pub mod redis;
pub mod reply;
mod request_id;
pub mod server;
pub mod stages;
pub mod state;
pub mod telemetry;
pub mod timer;
pub mod upstream;

pub use app::{App, BuildError, BuildInfo, LastReload, Status};
pub use ledger::LedgerPlace;
pub use telemetry::logs::{LogSink, MemoryLog};
