//! Moments as people name them: `today`, `month`, `2026-11-01`, `7d`, or to the second. Days are those of UTC, as
//! in the ledger.

use jiff::{SignedDuration, Timestamp, civil::Date, tz::TimeZone};

const EXPECTED: &str = "expected a day (2026-11-01, midnight UTC), a time (2026-11-01T08:00:00Z), a span back from now (7d, 24h, 30m), \
     `today` or `month`";

/// What `text` means now.
///
/// # Errors
/// What would have been understood.
pub(crate) fn when(text: &str) -> Result<Timestamp, String> {
    parse(text, Timestamp::now()).ok_or_else(|| EXPECTED.to_owned())
}

fn parse(text: &str, now: Timestamp) -> Option<Timestamp> {
    match text {
        "today" => midnight(now.to_zoned(TimeZone::UTC).date()),
        "month" => Some(month_of(now)),
        _ => span(text)
            .map(|span| now.checked_sub(span).ok())
            .or_else(|| day(text).map(midnight))
            .unwrap_or_else(|| text.parse().ok()),
    }
}

/// The beginning of the month of a moment.
pub(crate) fn month_of(time: Timestamp) -> Timestamp {
    // Only the first month of all time has no beginning.
    midnight(time.to_zoned(TimeZone::UTC).date().first_of_month()).unwrap_or(time)
}

fn midnight(day: Date) -> Option<Timestamp> {
    Some(day.to_zoned(TimeZone::UTC).ok()?.timestamp())
}

/// `2026-11-01` and nothing else: the parser itself is more generous.
fn day(text: &str) -> Option<Date> {
    let shape =
        |(at, byte): (usize, u8)| if at == 4 || at == 7 { byte == b'-' } else { byte.is_ascii_digit() };
    let fits = text.len() == 10 && text.bytes().enumerate().all(shape);
    text.parse().ok().filter(|_| fits)
}

/// `7d`.
fn span(text: &str) -> Option<SignedDuration> {
    let seconds = match text.as_bytes().last()? {
        b's' => 1,
        b'm' => 60,
        b'h' => 3_600,
        b'd' => 86_400,
        b'w' => 7 * 86_400,
        _ => return None,
    };
    let amount =
        text.get(..text.len() - 1).filter(|amount| amount.bytes().all(|byte| byte.is_ascii_digit()))?;
    let amount: u32 = amount.parse().ok()?;
    Some(SignedDuration::from_secs(i64::from(amount) * seconds))
}

/// A moment in a heading: `2026-11-01 00:00 UTC`.
pub(crate) fn spelled(time: Timestamp) -> String {
    let whole_minute = time.as_nanosecond() % 60_000_000_000 == 0;
    time.strftime(if whole_minute { "%Y-%m-%d %H:%M UTC" } else { "%Y-%m-%d %H:%M:%S UTC" }).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meant(text: &str) -> Option<String> {
        parse(text, "2026-11-23T17:45:30.5Z".parse().unwrap()).map(|time| time.to_string())
    }

    #[test]
    fn moments_are_understood_as_people_name_them() {
        for (text, expected) in [
            ("2026-11-01", "2026-11-01T00:00:00Z"),
            ("2024-02-29", "2024-02-29T00:00:00Z"),
            ("2026-11-01T08:30:00Z", "2026-11-01T08:30:00Z"),
            ("2026-11-01T08:30:00.25+02:00", "2026-11-01T06:30:00.25Z"),
            ("today", "2026-11-23T00:00:00Z"),
            ("month", "2026-11-01T00:00:00Z"),
            ("7d", "2026-11-16T17:45:30.5Z"),
            ("24h", "2026-11-22T17:45:30.5Z"),
            ("30m", "2026-11-23T17:15:30.5Z"),
            ("90s", "2026-11-23T17:44:00.5Z"),
            ("2w", "2026-11-09T17:45:30.5Z"),
            ("0d", "2026-11-23T17:45:30.5Z"),
        ] {
            assert_eq!(meant(text).as_deref(), Some(expected), "{text}");
        }
    }

    #[test]
    fn what_may_mean_two_things_is_refused() {
        for text in [
            "",
            "d",
            "7",
            "7 d",
            "-7d",
            "+7d",
            "7.5d",
            "7days",
            "d7",
            "yesterday",
            "Today",
            "2026-11",
            "20261101",
            "2026-11-31",
            "2026-13-01",
            "01.11.2026",
            "2026-11-01T08:30:00",
            "2026-11-01 08:30",
            "4294967295w",
            "99999999999d",
            "\u{663}d",
            "é",
        ] {
            assert_eq!(meant(text), None, "{text}");
        }
        assert!(when("soon").unwrap_err().contains("7d"));
    }

    #[test]
    fn a_moment_is_spelled_to_the_second_only_where_it_has_any() {
        assert_eq!(spelled("2026-11-01T00:00:00Z".parse().unwrap()), "2026-11-01 00:00 UTC");
        assert_eq!(spelled("2026-11-01T08:30:05.9Z".parse().unwrap()), "2026-11-01 08:30:05 UTC");
    }
}
