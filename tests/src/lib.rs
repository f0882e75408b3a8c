//! The harness of the black-box suites: real sockets on loopback, no mocks of our own code.
//!
//! - [`gateway`]: Sluice, in this process from YAML, or the built binary
//! - [`upstream`]: a raw-TCP upstream that does exactly what its script says, and remembers what it was sent
//! - [`replica`]: the built binary as a process that can be stopped, killed and started again
//! - [`client`] and [`sse`]: a client that sends exact bytes and times what comes back
//! - [`ceiling`]: the largest configuration that the promises about metrics are made for
//! - [`crowd`]: many clients that ask again and again
//! - [`everyday`]: a gateway with every usual feature on, where the cost of a request is counted
//! - [`ledger`]: the usage records that a gateway has left
//! - [`micro`]: the operations that a request is made of
//! - [`proxy`]: an HTTP proxy on the way to an upstream
//! - [`redis`]: a real `redis-server` that can be killed
//! - [`telling`]: what the end of a request costs
//!
//! A harness panics where a program would return an error: a panic here is a failed test with its reason.

pub mod ceiling;
pub mod chunked;
pub mod client;
pub mod crowd;
pub mod everyday;
pub mod gateway;
pub mod ledger;
pub mod micro;
pub mod process;
pub mod proxy;
pub mod redis;
pub mod replica;
pub mod sse;
pub mod telling;
pub mod upstream;

use std::time::Duration;

/// The bound of everything that should happen at once. Long, so that a busy machine never fails a test.
pub const SOON: Duration = Duration::from_secs(20);

/// Waits for `future`, and fails the test with `what` when it takes longer than [`SOON`].
pub async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    tokio::time::timeout(SOON, future).await.unwrap_or_else(|_| panic!("not within {SOON:?}: {what}"))
}

/// Asks `check` every few milliseconds until it holds, and fails the test with `what` after [`SOON`].
pub async fn eventually_async(what: &str, mut check: impl AsyncFnMut() -> bool) {
    soon(what, async {
        while !check().await {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
}

/// Waits until it holds.
pub async fn eventually(what: &str, mut check: impl FnMut() -> bool) {
    soon(what, async {
        while !check() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
}
