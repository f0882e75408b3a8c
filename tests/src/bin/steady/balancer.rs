//! What stands before replicas: a TCP balancer that knows nothing but `/readyz`.
//!
//! New connections go in turn to those that were ready a moment ago; one that cannot be reached is passed over, as
//! balancers do. Open connections stay where they are.

use sluice_tests::{
    client::{Client, Request},
    eventually,
};
use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    task::JoinSet,
};

/// How often replicas are asked: far oftener than `shutdown.delay` is long, as it should be.
const EVERY: Duration = Duration::from_millis(250);

/// A running balancer.
pub(crate) struct Balancer {
    /// Where it listens.
    pub(crate) address: SocketAddr,
    ready: Arc<Mutex<Vec<SocketAddr>>>,
    _tasks: JoinSet<()>,
}

impl Balancer {
    /// Before these, each with the address of its API and that of its admin listener; all are ready.
    pub(crate) async fn start(replicas: &[(SocketAddr, SocketAddr)]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let ready = Arc::new(Mutex::new(replicas.iter().map(|(api, _)| *api).collect()));
        let mut tasks = JoinSet::new();
        tasks.spawn(serve(listener, Arc::clone(&ready)));
        tasks.spawn(watch(replicas.to_vec(), Arc::clone(&ready)));
        Self { address, ready, _tasks: tasks }
    }

    /// Waits until it sends to this replica.
    pub(crate) async fn knows(&self, api: SocketAddr) {
        eventually("the balancer finds the replica ready", || {
            self.ready.lock().expect("lock").contains(&api)
        })
        .await;
    }
}

async fn serve(listener: TcpListener, ready: Arc<Mutex<Vec<SocketAddr>>>) {
    let turn = AtomicUsize::new(0);
    let mut connections = JoinSet::new();
    loop {
        let (mut client, _) = listener.accept().await.expect("a connection");
        while connections.try_join_next().is_some() {}
        let mut targets = ready.lock().expect("lock").clone();
        if !targets.is_empty() {
            let first = turn.fetch_add(1, Ordering::Relaxed) % targets.len();
            targets.rotate_left(first);
        }
        connections.spawn(async move {
            for target in targets {
                if let Ok(mut upstream) = TcpStream::connect(target).await {
                    let _ = (client.set_nodelay(true), upstream.set_nodelay(true));
                    let _ = copy_bidirectional(&mut client, &mut upstream).await;
                    return;
                }
            }
        });
    }
}

async fn watch(replicas: Vec<(SocketAddr, SocketAddr)>, ready: Arc<Mutex<Vec<SocketAddr>>>) {
    loop {
        let mut now = Vec::new();
        for (api, admin) in &replicas {
            if is_ready(*admin).await {
                now.push(*api);
            }
        }
        *ready.lock().expect("lock") = now;
        tokio::time::sleep(EVERY).await;
    }
}

async fn is_ready(admin: SocketAddr) -> bool {
    // Between two processes nobody listens, and a process may end while it answers.
    let Ok(mut client) = Client::dial(admin).await else { return false };
    client.try_ask(&Request::get("/readyz").wire()).await.is_some_and(|answer| answer.status() == 200)
}
