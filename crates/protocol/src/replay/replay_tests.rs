use super::*;
use crate::fitness;

#[path = "golden_tests.rs"]
mod goldens;
#[path = "round_trip_tests.rs"]
mod round_trips;

/// A stream as it stands after the observer has seen it: it must have ended well.
fn watched(dialect: Dialect, events: &[u8]) -> StreamObserver {
    let decoded = decode(events);
    let mut observer = StreamObserver::new(dialect, false);
    for event in &decoded.events {
        let verdict = observer.observe(event);
        assert!(!matches!(verdict, Verdict::Error | Verdict::Malformed | Verdict::Withhold), "{event:?}");
    }
    assert!(!decoded.cut && observer.terminal_seen() && observer.ended_well());
    observer
}

fn plain(dialect: Dialect, events: &str) -> String {
    assert_eq!(fitness::stream(dialect, events.as_bytes()), Ok(()), "{events}");
    String::from_utf8(to_plain(dialect, events.as_bytes()).expect("converts")).expect("text")
}

fn streamed(dialect: Dialect, body: &str) -> String {
    assert_eq!(fitness::plain(dialect, body.as_bytes()), Ok(()), "{body}");
    let replayed = to_stream(dialect, body.as_bytes()).expect("converts");
    watched(dialect, &replayed.events);
    if let Some(usage) = &replayed.usage {
        assert_eq!(&*usage_events(dialect, &replayed.events), std::slice::from_ref(usage));
    }
    String::from_utf8(replayed.events).expect("text")
}
