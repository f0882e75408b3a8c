//! Looks whether a target that could not be connected to is back.
//!
//! An open circuit lets nobody find out until its time is over, and that time grows with each probe that fails. Where
//! no connection could be made there is a cheap sign of life: one that can. It is looked for once a second as long as
//! the circuit is open. It sends no request and closes no circuit: it lets the next request probe at once. Owns when
//! to look; how to connect is the door's.

use super::{
    Health,
    circuit::{Circuit, State},
};
use crate::timer::now;
use std::{
    fmt,
    pin::Pin,
    sync::{
        Arc, Mutex, PoisonError, Weak,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::runtime::Handle;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

const EVERY: Duration = Duration::from_secs(1);

/// Where a target is connected to.
pub trait Door: Send + Sync {
    /// Can a connection be made? It is closed at once.
    fn opens(self: Arc<Self>) -> Pin<Box<dyn Future<Output = bool> + Send>>;
}

/// Where looking is done, and until when.
#[derive(Debug, Clone, Default)]
pub struct Post {
    /// The tasks that look.
    pub tasks: TaskTracker,
    /// Fires when the gateway ends.
    pub stop: CancellationToken,
}

/// See the module. One per target.
pub struct Lookout {
    post: Post,
    /// That of the newest configuration that names the target; dead when none does any more.
    door: Mutex<Option<Weak<dyn Door>>>,
    /// The last failure was one to connect.
    lost: AtomicBool,
    /// A task is looking.
    looks: AtomicBool,
}

impl Lookout {
    /// Nothing to look for yet.
    pub(super) fn new(post: Post) -> Self {
        Self { post, door: Mutex::new(None), lost: AtomicBool::new(false), looks: AtomicBool::new(false) }
    }

    /// One for another model behind the same door.
    pub(super) fn another(&self) -> Self {
        let door = self.door.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Self { door: Mutex::new(door), ..Self::new(self.post.clone()) }
    }

    /// Where to look from now on.
    pub fn watch(&self, door: Weak<dyn Door>) {
        *self.door.lock().unwrap_or_else(PoisonError::into_inner) = Some(door);
    }

    /// It failed otherwise: so it could be connected to.
    pub(super) fn met(&self) {
        self.lost.store(false, Ordering::Relaxed);
    }

    fn is_needed(&self, circuit: &Circuit) -> bool {
        self.lost.load(Ordering::SeqCst) && circuit.stands(now()).0 != State::Closed
    }

    fn door(&self) -> Option<Arc<dyn Door>> {
        self.door.lock().unwrap_or_else(PoisonError::into_inner).as_ref()?.upgrade()
    }
}

impl fmt::Debug for Lookout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lookout")
            .field("lost", &self.lost)
            .field("looks", &self.looks)
            .finish_non_exhaustive()
    }
}

/// It could not be connected to. Looks for it as long as its circuit is open, unless somebody does already.
pub(super) fn lost(health: &Arc<Health>) {
    let own = &health.lookout;
    own.lost.store(true, Ordering::SeqCst);
    let Ok(runtime) = Handle::try_current() else { return };
    if !own.is_needed(&health.circuit) || own.looks.swap(true, Ordering::SeqCst) {
        return;
    }
    let (stop, known) = (own.post.stop.clone(), Arc::downgrade(health));
    let task = async move {
        tokio::select! {
            () = look(known) => {}
            () = stop.cancelled() => {}
        }
    };
    drop(own.post.tasks.spawn_on(task, &runtime));
}

/// Knows its target only while it looks at it: one that no configuration names can be forgotten meanwhile.
async fn look(known: Weak<Health>) {
    loop {
        tokio::time::sleep(EVERY).await;
        let Some(health) = known.upgrade() else { return };
        let own = &health.lookout;
        let door = own.door();
        if door.is_none() || !own.is_needed(&health.circuit) {
            own.looks.store(false, Ordering::SeqCst);
            // Whoever lost it between the two has seen somebody looking.
            if door.is_none() || !own.is_needed(&health.circuit) || own.looks.swap(true, Ordering::SeqCst) {
                return;
            }
        }
        // One that is due already is found out by the next request, as is one that is being probed.
        let waits = matches!(health.circuit.stands(now()), (State::Open, Some(left)) if !left.is_zero());
        drop(health);
        let Some(door) = door.filter(|_| waits) else { continue };
        if door.opens().await
            && let Some(health) = known.upgrade()
            && health.lookout.is_needed(&health.circuit)
        {
            health.circuit.is_due(now());
        }
    }
}

#[cfg(test)]
#[path = "lookout_tests.rs"]
mod tests;
