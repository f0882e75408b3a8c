//! This process among the replicas: what stays the same of it whichever way leads to Redis.
//!
//! Owns the name under which Redis counts what the process has used. A reload may lead to another server, or to the
//! same one in another way; the name is the same, or what was spent would be counted twice.

use crate::limits::scope::{LimitScope, ScopeKind};
use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicU32, Ordering},
    },
    time::{SystemTime, UNIX_EPOCH},
};

/// See the module.
pub struct Presence {
    pub(super) me: String,
    /// When it began, microseconds since 1970.
    pub(super) started: i64,
    replicas: Arc<AtomicU32>,
    /// Scopes with something to tell or to give back.
    kept: Mutex<Vec<Arc<LimitScope>>>,
    /// Scopes with a budget.
    spenders: Mutex<HashMap<(ScopeKind, String), Weak<LimitScope>>>,
}

impl Default for Presence {
    fn default() -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self::since(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
    }
}

impl Presence {
    /// Of a process that began then, microseconds since 1970.
    pub(super) fn since(started: i64) -> Self {
        Self {
            me: format!("{:016x}", fastrand::u64(..)),
            started,
            replicas: Arc::default(),
            kept: Mutex::default(),
            spenders: Mutex::default(),
        }
    }

    /// How many there are, for leases: kept up to date.
    #[must_use]
    pub fn counted(&self) -> Arc<AtomicU32> {
        self.replicas.clone()
    }

    /// There are so many.
    pub fn count(&self, replicas: u32) {
        self.replicas.store(replicas, Ordering::Relaxed);
    }

    /// How many there are, as far as is known.
    #[must_use]
    pub fn replicas(&self) -> u32 {
        self.replicas.load(Ordering::Relaxed)
    }

    /// This scope counts money that replicas share.
    pub fn spends(&self, scope: &Arc<LimitScope>) {
        let mut spenders = self.spenders.lock().unwrap_or_else(PoisonError::into_inner);
        spenders.insert((scope.kind(), scope.name().to_owned()), Arc::downgrade(scope));
    }

    /// Redis knows nothing of this process: it has only just begun, or Redis has forgotten. What was spent has to be
    /// told again, also where nobody spends anything now.
    pub(super) fn is_forgotten(&self) {
        let mut spenders = self.spenders.lock().unwrap_or_else(PoisonError::into_inner);
        spenders.retain(|_, scope| scope.strong_count() > 0);
        let known: Vec<_> = spenders.values().filter_map(Weak::upgrade).collect();
        drop(spenders);
        for scope in known {
            let mut state = scope.lock();
            let begins = state.tell_money_again() && !std::mem::replace(&mut state.kept, true);
            drop(state);
            if begins {
                self.kept().push(scope);
            }
        }
    }

    pub(super) fn kept(&self) -> MutexGuard<'_, Vec<Arc<LimitScope>>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
