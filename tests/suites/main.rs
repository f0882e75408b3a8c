//! The black-box suites: everything goes over real sockets, as a client and an upstream see it.
//!
//! One test binary for all, since linking the gateway once is enough. Each file is one promise to users;
//! `errors_*.rs` are the fault catalogue, one test for each row. What all rows of its upstream side have in common,
//! from time bounds to tries and records, is `faults.rs`; what follows from many faults is `circuits.rs`,
//! `retry_storm.rs`, `key_pools.rs` and `hung_calls.rs`.

#[cfg(test)]
mod admin;
#[cfg(test)]
mod admin_health;
#[cfg(test)]
mod anthropic;
#[cfg(test)]
mod auth;
#[cfg(test)]
mod budgets;
#[cfg(test)]
mod budgets_process;
#[cfg(test)]
mod budgets_redis;
#[cfg(test)]
mod cache;
#[cfg(test)]
mod cache_forms;
#[cfg(test)]
mod cache_redis;
#[cfg(test)]
mod cache_redis_faults;
#[cfg(test)]
mod cache_reload;
#[cfg(test)]
mod cache_tenants;
#[cfg(test)]
mod cache_unfit;
#[cfg(test)]
mod circuits;
#[cfg(test)]
mod collector;
#[cfg(test)]
mod config_cli;
#[cfg(test)]
mod cors;
#[cfg(test)]
mod dashboards;
#[cfg(test)]
mod diff;
mod disconnects;
#[cfg(test)]
mod egress_proxy;
#[cfg(test)]
mod endpoints;
#[cfg(test)]
mod errors_client;
#[cfg(test)]
mod errors_upstream;
#[cfg(test)]
mod explain;
#[cfg(test)]
mod explain_live;
#[cfg(test)]
mod explain_routes;
#[cfg(test)]
mod failover;
#[cfg(test)]
mod faults;
#[cfg(test)]
mod fleet;
#[cfg(test)]
mod hedging;
#[cfg(test)]
mod hung_calls;
#[cfg(test)]
mod import;
#[cfg(test)]
mod key_pool_hints;
#[cfg(test)]
mod key_pools;
#[cfg(test)]
mod ledger;
#[cfg(test)]
mod ledger_facts;
#[cfg(test)]
mod ledger_process;
#[cfg(test)]
mod ledger_shared;
#[cfg(test)]
mod limits;
#[cfg(test)]
mod limits_cache;
#[cfg(test)]
mod limits_concurrency;
#[cfg(test)]
mod limits_headers;
#[cfg(test)]
mod limits_metrics;
#[cfg(test)]
mod limits_queue;
#[cfg(test)]
mod limits_redis;
#[cfg(test)]
mod limits_redis_faults;
#[cfg(test)]
mod limits_redis_reload;
#[cfg(test)]
mod limits_reload;
#[cfg(test)]
mod limits_scopes;
#[cfg(test)]
mod limits_tokens;
#[cfg(test)]
mod logs;
#[cfg(test)]
mod metrics;
#[cfg(test)]
mod notify;
#[cfg(test)]
mod passthrough;
#[cfg(test)]
mod readme;
mod recovery;
#[cfg(test)]
mod reload;
mod reload_watch;
#[cfg(test)]
mod resume;
#[cfg(test)]
mod retry_storm;
#[cfg(test)]
mod routing;
#[cfg(test)]
mod routing_deadline;
#[cfg(test)]
mod routing_rules;
#[cfg(test)]
mod routing_sticky;
#[cfg(test)]
mod shutdown;
#[cfg(test)]
mod single_flight;
#[cfg(test)]
mod single_flight_apart;
#[cfg(test)]
mod single_flight_faults;
#[cfg(test)]
mod streaming;
#[cfg(test)]
mod streaming_faults;
#[cfg(test)]
mod support;
#[cfg(test)]
mod tidy;
#[cfg(test)]
mod tls;
#[cfg(test)]
mod traces;
#[cfg(test)]
mod traces_export;
#[cfg(test)]
mod traces_kept;
#[cfg(test)]
mod translation;
#[cfg(test)]
mod translation_faults;
#[cfg(test)]
mod upgrade;
#[cfg(test)]
mod usage_cli;
