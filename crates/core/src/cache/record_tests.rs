use super::*;
use crate::cache::entry::tests::entry;
use proptest::prelude::*;

const LIMIT: usize = 1 << 20;
const LEFT: Duration = Duration::from_secs(600);

/// Where things stand; see the module.
const LENGTH_AT: usize = 37;
const REST_AT: usize = 45;
const FLAGS_AT: usize = 77;
const BODY_LENGTH_AT: usize = 119;

fn key() -> CacheKey {
    CacheKey::for_tests(1)
}

fn read(bytes: &[u8]) -> Result<Entry, Invalid> {
    open(&key(), &Bytes::copy_from_slice(bytes), Instant::now(), LEFT, LIMIT)
}

/// Gives a changed record the length and the checksum that make it look sound.
fn forged(record: &[u8]) -> Vec<u8> {
    framed(&record[REST_AT..])
}

fn stream() -> Entry {
    let mut entry = entry(b"data: {}\n\ndata: {\"usage\":1}\n\ndata: [DONE]\n\n");
    entry.form = Form::Stream;
    entry.usage_events = SmallVec::from_elem(10..29, 1);
    entry
}

prop_compose! {
    fn any_entry()(
        body in prop_oneof![
            proptest::collection::vec(any::<u8>(), 0..300),
            ("[ab]{1,9}", 1..600usize).prop_map(|(piece, times)| piece.repeat(times).into_bytes()),
        ],
        stream in any::<bool>(),
        dialect in proptest::sample::select(Dialect::ALL.to_vec()),
        counts in any::<Option<[u32; 6]>>(),
        cuts in proptest::collection::btree_set(0..300usize, 0..6),
        names in any::<[String; 5]>(),
        generation in any::<[u64; 4]>(),
        ttl in 600_000..86_400_000u64,
    ) -> Entry {
        let [provider, model, tenant, key_name, configured] = names.map(Arc::<str>::from);
        let cuts: Vec<_> = cuts.into_iter().filter(|cut| *cut <= body.len()).collect();
        Entry {
            form: if stream { Form::Stream } else { Form::Plain },
            dialect,
            body: Bytes::from(body),
            usage_events: cuts.chunks_exact(2).map(|pair| pair[0]..pair[1]).collect(),
            usage: counts.map(|counts| {
                let [input, output, cache_read, cache_write, cache_write_long, reasoning] =
                    counts.map(u64::from);
                Usage { input, output, cache_read, cache_write, cache_write_long, reasoning }
            }),
            prompt_tokens: None,
            giver: Giver::new(&provider, &model),
            provider,
            model,
            tags: Tags { tenant, key: key_name, model: configured },
            generation,
            ttl: Duration::from_millis(ttl),
            born: Instant::now(),
        }
    }
}

proptest! {
    #[test]
    fn what_is_sealed_opens_as_it_was(mut entry in any_entry(), compress_from in 0..2000usize) {
        let now = Instant::now();
        let record = Bytes::from(seal(&key(), &entry, compress_from));
        let opened = open(&key(), &record, now, LEFT, entry.body.len()).expect("sound");
        prop_assert_eq!(opened.left(now), LEFT);
        entry.born = opened.born;
        prop_assert_eq!(&opened, &entry);
        prop_assert_eq!(&opened.body, &entry.body);
    }

    #[test]
    fn bytes_of_any_kind_are_refused_calmly(bytes in proptest::collection::vec(any::<u8>(), 0..400), framed in any::<bool>()) {
        let bytes = if framed { super::framed(&bytes) } else { bytes };
        prop_assert!(read(&bytes).is_err());
    }

    #[test]
    fn a_forged_record_is_read_or_refused_but_never_more_than_the_limit(
        entry in any_entry(),
        compress_from in 0..600usize,
        changes in proptest::collection::vec((FLAGS_AT..1000usize, any::<u8>()), 1..4),
    ) {
        let mut record = seal(&key(), &entry, compress_from);
        for (at, byte) in changes {
            let at = at.min(record.len() - 1);
            record[at] = byte;
        }
        if let Ok(opened) = read(&forged(&record)) {
            prop_assert!(opened.body.len() <= LIMIT);
            prop_assert!(opened.usage_events.iter().all(|event| opened.body.get(event.clone()).is_some()));
        }
    }

    #[test]
    fn an_lz4_block_of_any_kind_is_unpacked_within_the_length(
        stored in proptest::collection::vec(any::<u8>(), 0..200),
        length in 0..400usize,
    ) {
        if let Ok(body) = unpacked(&stored, length) {
            prop_assert!(body.len() <= length);
        }
    }
}

#[test]
fn the_layout_is_as_documented() {
    let record = seal(&key(), &stream(), COMPRESS_FROM);
    assert_eq!(record[..5], *b"SLUC\x02");
    assert_eq!(record[LENGTH_AT..REST_AT], u64::try_from(record.len()).unwrap().to_le_bytes());
    assert_eq!(record[REST_AT..FLAGS_AT], *key().as_bytes());
    assert_eq!(record[FLAGS_AT..FLAGS_AT + 2], [STREAM | USAGE, 2]);
    assert_eq!(record[BODY_LENGTH_AT..BODY_LENGTH_AT + 8], 43u64.to_le_bytes());
    assert!(record.ends_with(b"data: [DONE]\n\n"));
}

#[test]
fn a_flip_of_any_byte_is_noticed() {
    for compress_from in [usize::MAX, 0] {
        let mut entry = stream();
        entry.body = Bytes::from(b"data: {}\n\n".repeat(20));
        let record = seal(&key(), &entry, compress_from);
        assert_eq!(record[FLAGS_AT] & COMPRESSED != 0, compress_from == 0);
        assert!(read(&record).is_ok());
        for at in 0..record.len() {
            for flip in [0x01, 0x80, 0xff] {
                let mut changed = record.clone();
                changed[at] ^= flip;
                let invalid = read(&changed).expect_err(&format!("byte {at} changed by {flip:#x}"));
                let expected = match at {
                    0..5 => [Invalid::Version; 2],
                    LENGTH_AT..REST_AT => [Invalid::Cut, Invalid::Checksum],
                    _ => [Invalid::Checksum; 2],
                };
                assert!(expected.contains(&invalid), "byte {at}: {invalid:?}");
            }
        }
    }
}

#[test]
fn a_record_cut_anywhere_is_called_so() {
    let record = seal(&key(), &stream(), COMPRESS_FROM);
    for length in 0..record.len() {
        assert_eq!(read(&record[..length]), Err(Invalid::Cut), "{length} bytes");
    }
    let longer = [&record[..], b"\n"].concat();
    assert_eq!(read(&longer), Err(Invalid::Checksum), "and one with something after it is damaged");
}

#[test]
fn the_record_of_another_key_is_not_given_away() {
    let record = seal(&CacheKey::for_tests(2), &stream(), COMPRESS_FROM);
    assert_eq!(read(&record), Err(Invalid::Binding));
    let mut damaged = record;
    damaged[FLAGS_AT] ^= 1;
    assert_eq!(read(&damaged), Err(Invalid::Checksum), "damage is not called a foreign record");
}

#[test]
fn another_version_is_a_miss_whatever_follows() {
    let mut record = seal(&key(), &stream(), COMPRESS_FROM);
    record[4] = 1;
    assert_eq!(read(&record), Err(Invalid::Version));
    assert_eq!(read(b"SLUC\x01"), Err(Invalid::Version));
    assert_eq!(read(b"{\"json\": true}"), Err(Invalid::Version));
}

#[test]
fn sound_records_with_parts_that_this_version_does_not_write_are_misses() {
    let record = seal(&key(), &stream(), COMPRESS_FROM);
    for (at, value) in
        [(FLAGS_AT, STREAM | USAGE | 8), (FLAGS_AT, 0xff), (FLAGS_AT + 1, 0), (FLAGS_AT + 1, 7)]
    {
        let mut changed = record.clone();
        changed[at] = value;
        assert_eq!(read(&forged(&changed)), Err(Invalid::Version), "byte {at} is {value}");
    }
    for events in [&[(29, 43), (0, 10)][..], &[(0, 20), (10, 30)], &[(5, 5)], &[(0, 44)]] {
        let mut entry = stream();
        entry.usage_events = events.iter().map(|(start, end)| *start..*end).collect();
        assert_eq!(read(&seal(&key(), &entry, COMPRESS_FROM)), Err(Invalid::Version), "{events:?}");
    }
}

#[test]
fn a_bomb_is_refused_before_anything_is_unpacked() {
    let record = seal(&key(), &entry(&b"a".repeat(LIMIT)), COMPRESS_FROM);
    assert!(record.len() < LIMIT / 100, "a small record of a large body");
    assert_eq!(read(&record).map(|entry| entry.body.len()), Ok(LIMIT), "right at the limit");
    // Only the first could be allocated at all: the others would end the process.
    for declared in [u64::try_from(LIMIT).unwrap() + 1, u64::MAX / 2, u64::MAX] {
        let mut bomb = record.clone();
        bomb[BODY_LENGTH_AT..BODY_LENGTH_AT + 8].copy_from_slice(&declared.to_le_bytes());
        assert_eq!(read(&forged(&bomb)), Err(Invalid::TooLarge), "{declared}");
    }
    let mut names = record;
    names[BODY_LENGTH_AT + 8..BODY_LENGTH_AT + 16].copy_from_slice(&u64::MAX.to_le_bytes());
    assert_eq!(read(&forged(&names)), Err(Invalid::Cut), "a name longer than the record");
}

#[test]
fn a_body_of_another_length_than_it_says_is_refused() {
    for compress_from in [usize::MAX, 0] {
        let mut record = seal(&key(), &entry(&b"a".repeat(50_000)), compress_from);
        for said in [100u64, 49_999, 50_001, 100_000] {
            record[BODY_LENGTH_AT..BODY_LENGTH_AT + 8].copy_from_slice(&said.to_le_bytes());
            assert_eq!(read(&forged(&record)), Err(Invalid::Version), "{said}");
        }
    }
}

#[test]
fn a_record_past_all_bounds_is_refused_unread() {
    let huge = vec![0; LIMIT + ROOM + 1];
    assert_eq!(read(&huge), Err(Invalid::TooLarge));
}

#[test]
fn a_body_is_compressed_from_the_threshold_on_and_only_if_that_helps() {
    let text = entry(&b"data: {\"choices\":[]}\n\n".repeat(1000));
    assert!(seal(&key(), &text, COMPRESS_FROM).len() < text.body.len() / 4);
    assert!(seal(&key(), &text, text.body.len() + 1).len() > text.body.len(), "below the threshold");
    let mut hasher = blake3::Hasher::new().update(b"noise").finalize_xof();
    let mut noise = vec![0; 32 * 1024];
    hasher.fill(&mut noise);
    let record = seal(&key(), &entry(&noise), COMPRESS_FROM);
    assert_eq!(record[FLAGS_AT] & COMPRESSED, 0);
    assert!(record.ends_with(&noise), "what cannot be compressed is stored as it is");
}

#[test]
fn an_uncompressed_body_is_not_copied() {
    let record = Bytes::from(seal(&key(), &stream(), COMPRESS_FROM));
    let entry = open(&key(), &record, Instant::now(), LEFT, LIMIT).expect("sound");
    assert!(record.as_ptr_range().contains(&entry.body.as_ptr()));
}

#[test]
fn age_comes_from_what_the_store_says_is_left() {
    let now = Instant::now();
    let record = Bytes::from(seal(&key(), &entry(b"{}"), COMPRESS_FROM));
    let opened = |left| open(&key(), &record, now, left, LIMIT).expect("sound");
    assert_eq!(opened(Duration::from_secs(600)).age(now), Duration::from_secs(3000));
    assert_eq!(opened(Duration::ZERO).left(now), Duration::ZERO);
    let longer = opened(Duration::from_secs(9999));
    assert_eq!((longer.age(now), longer.left(now)), (Duration::ZERO, longer.ttl), "no longer than granted");
}
