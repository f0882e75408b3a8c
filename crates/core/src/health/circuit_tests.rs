use super::*;
use sluice_config::model::Ratio;

const RULES: model::Circuit = model::Circuit {
    consecutive_failures: 5,
    failure_ratio: Ratio(0.5),
    window: Duration::from_secs(10),
    min_requests: 20,
    open_for: Duration::from_secs(1),
    max_open: Duration::from_secs(60),
};

const NO_ANSWER: Fault = Fault::NoAnswer { probe: false };

fn secs(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds)
}

fn fail(circuit: &Circuit, times: usize, now: Instant) {
    for _ in 0..times {
        circuit.failed(now, NO_ANSWER);
    }
}

/// A circuit that five failures have opened, and when.
fn open() -> (Circuit, Instant) {
    let (circuit, now) = (Circuit::new(RULES), Instant::now());
    for _ in 0..5 {
        assert_eq!(circuit.admit(now).0, Admission::Pass);
        circuit.failed(now, NO_ANSWER);
    }
    (circuit, now)
}

#[test]
fn failures_in_a_row_open_it_and_one_success_between_them_does_not_let_them() {
    let (circuit, now) = (Circuit::new(RULES), Instant::now());
    for _ in 0..3 {
        fail(&circuit, 4, now);
        circuit.answered(now, now);
    }
    assert_eq!(circuit.stands(now).0, State::Closed);
    fail(&circuit, 5, now);
    assert_eq!(circuit.stands(now), (State::Open, Some(secs(1.0))));
    assert_eq!(circuit.admit(now + secs(0.4)).0, Admission::Refused(secs(0.6)));
}

#[test]
fn a_ratio_over_the_half_of_enough_requests_opens_it() {
    let (circuit, now) = (Circuit::new(RULES), Instant::now());
    // One of two fails, never five in a row: exactly half is not more than half.
    for _ in 0..50 {
        circuit.answered(now, now);
        circuit.failed(now, NO_ANSWER);
    }
    assert_eq!(circuit.stands(now).0, State::Closed);
    circuit.failed(now, NO_ANSWER);
    assert_eq!(circuit.stands(now).0, State::Open);
    // Few requests say nothing.
    let few = Circuit::new(RULES);
    for _ in 0..4 {
        fail(&few, 4, now);
        few.answered(now, now);
    }
    assert_eq!(few.stands(now).0, State::Closed, "nineteen at the last failure");
    few.failed(now, NO_ANSWER);
    assert_eq!(few.stands(now).0, State::Open, "enough of them");
}

#[test]
fn what_happened_before_the_window_is_forgotten() {
    let (circuit, now) = (Circuit::new(RULES), Instant::now());
    for step in 0..40 {
        // One of four in a second, over a window of ten: 40 requests with 10 failures.
        let at = now + secs(f64::from(step) / 4.0);
        if step % 4 == 0 {
            circuit.failed(at, NO_ANSWER)
        } else {
            circuit.answered(at, at)
        };
    }
    let later = now + secs(30.0);
    for _ in 0..10 {
        circuit.failed(later, NO_ANSWER);
        circuit.answered(later, later);
    }
    assert_eq!(circuit.stands(later).0, State::Closed);
    circuit.failed(later, NO_ANSWER);
    assert_eq!(circuit.stands(later).0, State::Open, "11 of 21, since only these count");
}

#[test]
fn once_its_time_is_over_one_probe_passes_and_its_success_closes_it() {
    let (circuit, now) = open();
    let later = now + secs(1.0);
    assert_eq!(circuit.admit(later).0, Admission::Probe);
    assert_eq!(circuit.stands(later).0, State::HalfOpen);
    assert_eq!(circuit.admit(later).0, Admission::Refused(secs(1.5)), "one is enough");
    circuit.answered(later, later);
    assert_eq!(circuit.admit(later).0, Admission::Pass);
    // Back to the first open time.
    fail(&circuit, 5, later);
    assert_eq!(circuit.stands(later), (State::Open, Some(secs(1.0))));
}

#[test]
fn each_failed_probe_makes_the_next_open_time_longer_up_to_a_bound() {
    let (circuit, mut now) = open();
    let mut times = Vec::new();
    for _ in 0..14 {
        let (_, left) = circuit.stands(now);
        let left = left.unwrap();
        times.push(left.as_secs_f64());
        now += left;
        assert_eq!(circuit.admit(now).0, Admission::Probe);
        circuit.failed(now, Fault::NoAnswer { probe: true });
    }
    assert_eq!(times.get(..4), Some(&[1.0, 1.5, 2.25, 3.375][..]));
    assert_eq!(times.last(), Some(&60.0));
}

#[test]
fn a_probe_that_says_nothing_lets_the_next_one_ask() {
    let (circuit, now) = open();
    let later = now + secs(1.0);
    assert_eq!(circuit.admit(later).0, Admission::Probe);
    circuit.undecided(later);
    assert_eq!(circuit.admit(later).0, Admission::Probe);
}

#[test]
fn whoever_went_anyway_closes_it_with_an_answer_and_changes_nothing_with_a_failure() {
    let (circuit, now) = open();
    circuit.failed(now + secs(0.5), NO_ANSWER);
    assert_eq!(circuit.stands(now), (State::Open, Some(secs(1.0))));
    circuit.answered(now + secs(0.6), now + secs(0.6));
    assert_eq!(circuit.stands(now).0, State::Closed);
}

#[test]
fn one_that_wants_to_be_left_alone_is_and_stays_closed() {
    let (circuit, now) = (Circuit::new(RULES), Instant::now());
    circuit.rest(now, secs(7.0));
    assert_eq!(circuit.admit(now + secs(3.0)).0, Admission::Refused(secs(4.0)));
    assert_eq!(circuit.stands(now).0, State::Closed);
    assert_eq!(circuit.admit(now + secs(7.0)).0, Admission::Pass);
    circuit.rest(now, secs(7.0));
    circuit.answered(now, now);
    assert_eq!(circuit.admit(now).0, Admission::Pass, "it answers again");
}

#[test]
fn it_can_be_closed_by_hand_and_called_due_by_a_sign_of_life() {
    let (circuit, now) = open();
    circuit.is_due(now);
    assert_eq!(circuit.admit(now).0, Admission::Probe);
    circuit.failed(now, Fault::NoAnswer { probe: true });
    circuit.close();
    assert_eq!(circuit.admit(now).0, Admission::Pass);
}

#[test]
fn a_probe_that_hangs_holds_up_the_next_no_longer_than_the_next_open_time() {
    let (circuit, now) = open();
    let later = now + secs(1.0);
    assert_eq!(circuit.admit(later).0, Admission::Probe);
    assert_eq!(circuit.refuses(later + secs(1.4)), Some(secs(0.1)));
    assert_eq!(circuit.admit(later + secs(1.5)).0, Admission::Probe);
    assert_eq!(circuit.admit(later + secs(1.6)).0, Admission::Refused(secs(2.15)));
    circuit.answered(later + secs(1.7), later + secs(1.7));
    assert_eq!(circuit.stands(later + secs(1.7)).0, State::Closed);
}

#[test]
fn to_look_asks_for_nothing() {
    let (circuit, now) = open();
    assert_eq!(circuit.refuses(now + secs(1.0)), None);
    assert_eq!(circuit.stands(now + secs(1.0)).0, State::Open);
    assert_eq!(circuit.admit(now + secs(1.0)).0, Admission::Probe);
}

#[test]
fn answers_from_before_the_trouble_do_not_close_it_nor_wake_it() {
    let (circuit, now) = open();
    let before = now.checked_sub(secs(5.0)).unwrap();
    circuit.answered(before, now + secs(0.5));
    assert_eq!(circuit.stands(now).0, State::Open);
    circuit.close();
    circuit.rest(now, secs(7.0));
    circuit.answered(before, now);
    assert_eq!(circuit.refuses(now), Some(secs(7.0)));
    circuit.answered(now, now);
    assert_eq!(circuit.refuses(now), None);
}

#[test]
fn answers_that_began_break_a_row_of_failures_however_long_they_last() {
    let (circuit, now) = (Circuit::new(RULES), Instant::now());
    for _ in 0..100 {
        fail(&circuit, 1, now);
        for _ in 0..19 {
            circuit.answered(now, now);
        }
    }
    assert_eq!(circuit.stands(now).0, State::Closed, "one of twenty");
}

#[test]
fn answers_that_break_in_a_row_open_it_and_one_that_ends_well_between_them_does_not_let_them() {
    let (circuit, now) = (Circuit::new(RULES), Instant::now());
    let breaks = |times: usize| {
        for _ in 0..times {
            circuit.answered(now, now);
            circuit.failed(now, Fault::Broken);
        }
    };
    breaks(4);
    circuit.answered(now, now);
    circuit.ended_well();
    breaks(4);
    assert_eq!(circuit.stands(now).0, State::Closed);
    breaks(1);
    assert_eq!(circuit.stands(now).0, State::Open);
}

#[test]
fn probes_that_say_nothing_do_not_lengthen_the_time() {
    let (circuit, now) = open();
    let later = now + secs(1.0);
    for _ in 0..20 {
        assert_eq!(circuit.admit(later).0, Admission::Probe);
        circuit.undecided(later);
    }
    assert_eq!(circuit.admit(later).0, Admission::Probe);
    circuit.failed(later, Fault::NoAnswer { probe: true });
    assert_eq!(circuit.stands(later), (State::Open, Some(secs(1.5))));
}
