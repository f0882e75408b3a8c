//! What the response cache made of a request.

use crate::{
    cache::{
        entry::{Entry, Giver},
        policy::Bypass,
    },
    telemetry::labels::{CacheResult, CacheTier},
};
use sluice_protocol::usage::Usage;
use std::time::{Duration, Instant};

/// What the response cache made of a request, and what of it the client is told.
#[derive(Clone, Default)]
pub struct CacheNote {
    /// Absent until the cache is come to.
    pub result: Option<CacheResult>,
    /// When a stored answer was found.
    pub at: Option<Instant>,
    /// Where the answer was.
    pub tier: Option<CacheTier>,
    /// Why it was passed by.
    pub bypass: Option<Bypass>,
    /// The client wanted a new answer.
    pub refreshed: bool,
    /// Only a stored answer would do, so no upstream was asked.
    pub only: bool,
    /// The answer is kept from now on.
    pub stored: bool,
    /// Age of the answer and the rest of its life.
    pub life: Option<(Duration, Duration)>,
    /// Who gave the answer.
    pub giver: Option<Giver>,
    /// Tokens that were not bought.
    pub saved: Option<Usage>,
}

impl CacheNote {
    /// A result with nothing more to tell.
    #[must_use]
    pub fn new(result: CacheResult) -> Self {
        Self { result: Some(result), ..Self::default() }
    }

    /// Passed by.
    #[must_use]
    pub fn bypass(why: Bypass) -> Self {
        Self { bypass: Some(why), ..Self::new(CacheResult::Bypass) }
    }

    /// Found.
    #[must_use]
    pub fn hit(entry: &Entry, tier: CacheTier) -> Self {
        let now = Instant::now();
        let mut note = Self::new(CacheResult::Hit);
        note.tier = Some(tier);
        note.at = Some(now);
        note.life = Some((entry.age(now), entry.left(now)));
        note.give(entry);
        note
    }

    /// The answer is this one.
    pub fn give(&mut self, entry: &Entry) {
        self.saved = entry.usage;
        self.giver.clone_from(&entry.giver);
    }

    /// The answer was not bought by this request.
    #[must_use]
    pub fn is_given(&self) -> bool {
        matches!(self.result, Some(CacheResult::Hit | CacheResult::Coalesced))
    }
}
