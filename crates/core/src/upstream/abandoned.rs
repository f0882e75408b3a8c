//! What a walk and whoever waits for it know of each other, should the client leave.
//!
//! Most providers are left together with the client. Some are to be read to their end all the same
//! (`on_client_disconnect: drain`), so that what the answer costs is known. The walk says when it waits for such a
//! one; whoever drops it asks, and may let it go on instead, but to no further try.

use crate::{facts::Plan, state::provider::Provider, upstream::body::Sent};
use sluice_config::model::OnDisconnect;
use smallvec::SmallVec;
use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicBool, Ordering},
};

/// See the module. One per walk.
#[derive(Debug, Default)]
pub struct Leaving {
    gone: AtomicBool,
    /// Tries under way whose answers are to be read to their end.
    asked: Mutex<SmallVec<[Sent; 2]>>,
}

impl Leaving {
    /// For a walk that may ask a provider which is to be read to its end; no other needs it.
    #[must_use]
    pub fn of(plan: &Plan) -> Option<Arc<Self>> {
        plan.choices.iter().any(|choice| is_read_to_its_end(&choice.target.provider)).then(Arc::default)
    }

    /// The client has left. Is the walk to go on, for an answer that has been asked for?
    pub fn leave(&self) -> bool {
        self.gone.store(true, Ordering::Relaxed);
        let asked = self.asked();
        asked.iter().for_each(Sent::forbid_repeat);
        asked.iter().any(Sent::has_begun)
    }

    /// Has the client left?
    #[must_use]
    pub fn is_gone(&self) -> bool {
        self.gone.load(Ordering::Relaxed)
    }

    /// A try begins, and is under way as long as what comes back lives.
    #[must_use]
    pub fn asks(self: &Arc<Self>, provider: &Provider, sent: &Sent) -> Option<Asking> {
        if !is_read_to_its_end(provider) {
            return None;
        }
        self.asked().push(sent.clone());
        Some(Asking { leaving: self.clone(), sent: sent.clone() })
    }

    fn asked(&self) -> MutexGuard<'_, SmallVec<[Sent; 2]>> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Are its answers read to their end without a client?
#[must_use]
pub fn is_read_to_its_end(provider: &Provider) -> bool {
    provider.on_disconnect == OnDisconnect::Drain
}

/// A try that is under way.
pub struct Asking {
    leaving: Arc<Leaving>,
    sent: Sent,
}

impl Drop for Asking {
    fn drop(&mut self) {
        self.leaving.asked().retain(|sent| !sent.is_same(&self.sent));
    }
}
