use super::*;

/// A small answer, as tests of the tiers need one.
pub(crate) fn entry(body: &[u8]) -> Entry {
    Entry {
        form: Form::Plain,
        dialect: Dialect::Chat,
        body: Bytes::copy_from_slice(body),
        usage_events: SmallVec::new(),
        usage: Some(Usage { input: 9, output: 3, ..Usage::default() }),
        prompt_tokens: None,
        giver: Giver::new(&"openai".into(), &"gpt-4o-mini".into()),
        provider: "openai".into(),
        model: "gpt-4o-mini".into(),
        tags: Tags { tenant: "acme".into(), key: "ci".into(), model: "small".into() },
        generation: [0; 4],
        ttl: Duration::from_secs(3600),
        born: Instant::now(),
    }
}

#[test]
fn age_and_rest_of_life_add_up_and_never_wrap() {
    let entry = entry(b"{}");
    let later = entry.born + Duration::from_secs(600);
    assert_eq!(entry.age(later), Duration::from_secs(600));
    assert_eq!(entry.left(later), Duration::from_secs(3000));
    assert_eq!(entry.left(entry.born + entry.ttl), Duration::ZERO, "its last moment is over");
    assert_eq!(entry.left(entry.born + entry.ttl * 2), Duration::ZERO);
    if let Some(before) = entry.born.checked_sub(Duration::from_secs(1)) {
        assert_eq!(entry.age(before), Duration::ZERO, "a clock read before it was stored");
    }
}

#[test]
fn every_byte_held_is_weighed() {
    let small = entry(b"");
    let mut large = entry(&[b'x'; 1000]);
    assert_eq!(large.weight() - small.weight(), 1000);
    large.tags.tenant = "acme-subsidiary".into();
    assert_eq!(large.weight() - small.weight(), 1011);
    large.usage_events = SmallVec::from_vec(vec![0..1, 1..2]);
    assert_eq!(large.weight() - small.weight(), 1011 + 32);
}

#[test]
fn a_granted_life_is_nine_tenths_or_more_and_never_longer() {
    for ttl in [Duration::from_secs(3600), Duration::from_millis(7), Duration::ZERO] {
        let lives: Vec<_> = (0..1000).map(|_| life(ttl)).collect();
        assert!(lives.iter().all(|life| *life <= ttl && *life >= ttl.mul_f64(0.9)), "{ttl:?}");
    }
    let lives: Vec<_> = (0..1000).map(|_| life(Duration::from_secs(1000)).as_secs()).collect();
    assert!(lives.iter().any(|life| *life < 910) && lives.iter().any(|life| *life > 990), "spread");
    assert!(life(Duration::MAX) <= Duration::MAX);
}

#[test]
fn a_printed_entry_does_not_show_the_answer() {
    let text = format!("{:?}", entry(b"the secret recipe"));
    assert!(text.contains("bytes: 17") && !text.contains("recipe"), "{text}");
}
