//! An allocator that counts, for each thread on the account of whose work it does, and what is held by all.
//!
//! Owns the counters and the marks of threads. What it hands out is the system's; where an allocation came from is
//! noted by [`crate::sites`] when it is asked to.

use crate::sites;
use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
    sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed},
};

/// Whose work a thread does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    /// Nobody said: a thread that the gateway made itself, for its log lines or its usage records.
    Writers,
    /// Serves requests.
    Gateway,
    /// Client, upstream, and the test itself.
    Harness,
}

thread_local! {
    // Made without an allocation and never torn down, so that the allocator may read it at any time.
    static SIDE: Cell<Side> = const { Cell::new(Side::Writers) };
}

static GATEWAY: AtomicU64 = AtomicU64::new(0);
static WRITERS: AtomicU64 = AtomicU64::new(0);
/// Bytes that somebody has now, whoever it is.
static HELD: AtomicUsize = AtomicUsize::new(0);

/// Bytes of the whole process that are asked for and not given back.
pub(crate) fn held() -> usize {
    HELD.load(Relaxed)
}

/// From now on this thread works for `side`.
pub(crate) fn mark(side: Side) {
    SIDE.set(side);
}

/// Allocations so far: calls that ask for memory or for more of it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Count {
    /// By threads that serve requests.
    pub(crate) gateway: u64,
    /// By the gateway's other threads.
    pub(crate) writers: u64,
}

impl Count {
    pub(crate) fn now() -> Self {
        Self { gateway: GATEWAY.load(Relaxed), writers: WRITERS.load(Relaxed) }
    }
}

struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn note(bytes: usize) {
    HELD.fetch_add(bytes, Relaxed);
    match SIDE.get() {
        Side::Harness => {}
        Side::Writers => _ = WRITERS.fetch_add(1, Relaxed),
        Side::Gateway => {
            GATEWAY.fetch_add(1, Relaxed);
            sites::note(bytes);
        }
    }
}

#[expect(
    unsafe_code,
    reason = "an allocator is unsafe by its nature; each call goes to the system's as it came"
)]
// SAFETY: every method passes its arguments on to `System`, whose promises are the same.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        note(layout.size());
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        note(layout.size());
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, old: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        note(size);
        HELD.fetch_sub(layout.size(), Relaxed);
        unsafe { System.realloc(old, layout, size) }
    }

    unsafe fn dealloc(&self, old: *mut u8, layout: Layout) {
        HELD.fetch_sub(layout.size(), Relaxed);
        unsafe { System.dealloc(old, layout) }
    }
}
