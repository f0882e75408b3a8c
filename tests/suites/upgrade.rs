//! Another binary takes over on the same ports: side by side with the one that runs, which then leaves.

use crate::{
    budgets_process::spent,
    fleet::{TEAM_SPENT, team_with, until_it_is_spent},
    support::{CHAT, CHAT_REPLY, begin, by_limited, chat, chat_events, chat_of, chat_stream_request},
};
use sluice_tests::{
    client::{Client, Request},
    crowd::Crowd,
    eventually,
    gateway::{Config, KEY},
    process::Process,
    replica::Replica,
    sse::Stream,
    upstream::{Answer, Upstream},
};
use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::task::JoinSet;

const SHARED: &str = "reuse_port: true";

/// Clients of all kinds that never pause for long; whatever any of them is refused fails the test.
#[derive(Default)]
struct Load {
    over: Arc<AtomicBool>,
    answers: Arc<AtomicUsize>,
    clients: JoinSet<usize>,
}

impl Load {
    /// One more client, which asks like that until it is told to stop.
    fn client<F: Future<Output = ()> + Send>(&mut self, mut ask: impl FnMut() -> F + Send + 'static) {
        let (over, answers) = (self.over.clone(), self.answers.clone());
        self.clients.spawn(async move {
            let mut done = 0;
            while !over.load(Ordering::SeqCst) {
                ask().await;
                answers.fetch_add(1, Ordering::SeqCst);
                done += 1;
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            done
        });
    }

    /// Each request on a connection of its own.
    fn newcomers(&mut self, api: SocketAddr, clients: usize) {
        let request = Request::post(CHAT, chat()).bearer(KEY);
        for _ in 0..clients {
            let asked = request.clone();
            self.client(move || {
                let asked = asked.send(api);
                async move { assert_eq!(asked.await.expect(200).text(), CHAT_REPLY) }
            });
        }
    }

    /// One connection as long as the gateway likes.
    fn regulars(&mut self, api: SocketAddr, clients: usize) {
        let wire = Request::post(CHAT, chat()).bearer(KEY).wire();
        for _ in 0..clients {
            let (wire, kept) = (wire.clone(), Arc::new(tokio::sync::Mutex::new(None)));
            self.client(move || {
                let (wire, kept) = (wire.clone(), kept.clone());
                async move {
                    let mut kept = kept.lock().await;
                    let mut client = match kept.take() {
                        Some(client) => client,
                        None => Client::connect(api).await,
                    };
                    client.send(&wire).await;
                    let answer = client.answer().await.expect(200);
                    if answer.get("connection") != "close" {
                        *kept = Some(client);
                    }
                }
            });
        }
    }

    /// Streams of more than a second.
    fn readers(&mut self, api: SocketAddr, clients: usize) {
        for _ in 0..clients {
            self.client(move || async move {
                let mut stream = Stream::open(api, &chat_stream_request()).await;
                assert_eq!(stream.head.status, 200);
                let rest = stream.rest().await;
                assert!(rest.done(), "{rest:?}");
            });
        }
    }

    /// Probes.
    fn probes(&mut self, admin: SocketAddr) {
        self.client(move || async move {
            let _ = Request::get("/readyz").send(admin).await.expect(200);
        });
    }

    async fn goes_on(&self) {
        let then = self.answers.load(Ordering::SeqCst);
        eventually("20 more answers", || self.answers.load(Ordering::SeqCst) >= then + 20).await;
    }

    /// Lets all of them finish; how often they were answered.
    async fn stop(self) -> usize {
        self.over.store(true, Ordering::SeqCst);
        self.clients.join_all().await.into_iter().sum()
    }
}

async fn leaves(mut old: Process) {
    old.signal("TERM");
    assert_eq!(old.exit().await.code(), Some(0), "{}", old.output());
}

/// What takes a while, and what does not.
async fn upstream() -> Upstream {
    let events = chat_events(&["a", "b", "c", "d"]);
    Upstream::with(move |_, request| {
        if !request.text().contains("\"stream\"") {
            return Answer::json(CHAT_REPLY);
        }
        let quarter = events.len() / 4;
        let paced = events
            .as_bytes()
            .chunks(quarter)
            .fold(Answer::chunked(), |answer, part| answer.chunk(part).wait(300));
        paced.last_chunk()
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_through_upgrades_under_load() {
    let upstream = upstream().await;
    let config = Config::to(&upstream).listener(SHARED).section("shutdown: {delay: 500ms, drain: 30s}");
    let mut sluice = Replica::start(&config).await;
    let (mut load, mut probes) = (Load::default(), Load::default());
    load.newcomers(sluice.api, 8);
    load.regulars(sluice.api, 8);
    load.readers(sluice.api, 12);
    for _ in 0..2 {
        probes.probes(sluice.admin);
    }
    for _ in 0..5 {
        load.goes_on().await;
        let old = sluice.relieve().await;
        load.goes_on().await;
        leaves(old).await;
    }
    load.goes_on().await;
    probes.stop().await;
    let answers = load.stop().await;
    sluice.stop().await;
    let records = sluice.records();
    assert_eq!(records.len(), answers);
    assert!(records.iter().all(|record| record["end"] == "ok"), "{records:#?}");
    println!("{answers} requests through 5 upgrades");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_drains_sends_its_clients_away_and_is_probed_no_more() {
    let upstream = upstream().await;
    let config = Config::to(&upstream).listener(SHARED).section("shutdown: {delay: 2s, drain: 30s}");
    let mut sluice = Replica::start(&config).await;
    let wire = Request::post(CHAT, chat()).bearer(KEY).wire();
    let mut kept = Client::connect(sluice.api).await;
    kept.send(&wire).await;
    assert_eq!(kept.answer().await.expect(200).get("connection"), "");

    let old = sluice.relieve().await;
    let leaving = begin([leaves(old)]).remove(0);
    // Told to go elsewhere before the delay is over.
    loop {
        kept.send(&wire).await;
        if kept.answer().await.expect(200).get("connection") == "close" {
            break;
        }
    }
    assert!(!leaving.is_finished());
    for _ in 0..20 {
        let _ = Request::get("/readyz").send(sluice.admin).await.expect(200);
    }
    leaving.await.unwrap();
}

#[tokio::test]
async fn a_port_is_one_process_s_alone_unless_both_say_otherwise() {
    let upstream = Upstream::script([Answer::json(CHAT_REPLY)]).await;
    let alone = Config::to(&upstream);
    let sluice = Replica::start(&alone).await;
    for listener in ["reuse_port: false", SHARED] {
        sluice.write(&alone.clone().listener(listener));
        let mut second = sluice.another();
        assert_eq!(second.exit().await.code(), Some(1));
        second.says(&format!("error: cannot listen on {}", sluice.api)).await;
    }
    let _ = Request::post(CHAT, chat()).bearer(KEY).send(sluice.api).await.expect(200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_budget_is_one_for_both_processes() {
    const CENT: u64 = 10_000_000;
    let (config, upstream) = team_with("usd: 1", 20).await;
    let mut sluice = Replica::start(&config.listener(SHARED)).await;
    // The next one has read what was spent: nothing.
    let old = sluice.relieve().await;
    let request = by_limited(chat_of(10));
    for _ in 0..60 {
        let _ = request.send(sluice.api).await.expect(200);
    }
    leaves(old).await;
    sluice.metric_is(TEAM_SPENT, 0.6).await;
    let turns = Crowd::start(&[sluice.api], 4, &request, until_it_is_spent).left().await;
    let after = turns.iter().filter(|turn| turn.status() == 200).count();
    assert_eq!((after, upstream.calls()), (40, 100));
    sluice.stop().await;
    assert_eq!(spent(&sluice), 100 * CENT);
}
