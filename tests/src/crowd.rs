//! Clients that ask again and again, each on its own connection, and remember what every request came to.

use crate::client::{Answer, Client, Request};
use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::task::JoinSet;

/// One request of one client.
#[derive(Debug, Clone)]
pub struct Turn {
    /// Who was asked.
    pub to: SocketAddr,
    /// Before its first byte was sent.
    pub began: Instant,
    /// When its answer was there.
    pub ended: Instant,
    /// The answer; absent when the connection broke first.
    pub answer: Option<Answer>,
}

impl Turn {
    /// Its status; 0 without an answer.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.answer.as_ref().map_or(0, Answer::status)
    }
}

/// After an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Asks again after this time.
    After(Duration),
    /// Has had enough.
    Leave,
}

/// Clients under way.
pub struct Crowd {
    over: Arc<AtomicBool>,
    ok: Arc<AtomicUsize>,
    clients: JoinSet<Vec<Turn>>,
}

impl Crowd {
    /// So many clients of each of these gateways, which send this request until they are told to stop, or `next`
    /// has had enough, or their connection breaks.
    pub fn start(to: &[SocketAddr], each: usize, request: &Request, next: fn(&Answer) -> Next) -> Self {
        let (over, ok) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let mut clients = JoinSet::new();
        for to in to.iter().flat_map(|to| std::iter::repeat_n(*to, each)) {
            let (over, ok, wire) = (over.clone(), ok.clone(), request.wire());
            clients.spawn(async move {
                let (mut client, mut turns) = (Client::connect(to).await, Vec::new());
                while !over.load(Ordering::SeqCst) {
                    let began = Instant::now();
                    let answer = client.try_ask(&wire).await;
                    turns.push(Turn { to, began, ended: Instant::now(), answer: answer.clone() });
                    let Some(answer) = answer else { break };
                    if answer.status() == 200 {
                        ok.fetch_add(1, Ordering::SeqCst);
                    }
                    match next(&answer) {
                        Next::After(time) => tokio::time::sleep(time).await,
                        Next::Leave => break,
                    }
                }
                turns
            });
        }
        Self { over, ok, clients }
    }

    /// Answers with 200 so far.
    #[must_use]
    pub fn ok(&self) -> usize {
        self.ok.load(Ordering::SeqCst)
    }

    /// Waits until there are so many answers with 200.
    pub async fn reaches(&self, ok: usize) {
        crate::eventually(&format!("{ok} answers"), || self.ok() >= ok).await;
    }

    /// Tells all to stop after the request that they are at.
    pub async fn stop(self) -> Vec<Turn> {
        self.over.store(true, Ordering::SeqCst);
        self.left().await
    }

    /// Waits until all have left by themselves.
    pub async fn left(self) -> Vec<Turn> {
        self.clients.join_all().await.into_iter().flatten().collect()
    }
}
