//! What a request has bought: tokens and money, reckoned once at its end.
//!
//! The usage record, the metrics, budgets and limits all take their numbers from here, so that they agree. Tokens
//! count by the upstream's own word; where it gave none, by what was sent and what came. Answers that were there
//! already (stored, or another request's) cost nothing: only tries at upstreams do.

use crate::{
    app::App,
    ledger::{Cost, Counted, TokenSource, Tokens},
    telemetry::{
        exchange::{Attempt, Exchange},
        labels::AttemptOutcome,
    },
};
use sluice_protocol::{observe::Facts, usage::Usage};
use smallvec::SmallVec;

/// What a request has bought.
#[derive(Debug, Default)]
pub struct Spent {
    /// By try, in the order of the tries.
    pub tries: SmallVec<[Bought; 2]>,
    /// Tokens of all tries together; absent when none are known or none were asked for.
    pub counted: Option<Counted>,
    /// What they cost, as far as prices are known; absent when none is.
    pub cost: Option<Cost>,
}

/// What one try has bought.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Bought {
    /// Tokens; absent when nothing is known of them.
    pub counted: Option<Counted>,
    /// What they cost, in nano-dollars; absent without a price.
    pub nano_usd: Option<u64>,
    /// What the provider's prompt cache made cheaper, less what writing to it cost more, in nano-dollars.
    pub prompt_cache_saved: i64,
}

impl Spent {
    /// Reckons, at the prices in force now.
    #[must_use]
    pub fn of(app: &App, x: &Exchange) -> Self {
        let used: SmallVec<[_; 2]> =
            x.attempts.iter().map(|attempt| used(attempt, x.prompt_tokens)).collect();
        if used.iter().all(Option::is_none) {
            return Self { tries: used.iter().map(|_| Bought::default()).collect(), ..Self::default() };
        }
        let snapshot = app.snapshot();
        let mut spent = Self::default();
        let mut nano_usd = None;
        for (attempt, used) in x.attempts.iter().zip(used) {
            let bought = used.map_or_else(Bought::default, |(usage, source)| {
                let price = snapshot.prices.find(&attempt.target.provider.name, &attempt.model);
                Bought {
                    counted: Some(Counted { tokens: Tokens::from(&usage), source }),
                    nano_usd: price.map(|price| price.cost(&usage)),
                    prompt_cache_saved: price.map_or(0, |price| price.prompt_cache_saved(&usage)),
                }
            });
            spent.counted = together(spent.counted, bought.counted);
            nano_usd = match (nano_usd, bought.nano_usd) {
                (Some(before), Some(more)) => Some(u64::saturating_add(before, more)),
                (before, more) => before.or(more),
            };
            spent.tries.push(bought);
        }
        spent.cost = nano_usd.map(|nano_usd| Cost { nano_usd, prices: snapshot.prices.version().clone() });
        spent
    }

    /// Tokens as the upstream that answered told them, if it did.
    #[must_use]
    pub fn told(&self) -> Option<Tokens> {
        let counted = self.tries.last()?.counted?;
        (counted.source == TokenSource::Provider).then_some(counted.tokens)
    }
}

/// Tokens of two tries. One estimate among them makes the sum one.
fn together(before: Option<Counted>, more: Option<Counted>) -> Option<Counted> {
    match (before, more) {
        (Some(before), Some(more)) => Some(Counted {
            tokens: before.tokens.plus(more.tokens),
            source: if before.source == TokenSource::Estimated { before.source } else { more.source },
        }),
        (before, more) => before.or(more),
    }
}

/// What a try has used up of its upstream; `prompt` is the estimate of the request's own tokens.
fn used(attempt: &Attempt, prompt: u64) -> Option<(Usage, TokenSource)> {
    let estimate = |output| (Usage { input: prompt, output, ..Usage::default() }, TokenSource::Estimated);
    match &attempt.facts {
        Some(Facts { usage: Some(usage), content_tokens, finish, .. }) => {
            // Some tell the prompt's tokens first and the answer's last: cut between the two, what came counts.
            let cut_before_the_count = finish.is_none() && usage.output < content_tokens / 2;
            Some(if cut_before_the_count {
                (Usage { output: *content_tokens, ..*usage }, TokenSource::Estimated)
            } else {
                (*usage, TokenSource::Provider)
            })
        }
        Some(facts) => Some(estimate(facts.content_tokens)),
        // Asked, and left while it thought: it has read the prompt. Failures and refusals are not billed.
        None if attempt.outcome == AttemptOutcome::Cancelled && attempt.sent.has_begun() => Some(estimate(0)),
        None => None,
    }
}

#[cfg(test)]
#[path = "spent_tests.rs"]
mod tests;
