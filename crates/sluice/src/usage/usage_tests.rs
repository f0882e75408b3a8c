use super::*;

fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}

#[test]
fn without_a_beginning_it_is_that_of_the_month_that_is_asked_about() {
    let now = time("2026-11-23T17:45:30Z");
    for (until, expected) in [
        (None, "2026-11-01T00:00:00Z"),
        (Some("2026-11-10T00:00:00Z"), "2026-11-01T00:00:00Z"),
        (Some("2026-11-01T00:00:00Z"), "2026-10-01T00:00:00Z"),
        (Some("2026-03-15T12:00:00Z"), "2026-03-01T00:00:00Z"),
        (Some("2027-01-01T00:00:00Z"), "2026-11-01T00:00:00Z"),
    ] {
        assert_eq!(beginning(until.map(time), now), time(expected), "{until:?}");
    }
}
