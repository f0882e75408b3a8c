//! What an effort is worth in tokens of thought, and back: some models are told the one and some the other.

/// Up to so many tokens of thought are a low effort, and up to the second number a medium one. Coding agents that
/// let people ask for more thought step from 4,000 over 10,000 to 32,000.
const LOW: i64 = 4_096;
const MEDIUM: i64 = 16_384;

/// The effort that a budget comes near to.
pub(super) const fn of_budget(tokens: i64) -> &'static str {
    if tokens <= LOW {
        "low"
    } else if tokens <= MEDIUM {
        "medium"
    } else {
        "high"
    }
}

/// The tokens that an effort is worth; none where nobody knows the word.
pub(super) fn budget(effort: &str) -> Option<i64> {
    Some(match effort {
        "minimal" => 1024,
        "low" => 2048,
        "medium" => 8192,
        "high" => 16_384,
        "xhigh" | "max" => 32_768,
        _ => return None,
    })
}
