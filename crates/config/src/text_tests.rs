//! Shapes of text: what is read, exactly, and what is not.

use super::*;

fn read<T: Text>(text: &str) -> Option<T::Value> {
    T::parse(text).ok()
}

#[test]
fn durations_are_whole_numbers_with_a_unit() {
    let ms = |text| read::<Duration>(text).map(|duration| duration.as_millis());
    let table =
        [("250ms", 250), ("30s", 30_000), ("5m", 300_000), ("1h", 3_600_000), ("400d", 34_560_000_000)];
    for (text, expected) in table {
        assert_eq!(ms(text), Some(expected), "{text}");
    }
    for text in [
        "",
        "30",
        "s",
        "1.5s",
        "-1s",
        "+1s",
        " 1s",
        "1 s",
        "1S",
        "1h30m",
        "0s",
        "1min",
        "٣s",
        "18446744073709551616ms",
    ] {
        assert_eq!(ms(text), None, "{text}");
    }
    assert_eq!(read::<Wait>("0s"), Some(Duration::ZERO));
}

#[test]
fn sizes_know_both_families_of_units() {
    let table =
        [("20MiB", 20 << 20), ("64KiB", 64 << 10), ("1GB", 1_000_000_000), ("1GiB", 1 << 30), ("7B", 7)];
    for (text, expected) in table {
        assert_eq!(read::<Bytes>(text), Some(Bytes(expected)), "{text}");
    }
    for text in ["20", "20M", "20mb", "1.5GiB", "0MiB", "17179869184GiB"] {
        assert_eq!(read::<Bytes>(text), None, "{text}");
    }
    assert_eq!(read::<Room>("0B"), Some(Bytes(0)));
    assert_eq!(read::<Room>("0"), None);
}

#[test]
fn rates_keep_their_amount_and_period() {
    let table = [("600/min", 600, 60), ("10/s", 10, 1), ("1000/h", 1000, 3600), ("5/d", 5, 86_400)];
    for (text, amount, seconds) in table {
        assert_eq!(read::<Rate>(text), Some(Rate { amount, per: Duration::from_secs(seconds) }), "{text}");
    }
    assert_eq!(read::<Rate>("18446744073709551615/s").unwrap().amount, u64::MAX);
    for text in
        ["600", "600/minute", "/min", "+1/s", "-1/s", "1.5/s", "0/s", "18446744073709551616/s", "1 / s"]
    {
        assert_eq!(read::<Rate>(text), None, "{text}");
    }
}

#[test]
fn shares_are_percentages() {
    let table = [("20%", 0.2), ("2.5%", 0.025), ("100%", 1.0), ("0%", 0.0)];
    for (text, expected) in table {
        assert_eq!(read::<Ratio>(text), Some(Ratio(expected)), "{text}");
    }
    for text in ["0.2", "20", "%", ".5%", "5.%", "1e2%", "-1%", "inf%", "nan%", "1.2.3%"] {
        assert_eq!(read::<Ratio>(text), None, "{text}");
    }
    assert_eq!(read::<Percentile>("p95"), Some(0.95));
    assert_eq!(read::<Percentile>("p99.9").map(|p| (p * 1000.0).round()), Some(999.0));
    assert!(
        ["95", "p0", "p49.9", "p99.95", "p100", "p", "p-5"]
            .iter()
            .all(|text| read::<Percentile>(text).is_none())
    );
}

#[test]
fn a_bare_date_lasts_until_its_end() {
    let second = |text| read::<Expiry>(text).map(|expiry| expiry.0);
    assert_eq!(second("1970-01-01"), Some(86_400));
    assert_eq!(second("2027-06-30T12:00:00Z"), Some(1_814_356_800));
    assert_eq!(second("2027-06-30T14:00:00+02:00"), Some(1_814_356_800));
    for text in ["2027-02-30", "2027", "30.06.2027", "2027-06-30T12:00:00", "tomorrow"] {
        assert_eq!(second(text), None, "{text}");
    }
}

#[test]
fn a_hash_has_its_algorithm_and_all_digits() {
    let digits = "0123456789abcdefABCDEF00000000000000000000000000000000000000000f";
    let hash = read::<KeyHash>(&format!("blake3:{digits}")).unwrap();
    assert_eq!((hash.0[0], hash.0[1], hash.0[8], hash.0[31]), (0x01, 0x23, 0xab, 0x0f));
    for text in [
        digits.to_owned(),
        format!("blake3:{}", &digits[1..]),
        format!("blake3:{digits}0"),
        format!("blake3:{}g", &digits[1..]),
    ] {
        assert!(read::<KeyHash>(&text).is_none(), "{text}");
    }
}

#[test]
fn the_example_of_every_shape_is_valid() {
    fn check<T: Text>() {
        assert!(T::parse(T::EXAMPLE).is_ok(), "{}", T::NAME);
    }
    check::<Duration>();
    check::<Wait>();
    check::<Percentile>();
    check::<Bytes>();
    check::<Room>();
    check::<Rate>();
    check::<Ratio>();
    check::<KeyHash>();
    check::<Expiry>();
    check::<SocketAddr>();
    check::<ipnet::IpNet>();
    check::<Name>();
    check::<KindName>();
    check::<SecretText>();
}
