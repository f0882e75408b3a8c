//! The credentials of one provider: which of them a request may use now.
//!
//! A 429 cools a key until its reset, a refused credential puts it aside; both for the model that was asked, since
//! upstreams limit and permit by model, and a key that is really dead says so to each of them. Owns the picking and
//! the times; secrets and headers are the provider's.

use super::{
    remaining::Remaining,
    trouble::{Kind, Trouble, Troubles, UNHINTED},
};
use blake3::Hasher;
use serde::Serialize;
use smallvec::SmallVec;
use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

/// A key as it is configured.
#[derive(Debug, Clone)]
pub struct KeySpec {
    /// Configured name.
    pub name: Arc<str>,
    /// Share of the traffic.
    pub weight: u32,
    /// Tells one secret from another. Not the secret.
    pub fingerprint: [u8; 32],
}

/// See the module.
#[derive(Debug)]
pub struct KeyPool {
    keys: Vec<Key>,
    /// Does any key have troubles? Almost never, and then nothing is locked. Shared with pools before a reload.
    troubled: Arc<AtomicBool>,
}

#[derive(Debug)]
struct Key {
    spec: KeySpec,
    troubles: Arc<Mutex<Troubles>>,
    remaining: Arc<Remaining>,
}

/// No key may be used now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unready {
    /// Until one may.
    pub wait: Duration,
    /// All of them were refused by the upstream; else they are rate-limited.
    pub refused: bool,
    /// How many there are.
    pub keys: usize,
}

/// How many keys are in which state.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Nothing is wrong.
    pub ready: usize,
    /// Limited for a model.
    pub cooling: usize,
    /// Refused for a model.
    pub disabled: usize,
}

impl KeyPool {
    /// A pool; keys that were in `old` with the same secret keep their troubles.
    #[must_use]
    pub fn new(specs: Vec<KeySpec>, old: Option<&Self>) -> Self {
        let known = |spec: &KeySpec| {
            let same = |key: &&Key| key.spec.name == spec.name && key.spec.fingerprint == spec.fingerprint;
            let key = old.and_then(|old| old.keys.iter().find(same))?;
            Some((key.troubles.clone(), key.remaining.clone()))
        };
        let key = |spec: KeySpec| {
            let (troubles, remaining) = known(&spec).unwrap_or_default();
            Key { spec, troubles, remaining }
        };
        let troubled = old.map(|old| old.troubled.clone()).unwrap_or_default();
        Self { keys: specs.into_iter().map(key).collect(), troubled }
    }

    /// Picks a key by weight, or by `sticky` where equal requests should meet the same one; none of those that were
    /// `tried` for the request, and after one of them none that is only guessed to be free again.
    ///
    /// # Errors
    /// When no key may be used for this model now.
    pub fn pick(
        &self,
        model: &str,
        now: Instant,
        sticky: Option<&[u8; 32]>,
        tried: &[usize],
    ) -> Result<usize, Unready> {
        if !self.troubled.load(Ordering::Relaxed) && tried.is_empty() {
            if self.keys.len() == 1 {
                return Ok(0);
            }
            let all: SmallVec<[usize; 8]> = (0..self.keys.len()).collect();
            return self.draw(&all, sticky).ok_or(Unready::NONE);
        }
        let mut ready: SmallVec<[usize; 8]> = SmallVec::new();
        let mut guessed: Option<(Instant, usize)> = None;
        let mut soonest: Option<Instant> = None;
        let mut refused = true;
        for (index, key) in self.keys.iter().enumerate() {
            let trouble = key.trouble(model).filter(|trouble| trouble.until > now);
            refused &= matches!(trouble, Some(Trouble { kind: Kind::Refused(_), .. }));
            let was_tried = tried.contains(&index);
            match trouble {
                None if !was_tried => ready.push(index),
                Some(Trouble { kind: Kind::Guessed, until, .. }) if tried.is_empty() => {
                    guessed = Some(guessed.map_or((until, index), |best| best.min((until, index))));
                }
                Some(trouble) => {
                    soonest = Some(soonest.map_or(trouble.until, |at| at.min(trouble.until)));
                }
                None => {}
            }
        }
        let unready = || Unready {
            wait: soonest.map_or(UNHINTED, |at| at.saturating_duration_since(now)),
            refused,
            keys: self.keys.len(),
        };
        let picked = self.draw(&ready, sticky).or(guessed.map(|(_, index)| index)).ok_or_else(unready)?;
        if let Some(key) = self.keys.get(picked) {
            key.with(|troubles| troubles.claim(model, now));
        }
        Ok(picked)
    }

    /// The upstream has limited a key. `hint` is when it wants to be asked again, if it said so.
    pub fn rate_limited(&self, index: usize, model: &str, hint: Option<Duration>, now: Instant) {
        let Some(key) = self.keys.get(index) else { return };
        key.with(|troubles| troubles.limited(model, hint, now));
        self.troubled.store(true, Ordering::Relaxed);
    }

    /// The upstream has refused a key; not `surely` where the request itself may be why. Says whether it is news
    /// that the key is put aside.
    pub fn refused(&self, index: usize, model: &str, surely: bool, now: Instant) -> bool {
        let Some(key) = self.keys.get(index) else { return false };
        let is_news = key.with(|troubles| troubles.refused(model, surely, now));
        self.troubled.store(true, Ordering::Relaxed);
        is_news
    }

    /// The upstream has taken a key for a request that went out at `asked`: whatever was wrong before is over.
    pub fn worked(&self, index: usize, model: &str, asked: Instant, now: Instant) {
        if !self.troubled.load(Ordering::Relaxed) {
            return;
        }
        if let Some(key) = self.keys.get(index) {
            key.with(|troubles| troubles.worked(model, asked, now));
        }
        // In this order: whoever notes a trouble meanwhile says so afterwards.
        self.troubled.store(false, Ordering::Relaxed);
        if self.keys.iter().any(|key| key.with(|troubles| troubles.iter().len() > 0)) {
            self.troubled.store(true, Ordering::Relaxed);
        }
    }

    /// When the first key may be used for this model, where none may now. Claims none.
    #[must_use]
    pub fn wait(&self, model: &str, now: Instant) -> Option<Duration> {
        let until = |key: &Key| match key.trouble(model).filter(|trouble| trouble.until > now) {
            None | Some(Trouble { kind: Kind::Guessed | Kind::Doubted(_), .. }) => None,
            Some(trouble) => Some(trouble.until),
        };
        let all: Option<Vec<Instant>> = self.keys.iter().map(until).collect();
        Some(all?.into_iter().min()?.saturating_duration_since(now))
    }

    /// Forgets all troubles, by hand.
    pub fn forgive(&self) {
        self.keys.iter().for_each(|key| key.with(Troubles::forget));
    }

    /// The name of a key.
    #[must_use]
    pub fn name(&self, index: usize) -> Option<&Arc<str>> {
        self.keys.get(index).map(|key| &key.spec.name)
    }

    /// How many keys there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Are there none?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Is there a key that can be expected to work for this model? A refused one is not until an answer has come,
    /// else it would seem well whenever somebody is about to look into it.
    #[must_use]
    pub fn is_ready(&self, model: &str, now: Instant) -> bool {
        self.keys.iter().any(|key| !key.trouble(model).is_some_and(|trouble| trouble.blocks(now)))
    }

    /// The same where the model is not known: a key counts as long as its troubles are those of single models.
    #[must_use]
    pub fn is_ready_for_some(&self, now: Instant) -> bool {
        let blocks = |trouble: &Trouble| trouble.blocks(now) && !trouble.of_the_model;
        self.keys.iter().any(|key| !key.with(|troubles| troubles.iter().any(blocks)))
    }

    /// What the upstream says is left of a key's limits.
    #[must_use]
    pub fn remaining(&self, index: usize) -> Option<&Remaining> {
        self.keys.get(index).map(|key| &*key.remaining)
    }

    /// How many keys are in which state, each by its worst.
    #[must_use]
    pub fn tally(&self, now: Instant) -> Tally {
        let mut tally = Tally::default();
        for key in &self.keys {
            *match key.state(now) {
                KeyState::Ready => &mut tally.ready,
                KeyState::Cooling => &mut tally.cooling,
                KeyState::Disabled => &mut tally.disabled,
            } += 1;
        }
        tally
    }

    /// Each key's name and state, and how long that lasts.
    pub fn states(&self, now: Instant) -> impl Iterator<Item = (&str, KeyState, Option<Duration>)> {
        self.keys.iter().map(move |key| {
            let until = key.with(|troubles| troubles.iter().map(|trouble| trouble.until).max());
            let left =
                until.and_then(|until| until.checked_duration_since(now)).filter(|left| !left.is_zero());
            (&*key.spec.name, key.state(now), left)
        })
    }

    /// Among these by weight: drawn, or decided by `sticky`. Weight 0 is for when there is nothing else.
    fn draw(&self, among: &[usize], sticky: Option<&[u8; 32]>) -> Option<usize> {
        let weighed = |index: &usize| Some((*index, self.keys.get(*index)?.spec.weight));
        let all: SmallVec<[(usize, u32); 8]> = among.iter().filter_map(weighed).collect();
        if let Some(sticky) = sticky {
            let score = |(index, weight): &(usize, u32)| {
                let name = self.keys.get(*index).map_or(&[][..], |key| key.spec.name.as_bytes());
                let digest = Hasher::new_keyed(sticky).update(name).finalize();
                super::draw::score(super::draw::uniform(digest.as_bytes()), *weight)
            };
            let best =
                all.iter().map(|key| (score(key), key.0)).max_by(|one, other| one.0.total_cmp(&other.0));
            return best.map(|(_, index)| index);
        }
        super::draw::by_lot(&all)
    }
}

/// How a key stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyState {
    /// Nothing is wrong.
    Ready,
    /// Limited for a model.
    Cooling,
    /// Refused for a model.
    Disabled,
}

impl KeyState {
    /// All states.
    pub const ALL: [Self; 3] = [Self::Ready, Self::Cooling, Self::Disabled];

    /// The words of all states.
    pub const WORDS: &'static [&'static str] = &["ready", "cooling", "disabled"];

    /// The word in labels and on `/status`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::Cooling => "cooling",
            Self::Disabled => "disabled",
        }
    }
}

impl Unready {
    const NONE: Self = Self { wait: Duration::ZERO, refused: false, keys: 0 };
}

impl Key {
    fn trouble(&self, model: &str) -> Option<Trouble> {
        self.with(|troubles| troubles.of(model).cloned())
    }

    /// A refusal holds until an answer lifts it: its time only says when it is looked into.
    fn state(&self, now: Instant) -> KeyState {
        self.with(|troubles| {
            if troubles.iter().any(|trouble| matches!(trouble.kind, Kind::Refused(_))) {
                KeyState::Disabled
            } else if troubles.iter().any(|trouble| trouble.until > now) {
                KeyState::Cooling
            } else {
                KeyState::Ready
            }
        })
    }

    fn with<T>(&self, step: impl FnOnce(&mut Troubles) -> T) -> T {
        step(&mut self.troubles.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
#[path = "key_pool_tests.rs"]
mod tests;
