//! What answers cost: the tokens of those that were sent whole and of those that broke off, by model.

use std::sync::atomic::{AtomicU64, Ordering};

use serde::Serialize;

use crate::answer::Usage;

/// What one answer has cost so far.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Spent {
    /// `completion` is what has been sent of it.
    pub(crate) usage: Usage,
    /// Its last byte has been sent.
    pub(crate) whole: bool,
}

impl Spent {
    /// An answer that was sent to its end.
    pub(crate) fn whole(usage: Usage) -> Self {
        Self { usage, whole: true }
    }

    /// An answer of which so many tokens have been sent.
    pub(crate) fn part(usage: Usage, sent: u64) -> Self {
        Self { usage: Usage { completion: sent, ..usage }, whole: false }
    }

    /// An answer that has not begun.
    pub(crate) fn nothing(prompt: u64) -> Self {
        Self::part(Usage { prompt, ..Usage::default() }, 0)
    }
}

/// Answers that were sent whole: what an upstream would write on its bill, whether or not the client asked for
/// usage.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Finished {
    /// How many there were. Errors do not count, and neither do answers that a script spells out.
    pub answers: u64,
    /// Tokens of their prompts.
    pub input_tokens: u64,
    /// Those of them that were reported as cached; part of `input_tokens`.
    pub cached_tokens: u64,
    /// Tokens of their content.
    pub output_tokens: u64,
}

/// Answers that broke off because their reader left or by a fault, also before their first byte.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Cut {
    /// How many there were.
    pub answers: u64,
    /// Tokens of their prompts.
    pub input_tokens: u64,
    /// Tokens of the content that had been sent by then; of a plain answer in halves, half of them.
    pub output_tokens: u64,
}

/// The tokens of one model.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ModelTokens {
    /// Answers that were sent whole.
    pub finished: Finished,
    /// Answers that broke off.
    pub cut: Cut,
}

/// What one model was asked and has spent. Plain atomics: counting must not slow a benchmark.
#[derive(Debug, Default)]
pub(crate) struct OfModel {
    pub(crate) requests: AtomicU64,
    finished: Sums,
    cut: Sums,
}

#[derive(Debug, Default)]
struct Sums {
    answers: AtomicU64,
    input: AtomicU64,
    cached: AtomicU64,
    output: AtomicU64,
}

impl OfModel {
    /// Adds an answer that has ended.
    pub(crate) fn add(&self, spent: &Spent) {
        let sums = if spent.whole { &self.finished } else { &self.cut };
        let Usage { prompt, completion, cache_read, .. } = spent.usage;
        for (sum, tokens) in [
            (&sums.answers, 1),
            (&sums.input, prompt),
            (&sums.cached, cache_read),
            (&sums.output, completion),
        ] {
            sum.fetch_add(tokens, Ordering::Relaxed);
        }
    }

    /// The sums now.
    pub(crate) fn tokens(&self) -> ModelTokens {
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let Self { finished, cut, .. } = self;
        ModelTokens {
            finished: Finished {
                answers: get(&finished.answers),
                input_tokens: get(&finished.input),
                cached_tokens: get(&finished.cached),
                output_tokens: get(&finished.output),
            },
            cut: Cut {
                answers: get(&cut.answers),
                input_tokens: get(&cut.input),
                output_tokens: get(&cut.output),
            },
        }
    }
}

impl std::iter::Sum for ModelTokens {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self::default(), |sum, one| Self {
            finished: Finished {
                answers: sum.finished.answers + one.finished.answers,
                input_tokens: sum.finished.input_tokens + one.finished.input_tokens,
                cached_tokens: sum.finished.cached_tokens + one.finished.cached_tokens,
                output_tokens: sum.finished.output_tokens + one.finished.output_tokens,
            },
            cut: Cut {
                answers: sum.cut.answers + one.cut.answers,
                input_tokens: sum.cut.input_tokens + one.cut.input_tokens,
                output_tokens: sum.cut.output_tokens + one.cut.output_tokens,
            },
        })
    }
}
