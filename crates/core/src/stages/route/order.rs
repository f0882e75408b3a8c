//! In which order equal targets come.
//!
//! Where a request may meet the answer of an equal one, the request itself decides, so that every replica sends it
//! to the same target; so it is with sessions and prefixes. All else is drawn anew for each request.

use crate::{
    cache::key::Draft,
    facts::Choice,
    health::draw::{descending, score, uniform},
};
use blake3::Hasher;
use sluice_config::model::Strategy;
use smallvec::SmallVec;
use std::{cmp::Ordering, time::Instant};

/// What decides among equals.
pub(super) enum By<'a> {
    /// The request as a whole: its answer may be kept.
    Request(&'a Draft),
    /// What it has in common with others: a session, a prefix.
    Sticky(&'a [u8; 32]),
    /// The strategy.
    Strategy {
        /// Which.
        strategy: Strategy,
        /// A stream is asked for.
        stream: bool,
        /// What the request would cost at a target.
        price: &'a dyn Fn(&Choice) -> Option<u64>,
    },
}

/// Orders targets by priority, and equal ones as `by` says. Those without weight come last among equals.
pub(super) fn order(choices: &mut SmallVec<[Choice; 2]>, by: &By<'_>) {
    if choices.len() < 2 {
        return;
    }
    choices.sort_by_key(|choice| choice.target.priority);
    let mut rest: &mut [Choice] = choices;
    while let Some(first) = rest.first() {
        let priority = first.target.priority;
        let equal = rest.iter().take_while(|choice| choice.target.priority == priority).count();
        let (tier, others) = rest.split_at_mut(equal);
        if equal > 1 {
            order_equals(tier, by);
        }
        rest = others;
    }
}

fn order_equals(tier: &mut [Choice], by: &By<'_>) {
    match by {
        By::Request(draft) => {
            by_score(tier, |choice| {
                draft.score(&choice.target.provider.name, &choice.model, choice.target.weight)
            });
        }
        By::Sticky(digest) => by_score(tier, |choice| {
            let mut hasher = Hasher::new_keyed(digest);
            hasher
                .update(choice.target.provider.name.as_bytes())
                .update(&[0])
                .update(choice.model.as_bytes());
            score(uniform(hasher.finalize().as_bytes()), choice.target.weight)
        }),
        By::Strategy { strategy, stream, price } => {
            // Whatever the strategy leaves open is drawn by weight.
            by_score(tier, |choice| score(uniform(&fastrand::u64(..).to_le_bytes()), choice.target.weight));
            match strategy {
                Strategy::Weighted | Strategy::Session => {}
                Strategy::LeastLatency => quicker_of_two(tier, *stream),
                Strategy::LeastBusy => by_load(tier, |choice| {
                    f64::from(choice.health.in_flight() + 1) / f64::from(choice.target.weight)
                }),
                Strategy::Cheapest => {
                    // What has no price may cost anything.
                    by_load(tier, |choice| price(choice).map_or(f64::INFINITY, |nano_usd| nano_usd as f64));
                }
            }
        }
    }
}

/// Highest score first.
fn by_score(tier: &mut [Choice], score: impl Fn(&Choice) -> f64) {
    let key = |choice: &Choice| (choice.target.weight == 0, Descending(score(choice)));
    tier.sort_by_cached_key(key);
}

/// Least load first; equal ones stay as they are.
fn by_load(tier: &mut [Choice], load: impl Fn(&Choice) -> f64) {
    tier.sort_by_cached_key(|choice| (choice.target.weight == 0, Descending(-load(choice))));
}

/// Of two at random the quicker one comes first: nobody herds to the best, and the worst is hardly ever asked.
fn quicker_of_two(tier: &mut [Choice], stream: bool) {
    let now = Instant::now();
    let cost = |choice: &Choice| choice.health.latency.cost(stream, choice.health.in_flight(), now);
    // The tier has just been shuffled by weight: its first two are two at random.
    if let [first, second, ..] = tier
        && second.target.weight > 0
        && cost(second) < cost(first)
    {
        std::mem::swap(first, second);
    }
    // Should the first fail, the best of the others is next.
    if let Some((_, others)) = tier.split_first_mut() {
        by_load(others, cost);
    }
}

/// Orders numbers from high to low.
struct Descending(f64);

impl PartialEq for Descending {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Descending {}

impl PartialOrd for Descending {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Descending {
    fn cmp(&self, other: &Self) -> Ordering {
        descending(self.0, other.0)
    }
}
