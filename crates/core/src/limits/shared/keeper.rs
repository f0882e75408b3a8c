//! Asks for shared buckets, and does behind the requests' backs what need not hold them up: slices are filled up
//! before they are empty, given back when nobody uses them, and what was used is told.

use super::{
    Asked, Outcome, Purposes,
    lease::{LIFE, Lease},
    script::{self, Beat, Head, Said},
};
use crate::{
    limits::{bucket::At, scope::LimitScope},
    redis::{Op, RedisLink, Trouble},
    state::background::Background,
};
use ::redis::Script;
use prometheus::{IntCounter, IntGauge};
use sluice_config::model::OnRedisDown;
use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::{sync::Notify, time::sleep};
use tokio_util::sync::CancellationToken;

/// Between two looks at what has to be told or given back.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// Between two signs of life.
const BEAT_EVERY: Duration = Duration::from_secs(1);
/// A replica without one for so long is not counted any more.
const REPLICA_LIFE: Duration = Duration::from_secs(5);
/// Scopes whose questions go together.
const TOGETHER: usize = 16;

/// Where decisions without Redis are counted.
#[derive(Clone)]
pub struct SharedMetrics {
    /// Decided by the replica's share.
    pub local: IntCounter,
    /// Not limited at all.
    pub open: IntCounter,
    /// Refused, since nothing may pass.
    pub closed: IntCounter,
    /// 1 while decisions are made without Redis.
    pub degraded: IntGauge,
}

/// Tells replicas apart. One for all links of a gateway: what was told over one, another need not tell again.
#[derive(Debug)]
pub struct ReplicaId(String);

impl Default for ReplicaId {
    fn default() -> Self {
        Self(format!("{:016x}", fastrand::u64(..)))
    }
}

/// Whose buckets they are, and who asks for them.
pub struct Identity<'a> {
    /// What all keys in Redis begin with.
    pub key_prefix: &'a str,
    /// This replica.
    pub me: &'a ReplicaId,
    /// Which ledger is its: those who share one share what it says was spent.
    pub ledger: &'a str,
}

/// The limits that replicas share.
pub struct SharedLimits {
    link: Arc<RedisLink>,
    script: Script,
    prefix: String,
    list: String,
    me: String,
    ledger: String,
    replicas: Arc<AtomicU32>,
    metrics: SharedMetrics,
    kept: Mutex<Vec<Arc<LimitScope>>>,
    /// Scopes with budgets.
    spenders: Mutex<Vec<Weak<LimitScope>>>,
    due: Notify,
    /// Everything was given back: nothing is borrowed any more.
    left: AtomicBool,
}

impl SharedLimits {
    /// Begins to keep leases, until `stop`.
    #[must_use]
    pub fn start(
        link: Arc<RedisLink>,
        identity: &Identity<'_>,
        replicas: Arc<AtomicU32>,
        metrics: SharedMetrics,
        background: &Background,
        stop: CancellationToken,
    ) -> Arc<Self> {
        let shared = Arc::new(Self::new(link, script::script(), identity, replicas, metrics));
        background.tasks.spawn(keep(Arc::downgrade(&shared), stop));
        shared
    }

    fn new(
        link: Arc<RedisLink>,
        script: Script,
        identity: &Identity<'_>,
        replicas: Arc<AtomicU32>,
        metrics: SharedMetrics,
    ) -> Self {
        // One tag in all keys: in a cluster they live together, so that one script reaches them all.
        let prefix = format!("{{{}:limits}}", identity.key_prefix);
        Self {
            link,
            script,
            list: format!("{prefix}:replicas"),
            prefix,
            me: identity.me.0.clone(),
            ledger: identity.ledger.to_owned(),
            replicas,
            metrics,
            kept: Mutex::default(),
            spenders: Mutex::default(),
            due: Notify::new(),
            left: AtomicBool::new(false),
        }
    }

    /// A slice runs low.
    pub(super) fn wake(&self) {
        self.due.notify_one();
    }

    /// Replicas that were alive when last heard of.
    #[must_use]
    pub fn replicas(&self) -> u32 {
        self.replicas.load(Ordering::Relaxed)
    }

    pub(super) async fn ask(&self, asked: Asked, clock: impl Fn() -> At) -> Outcome {
        self.ask_and_beat(asked, Beat::Quiet, clock).await
    }

    async fn ask_and_beat(&self, mut asked: Asked, beat: Beat, clock: impl Fn() -> At) -> Outcome {
        self.kept().extend(asked.unkept.drain(..));
        if asked.is_empty() && beat == Beat::Quiet {
            // What it needs is held here by now.
            asked.close();
            return Ok(true);
        }
        let answered = self.send(&asked, beat).await;
        self.metrics.degraded.set(i64::from(answered.is_err()));
        let said = answered?;
        self.replicas.store(said.replicas, Ordering::Relaxed);
        if said.is_new {
            self.tell_again();
        }
        Ok(asked.hear(&said.answers, clock()))
    }

    /// Redis knows nothing of this replica: it has only just begun, or Redis has forgotten. What was spent is told
    /// again, also where nobody spends anything now: others would spend it once more.
    fn tell_again(&self) {
        let mut spenders = self.spenders.lock().unwrap_or_else(PoisonError::into_inner);
        spenders.retain(|scope| scope.strong_count() > 0);
        let known: Vec<_> = spenders.iter().filter_map(Weak::upgrade).collect();
        drop(spenders);
        let begins = |scope: &Arc<LimitScope>| {
            let mut state = scope.lock();
            let tells = state.lease(super::Slot::Money).is_some_and(Lease::tell_again);
            tells && !std::mem::replace(&mut state.kept, true)
        };
        self.kept().extend(known.into_iter().filter(begins));
        self.wake();
    }

    /// From now on these scopes have budgets.
    pub fn spenders(&self, scopes: &[Arc<LimitScope>]) {
        let mut spenders = self.spenders.lock().unwrap_or_else(PoisonError::into_inner);
        *spenders = scopes.iter().map(Arc::downgrade).collect();
        drop(spenders);
        self.tell_again();
    }

    /// Looks after what another link's keeper did look after.
    pub fn take_over(&self, old: &Self) {
        let kept = std::mem::take(&mut *old.kept());
        self.kept().extend(kept);
    }

    async fn send(&self, asked: &Asked, beat: Beat) -> Result<Said, Trouble> {
        let head = Head { replicas: &self.list, me: &self.me, lease: LIFE, life: REPLICA_LIFE, beat };
        let mut call = script::begin(&self.script, &head);
        for (index, slot, question) in &asked.questions {
            let Some(scope) = asked.scopes.get(*index) else { continue };
            let name =
                format!("{}:{}:{}:{}", self.prefix, scope.kind().as_str(), scope.name(), slot.as_str());
            script::add(&mut call, &name, question, &self.ledger);
        }
        let reply: Vec<i64> = self.link.script(Op::Limit, &call).await?;
        script::read(&reply, asked.questions.len())
    }

    /// A decision was made without Redis.
    pub(super) fn count_alone(&self, scopes: &[Arc<LimitScope>]) {
        let downs = scopes.iter().filter_map(|scope| {
            let mut state = scope.lock();
            super::Slot::ALL
                .into_iter()
                .find_map(|slot| state.lease(slot).map(|lease: &mut Lease| lease.down()))
        });
        let counter = match downs.max_by_key(|down| *down as u8) {
            Some(OnRedisDown::Closed) => &self.metrics.closed,
            Some(OnRedisDown::Open) => &self.metrics.open,
            Some(OnRedisDown::Local) | None => &self.metrics.local,
        };
        counter.inc();
    }

    /// Gives everything back: the process ends.
    pub async fn leave(&self) {
        self.leave_at(At::present).await;
    }

    async fn leave_at(&self, clock: impl Fn() -> At) {
        self.left.store(true, Ordering::Relaxed);
        let kept = std::mem::take(&mut *self.kept());
        // Once at least, so that nobody counts us any more.
        for scopes in kept.chunks(TOGETHER).chain([[].as_slice()]) {
            let asked = Asked::new(scopes, Purposes::Leave, clock());
            if self.ask_and_beat(asked, Beat::Off, &clock).await.is_err() {
                return;
            }
        }
    }

    /// Does what is due for every scope with leases.
    async fn look_after(&self, beat: &mut Option<Instant>, clock: impl Fn() -> At) {
        if self.left.load(Ordering::Relaxed) {
            return;
        }
        let kept = self.kept().clone();
        for scopes in kept.chunks(TOGETHER) {
            let asked = Asked::new(scopes, Purposes::Chores, clock());
            // What cannot be told now is told later.
            if !asked.is_empty() && self.ask(asked, &clock).await.is_err() {
                break;
            }
        }
        if beat.is_none_or(|last| last.elapsed() >= BEAT_EVERY) {
            *beat = Some(Instant::now());
            let nothing = Asked::new(&[], Purposes::Chores, clock());
            // Nobody counts us then, which the next beat mends.
            self.ask_and_beat(nothing, Beat::On, &clock).await.ok();
            self.forget_settled();
        }
    }

    /// Scopes without leases, where nothing is under way that will have to be told, are not looked after; the next question brings them back.
    fn forget_settled(&self) {
        self.kept().retain(|scope| {
            let mut state = scope.lock();
            let settled = state.in_flight == 0
                && super::Slot::ALL
                    .into_iter()
                    .all(|slot| state.lease(slot).is_none_or(|lease| lease.is_settled()));
            state.kept = !settled;
            !settled
        });
    }

    fn kept(&self) -> MutexGuard<'_, Vec<Arc<LimitScope>>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn keep(shared: Weak<SharedLimits>, stop: CancellationToken) {
    let mut beat = None;
    loop {
        // Held only while something is done, so that the last owner ends this.
        let Some(shared) = shared.upgrade() else { return };
        shared.look_after(&mut beat, At::present).await;
        tokio::select! {
            () = stop.cancelled() => return,
            () = shared.due.notified() => {}
            () = sleep(LOOK_EVERY) => {}
        }
    }
}

#[cfg(test)]
#[path = "shared_tests.rs"]
mod tests;
