//! Makes the plan: rule, targets, fallbacks, who is left out, in which order they are asked.

use super::{
    fit::{self, Demand},
    order::{self, By},
};
use crate::{
    cache::key::Draft,
    error::{ErrorKind, GatewayError},
    facts::{Call, Choice, Plan, Skip, Skipped},
    headers as names,
    state::snapshot::{KeyEntry, ModelEntry, Rule, Snapshot, Target},
};
use blake3::Hasher;
use http::HeaderMap;
use sluice_config::model::{Condition, Strategy};
use sluice_protocol::{
    Dialect, Usage, affinity, capability, features,
    kept::{Kept, kept},
};
use smallvec::SmallVec;
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

/// A request, as far as routing looks at it.
#[derive(Clone, Copy)]
pub struct Asking<'a> {
    /// The configuration.
    pub snapshot: &'a Snapshot,
    /// Who asks.
    pub key: &'a KeyEntry,
    /// The request's headers.
    pub headers: &'a HeaderMap,
    /// Its body.
    pub call: &'a Call,
    /// When it came.
    pub came: Instant,
}

/// Makes the plan. `draft` is there when the answer may be kept: then the request itself draws its target.
///
/// # Errors
/// `Unserved`, `MaxTokens` when no target can take the request.
pub fn plan(entry: Arc<ModelEntry>, asking: Asking<'_>, draft: Option<&Draft>) -> Result<Plan, GatewayError> {
    let Asking { call, .. } = asking;
    let requested = call.envelope.model().into_owned();
    let rule = entry.rules.iter().position(|rule| asking.holds(rule));
    let own = rule.and_then(|at| entry.rules.get(at)).map_or(&entry.targets, |rule| &rule.targets);
    let sticky = asking.sticky(&entry, draft);
    let kept = kept(&call.envelope);
    let mut sieve = Sieve { asking, kept, demand: None, skipped: Vec::new() };
    let mut choices = sieve.ordered(&entry, own, &requested, sticky.as_ref(), draft);
    for name in &entry.fallbacks {
        let Some(fallback) = asking.snapshot.models.find(name) else { continue };
        // Whoever may not use a model does not come to it by a detour either.
        if !asking.key.may_use(name) {
            sieve.forbidden(fallback, name);
            continue;
        }
        for choice in sieve.ordered(fallback, &fallback.targets, name, sticky.as_ref(), draft) {
            let same = |known: &Choice| {
                Arc::ptr_eq(&known.target.provider, &choice.target.provider) && known.model == choice.model
            };
            // A target that several models lead to is one target.
            if !choices.iter().any(same) {
                choices.push(choice);
            }
        }
    }
    let mut skipped = sieve.skipped;
    if matches!(sieve.kept, Kept::Past(_)) {
        // What it builds on is with the first; another could only say that it does not know it.
        choices.truncate(1);
    }
    if choices.is_empty() {
        choices.extend(roomiest(&mut skipped, call));
    }
    if choices.is_empty() {
        return Err(nowhere(&entry, &skipped));
    }
    let patience = call.patience.unwrap_or_else(|| together(&choices, entry.attempts));
    // What cannot be reckoned is no bound.
    let deadline = asking.came.checked_add(patience).unwrap_or(asking.came + LONGEST);
    Ok(Plan { choices, skipped, rule, sticky, entry, requested, passed_over: 0, deadline })
}

/// No walk takes longer.
const LONGEST: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// What the tries may take one after another.
fn together(choices: &[Choice], attempts: u32) -> Duration {
    let attempts = usize::try_from(attempts).unwrap_or(usize::MAX);
    let longest = choices.iter().map(|choice| choice.target.provider.timeouts.total).take(attempts);
    longest.fold(Duration::ZERO, Duration::saturating_add).min(LONGEST)
}

/// Sorts targets into those that can be asked and those that cannot.
struct Sieve<'a> {
    asking: Asking<'a>,
    kept: Kept,
    /// Read when somebody first wants to know.
    demand: Option<Demand>,
    skipped: Vec<Skipped>,
}

impl Sieve<'_> {
    fn ordered(
        &mut self,
        entry: &ModelEntry,
        targets: &[Arc<Target>],
        requested: &str,
        sticky: Option<&[u8; 32]>,
        draft: Option<&Draft>,
    ) -> SmallVec<[Choice; 2]> {
        let mut choices = SmallVec::new();
        for target in targets {
            let model = target.upstream_model(&entry.name, requested);
            let choice = Choice::new(target.clone(), model, self.asking.call.envelope.dialect());
            match self.skip(&choice) {
                None => choices.push(choice),
                Some(why) => self.skipped.push(Skipped { choice, why }),
            }
        }
        let price = |choice: &Choice| self.asking.price(choice);
        let by = match (sticky, draft) {
            (Some(digest), _) => By::Sticky(digest),
            (None, Some(draft)) => By::Request(draft),
            (None, None) => {
                By::Strategy { strategy: entry.strategy, stream: self.asking.call.stream, price: &price }
            }
        };
        order::order(&mut choices, &by);
        self.put_off(&mut choices);
        choices
    }

    /// Targets that could only answer without something that is asked for come last: another may have it.
    fn put_off(&mut self, choices: &mut SmallVec<[Choice; 2]>) {
        let Asking { call, .. } = self.asking;
        let dialect = call.envelope.dialect();
        if choices.len() < 2 || choices.iter().all(|choice| choice.wire == dialect) {
            return;
        }
        let needs = self.demand.get_or_insert_with(|| Demand::of(call)).needs;
        choices.sort_by_key(|choice| {
            choice.wire != dialect && needs.iter().any(|need| capability::lacks(&choice.family).has(need))
        });
    }

    /// Targets of a model that the key may not use.
    fn forbidden(&mut self, entry: &ModelEntry, requested: &str) {
        self.skipped.extend(entry.targets.iter().map(|target| Skipped {
            choice: Choice::new(
                target.clone(),
                target.upstream_model(&entry.name, requested),
                self.asking.call.envelope.dialect(),
            ),
            why: Skip::Forbidden,
        }));
    }

    fn skip(&mut self, choice: &Choice) -> Option<Skip> {
        let dialect = self.asking.call.envelope.dialect();
        // A count that the target does not make is made here.
        if !choice.serves(dialect) && dialect != Dialect::CountTokens {
            return Some(Skip::Endpoint(dialect));
        }
        if let Kept::Past(member) = self.kept
            && choice.wire != dialect
        {
            return Some(Skip::State(member));
        }
        let target = &choice.target;
        if !fit::is_told(&target.settings) {
            return None;
        }
        self.demand.get_or_insert_with(|| Demand::of(self.asking.call)).against(&target.settings)
    }
}

impl Asking<'_> {
    /// Does a rule's condition hold? All that it says must.
    fn holds(&self, rule: &Rule) -> bool {
        let Condition { min_input_tokens, stream, tools, .. } = &rule.when;
        rule.knows(self.key, self.headers)
            && min_input_tokens.is_none_or(|least| self.call.prompt_tokens() >= least)
            && stream.is_none_or(|stream| stream == self.call.stream)
            && tools.is_none_or(|tools| tools == features::has_tools(&self.call.envelope))
    }

    /// What ties the request to others, if anything does: never over the bounds of a tenant, or of those who may
    /// share answers.
    fn sticky(&self, entry: &ModelEntry, draft: Option<&Draft>) -> Option<[u8; 32]> {
        // Whatever is kept of a tenant's answers is kept in one place, where later requests find it.
        if kept(&self.call.envelope) != Kept::Nothing && keeps_answers(entry) {
            return has_choice(entry).then(|| self.of_tenant(b"kept", &[]));
        }
        if entry.affinity
            && has_choice(entry)
            && let Some(prefix) = affinity::prefix_digest(&self.call.envelope)
        {
            // Answers that all may share come from where their key says, whoever asks.
            let of_all = draft.is_some_and(Draft::is_of_all);
            return Some(if of_all { prefix } else { self.of_tenant(b"prefix", &prefix) });
        }
        // A stored answer belongs to no session.
        if entry.strategy != Strategy::Session || draft.is_some() {
            return None;
        }
        let named = self.headers.get(names::SESSION).map(|name| name.as_bytes().to_vec());
        let session = named.or_else(|| Some(affinity::user(&self.call.envelope)?.as_bytes().to_vec()))?;
        Some(self.of_tenant(b"session", &session))
    }

    fn of_tenant(&self, what: &[u8], value: &[u8]) -> [u8; 32] {
        let tenant = self.key.tenant.as_bytes();
        let mut hasher = Hasher::new();
        hasher.update(what).update(&(tenant.len() as u64).to_le_bytes()).update(tenant).update(value);
        *hasher.finalize().as_bytes()
    }

    /// What the request would cost there, in nano-dollars, as far as is known.
    fn price(&self, choice: &Choice) -> Option<u64> {
        let price = self.snapshot.prices.find(&choice.target.provider.name, &choice.model)?;
        let output = self.call.envelope.max_tokens().and_then(|tokens| u64::try_from(tokens).ok());
        let input = self.call.prompt_tokens();
        Some(price.cost(&Usage { input, output: output.unwrap_or(input), ..Usage::default() }))
    }
}

/// Is there anything to choose: a target, or a key of one?
fn has_choice(entry: &ModelEntry) -> bool {
    let one = |targets: &[Arc<Target>]| matches!(targets, [only] if only.provider.pool.len() == 1);
    !(one(&entry.targets) && entry.fallbacks.is_empty() && entry.rules.iter().all(|rule| one(&rule.targets)))
}

/// Has any target of the model a Responses API, which alone keeps anything? Else nothing ties its requests together.
fn keeps_answers(entry: &ModelEntry) -> bool {
    let mut targets = entry.targets.iter().chain(entry.rules.iter().flat_map(|rule| &rule.targets));
    targets.any(|target| target.family(&target.model).serves(Dialect::Responses))
}

/// A prompt's tokens are only estimated: before nobody is asked, the roomiest is, and counts. Not where the prompt
/// alone is far beyond any doubt.
fn roomiest(skipped: &mut Vec<Skipped>, call: &Call) -> Option<Choice> {
    let room = |skipped: &Skipped| match skipped.why {
        Skip::Context(window) if call.prompt_tokens() <= window.saturating_mul(2) => Some(window),
        _ => None,
    };
    let rooms = skipped.iter().enumerate().filter_map(|(at, one)| Some((at, room(one)?)));
    let (at, _) = rooms.max_by_key(|(_, room)| *room)?;
    Some(skipped.remove(at).choice)
}

/// No target can take the request. Its kind is what all reasons have in common.
fn nowhere(entry: &ModelEntry, skipped: &[Skipped]) -> GatewayError {
    let own = || skipped.iter().filter(|skipped| skipped.why != Skip::Forbidden);
    let all = |is: fn(Skip) -> bool| own().all(|skipped| is(skipped.why));
    let mut reasons: Vec<String> = own().map(|skipped| skipped.why.to_string()).collect();
    reasons.dedup();
    let text = format!("No target of model '{}' can take this request: {}.", entry.name, reasons.join("; "));
    if all(|why| matches!(why, Skip::MaxOutput(_) | Skip::Context(_))) {
        return GatewayError::new(ErrorKind::MaxTokens, text).param("max_tokens");
    }
    let error = GatewayError::new(ErrorKind::Unserved, text);
    let kept = own().find_map(|skipped| match skipped.why {
        Skip::State(member) => Some(member),
        _ => None,
    });
    match kept {
        Some(member) => error.param(member),
        None => error,
    }
}
