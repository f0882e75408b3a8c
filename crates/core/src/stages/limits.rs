//! May the request go on now? A place of the tenant's before its body is read; requests, tokens, money and places
//! in flight of key, tenant, model and provider once it is known what is asked for.

use crate::{
    app::App,
    error::{ErrorKind, GatewayError},
    facts::{Call, Choice, Plan},
    limits::{
        admission::{Ask, Remaining},
        bucket::At,
        holding::{HeldUp, Holding},
        learned::Learner,
        queue,
        refusal::{self, Limit, Refusal},
        scope::{LimitScope, ScopeKind},
    },
    state::snapshot::{KeyEntry, ModelEntry, Snapshot},
    telemetry::{exchange::Exchange, labels::LimitLabel, metrics::Metrics},
};
use sluice_protocol::{Dialect, usage::Usage};
use smallvec::SmallVec;
use std::sync::Arc;

/// The answer of a call that names no limit, before any answer of the model is known.
const UNKNOWN_ANSWER: u64 = 512;

/// Takes a place of what the tenant may hold of all requests in flight.
///
/// # Errors
/// `Limited` when it holds them all.
pub fn enter(key: &KeyEntry, metrics: &Metrics, holding: &mut Holding) -> Result<(), GatewayError> {
    match key.share.enter() {
        Ok(place) => {
            holding.place = Some(place);
            Ok(())
        }
        Err(most) => {
            key.metrics.limited(metrics, LimitLabel::Concurrency);
            holding.told = Some(HeldUp::refused(LimitLabel::Concurrency));
            let text = format!(
                "Tenant '{}' has {most}/{most} requests in flight, its share of this gateway. Retry when one of \
                 them has ended.",
                key.tenant
            );
            Err(GatewayError::new(ErrorKind::Limited, text).retry_after(Some(refusal::TRY_AGAIN)))
        }
    }
}

/// What a request asks of limits, and of whom.
#[derive(Clone, Copy)]
struct Asking<'a> {
    app: &'a App,
    snapshot: &'a Snapshot,
    key: &'a KeyEntry,
    call: &'a Call,
    plan: &'a Plan,
}

/// Takes what the request needs from every scope that applies, or from none. A provider of the plan without room
/// is passed over as long as there is another; tells how many are. No provider is burdened while the answer is
/// `at_hand`: stored here, or that of an equal request under way.
///
/// # Errors
/// `Limited`, with the true time to wait where there is one; `Quota`; `Overloaded` where limits cannot be checked.
pub async fn admit(
    app: &App,
    snapshot: &Snapshot,
    key: &KeyEntry,
    call: &Call,
    plan: &Plan,
    at_hand: impl Fn(&Plan) -> bool,
    x: &mut Exchange,
) -> Result<usize, GatewayError> {
    let asking = Asking { app, snapshot, key, call, plan };
    let mut refused: Option<Refusal> = None;
    let asked = if at_hand(plan) { &[] } else { plan.choices.as_slice() };
    for (index, choice) in asked.iter().enumerate() {
        let provider = choice.target.provider.limits.as_ref();
        // The same provider under another model has no more room.
        if let Some(refused) = &refused
            && provider.is_some_and(|scope| Arc::ptr_eq(scope, &refused.scope))
        {
            continue;
        }
        match asking.take(Some(choice), provider, x).await {
            Ok(()) => return Ok(index),
            Err(refusal) if refusal.scope.kind() == ScopeKind::Provider => refused = Some(refusal),
            Err(refusal) => return Err(refuse(app, key, &refusal, x)),
        }
    }
    match refused {
        Some(refusal) if !at_hand(plan) => Err(refuse(app, key, &refusal, x)),
        // Also when an equal request has just taken the room: its answer will do for this one.
        _ => match asking.take(plan.choices.first(), None, x).await {
            Ok(()) => Ok(0),
            Err(refusal) => Err(refuse(app, key, &refusal, x)),
        },
    }
}

impl Asking<'_> {
    /// Takes it for one target; of its provider only where that is burdened.
    async fn take(
        self,
        choice: Option<&Choice>,
        provider: Option<&Arc<LimitScope>>,
        x: &mut Exchange,
    ) -> Result<(), Refusal> {
        let Self { snapshot, key, plan, .. } = self;
        let scopes: SmallVec<[Arc<LimitScope>; 4]> =
            key.limits.iter().chain(&plan.entry.limits).chain(provider).cloned().collect();
        let ask = self.weigh(choice, x);
        if scopes.is_empty() {
            key.metrics.allowed(false);
            // A provider that is asked later may have limits.
            x.limits.ask = ask;
            return Ok(());
        }
        let shared = snapshot.shared_limits.as_deref();
        let permit = match queue::admit_or_wait(&scopes, ask, shared, At::present).await {
            Ok(permit) => permit,
            Err(refusal) => {
                // In vain, then, if it has waited at all.
                if refusal.scope.queue().is_some() {
                    x.waited_by_rule(x.laps.running());
                }
                return Err(refusal);
            }
        };
        key.metrics.allowed(!permit.waited.is_zero());
        if !permit.waited.is_zero() {
            x.limits.told = Some(HeldUp::queued(permit.waited));
        }
        x.waited_by_rule(permit.waited);
        x.limits.admitted(ask, permit);
        Ok(())
    }

    /// What the request may come to use. Only what any scope looks at is reckoned, that of each provider in the
    /// plan included: the request may come to it in the end.
    fn weigh(self, choice: Option<&Choice>, x: &mut Exchange) -> Ask {
        let Self { app, snapshot, key, call, plan } = self;
        let providers = plan.choices.iter().filter_map(|choice| choice.target.provider.limits.as_ref());
        let scopes = key.limits.iter().chain(&plan.entry.limits).chain(providers);
        let (tokens, money) = scopes.clone().fold((false, false), |(tokens, money), scope| {
            let weighs = scope.weighs();
            (tokens | weighs.0, money | weighs.1)
        });
        if !tokens && !money {
            return Ask::default();
        }
        let learner = app.learned().of(&key.name, &plan.entry.name);
        let prompt = x.prompt_tokens;
        let bucket = scopes.filter_map(|scope| scope.token_burst()).min();
        let output = answer(call, &plan.entry, &learner, bucket.map(|burst| burst.saturating_sub(prompt)));
        x.limits.learner = Some(learner);
        x.limits.samples = call.envelope.samples();
        // Without a price nothing is known of the cost, which is told in metrics; the budget has to have something.
        let price = choice
            .filter(|_| money)
            .and_then(|choice| snapshot.prices.find(&choice.target.provider.name, &choice.model));
        let usage = Usage { input: prompt, output, ..Usage::default() };
        let nano_usd = price.map_or(0, |price| price.cost(&usage));
        Ask { tokens: prompt.saturating_add(output), nano_usd, at: At::default() }
    }
}

/// Tokens that the answer may come to. What the client names is taken at its word; what is only guessed is never
/// more than the bucket has room for, or a guess could refuse a request for ever.
fn answer(call: &Call, entry: &ModelEntry, learner: &Learner, room: Option<u64>) -> u64 {
    if matches!(call.envelope.dialect(), Dialect::Embeddings | Dialect::CountTokens) {
        return 0;
    }
    let samples = call.envelope.samples();
    if let Some(most) = call.envelope.max_tokens().and_then(|tokens| u64::try_from(tokens).ok()) {
        return most.saturating_mul(samples);
    }
    let one = learner.p95().unwrap_or(UNKNOWN_ANSWER).min(entry.max_output_tokens.unwrap_or(u64::MAX));
    one.saturating_mul(samples).min(room.unwrap_or(u64::MAX))
}

/// A refusal as the client is told it.
fn refuse(app: &App, key: &KeyEntry, refusal: &Refusal, x: &mut Exchange) -> GatewayError {
    key.metrics.limited(&app.metrics, label(refusal));
    x.limits.told = Some(HeldUp::refused(label(refusal)));
    x.limits.remaining = match refusal.limit {
        Limit::Requests => Remaining { requests: refusal.left.as_deref().copied(), tokens: None },
        Limit::Tokens => Remaining { requests: None, tokens: refusal.left.as_deref().copied() },
        _ => Remaining::default(),
    };
    refusal.to_error()
}

fn label(refusal: &Refusal) -> LimitLabel {
    match refusal.limit {
        Limit::Unknown => LimitLabel::Unavailable,
        _ if refusal.scope.kind() == ScopeKind::Provider => LimitLabel::Upstream,
        Limit::Requests => LimitLabel::Requests,
        Limit::Tokens => LimitLabel::Tokens,
        Limit::Concurrency | Limit::Queue => LimitLabel::Concurrency,
        Limit::Budget => LimitLabel::Budget,
    }
}
