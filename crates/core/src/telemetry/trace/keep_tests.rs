//! What is kept from the start.

use super::*;
use crate::telemetry::trace::SpanId;

#[test]
fn a_share_is_of_traces_that_nobody_has_decided_on() {
    let share = |share| Keep { share, slow: Duration::MAX };
    let kept = |keep: Keep, parent: Option<bool>| {
        let draws = (0..2_000).map(|_| {
            let trace = TraceId::draw();
            keep.at_the_start(
                trace,
                parent.map(|sampled| Parent { trace, span: SpanId::draw(), sampled }).as_ref(),
            )
        });
        draws.filter(|kept| *kept).count()
    };
    assert_eq!((kept(share(0.0), None), kept(share(1.0), None)), (0, 2_000));
    assert!((800..1_200).contains(&kept(share(0.5), None)));
    for any in [0.0, 0.5, 1.0] {
        assert_eq!((kept(share(any), Some(true)), kept(share(any), Some(false))), (2_000, 0));
    }
}

#[test]
fn replicas_agree_on_a_trace() {
    let (few, more) = (Keep { share: 0.1, slow: Duration::MAX }, Keep { share: 0.3, slow: Duration::MAX });
    for _ in 0..500 {
        let trace = TraceId::draw();
        assert_eq!(few.at_the_start(trace, None), few.at_the_start(trace, None));
        assert!(
            !few.at_the_start(trace, None) || more.at_the_start(trace, None),
            "a larger share has it, too"
        );
    }
}
