use super::*;
use std::task::Waker;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex},
    task::JoinSet,
    time::{Instant as Clock, advance, timeout},
};

const HEAD: Duration = Duration::from_secs(10);
/// Between the two ends fit so many bytes.
const ROOM: usize = 16;

struct Connection {
    io: ClientIo<DuplexStream>,
    client: DuplexStream,
    state: Arc<ConnState>,
}

fn connection() -> Connection {
    let (client, server) = duplex(ROOM);
    let state = Arc::new(ConnState::default());
    Connection { io: ClientIo::new(server, state.clone(), HEAD), client, state }
}

impl Connection {
    fn read(&mut self) -> Poll<io::Result<usize>> {
        let mut bytes = [0; 64];
        let mut buf = ReadBuf::new(&mut bytes);
        let mut cx = Context::from_waker(Waker::noop());
        Pin::new(&mut self.io).poll_read(&mut cx, &mut buf).map_ok(|()| buf.filled().len())
    }

    fn write(&mut self) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(&mut Context::from_waker(Waker::noop()), &[b'x'; ROOM])
    }

    /// Bytes come, and then no more of them.
    async fn says(&mut self, text: &str) {
        self.client.write_all(text.as_bytes()).await.unwrap();
        assert!(matches!(self.read(), Poll::Ready(Ok(n)) if n == text.len()));
        assert!(self.read().is_pending());
    }
}

fn cut<T>(polled: &Poll<io::Result<T>>) -> bool {
    matches!(polled, Poll::Ready(Err(error)) if error.kind() == io::ErrorKind::TimedOut)
}

async fn pass(seconds: u64) {
    advance(Duration::from_secs(seconds)).await;
}

/// Waits for a read as a task does: nobody looks again unless the guard's own timer wakes it.
async fn reading(mut io: ClientIo<DuplexStream>) -> JoinSet<io::ErrorKind> {
    let mut task = JoinSet::new();
    task.spawn(async move { io.read_u8().await.unwrap_err().kind() });
    tokio::task::yield_now().await;
    task
}

#[tokio::test(start_paused = true)]
async fn an_idle_connection_ends_after_75_s_though_its_last_read_was_polled_while_a_request_was_served() {
    let Connection { io, client: _client, state } = connection();
    let (busy, begun) = (state.busy(), Clock::now());
    let mut task = reading(io).await;
    drop(busy);
    let ended = timeout(Duration::from_secs(600), task.join_next()).await.expect("an end").unwrap();
    assert_eq!(ended.unwrap(), io::ErrorKind::TimedOut);
    assert_eq!(begun.elapsed().as_secs(), KEEP_ALIVE.as_secs());
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_never_says_anything_ends_after_the_time_of_a_head() {
    let Connection { io, client: _client, .. } = connection();
    let begun = Clock::now();
    let mut task = reading(io).await;
    let ended = timeout(Duration::from_secs(600), task.join_next()).await.expect("an end").unwrap();
    assert_eq!(ended.unwrap(), io::ErrorKind::TimedOut);
    assert_eq!(begun.elapsed().as_secs(), HEAD.as_secs());
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_serves_a_request_for_longer_than_75_s_is_not_cut() {
    let mut connection = connection();
    connection.says("a request").await;
    let busy = connection.state.busy();
    for _ in 0..3 {
        assert!(connection.read().is_pending());
        pass(80).await;
    }
    assert!(connection.read().is_pending());
    drop(busy);
    pass(70).await;
    assert!(connection.read().is_pending(), "its rest begins with the end of the request");
    pass(10).await;
    assert!(cut(&connection.read()));
}

#[tokio::test(start_paused = true)]
async fn a_slow_reader_that_keeps_taking_bytes_is_not_cut() {
    let mut connection = connection();
    connection.says("a request").await;
    // The whole answer has been handed over: what is left of it lies in buffers.
    drop(connection.state.busy());
    assert!(matches!(connection.write(), Poll::Ready(Ok(ROOM))));
    for _ in 0..5 {
        assert!(connection.write().is_pending());
        pass(50).await;
        assert!(connection.write().is_pending() && connection.read().is_pending());
        connection.client.read_exact(&mut [0; ROOM]).await.unwrap();
        assert!(matches!(connection.write(), Poll::Ready(Ok(ROOM))));
    }
    assert!(connection.write().is_pending());
    pass(61).await;
    assert!(cut(&connection.write()), "one that takes none is");
}

#[tokio::test(start_paused = true)]
async fn a_dripping_head_is_cut_at_the_time_of_a_head() {
    let mut connection = connection();
    for byte in ["P", "O", "S", "T"] {
        connection.says(byte).await;
        pass(2).await;
        assert!(connection.read().is_pending());
    }
    connection.says(" ").await;
    pass(3).await;
    assert!(cut(&connection.read()));
}

#[tokio::test(start_paused = true)]
async fn a_head_that_came_behind_a_long_request_is_not_cut_too_early() {
    let mut connection = connection();
    connection.says("a request").await;
    let busy = connection.state.busy();
    pass(100).await;
    connection.says("half").await;
    pass(60).await;
    drop(busy);
    assert!(connection.read().is_pending(), "neither the request's time nor its own waiting counts");
    connection.says(" a head").await;
    pass(9).await;
    assert!(connection.read().is_pending());
    pass(2).await;
    assert!(cut(&connection.read()));
}

#[tokio::test(start_paused = true)]
async fn whoever_waits_for_an_answer_to_end_is_woken_by_its_end_alone() {
    let state = Arc::new(ConnState::default());
    let answer = state.busy();
    let mut resting = std::pin::pin!(state.rested());
    let mut looks = 0;
    let mut looking = std::future::poll_fn(|cx| {
        looks += 1;
        resting.as_mut().poll(cx)
    });
    assert!(timeout(Duration::from_secs(60), &mut looking).await.is_err(), "an answer is under way");
    let ended = Clock::now();
    drop(answer);
    looking.await;
    assert_eq!(ended.elapsed(), NEXT_REQUEST, "and the next request had its moment");
    assert!(looks < 6, "{looks}");
}
