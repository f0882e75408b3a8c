use super::*;

/// A reader that is asked again at the moment in which it is woken, as on a thread of its own.
#[derive(Default)]
struct Eager {
    reader: Mutex<Option<Reader>>,
    text: Mutex<String>,
}

impl Wake for Eager {
    fn wake(self: Arc<Self>) {
        // Woken while it is being asked: it looks anyway.
        let Ok(mut reader) = self.reader.try_lock() else { return };
        let Some(reader) = reader.as_mut() else { return };
        let waker = Waker::from(self.clone());
        let mut cx = Context::from_waker(&waker);
        while let Poll::Ready(Next::Events(bytes)) = reader.poll_next(&mut cx) {
            self.text.lock().unwrap().push_str(std::str::from_utf8(&bytes).unwrap());
        }
    }
}

/// The first time that it is asked, another reader comes by, and finds it taken.
struct Visited {
    source: Scripted,
    visitor: Option<Arc<Eager>>,
}

impl Source for Visited {
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Progress> {
        if let Some(visitor) = self.visitor.take() {
            visitor.wake();
        }
        self.source.poll_next(cx)
    }

    fn complete(&mut self, events: Bytes, usage: Vec<Range<usize>>) -> Arc<Entry> {
        self.source.complete(events, usage)
    }

    fn outgrown(&mut self) {
        self.source.outgrown();
    }

    fn cancel(&mut self) {
        self.source.cancel();
    }

    fn settle(&self, recorder: &mut Recorder) {
        self.source.settle(recorder);
    }
}

#[test]
fn whoever_finds_the_source_taken_goes_on_without_the_one_who_had_it() {
    let (send, script) = unbounded_channel();
    let say = |text: &'static str| {
        let piece = Piece { bytes: Bytes::from_static(text.as_bytes()), usage_only: false };
        assert!(send.send(Progress::Piece(piece)).is_ok());
    };
    let flight = Flight::new(1 << 20, terms(), Bytes::new(), None);
    let visitor = Arc::new(Eager::default());
    let source = Scripted { script, seen: Arc::default() };
    let source = Visited { source, visitor: Some(visitor.clone()) };
    let mut leader = flight.launch(Box::new(source), false);
    *visitor.reader.lock().unwrap() = flight.join(&terms(), false);
    say("a");
    let mut cx = Context::from_waker(Waker::noop());
    let Poll::Ready(Next::Events(first)) = leader.poll_next(&mut cx) else { panic!("events") };
    assert_eq!(first, "a");
    // From here on the leader's client takes nothing more; it does not leave either.
    say("b");
    let read = visitor.text.lock().unwrap().clone();
    drop(visitor.reader.lock().unwrap().take());
    assert_eq!(read, "ab", "it waits for whoever had the source");
}

/// Brings what the test sends it, and panics when there is nothing more to bring; so does whatever is called then.
struct Faulty {
    script: UnboundedReceiver<Progress>,
    asked: Arc<AtomicUsize>,
}

impl Source for Faulty {
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Progress> {
        let polled = std::task::ready!(self.script.poll_recv(cx));
        Poll::Ready(polled.unwrap_or_else(|| {
            self.asked.fetch_add(1, Ordering::Relaxed);
            panic!("a fault of the source's")
        }))
    }

    fn complete(&mut self, _: Bytes, _: Vec<Range<usize>>) -> Arc<Entry> {
        panic!("a fault in looking at the answer")
    }

    fn outgrown(&mut self) {}

    fn cancel(&mut self) {
        assert!(std::thread::panicking(), "a fault in letting go");
    }

    fn settle(&self, _: &mut Recorder) {}
}

/// A listed flight with a source that will fail, its leader, and those who wait with it.
struct Doomed {
    flights: Arc<Flights>,
    send: UnboundedSender<Progress>,
    asked: Arc<AtomicUsize>,
    leader: Reader,
    others: Vec<Reader>,
}

impl Doomed {
    fn new() -> Self {
        let flights = Arc::new(Flights::default());
        let Boarding::Lead(ticket) = board(&flights, &terms()) else { panic!("the first leads") };
        let (send, script) = unbounded_channel();
        let asked = Arc::new(AtomicUsize::new(0));
        let leader = ticket.launch(Box::new(Faulty { script, asked: asked.clone() }), false);
        let join = |_| match board(&flights, &terms()) {
            Boarding::Join(reader) => reader,
            _ => panic!("the others join"),
        };
        let others = (0..5).map(join).collect();
        Self { flights, send, asked, leader, others }
    }
}

fn board(flights: &Arc<Flights>, terms: &Terms) -> Boarding {
    flights.board(CacheKey::for_tests(KEY), terms, false, 1 << 20, &Bytes::new(), || None)
}

fn is_fault(error: &GatewayError) -> bool {
    matches!(error.kind, ErrorKind::Internal)
}

#[tokio::test]
async fn a_source_that_panics_fails_its_flight_once_and_for_all_who_wait() {
    let Doomed { flights, send, asked, mut leader, mut others } = Doomed::new();
    drop(send);
    // It need not be the leader who asks.
    for other in &mut others {
        let (opened, record) = opening(other).await;
        assert!(matches!(&opened, Opening::End(End::Failed(error)) if is_fault(error)), "{opened:?}");
        assert!(record.is_none());
        assert!(matches!(board(&flights, &terms()), Boarding::Lead(_)), "nobody joins what has failed");
    }
    assert!(matches!(poll_fn(|cx| others[0].poll_whole(cx)).await, Opening::End(End::Failed(_))));
    assert!(leader.flight.join(&terms(), false).is_none(), "not even one who has found it already");
    let (opened, record) = opening(&mut leader).await;
    assert!(matches!(opened, Opening::End(End::Failed(_))), "{opened:?}");
    assert!(record.is_none(), "it went with the source");
    assert_eq!(asked.load(Ordering::Relaxed), 1, "what has panicked is not asked again");
}

#[tokio::test]
async fn a_source_that_panics_after_the_beginning_breaks_the_stream_for_all() {
    let (field, _reader) = Field::new(1 << 20);
    let Doomed { flights, send, asked, mut leader, others } = Doomed::new();
    let piece = Piece { bytes: Bytes::from_static(b"a"), usage_only: false };
    for progress in [Progress::Begun(field.recorder(), None), Progress::Piece(piece)] {
        assert!(send.send(progress).is_ok());
    }
    let (_, record) = opening(&mut leader).await;
    assert!(record.is_some());
    drop(send);
    for mut reader in others.into_iter().chain([leader]) {
        let (text, end) = read(&mut reader).await;
        assert!(matches!(&end, End::Broken(broken) if is_fault(&broken.error)), "{end:?}");
        assert_eq!((text.as_str(), reader.is_complete()), ("a", false), "a part is not the whole");
        assert!(matches!(board(&flights, &terms()), Boarding::Lead(_)), "nobody joins what is broken");
    }
    assert_eq!(asked.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn an_answer_whose_storing_panics_is_whole_for_those_who_read_it() {
    let Doomed { flights, send, leader, others, .. } = Doomed::new();
    let last = Piece { bytes: Bytes::from_static(b"a."), usage_only: false };
    for progress in [Progress::Last(last), Progress::End(End::Whole, None)] {
        assert!(send.send(progress).is_ok());
    }
    for mut reader in [leader].into_iter().chain(others) {
        let (text, end) = read(&mut reader).await;
        assert!(matches!(end, End::Whole), "{end:?}");
        assert_eq!((text.as_str(), reader.is_complete()), ("a.", true));
        assert!(matches!(poll_fn(|cx| reader.poll_whole(cx)).await, Opening::End(End::Whole)));
    }
    assert!(flights.is_empty());
}

#[test]
fn only_requests_with_equal_terms_share_a_flight() {
    let flights = Arc::new(Flights::default());
    let on = |generation, usage| Terms { generation, usage };
    let apart = [
        on([0; 4], None),
        on([0; 4], Some(true)),
        on([0; 4], Some(false)),
        on([1, 0, 0, 0], None),
        on([0, 0, 0, 1], None),
    ];
    let mut under_way = Vec::new();
    for terms in &apart {
        let Boarding::Lead(ticket) = board(&flights, terms) else { panic!("{terms:?} joins another") };
        let (send, script) = unbounded_channel();
        let reader = ticket.launch(Box::new(Scripted { script, seen: Arc::default() }), false);
        assert!(matches!(board(&flights, terms), Boarding::Join(_)), "{terms:?}");
        under_way.push((send, reader));
    }
    // The latest is the one that is found, and is still found when those before it are over.
    let latest = under_way.pop();
    drop(under_way);
    assert!(matches!(board(&flights, &apart[4]), Boarding::Join(_)));
    assert_eq!(flights.len(), 1);
    drop(latest);
    assert!(flights.is_empty());
}

#[tokio::test]
async fn an_answer_too_large_to_keep_is_complete_for_whoever_has_had_its_last_event() {
    // It outgrows before its last event, or with it.
    for pieces in [3, 0] {
        let (field, mut leader) = Field::new(10);
        let mut other = field.join(false).unwrap();
        let behind = field.join(false).unwrap();
        field.begin();
        (0..pieces).for_each(|_| field.piece("abcd"));
        let last = Piece { bytes: Bytes::from_static(b"the last event"), usage_only: false };
        assert!(field.send.send(Progress::Last(last)).is_ok());
        drop(opening(&mut leader).await);
        let all = 4 * pieces + "the last event".len();
        for reader in [&mut leader, &mut other] {
            let mut had = 0;
            while had < all {
                assert!(!reader.is_complete(), "{had} of {all}");
                let Next::Events(bytes) = poll_fn(|cx| reader.poll_next(cx)).await else { panic!("events") };
                had += bytes.len();
            }
            assert!(reader.is_complete(), "the connection stays open, and nothing more may come");
        }
        assert!(!behind.is_complete());
        assert_eq!(field.seen.outgrown.load(Ordering::Relaxed), 1);
        assert!(field.seen.completed.lock().unwrap().is_none());
    }
}
