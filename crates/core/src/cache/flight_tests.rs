use super::{log::WINDOW, *};
use crate::{
    App, LogSink, MemoryLog,
    app::BuildInfo,
    cache::{entry::tests::entry, flights::Boarding},
    error::ErrorKind,
    ledger::LedgerPlace,
    telemetry::labels::EndpointLabel,
};
use sluice_config::{Env, Options, Source as Yaml, load};
use std::{
    collections::BTreeMap,
    future::poll_fn,
    path::Path,
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// A source that brings what the test sends it.
struct Scripted {
    script: UnboundedReceiver<Progress>,
    seen: Arc<Seen>,
}

/// What was done to a source.
#[derive(Default)]
struct Seen {
    cancelled: AtomicUsize,
    settled: AtomicUsize,
    outgrown: AtomicUsize,
    completed: Mutex<Option<(Bytes, Vec<Range<usize>>)>>,
}

impl Source for Scripted {
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Progress> {
        match self.script.poll_recv(cx) {
            Poll::Ready(Some(progress)) => Poll::Ready(progress),
            _ => Poll::Pending,
        }
    }

    fn complete(&mut self, events: Bytes, usage: Vec<Range<usize>>) -> Arc<Entry> {
        *self.seen.completed.lock().unwrap() = Some((events.clone(), usage));
        Arc::new(Entry { body: events, ..entry(b"") })
    }

    fn outgrown(&mut self) {
        self.seen.outgrown.fetch_add(1, Ordering::Relaxed);
    }

    fn cancel(&mut self) {
        self.seen.cancelled.fetch_add(1, Ordering::Relaxed);
    }

    fn settle(&self, _: &mut Recorder) {
        self.seen.settled.fetch_add(1, Ordering::Relaxed);
    }
}

/// A flight under the test's hand.
struct Field {
    flights: Arc<Flights>,
    flight: Arc<Flight>,
    send: UnboundedSender<Progress>,
    seen: Arc<Seen>,
    app: Arc<App>,
    log: MemoryLog,
}

const KEY: u64 = 1;

impl Field {
    fn new(limit: usize) -> (Self, Reader) {
        let yaml = "
auth: {mode: open}
providers: [{name: a, kind: openai_compatible, base_url: 'http://127.0.0.1:1/v1', allow_private: true}]
models: [{name: m, targets: [{provider: a, model: m}]}]
";
        let source = Yaml::Text { name: "test", text: yaml, base: Path::new(".") };
        let options = Options { env: Env::Map(BTreeMap::new()), env_optional: false };
        let (sink, log) = LogSink::memory();
        let info = BuildInfo { version: "0", revision: "0" };
        let app =
            App::build(load(source, &options).unwrap().settings, info, sink, LedgerPlace::Memory).unwrap();
        let flights = Arc::new(Flights::default());
        let Boarding::Lead(ticket) =
            flights.board(CacheKey::for_tests(KEY), &terms(), false, limit, &Bytes::new(), || None)
        else {
            panic!("the first leads")
        };
        let (send, script) = unbounded_channel();
        let seen = Arc::new(Seen::default());
        let reader = ticket.launch(Box::new(Scripted { script, seen: seen.clone() }), false);
        let flight = reader.flight.clone();
        (Self { flights, flight, send, seen, app, log }, reader)
    }

    fn recorder(&self) -> Recorder {
        let peer = "127.0.0.1:1".parse().unwrap();
        Recorder::open(self.app.clone(), "id".into(), peer, EndpointLabel::Chat)
    }

    fn begin(&self) {
        assert!(self.send.send(Progress::Begun(self.recorder(), None)).is_ok());
    }

    fn piece(&self, text: &str) {
        let piece =
            Piece { bytes: Bytes::copy_from_slice(text.as_bytes()), usage_only: text.contains("usage") };
        assert!(self.send.send(Progress::Piece(piece)).is_ok());
    }

    /// The terminal event, and the end of the body behind it.
    fn complete(&self) {
        let piece = Piece { bytes: Bytes::from_static(b"."), usage_only: false };
        assert!(self.send.send(Progress::Last(piece)).is_ok());
        assert!(self.send.send(Progress::End(End::Whole, None)).is_ok());
    }

    fn join(&self, wants_usage: bool) -> Option<Reader> {
        match self.flights.board(
            CacheKey::for_tests(KEY),
            &terms(),
            wants_usage,
            1 << 20,
            &Bytes::new(),
            || None,
        ) {
            Boarding::Join(reader) => Some(reader),
            _ => None,
        }
    }

    /// Lines that were told about requests.
    fn told(&self) -> usize {
        self.log.text().lines().count()
    }
}

/// All that a reader gets, and how it ended.
async fn read(reader: &mut Reader) -> (String, End) {
    let mut text = String::new();
    loop {
        match poll_fn(|cx| reader.poll_next(cx)).await {
            Next::Events(bytes) => text.push_str(std::str::from_utf8(&bytes).unwrap()),
            Next::End(end) => return (text, end),
        }
    }
}

async fn opening(reader: &mut Reader) -> (Opening, Option<Recorder>) {
    poll_fn(|cx| reader.poll_opening(cx)).await
}

fn terms() -> Terms {
    Terms { generation: [0; 4], usage: None }
}

fn failure() -> GatewayError {
    GatewayError::new(ErrorKind::UpstreamFailed, "no")
}

#[tokio::test]
async fn readers_attach_at_any_moment_and_read_from_the_start() {
    let (field, mut leader) = Field::new(1 << 20);
    let mut early = field.join(false).unwrap();
    field.begin();
    field.piece("a");
    let (_, record) = opening(&mut leader).await;
    assert!(record.is_some(), "the record goes to the one who leads");
    assert!(matches!(opening(&mut early).await, (Opening::Stream, None)));
    let Next::Events(first) = poll_fn(|cx| leader.poll_next(cx)).await else { panic!("events") };
    assert_eq!(first, "a");
    let mut late = field.join(true).unwrap();
    field.piece("b");
    field.piece("usage");
    field.piece("c");
    field.complete();
    assert_eq!(read(&mut leader).await.0, "bc.");
    assert_eq!(read(&mut early).await.0, "abc.", "usage is for those who asked");
    assert_eq!(read(&mut late).await.0, "abusagec.");
    let completed = field.seen.completed.lock().unwrap().clone().unwrap();
    assert_eq!((completed.0.as_ref(), completed.1.first()), (b"abusagec.".as_slice(), Some(&(2..7))));
    assert!(field.flights.is_empty(), "it is over");
}

#[tokio::test]
async fn a_reader_who_does_not_read_holds_nobody_up() {
    let (field, mut leader) = Field::new(1 << 20);
    let mut idle = field.join(false).unwrap();
    let mut other = field.join(false).unwrap();
    field.begin();
    for _ in 0..100 {
        field.piece("x");
    }
    field.complete();
    drop(opening(&mut leader).await);
    assert_eq!(read(&mut other).await.0.len(), 101, "the leader did not read either");
    assert_eq!(read(&mut idle).await.0.len(), 101);
    assert_eq!(read(&mut leader).await.0.len(), 101);
}

#[tokio::test]
async fn the_leader_may_leave_and_its_record_is_told_at_the_end() {
    let (field, mut leader) = Field::new(1 << 20);
    let mut other = field.join(false).unwrap();
    field.begin();
    field.piece("a");
    let (_, record) = opening(&mut leader).await;
    leader.leave(record.unwrap());
    assert_eq!((field.told(), field.seen.cancelled.load(Ordering::Relaxed)), (0, 0));
    field.piece("b");
    field.complete();
    assert_eq!(read(&mut other).await.0, "ab.");
    assert_eq!((field.told(), field.seen.settled.load(Ordering::Relaxed)), (1, 1));
    drop(other);
    assert_eq!(field.told(), 1, "once");
}

#[tokio::test]
async fn a_leader_who_leaves_before_the_answer_has_a_record_too() {
    let (field, leader) = Field::new(1 << 20);
    let mut other = field.join(false).unwrap();
    drop(leader);
    field.begin();
    field.piece("a");
    assert!(matches!(opening(&mut other).await, (Opening::Stream, None)), "the record is not the other's");
    field.complete();
    assert_eq!(read(&mut other).await.0, "a.");
    assert_eq!(field.told(), 1);
    // The same where the answer came whole.
    let (field, leader) = Field::new(1 << 20);
    let mut other = field.join(false).unwrap();
    drop(leader);
    let end = Progress::End(End::Plain(Arc::new(entry(b"{}")), true), Some(field.recorder()));
    assert!(field.send.send(end).is_ok());
    assert!(matches!(poll_fn(|cx| other.poll_whole(cx)).await, Opening::End(End::Plain(_, true))));
    assert_eq!(field.told(), 1);
}

#[tokio::test]
async fn with_the_last_reader_the_upstream_is_let_go() {
    let (field, mut leader) = Field::new(1 << 20);
    let other = field.join(false).unwrap();
    field.begin();
    let (_, record) = opening(&mut leader).await;
    drop(other);
    assert_eq!(field.seen.cancelled.load(Ordering::Relaxed), 0);
    leader.leave(record.unwrap());
    assert_eq!(field.seen.cancelled.load(Ordering::Relaxed), 1);
    assert_eq!(field.told(), 1);
    assert!(field.flight.join(&terms(), false).is_none(), "nobody may join what nobody reads");
    assert!(field.flights.is_empty());
}

#[tokio::test]
async fn a_failure_reaches_everybody_and_the_next_one_may_lead() {
    let (field, mut leader) = Field::new(1 << 20);
    let mut others: Vec<Reader> = (0..3).map(|_| field.join(false).unwrap()).collect();
    assert!(field.send.send(Progress::End(End::Failed(failure()), Some(field.recorder()))).is_ok());
    assert!(matches!(opening(&mut leader).await, (Opening::End(End::Failed(_)), Some(_))));
    for other in &mut others {
        assert!(matches!(opening(other).await, (Opening::End(End::Failed(_)), None)));
    }
    let again = field.flights.board(CacheKey::for_tests(KEY), &terms(), false, 1, &Bytes::new(), || None);
    assert!(matches!(again, Boarding::Lead(_)));
}

#[tokio::test]
async fn a_flight_without_a_source_ends_for_those_who_wait() {
    let flights = Arc::new(Flights::default());
    let Boarding::Lead(ticket) =
        flights.board(CacheKey::for_tests(2), &terms(), false, 1, &Bytes::new(), || None)
    else {
        panic!()
    };
    let Boarding::Join(mut reader) =
        flights.board(CacheKey::for_tests(2), &terms(), false, 1, &Bytes::new(), || None)
    else {
        panic!()
    };
    drop(ticket);
    assert!(matches!(opening(&mut reader).await, (Opening::End(End::Failed(_)), None)));
    assert!(flights.is_empty());
}

#[tokio::test]
async fn what_was_stored_meanwhile_is_found_before_a_flight_begins() {
    let flights = Arc::new(Flights::default());
    let stored = Arc::new(entry(b"{}"));
    let found =
        flights.board(CacheKey::for_tests(3), &terms(), false, 1, &Bytes::new(), || Some(stored.clone()));
    assert!(matches!(found, Boarding::Landed(entry) if Arc::ptr_eq(&entry, &stored)));
    assert!(flights.is_empty());
}

#[tokio::test]
async fn an_answer_too_large_to_keep_takes_nobody_in_and_goes_on_for_its_readers() {
    let (field, mut leader) = Field::new(10);
    let mut other = field.join(false).unwrap();
    field.begin();
    for _ in 0..5 {
        field.piece("abcd");
    }
    drop(opening(&mut leader).await);
    let Next::Events(some) = poll_fn(|cx| leader.poll_next(cx)).await else { panic!("events") };
    assert!(!some.is_empty());
    assert!(poll_fn(|cx| Poll::Ready(other.poll_next(cx))).await.is_ready());
    field.complete();
    let (rest, end) = read(&mut leader).await;
    assert_eq!(some.len() + rest.len(), 21);
    assert!(matches!(end, End::Whole));
    assert!(field.join(false).is_none(), "its beginning may be gone");
    assert_eq!(field.seen.outgrown.load(Ordering::Relaxed), 1);
    assert!(field.seen.completed.lock().unwrap().is_none());
    assert!(matches!(poll_fn(|cx| other.poll_whole(cx)).await, Opening::Outgrown));
}

#[tokio::test]
async fn whoever_lags_behind_a_large_answer_is_cut_off_and_a_lone_reader_never_is() {
    let large = "x".repeat(WINDOW / 4);
    let (field, mut leader) = Field::new(10);
    let mut laggard = field.join(false).unwrap();
    field.begin();
    (0..8).for_each(|_| field.piece(&large));
    field.complete();
    drop(opening(&mut leader).await);
    assert_eq!(read(&mut leader).await.0.len(), 8 * large.len() + 1);
    assert!(field.flight.log().bytes <= WINDOW, "{} bytes are kept", field.flight.log().bytes);
    let (_, end) = read(&mut laggard).await;
    assert!(matches!(end, End::Broken(_)), "{end:?}");

    let (field, mut lone) = Field::new(10);
    field.begin();
    (0..8).for_each(|_| field.piece(&large));
    field.complete();
    drop(opening(&mut lone).await);
    let mut got = 0;
    while let Next::Events(bytes) = poll_fn(|cx| lone.poll_next(cx)).await {
        got += bytes.len();
        assert!(field.flight.log().bytes <= 2 * large.len(), "nothing is read ahead of a lone reader");
    }
    assert_eq!(got, 8 * large.len() + 1);
}

#[tokio::test]
async fn pieces_that_wait_are_joined_and_one_that_does_not_is_not_copied() {
    let (field, mut leader) = Field::new(1 << 20);
    field.begin();
    drop(opening(&mut leader).await);
    let only = Bytes::from(vec![b'x'; 100]);
    assert!(field.send.send(Progress::Piece(Piece { bytes: only.clone(), usage_only: false })).is_ok());
    let Next::Events(got) = poll_fn(|cx| leader.poll_next(cx)).await else { panic!("events") };
    assert_eq!(got.as_ptr(), only.as_ptr());
    let mut late = field.join(false).unwrap();
    for _ in 0..10 {
        field.piece("y");
        poll_fn(|cx| leader.poll_next(cx)).await;
    }
    let Next::Events(got) = poll_fn(|cx| late.poll_next(cx)).await else { panic!("events") };
    assert_eq!(got.len(), 110);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn however_readers_come_read_and_leave_those_who_stay_have_everything() {
    for round in 0..50 {
        let (field, mut leader) = Field::new(1 << 20);
        let mut tasks = tokio::task::JoinSet::new();
        for reader in 0..24_u64 {
            let Some(mut own) = field.join(false) else { break };
            tasks.spawn(async move {
                let mut random = fastrand::Rng::with_seed(round * 1000 + reader);
                let leaves = random.u8(..3) == 0;
                let mut text = String::new();
                loop {
                    if random.u8(..8) == 0 {
                        tokio::task::yield_now().await;
                    }
                    match poll_fn(|cx| own.poll_next(cx)).await {
                        Next::Events(bytes) => text.push_str(std::str::from_utf8(&bytes).unwrap()),
                        Next::End(_) => return Some(text),
                    }
                    if leaves && random.u8(..10) == 0 {
                        return None;
                    }
                }
            });
        }
        field.begin();
        let leader_leaves = round % 2 == 0;
        let (_, record) = opening(&mut leader).await;
        let expected: String = (0..200).map(|n| format!("{n};")).chain([".".to_owned()]).collect();
        let mut leader = Some((leader, record.unwrap()));
        for n in 0..200 {
            field.piece(&format!("{n};"));
            if n == 50 && leader_leaves {
                let (leader, record) = leader.take().unwrap();
                leader.leave(record);
            }
            if n % 16 == 0 {
                tokio::task::yield_now().await;
            }
        }
        field.complete();
        let all = async {
            if let Some((mut leader, _record)) = leader {
                assert_eq!(read(&mut leader).await.0, expected);
            }
            while let Some(text) = tasks.join_next().await {
                assert!(text.unwrap().is_none_or(|text| text == expected));
            }
        };
        tokio::time::timeout(Duration::from_secs(20), all).await.expect("nobody waits for ever");
        assert_eq!(field.told(), 1, "one record, whoever leaves");
    }
}

#[path = "flight_fault_tests.rs"]
mod faults;
