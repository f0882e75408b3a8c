use super::*;
use bytes::Bytes;
use http::{HeaderName, HeaderValue};
use sluice_config::model::{self, Replay};
use sluice_protocol::{Dialect, Profile};

fn common(mode: CacheMode) -> Cache {
    Cache {
        mode,
        ttl: Duration::from_secs(3600),
        scope: CacheScope::Tenant,
        memory: model::Bytes(1 << 20),
        redis: false,
        max_entry: model::Bytes(1 << 20),
        coalesce: true,
        replay: Replay::Instant,
        allow_force: false,
    }
}

fn mode(mode: CacheMode) -> CacheOverride {
    CacheOverride { mode: Some(mode), ..CacheOverride::default() }
}

#[test]
fn the_key_goes_before_the_model_and_what_is_disabled_stays_so() {
    use CacheMode::{All, Deterministic, Disabled, Seeded};
    for (of_all, of_model, of_key, expected) in [
        (Seeded, None, None, Seeded),
        (Seeded, Some(Deterministic), None, Deterministic),
        (Seeded, Some(Deterministic), Some(All), All),
        (Disabled, None, Some(All), All),
        (All, Some(Disabled), Some(All), Disabled),
        (All, Some(All), Some(Disabled), Disabled),
    ] {
        let (of_model, of_key) = (of_model.map(mode), of_key.map(mode));
        let policy = Policy::of(&common(of_all), of_model.as_ref(), of_key.as_ref());
        assert_eq!(policy.mode, expected, "{of_all:?} {of_model:?} {of_key:?}");
    }
    let ttl = |seconds| CacheOverride { ttl: Some(Duration::from_secs(seconds)), ..CacheOverride::default() };
    let policy = Policy::of(&common(Seeded), Some(&ttl(60)), Some(&ttl(90)));
    assert_eq!(policy.ttl, Duration::from_secs(90));
}

fn wishes(headers: &[(&str, &str)]) -> Result<Wishes, GatewayError> {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        map.append(HeaderName::try_from(*name).unwrap(), HeaderValue::try_from(*value).unwrap());
    }
    Wishes::read(&map)
}

#[test]
fn headers_are_understood_or_refused() {
    let read = |name, value| wishes(&[(name, value)]).unwrap();
    assert!(read("cache-control", "no-cache").refresh);
    assert!(read("cache-control", "foo, No-Cache").refresh);
    assert!(read("cache-control", "only-if-cached").only_if_cached);
    assert_eq!(read("cache-control", "max-age=30").max_age, Some(Duration::from_secs(30)));
    assert_eq!(read("cache-control", "max-age=soon").max_age, Some(Duration::ZERO));
    assert!(
        read("cache-control", "max-age=99999999999999999999").max_age > Some(Duration::from_secs(1 << 31))
    );
    assert_eq!(read("cache-control", "no-store").refuse, Some(Bypass::NoStore));
    assert_eq!(read("cache-control", "private, stale-if-error=5"), Wishes::default());
    assert_eq!(read("x-sluice-cache", "on"), Wishes::default());
    assert_eq!(read("x-sluice-cache", "off").refuse, Some(Bypass::Off));
    assert!(read("x-sluice-cache", "refresh").refresh);
    assert_eq!(read("x-sluice-cache-ttl", "86400").ttl, Some(Duration::from_secs(86400)));
    assert_eq!(read("x-sluice-cache-namespace", "nightly").namespace, "nightly");
    for (name, value) in [
        ("x-sluice-cache", "maybe"),
        ("x-sluice-cache", ""),
        ("x-sluice-cache-ttl", "0"),
        ("x-sluice-cache-ttl", "86401"),
        ("x-sluice-cache-ttl", "1.5"),
        ("x-sluice-cache-ttl", "-1"),
        ("x-sluice-cache-ttl", "1h"),
        ("x-sluice-cache-namespace", "caf\u{e9}"),
    ] {
        let error = wishes(&[(name, value)]).unwrap_err();
        assert_eq!(error.kind, ErrorKind::BadHeader, "{name}: {value}");
        assert!(error.message.contains(name), "{}", error.message);
    }
    let twice = [("x-sluice-cache-namespace", "a"), ("x-sluice-cache-namespace", "b")];
    assert!(wishes(&twice).is_err(), "which of the two is meant cannot be known");
    assert!(wishes(&[("x-sluice-cache-namespace", "n".repeat(129).as_str())]).is_err());
}

#[test]
fn each_mode_takes_what_it_says() {
    use CacheMode::{All, Deterministic, Disabled, Seeded};
    let seeded = r#"{"model":"m","prompt":"x","seed":7}"#;
    let cold = r#"{"model":"m","prompt":"x","temperature":0.0}"#;
    let warm = r#"{"model":"m","prompt":"x","temperature":1}"#;
    for (mode, body, force, expected) in [
        (Seeded, seeded, false, Ok(())),
        (Seeded, cold, false, Err(Bypass::NoSeed)),
        (Seeded, warm, false, Err(Bypass::NoSeed)),
        (Seeded, warm, true, Ok(())),
        (Deterministic, cold, false, Ok(())),
        (Deterministic, warm, false, Err(Bypass::NoSeed)),
        (All, warm, false, Ok(())),
        (Disabled, seeded, true, Err(Bypass::Disabled)),
    ] {
        let headers: &[(&str, &str)] = if force { &[("x-sluice-cache", "force")] } else { &[] };
        let policy = Policy { allow_force: true, ..Policy::of(&common(mode), None, None) };
        let call = Envelope::scan(Bytes::from(body), Dialect::Completions, Profile::Open).unwrap();
        assert_eq!(wishes(headers).unwrap().decide(&policy, &call), expected, "{mode:?} {body}");
    }
    let policy = Policy::of(&common(Seeded), None, None);
    let call = Envelope::scan(Bytes::from(warm), Dialect::Completions, Profile::Open).unwrap();
    let forced = wishes(&[("x-sluice-cache", "force")]).unwrap();
    assert_eq!(forced.decide(&policy, &call), Err(Bypass::ForceNotAllowed));
    let call = Envelope::scan(Bytes::from(seeded), Dialect::Completions, Profile::Open).unwrap();
    assert_eq!(forced.decide(&policy, &call), Ok(()), "what may be cached anyway needs no force");
    let refused = wishes(&[("cache-control", "no-store"), ("x-sluice-cache", "force")]).unwrap();
    assert_eq!(refused.decide(&policy, &call), Err(Bypass::NoStore));
}
