//! Where allocations come from: each one's backtrace, grouped by the functions that it passed through.
//!
//! For people who want fewer of them; no test judges it. Owns what was captured and how a backtrace becomes a line.

use std::{
    backtrace::Backtrace,
    cell::Cell,
    collections::BTreeMap,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};

/// Frames of a line: enough to see which call it was, few enough that equal ones meet.
const FRAMES: usize = 7;
/// Of them, how many of our own.
const OWN: usize = 2;
/// Characters of a function's name.
const LENGTH: usize = 90;

static WATCHED: AtomicBool = AtomicBool::new(false);
static SEEN: Mutex<Vec<(usize, Backtrace)>> = Mutex::new(Vec::new());

thread_local! {
    static BUSY: Cell<bool> = const { Cell::new(false) };
}

/// Called by the allocator.
pub(crate) fn note(bytes: usize) {
    // To capture is to allocate.
    if !WATCHED.load(Relaxed) || BUSY.replace(true) {
        return;
    }
    SEEN.lock().unwrap_or_else(PoisonError::into_inner).push((bytes, Backtrace::force_capture()));
    BUSY.set(false);
}

/// From now on backtraces are captured, or no longer.
pub(crate) fn watch(on: bool) {
    WATCHED.store(on, Relaxed);
}

/// What was captured during `requests` requests: one line for each place, the most frequent first.
pub(crate) fn report(requests: usize) -> String {
    let seen = std::mem::take(&mut *SEEN.lock().unwrap_or_else(PoisonError::into_inner));
    let mut places: BTreeMap<String, (usize, usize)> = BTreeMap::new();
    for (bytes, backtrace) in &seen {
        let place = places.entry(place(&backtrace.to_string())).or_default();
        *place = (place.0 + 1, place.1 + bytes);
    }
    let mut places: Vec<_> = places.into_iter().collect();
    places.sort_by(|(a, (n, _)), (b, (m, _))| m.cmp(n).then(a.cmp(b)));
    let per_request = |n: usize| n as f64 / requests as f64;
    let mut text = format!(
        "{:.1} allocations a request; for each place: how many a request, bytes of one, the functions\n",
        per_request(seen.len())
    );
    for (place, (count, bytes)) in places {
        text.push_str(&format!("{:6.2} {:7} {place}\n", per_request(count), bytes / count));
    }
    text
}

/// The functions of a backtrace from the allocation outwards, until it is clear where in our code it was.
fn place(backtrace: &str) -> String {
    let mut frames: Vec<String> = Vec::new();
    let mut own = 0;
    let mut lines = backtrace.lines().map(str::trim).peekable();
    while let Some(line) = lines.next() {
        let Some((_, name)) = line.split_once(": ") else { continue };
        let file = lines.next_if(|next| next.starts_with("at ")).unwrap_or_default();
        if is_noise(name, file) {
            continue;
        }
        // What was inlined has a name without its path, hence the file.
        let ours = file.contains("crates/");
        own += usize::from(ours);
        let at = if ours { format!(" ({})", short(file)) } else { String::new() };
        frames.push(format!("{}{at}", brief(name)));
        if own == OWN || frames.len() == FRAMES {
            break;
        }
    }
    frames.join(" < ")
}

/// The allocator itself, the standard library, and the machinery of futures.
fn is_noise(name: &str, file: &str) -> bool {
    let own = name.trim_start_matches('<');
    let crates =
        ["allocations::", "alloc::", "core::", "std::", "hashbrown::", "T as ", "__rust", "tokio::runtime::"];
    file.contains("/rustc/") || crates.iter().any(|noise| own.starts_with(noise))
}

/// Folder, file and line.
fn short(at: &str) -> String {
    let mut parts: Vec<&str> = at.split('/').collect();
    parts.drain(..parts.len().saturating_sub(2));
    // The column says nothing.
    parts.join("/").rsplit_once(':').map_or_else(String::new, |(place, _)| place.into())
}

/// A function's name without its hash and without a long tail of types.
fn brief(name: &str) -> String {
    let name = match name.rsplit_once("::h") {
        Some((name, hash)) if hash.len() == 16 => name,
        _ => name,
    };
    name.chars().take(LENGTH).collect()
}
