//! Asks for shared buckets, and does behind the requests' backs what need not hold them up: slices are filled up
//! before they are empty, given back when nobody uses them, and what was used is told.

use super::{
    Asked, Outcome, Purposes,
    lease::{LIFE, Lease},
    presence::Presence,
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
    path::Path,
    sync::{
        Arc, Weak,
        atomic::{AtomicBool, Ordering},
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

/// The limits that replicas share.
pub struct SharedLimits {
    link: Arc<RedisLink>,
    script: Script,
    prefix: String,
    list: String,
    folder: String,
    presence: Arc<Presence>,
    metrics: SharedMetrics,
    due: Notify,
    left: AtomicBool,
}

impl SharedLimits {
    /// Begins to keep leases, until `stop`. `folder` is where the ledger is: those who share it share what it says
    /// was spent.
    #[must_use]
    pub fn start(
        link: Arc<RedisLink>,
        key_prefix: &str,
        folder: &Path,
        presence: Arc<Presence>,
        metrics: SharedMetrics,
        background: &Background,
        stop: CancellationToken,
    ) -> Arc<Self> {
        let shared = Arc::new(Self::new(link, script::script(), key_prefix, folder, presence, metrics));
        background.tasks.spawn(keep(Arc::downgrade(&shared), stop));
        shared
    }

    fn new(
        link: Arc<RedisLink>,
        script: Script,
        key_prefix: &str,
        folder: &Path,
        presence: Arc<Presence>,
        metrics: SharedMetrics,
    ) -> Self {
        // One tag in all keys: in a cluster they live together, so that one script reaches them all.
        let prefix = format!("{{{key_prefix}:limits}}");
        Self {
            link,
            script,
            list: format!("{prefix}:replicas"),
            prefix,
            folder: folder_id(folder),
            presence,
            metrics,
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
        self.presence.replicas()
    }

    pub(super) async fn ask(&self, asked: Asked, clock: impl Fn() -> At) -> Outcome {
        self.ask_and_beat(asked, Beat::Quiet, clock).await
    }

    async fn ask_and_beat(&self, mut asked: Asked, beat: Beat, clock: impl Fn() -> At) -> Outcome {
        self.presence.kept().extend(asked.unkept.drain(..));
        let answered = self.send(&asked, beat).await;
        self.metrics.degraded.set(i64::from(answered.is_err()));
        let said = answered?;
        self.presence.count(said.replicas);
        if said.is_new {
            self.presence.is_forgotten();
            self.due.notify_one();
        }
        Ok(asked.hear(&said.answers, clock()))
    }

    async fn send(&self, asked: &Asked, beat: Beat) -> Result<Said, Trouble> {
        let head =
            Head { replicas: &self.list, me: &self.presence.me, lease: LIFE, life: REPLICA_LIFE, beat };
        let mut call = script::begin(&self.script, &head);
        for (index, slot, question) in &asked.questions {
            let Some(scope) = asked.scopes.get(*index) else { continue };
            let name =
                format!("{}:{}:{}:{}", self.prefix, scope.kind().as_str(), scope.name(), slot.as_str());
            script::add(&mut call, &name, question, &self.folder, self.presence.started);
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
        let kept = std::mem::take(&mut *self.presence.kept());
        for scopes in kept.chunks(TOGETHER) {
            let asked = Asked::new(scopes, Purposes::Leave, clock());
            if self.ask(asked, &clock).await.is_err() {
                return;
            }
        }
        // Also where there was nothing to give back: the others' shares grow at once.
        let nothing = Asked::new(&[], Purposes::Leave, clock());
        self.ask_and_beat(nothing, Beat::Off, &clock).await.ok();
    }

    /// Does what is due for every scope with leases.
    async fn look_after(&self, beat: &mut Option<Instant>, clock: impl Fn() -> At) {
        let kept = self.presence.kept().clone();
        for scopes in kept.chunks(TOGETHER) {
            let asked = Asked::new(scopes, Purposes::Chores, clock());
            // What cannot be told now is told later.
            if !asked.is_empty() && self.ask(asked, &clock).await.is_err() {
                break;
            }
        }
        let is_due = beat.is_none_or(|last| last.elapsed() >= BEAT_EVERY);
        if is_due && !self.left.load(Ordering::Relaxed) {
            *beat = Some(Instant::now());
            let nothing = Asked::new(&[], Purposes::Chores, clock());
            // Nobody counts us then, which the next beat mends.
            self.ask_and_beat(nothing, Beat::On, &clock).await.ok();
            self.forget_settled();
        }
    }

    /// Scopes without leases are not looked after; the next question brings them back.
    fn forget_settled(&self) {
        self.presence.kept().retain(|scope| {
            let mut state = scope.lock();
            let settled = super::Slot::ALL
                .into_iter()
                .all(|slot| state.lease(slot).is_none_or(|lease| lease.is_settled()));
            state.kept = !settled;
            !settled
        });
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

/// Tells apart where ledgers are: this machine's name and the folder's.
fn folder_id(folder: &Path) -> String {
    let folder = std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned());
    let mut hasher = blake3::Hasher::new();
    hasher.update(rustix::system::uname().nodename().to_bytes()).update(b"\n");
    hasher.update(folder.as_os_str().as_encoded_bytes());
    hasher.finalize().to_hex().chars().take(16).collect()
}

#[cfg(test)]
#[path = "shared_tests.rs"]
mod tests;
