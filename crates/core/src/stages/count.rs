//! Counts of tokens for targets that make none: our own estimate, at once.
//!
//! Whoever asks for the length of a prompt wants to know whether it fits. An estimate that errs on the safe side
//! says that; what an answer costs is never taken from it.

use crate::facts::Plan;
use bytes::Bytes;
use sluice_protocol::Dialect;

/// Does the target that comes first make counts itself?
#[must_use]
pub fn is_made_there(plan: &Plan) -> bool {
    plan.choices.get(plan.passed_over).is_some_and(|choice| choice.serves(Dialect::CountTokens))
}

/// Leaves nobody to ask but those who make counts: to others, it would be a request for an endpoint that they lack.
pub fn keep_those_who_make_it(plan: &mut Plan) {
    plan.choices.drain(..plan.passed_over.min(plan.choices.len()));
    plan.passed_over = 0;
    plan.choices.retain(|choice| choice.serves(Dialect::CountTokens));
}

/// The answer, in Anthropic's form.
#[must_use]
pub fn own(tokens: u64) -> Bytes {
    format!(r#"{{"input_tokens":{tokens}}}"#).into()
}
