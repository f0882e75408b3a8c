use super::*;
use bytes::Bytes;
use sluice_protocol::Profile;

fn call(dialect: Dialect, body: &str) -> Envelope {
    Envelope::scan(Bytes::copy_from_slice(body.as_bytes()), dialect, Profile::Open).unwrap()
}

fn chat(body: &str) -> Envelope {
    call(Dialect::Chat, body)
}

const BODY: &str = r#"{"model":"m","messages":[{"role":"user","content":"hi"}],"seed":7}"#;

fn key(scope: Scope<'_>, namespace: &str, headers: &[(&'static str, &'static str)]) -> CacheKey {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        map.append(*name, value.parse().unwrap());
    }
    Draft::new(scope, namespace, &map, &chat(BODY)).key("openai", "gpt-4o")
}

#[test]
fn every_part_decides() {
    let headers = [("anthropic-version", "2023-06-01")];
    let keys = [
        key(Scope::Tenant("a"), "", &[]),
        key(Scope::Tenant("b"), "", &[]),
        key(Scope::Key { tenant: "a", key: "" }, "", &[]),
        key(Scope::Key { tenant: "a", key: "b" }, "", &[]),
        key(Scope::Key { tenant: "ab", key: "" }, "", &[]),
        key(Scope::Global, "", &[]),
        key(Scope::Tenant("a"), "n", &[]),
        key(Scope::Tenant("a"), "", &headers),
        key(Scope::Tenant("a"), "", &[("anthropic-beta", "2023-06-01")]),
        key(Scope::Tenant("a"), "", &[("openai-beta", "2023-06-01")]),
    ];
    for (at, one) in keys.iter().enumerate() {
        for (other_at, other) in keys.iter().enumerate() {
            assert_eq!(one == other, at == other_at, "{at} and {other_at}");
        }
    }
}

#[test]
fn the_target_and_the_endpoint_decide() {
    let draft = |call: &Envelope| Draft::new(Scope::Global, "", &HeaderMap::new(), call);
    let chat = draft(&chat(BODY));
    assert_ne!(chat.key("a", "m"), chat.key("b", "m"));
    assert_ne!(chat.key("a", "m"), chat.key("a", "n"));
    assert_ne!(chat.key("ab", "c"), chat.key("a", "bc"));
    assert_eq!(chat.key("a", "m"), chat.key("a", "m"));
    let body = r#"{"model":"m","prompt":"x","messages":[],"input":"x","seed":7}"#;
    let completions = draft(&call(Dialect::Completions, body)).key("a", "m");
    assert_ne!(completions, draft(&call(Dialect::Embeddings, body)).key("a", "m"));
}

#[test]
fn a_list_of_betas_is_a_set() {
    let key = |headers: &[(&'static str, &'static str)]| key(Scope::Global, "", headers);
    let one = key(&[("anthropic-beta", "a, b")]);
    assert_eq!(one, key(&[("anthropic-beta", "b,a")]));
    assert_eq!(one, key(&[("anthropic-beta", "b"), ("anthropic-beta", "a")]));
    assert_ne!(one, key(&[("anthropic-beta", "a")]));
    assert_ne!(one, key(&[("anthropic-beta", "a"), ("openai-beta", "b")]));
    // Headers that no upstream sees, or that only trace, do not count.
    assert_eq!(one, key(&[("anthropic-beta", "a, b"), ("x-request-id", "1"), ("traceparent", "x")]));
}

#[test]
fn a_key_is_told_as_64_hexadecimal_digits() {
    let text = key(Scope::Global, "", &[]).to_string();
    assert_eq!(text.len(), 64);
    assert!(text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')), "{text}");
}

/// Written down once: whoever changes what goes into a key has to raise [`FORMAT`], or other replicas and older
/// entries would be met under keys that mean something else.
#[test]
fn the_format_is_pinned() {
    assert_eq!(FORMAT, "sluice-cache/1");
    let key = key(Scope::Tenant("a"), "n", &[("anthropic-beta", "b")]);
    assert_eq!(key.to_string(), "fc4dd36ac17239e8e7b5818d1cd0b560bc9d300aadcb4a4a742db620157328de");
}

#[test]
fn the_draw_follows_the_weights() {
    let mut first = 0;
    for seed in 0..4000 {
        let body = format!(r#"{{"model":"m","messages":[],"seed":{seed}}}"#);
        let body = body.replace("[]", r#"[{"role":"user","content":"x"}]"#);
        let draft = Draft::new(Scope::Global, "", &HeaderMap::new(), &chat(&body));
        first += u32::from(draft.score("a", "m", 3) > draft.score("b", "m", 1));
        assert!(draft.score("c", "m", 0) <= 0.0, "a target without weight never wins");
    }
    assert!((2850..3150).contains(&first), "three quarters of 4000: {first}");
}

#[test]
fn where_a_key_stands_in_a_table_is_secret_and_stays() {
    let (one, other) = (KeyHashes::default(), KeyHashes::default());
    let keys: Vec<_> = (0..1000).map(CacheKey::for_tests).collect();
    assert!(keys.iter().all(|key| one.hash_one(key) == one.hash_one(key)));
    // In the lowest eight bits, which a small table looks at, keys are spread over most of the 256 places, and no two
    // tables agree by more than chance.
    let place = |hashes: &KeyHashes, key: &CacheKey| hashes.hash_one(key) & 0xff;
    let places: std::collections::HashSet<_> = keys.iter().map(|key| place(&one, key)).collect();
    assert!(places.len() > 200, "{}", places.len());
    let same = keys.iter().filter(|key| place(&one, key) == place(&other, key)).count();
    assert!(same < 100, "{same}");
}
