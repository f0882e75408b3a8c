use super::*;

fn observed(values: impl IntoIterator<Item = u64>) -> Fading {
    let fading = Fading::default();
    values.into_iter().for_each(|value| fading.observe(value));
    fading
}

#[test]
fn nothing_is_told_before_twenty_values() {
    assert_eq!(observed([]).quantile(0.95), None);
    assert_eq!(observed([100; 19]).quantile(0.95), None);
    assert!(observed([100; 20]).quantile(0.95).is_some());
}

#[test]
fn what_is_told_covers_its_share_of_values_and_hardly_more() {
    for length in [1_u64, 8, 9, 10, 100, 1000, 4096, 100_000, 900_000] {
        let told = observed([length; 50]).quantile(0.95).unwrap();
        assert!(told >= length && told <= (length + length / 5 + 1).max(8), "{told} for {length}");
    }
    let told = observed(1..=400).quantile(0.95).unwrap();
    assert!((380..=456).contains(&told), "{told}");
    assert_eq!(observed([u64::MAX; 20]).quantile(0.95), UPPER.last().copied(), "larger than anything");
    assert_eq!(observed([0; 20]).quantile(0.95), Some(8));
}

#[test]
fn one_value_in_twenty_may_be_larger_than_what_is_told() {
    let rare = |count: usize| {
        observed([&vec![10; 100 - count][..], &vec![5000; count]].concat()).quantile(0.95).unwrap()
    };
    assert!(rare(5) < 20);
    assert!(rare(6) >= 5000);
}

#[test]
fn old_values_fade() {
    let fading = observed([8000; 500]);
    assert!(fading.quantile(0.95).unwrap() >= 8000);
    let needed = (1..5000).find(|_| {
        fading.observe(50);
        fading.quantile(0.95).unwrap() < 100
    });
    assert!(needed.is_some_and(|values| values < 1500), "{needed:?}");
}

#[test]
fn any_share_can_be_asked_for() {
    let fading = observed(1..=400);
    let told = |share| fading.quantile(share).unwrap();
    assert!((200..=240).contains(&told(0.5)), "{}", told(0.5));
    assert!(told(0.5) < told(0.9) && told(0.9) < told(0.999));
}
