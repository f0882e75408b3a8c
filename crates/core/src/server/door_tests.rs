//! Two doors on one port, and clients that come all the time while one after the other is closed.

use super::*;
use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

const ANY: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0);

/// Says one byte to everybody who comes, until told to close.
async fn serve(door: Door, leave: CancellationToken, tasks: TaskTracker) {
    let welcome = |mut stream: TcpStream, _| {
        tasks.spawn(async move {
            let _ = stream.write_all(b"!").await;
        });
    };
    loop {
        tokio::select! {
            next = door.accept() => if let Ok((stream, peer)) = next { welcome(stream, peer) },
            () = leave.cancelled() => break,
        }
    }
    door.close(welcome).await;
}

/// Comes, and wants its byte.
async fn visit(address: SocketAddr) -> io::Result<()> {
    let mut stream = TcpStream::connect(address).await?;
    stream.read_exact(&mut [0]).await.map(drop)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_is_lost_when_one_of_two_leaves() {
    let tasks = TaskTracker::new();
    let first = Door::open(ANY, true).unwrap();
    let address = first.local_addr().unwrap();
    let mut leave = CancellationToken::new();
    tasks.spawn(serve(first, leave.clone(), tasks.clone()));

    let (over, served) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let clients: Vec<_> = (0..16)
        .map(|_| {
            let (over, served) = (over.clone(), served.clone());
            tasks.spawn(async move {
                while !over.load(Ordering::Relaxed) {
                    visit(address).await?;
                    served.fetch_add(1, Ordering::Relaxed);
                    tokio::time::sleep(Duration::from_millis(2)).await;
                }
                Ok::<_, io::Error>(())
            })
        })
        .collect();
    for _ in 0..4 {
        let next = Door::open(address, true).unwrap();
        let token = CancellationToken::new();
        tasks.spawn(serve(next, token.clone(), tasks.clone()));
        tokio::time::sleep(Duration::from_millis(50)).await;
        std::mem::replace(&mut leave, token).cancel();
        // Those whose SYN was dropped are back.
        tokio::time::sleep(Duration::from_millis(1_500)).await;
    }
    over.store(true, Ordering::Relaxed);
    for client in clients {
        client.await.unwrap().unwrap();
    }
    let served = served.load(Ordering::Relaxed);
    assert!(served > 1_000, "{served} visits tell nothing");
    leave.cancel();
}

#[tokio::test]
async fn who_comes_while_one_leaves_finds_the_other() {
    let first = Door::open(ANY, true).unwrap();
    let address = first.local_addr().unwrap();
    let (tasks, mut met) = (TaskTracker::new(), Vec::new());
    let before = TcpStream::connect(address).await.unwrap();
    let coming = async {
        tokio::time::sleep(HANDSHAKES / 4).await;
        // There is only one whom the kernel can give a connection to, and it drops what comes.
        Some(tasks.spawn(TcpStream::connect(address)))
    };
    let ((), coming) = tokio::join!(first.close(|_, peer| met.push(peer)), coming);
    assert_eq!(met, [before.local_addr().unwrap()]);
    let second = Door::open(address, true).unwrap();
    let (_, peer) = timeout(Duration::from_secs(10), second.accept()).await.unwrap().unwrap();
    assert_eq!(coming.unwrap().await.unwrap().unwrap().local_addr().unwrap(), peer);
}

#[tokio::test]
async fn a_port_that_is_not_shared_is_one_process_s_and_is_closed_at_once() {
    let door = Door::open(ANY, false).unwrap();
    let address = door.local_addr().unwrap();
    for shared in [false, true] {
        assert_eq!(Door::open(address, shared).unwrap_err().kind(), io::ErrorKind::AddrInUse);
    }
    // Waits in the queue.
    let waiting = TcpStream::connect(address).await.unwrap();
    let (begun, mut met) = (Instant::now(), Vec::new());
    door.close(|_, peer| met.push(peer)).await;
    assert!(begun.elapsed() < HANDSHAKES);
    assert_eq!(met, [waiting.local_addr().unwrap()]);
    assert_eq!(TcpStream::connect(address).await.unwrap_err().kind(), io::ErrorKind::ConnectionRefused);
}

#[tokio::test]
async fn the_last_at_a_shared_port_leaves_it_refused() {
    let door = Door::open(ANY, true).unwrap();
    let address = door.local_addr().unwrap();
    // As a client that came too late: its SYN is dropped, then nobody is there any more.
    let tasks = TaskTracker::new();
    let closing = tasks.spawn(door.close(|_, _| {}));
    tokio::time::sleep(Duration::from_millis(20)).await;
    let late = TcpStream::connect(address).await;
    assert_eq!(late.unwrap_err().kind(), io::ErrorKind::ConnectionRefused);
    closing.await.unwrap();
}
