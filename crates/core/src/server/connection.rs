//! One client connection: hyper's HTTP/1.1, and the end of it.

use crate::{
    app::App,
    pipeline,
    server::{
        drain::Drain,
        io::{ClientIo, ConnState},
    },
};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use std::{convert::Infallible, net::SocketAddr, pin::pin, sync::Arc, time::Duration};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::sleep,
};

/// Request heads beyond this are refused with 431.
const MAX_HEAD: usize = 64 << 10;
/// What is read of a body at a time, at most. A large prompt that comes in few pieces is soon copied together; what the
/// buffer has grown to, the connection keeps.
const MAX_BUFFER: usize = 128 << 10;

/// What a client gets to read its last event once the drain is over.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// Serves a connection until it ends.
pub async fn serve<S>(app: Arc<App>, stream: S, peer: SocketAddr, header_timeout: Duration, drain: Drain)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let state = Arc::new(ConnState::default());
    let io = TokioIo::new(ClientIo::new(stream, state.clone(), header_timeout));
    let (closing, cut) = (drain.closing_token(), drain.cut_token());
    let service = service_fn(|request: http::Request<Incoming>| {
        let busy = state.busy();
        let request = pipeline::Arrival {
            app: app.clone(),
            peer,
            connection: state.clone(),
            cut: cut.clone(),
            request,
        };
        // In a box: hyper keeps room for this future as long as the connection lives, and most of them idle.
        Box::pin(
            async move { Ok::<_, Infallible>(pipeline::handle(request).await.map(|body| body.hold(busy))) },
        )
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        // The guard around the socket times heads; hyper's own timer would also end idle connections.
        .header_read_timeout(None)
        .max_header_size(MAX_HEAD)
        .max_buf_size(MAX_BUFFER)
        // Head and pieces are copied together into one buffer and one write. Answers are small, so that costs less than
        // a list of slices; and what they are slices of is free at once for what is read next.
        .writev(false)
        .serve_connection(io, service);
    let mut connection = pin!(connection);
    // What goes wrong here is the client's affair; requests have their own records.
    tokio::select! {
        // The connection first: a request that has come already is read and answered before the drain is looked at.
        biased;
        ended = connection.as_mut() => drop(ended),
        () = closing.cancelled() => {
            tokio::select! {
                biased;
                _ = connection.as_mut() => return,
                // A request that still comes is answered, with `connection: close`.
                () = state.rested() => {}
                () = cut.cancelled() => {}
            }
            connection.as_mut().graceful_shutdown();
            let ended = async {
                cut.cancelled().await;
                sleep(LAST_WORDS).await;
            };
            tokio::select! {
                _ = connection => {}
                () = ended => {}
            }
        }
    }
}
