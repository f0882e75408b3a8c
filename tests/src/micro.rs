//! What a request is made of, one operation at a time: for `benches/micro.rs` and `tests/bench`, which take the time,
//! and for `tests/run instructions`, which counts instructions.
//!
//! Inputs are fixed, so that a figure changes only when the code or the compiler does. Owns the list and what is
//! measured; who measures and what is too much is not here.

mod cached;
pub mod inputs;
mod limited;
mod protocol;
mod whole;

pub use protocol::references;

use rustix::time::{ClockId, clock_gettime};

/// CPU time of this thread so far, in microseconds.
#[must_use]
pub fn cpu() -> f64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec as f64 * 1e6 + time.tv_nsec as f64 / 1e3
}

/// Does the operation once.
pub type Work = Box<dyn FnMut()>;

/// One operation.
#[derive(Clone, Copy)]
pub struct Operation {
    /// Its name on the command line and in the baseline.
    pub name: &'static str,
    /// How many of what is counted one call of the work does.
    pub units: u64,
    /// Calls that are enough for a count of instructions.
    pub times: u64,
    /// Makes all that it needs.
    pub make: fn() -> Work,
}

impl std::fmt::Display for Operation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

/// The operations that a request is made of. None of them waits for anything.
#[must_use]
pub fn operations() -> Vec<Operation> {
    let one = |name, times, make| Operation { name, units: 1, times, make };
    vec![
        one("envelope-1k", 500, protocol::envelope_small),
        one("envelope-100k", 20, protocol::envelope_large),
        one("splice-1k", 5000, protocol::splice_small),
        one("splice-100k", 5000, protocol::splice_large),
        one("encode-1k", 1000, protocol::encode_small),
        one("encode-100k", 1000, protocol::encode_large),
        one("estimate-1k", 500, protocol::estimate_small),
        one("estimate-100k", 20, protocol::estimate_large),
        one("cache-key-1k", 200, cached::key_small),
        one("cache-key-100k", 10, cached::key_large),
        one("cache-hit", 20_000, cached::hit),
        one("cache-store", 2000, cached::store),
        one("answer-1k", 500, protocol::answer),
        Operation { name: "stream-chunk", units: inputs::CHUNKS, times: 30, make: protocol::stream },
        one("limits-key", 2000, limited::of_key),
        one("limits", 2000, limited::of_all),
    ]
}

/// A plain request through a whole gateway, from its socket to its socket.
#[must_use]
pub fn request() -> Operation {
    Operation { name: "request", units: 1, times: 400, make: whole::request }
}
