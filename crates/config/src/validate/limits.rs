//! Limits of every scope. What one scope may hold and another may not is decided here alone.

use super::Check;
use crate::{
    codes,
    model::{Limits, Settings},
    path,
    problems::Problem,
};
use std::time::Duration;

/// A queue bridges a moment. Whoever waits longer is better told when to come back.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// One block of limits in the file.
struct Block<'a> {
    at: String,
    limits: &'a Limits,
    /// Does a tenant's share mean something here?
    shared_by_tenants: bool,
    /// Something outside of the block that its queue can wait for.
    limited_elsewhere: bool,
}

impl Check<'_> {
    pub(super) fn limits(&mut self, settings: &Settings) {
        let blocks = blocks(settings);
        for block in &blocks {
            self.block(block);
        }
        self.limited_twice(settings);
        self.nothing_shared(settings, &blocks);
    }

    fn block(&mut self, block: &Block<'_>) {
        let Block { at, limits, .. } = block;
        if let Some(weight) = limits.cached_input_weight {
            let at = path::field(at, "cached_input_weight");
            self.share(&at, weight);
            if limits.tokens.is_none() && self.problems.index.is_set(&at) {
                let message = "it is the cost in a bucket of tokens, and there is none in this block";
                self.warning(&at, codes::IDLE_LIMIT, message, "add `tokens`, or remove it");
            }
        }
        self.tenant_share(block);
        self.queue(block);
    }

    fn tenant_share(&mut self, block: &Block<'_>) {
        let Some(share) = block.limits.tenant_share else { return };
        let at = path::field(&block.at, "tenant_share");
        if !block.shared_by_tenants {
            let help = "move it to the common `limits`, or to a tenant's";
            return self.warning(&at, codes::IDLE_LIMIT, "a tenant's share means nothing here", help);
        }
        self.share(&at, share);
        if share.0 <= 0.0 {
            let help = "write a share above 0%";
            self.error(&at, codes::OUT_OF_RANGE, "no tenant could ask for anything", help);
        }
    }

    fn queue(&mut self, block: &Block<'_>) {
        let Limits { requests, tokens, concurrency, queue, .. } = block.limits;
        let Some(queue) = queue else { return };
        let at = path::field(&block.at, "queue");
        if queue.max_wait > LONGEST_WAIT {
            let help =
                "write 60s or less: a client that is told when to come back does better than one that waits";
            let at = path::field(&at, "max_wait");
            self.error(&at, codes::OUT_OF_RANGE, "a queue is short: nobody waits for more than 60s", help);
        }
        let limited = requests.is_some() || tokens.is_some() || concurrency.is_some();
        if !limited && !block.limited_elsewhere {
            let message =
                "there is nothing to wait for: the block limits neither requests, tokens nor concurrency";
            let problem =
                Problem::warning(codes::IDLE_LIMIT, message).help("add a limit, or remove the queue");
            self.problems.push_key(&at, problem);
        }
    }

    /// Requests in flight to a provider can be limited in two places.
    fn limited_twice(&mut self, settings: &Settings) {
        for (index, provider) in settings.providers.iter().enumerate() {
            let other = provider.limits.as_ref().and_then(|limits| limits.concurrency);
            if let (Some(_), Some(_)) = (provider.max_concurrency, other) {
                let at = path::field(&path::item("providers", index), "limits.concurrency");
                let message =
                    "requests in flight are limited by `max_concurrency` as well: the lower of the two holds";
                self.warning(&at, codes::IDLE_LIMIT, message, "keep one of them");
            }
        }
    }

    /// Said once: without Redis every block means the same.
    fn nothing_shared(&mut self, settings: &Settings, blocks: &[Block<'_>]) {
        if settings.redis.is_some() || self.problems.index.is_set("redis") {
            return;
        }
        let places = blocks.iter().map(|block| path::field(&block.at, "on_redis_down"));
        if let Some(at) = places.into_iter().find(|at| self.problems.index.is_set(at)) {
            let message =
                "`on_redis_down` means nothing without a `redis` section: limits are counted in memory";
            self.problems.push_key(&at, Problem::note(codes::IDLE_LIMIT, message));
        }
    }
}

/// Every block of limits there is.
fn blocks(settings: &Settings) -> Vec<Block<'_>> {
    fn of<'a>(list: &str, index: usize, limits: Option<&'a Limits>) -> Option<Block<'a>> {
        let at = path::field(&path::item(list, index), "limits");
        limits.map(|limits| Block { at, limits, shared_by_tenants: false, limited_elsewhere: false })
    }
    let Settings { limits: common, providers, models, tenants, keys, .. } = settings;
    let common_block = common.as_ref().map(|limits| Block {
        at: "limits".to_owned(),
        limits,
        shared_by_tenants: true,
        limited_elsewhere: false,
    });
    let providers = providers.iter().enumerate().filter_map(|(index, provider)| {
        let limited_elsewhere = provider.max_concurrency.is_some();
        Some(Block { limited_elsewhere, ..of("providers", index, provider.limits.as_ref())? })
    });
    let tenants = tenants.iter().enumerate().filter_map(|(index, tenant)| {
        let block = of("tenants", index, tenant.limits.as_ref())?;
        // The common section gives every tenant a share.
        let limited_elsewhere = common.is_some() || block.limits.tenant_share.is_some();
        Some(Block { shared_by_tenants: true, limited_elsewhere, ..block })
    });
    let models = models.iter().enumerate();
    let models = models.filter_map(|(index, model)| of("models", index, model.limits.as_ref()));
    let keys = keys.iter().enumerate();
    let keys = keys.filter_map(|(index, key)| of("keys", index, key.limits.as_ref()));
    common_block.into_iter().chain(providers).chain(models).chain(tenants).chain(keys).collect()
}
