//! A plain request through a whole gateway.
//!
//! The gateway has one thread, the one that measures. Client and upstream are one other thread, which sends the
//! request, answers it and reads the answer, one after the other: what the gateway finds when it looks is the same
//! every time. Lines and records are written by the gateway's own threads.

use super::{Work, inputs};
use crate::{everyday, gateway};
use sluice::StartOptions;
use sluice_core::{LedgerPlace, LogSink};
use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::mpsc::{Receiver, channel},
};
use tokio::{runtime::Builder, sync::oneshot};

/// Requests before the first that counts.
const WARM_UP: usize = 50;

pub(super) fn request() -> Work {
    let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
    let upstream = TcpListener::bind("127.0.0.1:0").expect("a listener");
    let base_url = format!("http://{}/v1", upstream.local_addr().expect("an address"));
    let settings = gateway::settings(&everyday::config(&base_url).yaml("127.0.0.1:0", "127.0.0.1:0"));
    let options = StartOptions::new(LogSink::to(Box::new(std::io::sink())), LedgerPlace::Memory);
    let running = runtime.block_on(sluice::start(settings, options)).expect("a gateway");
    let (ask, asked) = channel();
    let api = running.api;
    std::thread::spawn(move || both_ends(api, &upstream, &asked));
    let once = move || {
        let _serves = &running;
        let (done, answered) = oneshot::channel();
        ask.send(done).expect("the other side");
        runtime.block_on(answered).expect("an answer");
    };
    (0..WARM_UP).for_each(|_| once());
    Box::new(once)
}

/// Client and upstream, for each request that is wanted.
fn both_ends(gateway: SocketAddr, listener: &TcpListener, asked: &Receiver<oneshot::Sender<()>>) {
    let wire = everyday::request("");
    let (answer, end) = (everyday::answer(), inputs::answer());
    let mut client = connect(gateway);
    let mut upstream = None;
    let mut buffer = Vec::with_capacity(64 << 10);
    for done in asked {
        client.write_all(&wire).expect("sent");
        let upstream = upstream.get_or_insert_with(|| listener.accept().expect("a connection").0);
        upstream.set_nodelay(true).expect("a socket");
        read_to(upstream, b"}", &mut buffer);
        upstream.write_all(answer.as_bytes()).expect("answered");
        read_to(&mut client, end.as_bytes(), &mut buffer);
        assert!(buffer.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&buffer));
        // Whoever does not wait for it any more has ended.
        let _ = done.send(());
    }
}

fn connect(to: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(to).expect("a connection");
    stream.set_nodelay(true).expect("a socket");
    stream
}

/// Reads until the message is there, which ends so.
fn read_to(stream: &mut TcpStream, end: &[u8], buffer: &mut Vec<u8>) {
    buffer.clear();
    let mut piece = [0; 16 << 10];
    while !buffer.ends_with(end) {
        let read = stream.read(&mut piece).expect("more");
        assert!(read > 0, "the gateway left: {}", String::from_utf8_lossy(buffer));
        buffer.extend_from_slice(piece.get(..read).unwrap_or_default());
    }
}
