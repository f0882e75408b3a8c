use super::*;

fn observed(answers: impl IntoIterator<Item = u64>) -> Lengths {
    let lengths = Lengths::default();
    answers.into_iter().for_each(|tokens| lengths.observe(tokens));
    lengths
}

#[test]
fn nothing_is_told_before_twenty_answers() {
    assert_eq!(observed([]).p95(), None);
    assert_eq!(observed([100; 19]).p95(), None);
    assert!(observed([100; 20]).p95().is_some());
}

#[test]
fn what_is_told_covers_95_of_100_answers_and_hardly_more() {
    for length in [1_u64, 8, 9, 10, 100, 1000, 4096, 100_000, 900_000] {
        let told = observed([length; 50]).p95().unwrap();
        assert!(told >= length && told <= (length + length / 5 + 1).max(8), "{told} for {length}");
    }
    let told = observed(1..=400).p95().unwrap();
    assert!((380..=456).contains(&told), "{told}");
    assert_eq!(observed([u64::MAX; 20]).p95(), UPPER.last().copied(), "longer than anything");
    assert_eq!(observed([0; 20]).p95(), Some(8));
}

#[test]
fn one_answer_in_twenty_may_be_longer_than_what_is_told() {
    let rare =
        |count: usize| observed([&vec![10; 100 - count][..], &vec![5000; count]].concat()).p95().unwrap();
    assert!(rare(5) < 20);
    assert!(rare(6) >= 5000);
}

#[test]
fn old_answers_fade() {
    let lengths = observed([8000; 500]);
    assert!(lengths.p95().unwrap() >= 8000);
    let needed = (1..5000).find(|_| {
        lengths.observe(50);
        lengths.p95().unwrap() < 100
    });
    assert!(needed.is_some_and(|answers| answers < 1500), "{needed:?}");
}

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
