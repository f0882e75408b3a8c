//! Is there an answer already?
//!
//! Comes after the limits: a hit is a request like any other, and a key without rights or quota gets nothing
//! from the cache either. Judges first, since the key of a cacheable request also chooses its target, and has a look
//! once it is chosen: what a stored answer knows of the prompt need not be worked out for the limits.

use crate::{
    cache::{
        entry::{Entry, Tags},
        key::{CacheKey, Draft, Scope},
        policy::{Bypass, Policy, Wishes},
        store::{Fetched, Otherwise, Recalled, ResponseCache, Seen, Wanted},
    },
    error::{ErrorKind, GatewayError},
    facts::{Cached, Call, Plan},
    state::snapshot::{CacheSetup, KeyEntry, ModelEntry},
    telemetry::{
        exchange::{CacheNote, Exchange},
        labels::{AbortPhase, CacheResult, CacheTier},
    },
};
use http::HeaderMap;
use sluice_config::model::{CacheScope, Replay};
use std::sync::Arc;

/// A request that may be answered from the cache; its target is not chosen yet.
pub struct Candidate<'a> {
    setup: &'a CacheSetup,
    /// Everything in the key but the target.
    pub draft: Draft,
    wishes: Wishes,
    policy: Policy,
}

/// Judges a request. `None` when the cache is passed by, noted with its reason.
///
/// # Errors
/// `BadHeader`; `NotCached` when only a stored answer will do and none can be there.
pub fn judge<'a>(
    setup: Option<&'a CacheSetup>,
    key: &KeyEntry,
    entry: &ModelEntry,
    headers: &HeaderMap,
    call: &Call,
    x: &mut Exchange,
) -> Result<Option<Candidate<'a>>, GatewayError> {
    let wishes = Wishes::read(headers)?;
    let judged = match setup {
        None => Err(Bypass::Disabled),
        Some(setup) => {
            let policy = Policy::of(&setup.common, entry.cache.as_ref(), key.cache.as_ref());
            wishes.decide(&policy, &call.envelope).map(|()| (setup, policy))
        }
    };
    match judged {
        Ok((setup, policy)) => {
            let scope = match policy.scope {
                CacheScope::Key => Scope::Key { tenant: &key.tenant, key: &key.name },
                CacheScope::Tenant => Scope::Tenant(&key.tenant),
                CacheScope::Global => Scope::Global,
            };
            let draft = Draft::new(scope, &wishes.namespace, headers, &call.envelope);
            Ok(Some(Candidate { setup, draft, wishes, policy }))
        }
        Err(why) => {
            x.cache = CacheNote { only: wishes.only_if_cached, ..CacheNote::bypass(why) };
            if wishes.only_if_cached {
                Err(not_cached(&format!("the cache is passed by ({})", why.as_str())))
            } else {
                Ok(None)
            }
        }
    }
}

/// A candidate whose target is chosen, which makes its key whole.
pub struct Keyed<'a> {
    setup: &'a CacheSetup,
    key: CacheKey,
    wishes: Wishes,
    policy: Policy,
    /// What was stored in this process when the key was made.
    seen: Seen,
}

impl<'a> Candidate<'a> {
    /// Of a plan, the first target counts. Has a look at what is stored, for stages that come before the request may
    /// have it.
    ///
    /// # Errors
    /// `Internal` where there is none.
    pub fn toward(self, plan: &Plan) -> Result<Keyed<'a>, GatewayError> {
        let Self { setup, draft, wishes, policy } = self;
        let Some(first) = plan.choices.first() else {
            return Err(GatewayError::new(ErrorKind::Internal, "The model has no target."));
        };
        let key = draft.key(&first.target.provider.name, &first.model);
        let seen = setup.cache.peek(&key, wishes.max_age);
        Ok(Keyed { setup, key, wishes, policy, seen })
    }
}

impl Keyed<'_> {
    /// Is there an answer in this process already, stored or under way? Then no provider is asked, as far as can be
    /// told now. Looks only where a provider has limits, since nobody else wants to know.
    #[must_use]
    pub fn is_at_hand(&self, plan: &Plan) -> bool {
        let setup = self.setup;
        let is_wanted = plan.choices.iter().any(|choice| choice.target.provider.limits.is_some());
        // In this order: what is under way is so until it is stored.
        let is_under_way = || setup.common.coalesce && setup.cache.flights.has(&self.key);
        let is_stored = || setup.cache.recall_again(&self.key, self.wishes.max_age).is_some();
        is_wanted && !self.wishes.refresh && (self.seen.any() || is_under_way() || is_stored())
    }

    /// Tokens of the prompt, where they were estimated for an answer that is stored in this process.
    #[must_use]
    pub fn prompt_tokens(&self) -> Option<u64> {
        self.seen.prompt_tokens
    }
}

/// What the first tier says.
pub enum LookUp {
    /// A stored answer.
    Hit(Recalled),
    /// Not in the first tier: to be asked for, and kept.
    Ask(Box<Cached>),
}

/// Looks into the first tier; into the second only where nothing else will do.
///
/// # Errors
/// `NotCached` when only a stored answer will do.
pub async fn look_up(
    keyed: Keyed<'_>,
    key: &KeyEntry,
    plan: &Plan,
    call: &Call,
    x: &mut Exchange,
) -> Result<LookUp, GatewayError> {
    let Keyed { setup, key: cache_key, wishes, policy, seen } = keyed;
    let paced = setup.common.replay == Replay::Paced;
    let wanted = Wanted { stream: call.stream, usage: call.wants_usage(), paced };
    let recalled = async |entry: &Arc<Entry>, tier: CacheTier, x: &mut Exchange| {
        let recalled = Recalled::of(entry, wanted).await?;
        // A stored answer burdens no provider.
        x.limits.leave_provider();
        x.cache = CacheNote::hit(entry, tier);
        x.phase = AbortPhase::Wait;
        Some(LookUp::Hit(recalled))
    };
    let cache: Arc<ResponseCache> = setup.cache.clone();
    let joins = setup.common.coalesce && !wishes.refresh;
    let otherwise = if joins && !wishes.only_if_cached { Otherwise::Boards } else { Otherwise::Asks };
    if !wishes.refresh
        && let Some(entry) = cache.recall(&cache_key, wishes.max_age, &seen, otherwise)
        && let Some(hit) = recalled(&entry, CacheTier::Memory, x).await
    {
        return Ok(hit);
    }
    if wishes.only_if_cached {
        if !wishes.refresh
            && let Fetched::Hit(entry) = cache.fetch(&cache_key, wishes.max_age).await
            && let Some(hit) = recalled(&entry, CacheTier::Redis, x).await
        {
            return Ok(hit);
        }
        x.cache = CacheNote { only: true, ..CacheNote::new(CacheResult::Miss) };
        return Err(not_cached("no stored answer fits"));
    }
    let tags = Tags { tenant: key.tenant.clone(), key: key.name.clone(), model: plan.entry.name.clone() };
    Ok(LookUp::Ask(Box::new(Cached {
        generation: cache.generation(&tags),
        key: cache_key,
        looks_up: !wishes.refresh,
        joins,
        coalesced: Arc::default(),
        paced,
        max_age: wishes.max_age,
        ttl: wishes.ttl.unwrap_or(policy.ttl),
        limit: usize::try_from(setup.common.max_entry.0).unwrap_or(usize::MAX),
        tags,
        cache,
    })))
}

fn not_cached(why: &str) -> GatewayError {
    let text = format!("Only a stored answer was asked for (Cache-Control: only-if-cached): {why}.");
    GatewayError::new(ErrorKind::NotCached, text)
}
