//! A short wait in place of a refusal, for scopes that have a `queue`.
//!
//! Each scope has one line. Whoever is refused joins the line of the scope that refused it, or that others
//! of its scopes wait in already, if there is room; the first of the line tries again whenever something is given back or a bucket's time has come. While
//! somebody waits nobody newer passes: order of arrival holds within a line. The first of one line who is then
//! held up by a second scope keeps its place and waits for that one, too, beside that scope's line. A scope
//! without `queue` refuses at once, whatever the others allow.
//!
//! To stop waiting at any point is to drop the future: places, turns and wake-ups are given back by guards, and
//! nothing is taken before the end.

use super::{
    admission::{self, Ask, Permit},
    bucket::At,
    refusal::{Limit, Refusal},
    scope::LimitScope,
    shared::{self, SharedLimits},
};
use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};
use tokio::{sync, time::Instant};

/// Those who wait for one scope.
#[derive(Default)]
pub(super) struct Line {
    /// Held by the first; tokio's lock goes in order of arrival.
    turn: sync::Mutex<()>,
    waiting: AtomicU32,
    /// Waiters that are first, here or elsewhere, and want to hear of what is free here.
    listening: AtomicU32,
    free: sync::Notify,
}

/// One more of a counter, until it is dropped.
struct Counted<'a>(&'a AtomicU32);

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Line {
    /// Wakes those whose turn it is. Called after the scope's lock was given up: a waiter counts itself before
    /// it takes that lock, so either it has seen what is free, or it is seen here.
    pub(super) fn something_is_free(&self) {
        if self.listening.load(Ordering::Acquire) > 0 {
            self.free.notify_waiters();
        }
    }

    fn is_empty(&self) -> bool {
        self.waiting.load(Ordering::Acquire) == 0
    }

    fn enter(&self, size: u32) -> Option<Counted<'_>> {
        let one_more = |waiting: u32| (waiting < size).then(|| waiting + 1);
        self.waiting.fetch_update(Ordering::AcqRel, Ordering::Acquire, one_more).ok()?;
        Some(Counted(&self.waiting))
    }

    fn listen(&self) -> Counted<'_> {
        self.listening.fetch_add(1, Ordering::AcqRel);
        Counted(&self.listening)
    }
}

/// Decides, and waits where the scope that refuses has a `queue`. `clock` tells the time.
///
/// # Errors
/// The refusal that stands at the end: no queue, a full one, or a wait that was not long enough.
pub async fn admit_or_wait(
    scopes: &[Arc<LimitScope>],
    ask: Ask,
    shared: Option<&SharedLimits>,
    clock: impl Fn() -> At,
) -> Result<Permit, Refusal> {
    let ask = Ask { at: clock(), ..ask };
    let (behind, refusal) = match scopes.iter().find(|scope| !scope.line.is_empty()) {
        None => match shared::decide(scopes, ask, shared, &clock).await {
            Ok(permit) => return Ok(permit),
            Err(refusal) => (refusal.scope.clone(), refusal),
        },
        // Others were here before.
        Some(busy) => {
            (busy.clone(), admission::refusal(scopes, ask).unwrap_or_else(|| Refusal::by_line(busy)))
        }
    };
    if refusal.scope.queue().is_none() {
        return Err(refusal);
    }
    // Few requests wait; the future of those that do not stays small.
    Box::pin(wait(scopes, ask, shared, &behind, refusal, clock)).await
}

async fn wait(
    scopes: &[Arc<LimitScope>],
    ask: Ask,
    shared: Option<&SharedLimits>,
    scope: &LimitScope,
    first: Refusal,
    clock: impl Fn() -> At,
) -> Result<Permit, Refusal> {
    let Some(queue) = scope.queue() else { return Err(first) };
    let begin = ask.at.now;
    let deadline = Instant::now() + queue.max_wait;
    if is_in_vain(&first, queue.max_wait) {
        return Err(first);
    }
    let Some(_place) = scope.line.enter(queue.size) else { return Err(first) };
    let Ok(_turn) = tokio::time::timeout_at(deadline, scope.line.turn.lock()).await else {
        let at = clock();
        // When nothing stands in the way but those before, the last word on the limit is the first.
        let last = admission::refusal(scopes, Ask { at, ..ask });
        return Err(last.unwrap_or_else(|| first.aged(begin, at.now)));
    };
    let mut next = first.scope;
    loop {
        let place = next;
        let _listening = place.line.listen();
        // Made before the try: it hears all that becomes free after it.
        let free = place.line.free.notified();
        let at = clock();
        let refusal = match shared::decide(scopes, Ask { at, ..ask }, shared, &clock).await {
            Ok(mut permit) => {
                permit.waited = at.now.since(begin);
                return Ok(permit);
            }
            Err(refusal) => refusal,
        };
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() || refusal.scope.queue().is_none() || is_in_vain(&refusal, left) {
            return Err(refusal);
        }
        if !Arc::ptr_eq(&refusal.scope, &place) {
            next = refusal.scope;
            continue;
        }
        let nap = refusal.retry_after.map_or(left, |wait| wait.min(left));
        // Both ends lead to another try.
        tokio::time::timeout(nap, free).await.ok();
        next = place.clone();
    }
}

/// Is no wait of `left` long enough? Requests are not given back, so their time is certain; tokens may be, and
/// money that is not paid yet.
fn is_in_vain(refusal: &Refusal, left: Duration) -> bool {
    let is_certain = match refusal.limit {
        Limit::Requests => true,
        Limit::Budget => refusal.money.is_some_and(|money| money.is_final()),
        _ => false,
    };
    refusal.never || (is_certain && refusal.retry_after.is_some_and(|wait| wait > left))
}

#[cfg(test)]
#[path = "queue_tests.rs"]
mod tests;
