//! "Did you mean": the nearest known word.

/// The candidate nearest to `word`, if it is near enough to be what was meant.
pub(crate) fn closest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // A third of the letters may differ: two slips in `opnai` → `openai`, none in `a` → `b`.
    let most = (word.chars().count() / 3).max(1);
    let distance =
        |candidate| strsim::damerau_levenshtein(&word.to_lowercase(), &str::to_lowercase(candidate));
    candidates
        .into_iter()
        .map(|candidate| (distance(candidate), candidate))
        .filter(|(distance, candidate)| *distance <= most && *distance < candidate.chars().count())
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}
