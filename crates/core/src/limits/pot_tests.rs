use super::*;

fn second(text: &str) -> i64 {
    text.parse::<Timestamp>().unwrap().as_second()
}

fn a_dollar(per: Period) -> Budget {
    Budget { nano_usd: 1_000_000_000, per }
}

const CENT: u64 = 10_000_000;

#[test]
fn periods_are_calendar_days_and_months_in_utc() {
    for (per, at, start, end) in [
        (Period::Day, "2026-11-29T23:59:59Z", "2026-11-29T00:00:00Z", "2026-11-30T00:00:00Z"),
        (Period::Month, "2026-12-31T23:59:59Z", "2026-12-01T00:00:00Z", "2027-01-01T00:00:00Z"),
        (Period::Month, "2028-02-29T00:00:00Z", "2028-02-01T00:00:00Z", "2028-03-01T00:00:00Z"),
    ] {
        let span = Span { start: second(start), end: second(end) };
        assert_eq!(Span::around(per, second(at)), span, "{at}");
        assert_eq!(Span::around(per, span.start), span);
        assert_eq!(Span::around(per, span.end).start, span.end);
    }
    assert_eq!(Span::around(Period::Month, second("2026-11-29T12:00:00Z")).reset_date(), "2026-12-01");
}

#[test]
fn spending_ends_at_the_budget_and_not_before() {
    let now = second("2026-11-29T12:00:00Z");
    let mut pot = Pot::new(a_dollar(Period::Day), 0, now);
    for _ in 0..100 {
        pot.peek(now).unwrap();
        let start = pot.hold(CENT);
        pot.settle(start, CENT, CENT);
    }
    let spent = pot.peek(now).unwrap_err();
    assert_eq!(
        (spent.paid, spent.is_final(), spent.wait),
        (100 * CENT, true, Duration::from_secs(12 * 3600))
    );
    pot.turn(spent.resets - 1);
    assert!(pot.peek(spent.resets - 1).is_err());
    pot.turn(spent.resets);
    assert!(pot.peek(spent.resets).is_ok());
}

#[test]
fn what_requests_under_way_hold_is_not_spent_but_cannot_be_had_either() {
    let now = second("2026-11-29T12:00:00Z");
    let mut pot = Pot::new(a_dollar(Period::Month), 0, now);
    let start = pot.hold(200 * CENT);
    let spent = pot.peek(now).unwrap_err();
    assert!(!spent.is_final() && spent.wait <= Duration::from_secs(1));
    pot.settle(start, 200 * CENT, CENT);
    assert!(pot.peek(now).is_ok());
    assert_eq!(pot.paid(), CENT);
}

#[test]
fn a_request_that_ends_in_the_next_period_is_paid_there() {
    let now = second("2026-11-30T23:59:59Z");
    let mut pot = Pot::new(a_dollar(Period::Month), 90 * CENT, now);
    let start = pot.hold(5 * CENT);
    pot.turn(now + 1);
    let other = pot.hold(7 * CENT);
    pot.settle(start, 5 * CENT, 3 * CENT);
    assert_eq!((pot.paid(), pot.held), (3 * CENT, 7 * CENT));
    pot.settle(other, 7 * CENT, 0);
    assert_eq!((pot.paid(), pot.held), (3 * CENT, 0));
}

#[test]
fn a_clock_that_is_set_back_gives_no_money() {
    let now = second("2026-11-30T00:00:01Z");
    let mut pot = Pot::new(a_dollar(Period::Day), 0, now);
    pot.settle(pot.span().start, 0, 100 * CENT);
    pot.turn(now - 3600);
    assert!(pot.peek(now - 3600).is_err());
}

#[test]
fn what_another_process_has_paid_is_learnt_and_what_is_not_written_yet_is_kept() {
    let now = second("2026-11-30T12:00:00Z");
    let mut pot = Pot::new(a_dollar(Period::Day), 10 * CENT, now);
    let start = pot.hold(CENT);
    pot.settle(start, CENT, CENT);
    for (said, paid) in [(10, 11), (15, 15), (14, 15), (16, 16)] {
        pot.learn(start, said * CENT);
        assert_eq!(pot.paid(), paid * CENT, "{said}");
    }
    pot.turn(pot.span().end);
    pot.learn(start, 90 * CENT);
    assert_eq!(pot.paid(), 0, "of yesterday");
}
