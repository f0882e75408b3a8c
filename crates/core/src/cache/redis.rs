//! The second tier: answers in Redis, shared by all replicas and outliving each of them.
//!
//! Whatever is wrong there is a slower miss and nothing else. Reads are bounded by the link; writes happen
//! behind the request's back, a bounded number at a time. What cannot be believed is deleted.
//!
//! | key | value |
//! | --- | --- |
//! | `PREFIX:cache:VERSION:HEX` | a sealed [`record`] with its time to live |
//! | `PREFIX:cache-generations` | hash of generation numbers, see [`generations`](crate::cache::generations) |

use crate::{
    cache::{
        entry::Entry,
        generations::{Generations, Purge},
        key::CacheKey,
        metrics::TierMetrics,
        record::{self, COMPRESS_FROM, Invalid},
        store::Fetched,
    },
    redis::{LinkState, Op, RedisLink, RefusedKind, Trouble},
    state::background::Background,
    telemetry::labels::{CacheResult, StoreResult},
};
use ::redis::{Pipeline, Script};
use bytes::Bytes;
use std::{
    collections::HashMap,
    sync::{
        Arc, Weak,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::sync::Semaphore;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// Writes that may be under way.
const WRITES: usize = 64;
/// Bytes of a record beside the answer in it.
const HEAD: usize = 64 << 10;
/// How often generation numbers are compared: another replica's purge holds here after at most this.
const SYNC: Duration = Duration::from_secs(1);

/// Raises a number and says what it is then: never below what the caller has, always above what was there.
const RAISE: &str = "local had = tonumber(redis.call('HGET', KEYS[1], ARGV[1]) or 0) or 0
local n = math.max(had + 1, tonumber(ARGV[2]))
redis.call('HSET', KEYS[1], ARGV[1], string.format('%.0f', n))
return string.format('%.0f', n)";

/// The second tier.
pub struct RedisTier {
    link: Arc<RedisLink>,
    prefix: String,
    metrics: TierMetrics,
    writes: Arc<Semaphore>,
    /// Writes under way.
    writing: TaskTracker,
    generations: Arc<Generations>,
    /// The numbers in Redis have been read: before that an entry might have been purged without our knowing.
    synced: AtomicBool,
    raise: Script,
    /// Largest answer.
    limit: usize,
}

impl RedisTier {
    /// A tier over a link; keeps the generation numbers of this process and of Redis the same as long as it is used.
    #[must_use]
    pub fn start(
        link: Arc<RedisLink>,
        prefix: &str,
        limit: usize,
        generations: Arc<Generations>,
        metrics: TierMetrics,
        background: &Background,
    ) -> Arc<Self> {
        let tier = Arc::new(Self {
            link,
            prefix: prefix.to_owned(),
            metrics,
            writes: Arc::new(Semaphore::new(WRITES)),
            writing: background.writing.clone(),
            generations,
            synced: AtomicBool::new(false),
            raise: Script::new(RAISE),
            limit,
        });
        background.tasks.spawn(keep_in_step(Arc::downgrade(&tier), background.stop.child_token()));
        tier
    }

    /// Looks an answer up.
    pub async fn get(&self, key: &CacheKey) -> Fetched {
        let began = Instant::now();
        let fetched = self.look_up(key, began).await;
        let result = match &fetched {
            Fetched::Hit(_) => CacheResult::Hit,
            Fetched::Miss => CacheResult::Miss,
            Fetched::Trouble => CacheResult::Error,
        };
        self.metrics.looked_up(result, began.elapsed());
        fetched
    }

    async fn look_up(&self, key: &CacheKey, began: Instant) -> Fetched {
        if !self.synced.load(Ordering::Relaxed) {
            return Fetched::Trouble;
        }
        let name = self.name(key);
        let mut pipeline = Pipeline::new();
        // One byte more than may be: what is longer is not read, but known to be.
        let most = self.limit + HEAD;
        pipeline.cmd("GETRANGE").arg(&name).arg(0).arg(most);
        pipeline.cmd("PTTL").arg(&name);
        let (bytes, left): (Vec<u8>, i64) = match self.link.run(Op::Get, &pipeline).await {
            Ok(read) => read,
            Err(Trouble::Refused(RefusedKind::WrongType)) => {
                self.delete(key, Invalid::WrongType).await;
                return Fetched::Miss;
            }
            Err(_) => return Fetched::Trouble,
        };
        if bytes.is_empty() {
            return Fetched::Miss;
        }
        if bytes.len() > most {
            self.delete(key, Invalid::TooLarge).await;
            return Fetched::Miss;
        }
        // An entry without an end was not written by us: it has no life left.
        let left = Duration::from_millis(u64::try_from(left).unwrap_or(0));
        match record::open(key, &Bytes::from(bytes), began, left, self.limit) {
            Ok(entry) if !self.generations.is_valid(&entry) => {
                self.delete(key, Invalid::Purged).await;
                Fetched::Miss
            }
            Ok(entry) if entry.left(began).is_zero() => Fetched::Miss,
            Ok(entry) => Fetched::Hit(Arc::new(entry)),
            Err(invalid) => {
                self.delete(key, invalid).await;
                Fetched::Miss
            }
        }
    }

    async fn delete(&self, key: &CacheKey, why: Invalid) {
        self.metrics.invalid(why);
        let mut pipeline = Pipeline::new();
        pipeline.cmd("DEL").arg(self.name(key)).ignore();
        // Should it stay, the next look-up finds it as bad as this one did.
        self.link.run::<()>(Op::Del, &pipeline).await.ok();
    }

    /// Writes an answer, behind the request's back; says whether that has been begun.
    pub fn put(self: &Arc<Self>, key: CacheKey, entry: Arc<Entry>) -> bool {
        let permit = self.writes.clone().try_acquire_owned().ok();
        let Some(permit) = permit.filter(|_| self.link.state() == LinkState::Up) else {
            self.metrics.stored(StoreResult::Error);
            return false;
        };
        let tier = self.clone();
        self.writing.spawn(async move {
            let left = entry.left(Instant::now());
            let sealed = record::seal(&key, &entry, COMPRESS_FROM);
            let mut pipeline = Pipeline::new();
            let millis = u64::try_from(left.as_millis()).unwrap_or(u64::MAX).max(1);
            pipeline.cmd("SET").arg(tier.name(&key)).arg(sealed).arg("PX").arg(millis).ignore();
            let written = tier.link.run::<()>(Op::Set, &pipeline).await;
            tier.metrics.stored(if written.is_ok() { StoreResult::Ok } else { StoreResult::Error });
            drop(permit);
        });
        true
    }

    /// Raises the number of what is purged, here and in Redis; whether Redis has it already. If not, it gets it
    /// when it is back.
    pub async fn purge(&self, purge: &Purge) -> bool {
        let (field, number) = self.generations.bump(purge);
        let mut call = self.raise.prepare_invoke();
        call.key(self.generations_name()).arg(&field).arg(number);
        let raised: Result<String, Trouble> = self.link.script(Op::Generations, &call).await;
        match raised.ok().and_then(|number| number.parse().ok()) {
            Some(number) => {
                self.generations.merge(&HashMap::from([(field, number)]));
                true
            }
            None => false,
        }
    }

    async fn sync(&self) -> Result<(), Trouble> {
        let mut pipeline = Pipeline::new();
        pipeline.cmd("HGETALL").arg(self.generations_name());
        let (remote,): (HashMap<String, String>,) = self.link.run(Op::Generations, &pipeline).await?;
        // What is no number is nobody's purge.
        let remote: HashMap<String, u64> =
            remote.into_iter().filter_map(|(field, number)| Some((field, number.parse().ok()?))).collect();
        // What Redis has lost, or never heard of.
        for (field, number) in self.generations.merge(&remote) {
            let mut call = self.raise.prepare_invoke();
            call.key(self.generations_name()).arg(&field).arg(number);
            self.link.script::<String>(Op::Generations, &call).await?;
        }
        Ok(())
    }

    fn name(&self, key: &CacheKey) -> String {
        // Replicas of two versions do not read, and do not delete, each other's records.
        format!("{}:cache:{}:{key}", self.prefix, record::VERSION)
    }

    fn generations_name(&self) -> String {
        format!("{}:cache-generations", self.prefix)
    }
}

/// Compares generation numbers as long as somebody uses the tier.
async fn keep_in_step(tier: Weak<RedisTier>, stop: CancellationToken) {
    while let Some(tier) = tier.upgrade() {
        if tier.link.state() == LinkState::Up && tier.sync().await.is_ok() {
            tier.synced.store(true, Ordering::Relaxed);
        }
        let pause = if tier.synced.load(Ordering::Relaxed) { SYNC } else { SYNC / 10 };
        drop(tier);
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = stop.cancelled() => return,
        }
    }
}
