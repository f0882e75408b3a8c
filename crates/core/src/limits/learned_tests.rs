use super::*;

#[test]
fn a_new_key_begins_with_what_others_got_from_the_model() {
    let learned = LearnedLengths::default();
    (0..30).for_each(|_| learned.of("a", "m").observe(1000));
    assert!(learned.of("a", "m").p95().unwrap() >= 1000);
    assert_eq!(learned.of("b", "m").p95(), learned.of("a", "m").p95());
    assert_eq!(learned.of("a", "other").p95(), None);
    (0..20).for_each(|_| learned.of("b", "m").observe(10));
    assert!(learned.of("b", "m").p95().unwrap() < 20, "its own by now");
    assert!(learned.of("a", "m").p95().unwrap() >= 1000, "and nobody else's");
}

#[test]
fn pairs_beyond_the_cap_are_told_by_their_model() {
    let learned = LearnedLengths::with_caps(2, 10);
    (0..30).for_each(|_| learned.of("a", "m").observe(1000));
    (0..30).for_each(|_| learned.of("b", "m").observe(1000));
    (0..30).for_each(|_| learned.of("c", "m").observe(10));
    assert_eq!(learned.of("c", "m").p95(), learned.of("d", "m").p95());
    assert!(learned.of("c", "m").p95().unwrap() >= 1000);
    assert_eq!(learned.models.read().unwrap().pairs, 2);
    (0..30).for_each(|_| learned.of("a", "n").observe(7));
    assert_eq!(learned.of("z", "n").p95(), Some(8), "a model of its own still");
}

#[test]
fn models_beyond_the_cap_share_one() {
    let learned = LearnedLengths::with_caps(100, 3);
    for model in 0..50 {
        learned.of("k", &format!("m{model}")).observe(100);
    }
    assert_eq!(learned.models.read().unwrap().by_name.len(), 3);
    assert_eq!(learned.of("k", "m0").p95(), None, "one answer of its own");
    assert!(learned.of("k", "m40").p95().is_some(), "all that are beyond, together");
}

#[test]
fn many_may_learn_at_once() {
    let learned = LearnedLengths::with_caps(64, 8);
    std::thread::scope(|scope| {
        for thread in 0..8 {
            let learned = &learned;
            scope.spawn(move || {
                for answer in 0..2000 {
                    let learner =
                        learned.of(&format!("k{}", answer % 16), &format!("m{}", (answer + thread) % 8));
                    learner.observe(64);
                    assert!(learner.p95().is_none_or(|told| told == 64));
                }
            });
        }
    });
    let models = learned.models.read().unwrap();
    assert_eq!(models.pairs, models.by_name.values().map(|model| model.by_key.len()).sum::<usize>());
    assert!(models.pairs <= 64);
}
