//! One real server that dies, hangs, comes late, refuses; and peers that are none.

use super::super::testing::{Bench, Server, get, pretender, set, settings};
use super::*;
use ::redis::Script;
use futures_util::future::join_all;
use tokio::time::sleep;

/// No call may take longer, whatever Redis does.
const SLOWEST: Duration = Duration::from_millis(500);
/// Redis is used again within this time of its return.
const RETURN: Duration = Duration::from_secs(5);

async fn timed<T>(call: impl Future<Output = T>) -> (T, Duration) {
    let start = Instant::now();
    let out = call.await;
    (out, start.elapsed())
}

async fn ask(link: &RedisLink, key: &str) -> Result<Option<String>, Trouble> {
    link.run::<(Option<String>,)>(Op::Get, &get(key)).await.map(|(value,)| value)
}

async fn put(link: &RedisLink, key: &str, value: &str) -> Result<(), Trouble> {
    link.run(Op::Set, &set(key, value)).await
}

fn local(server: &Server) -> LinkSettings {
    settings(RedisMode::Single, &[server.url()])
}

/// Every call is `Away`, all of them together take no time, and none reaches the wire.
async fn nothing_is_sent(bench: &Bench) {
    let sent = bench.families.duration.with_label_values(&["get"]).get_sample_count();
    let (_, took) = timed(async {
        for _ in 0..1000 {
            assert_eq!(ask(&bench.link, "k").await, Err(Trouble::Away));
        }
    })
    .await;
    assert!(took < Duration::from_millis(50), "{took:?}");
    assert_eq!(bench.families.duration.with_label_values(&["get"]).get_sample_count(), sent);
    assert!(bench.families.errors(Op::Get, "away") >= 1000);
}

async fn works_again(bench: &Bench) {
    let waited = bench.reaches(LinkState::Up).await;
    assert!(waited < RETURN, "{waited:?}");
    put(&bench.link, "again", "1").await.unwrap();
    assert_eq!(ask(&bench.link, "again").await.unwrap().as_deref(), Some("1"));
    assert_eq!(bench.families.up.get(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn values_come_and_go() {
    let server = Server::start(&[]);
    let bench = Bench::connected(&local(&server)).await;
    assert_eq!(ask(&bench.link, "k").await, Ok(None));
    put(&bench.link, "k", "v").await.unwrap();
    assert_eq!(ask(&bench.link, "k").await.unwrap().as_deref(), Some("v"));
    let (number, took) = timed(bench.link.run::<(u64,)>(Op::Get, &get("k"))).await;
    assert_eq!((number, bench.link.state()), (Err(Trouble::BadReply), LinkState::Up), "{took:?}");
    bench.stop.cancel();
    bench.tasks.close();
    bench.tasks.wait().await;
    assert_eq!((bench.link.state(), bench.families.up.get()), (LinkState::Away, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_server_is_away_at_once_and_used_when_it_is_back() {
    let mut server = Server::start(&[]);
    let bench = Bench::connected(&local(&server)).await;
    put(&bench.link, "k", "v").await.unwrap();
    server.kill();
    let (outcome, took) = timed(ask(&bench.link, "k")).await;
    assert!(matches!(outcome, Err(Trouble::Io | Trouble::Away)), "{outcome:?}");
    assert!(took < SLOWEST);
    assert_eq!(bench.link.state(), LinkState::Away);
    nothing_is_sent(&bench).await;
    server.restart();
    works_again(&bench).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_dies_unused_is_noticed() {
    let mut server = Server::start(&[]);
    let bench = Bench::connected(&local(&server)).await;
    server.kill();
    let waited = bench.reaches(LinkState::Away).await;
    assert!(waited < Duration::from_secs(2), "{waited:?}");
    assert_eq!(bench.families.up.get(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_hangs_costs_five_timeouts_and_then_nothing() {
    let server = Server::start(&[]);
    let bench = Bench::connected(&local(&server)).await;
    server.pause();
    let mut timeouts = 0;
    for _ in 0..20 {
        let (outcome, took) = timed(ask(&bench.link, "k")).await;
        assert!(took < SLOWEST, "{took:?}");
        match outcome {
            Err(Trouble::Timeout) => timeouts += 1,
            Err(Trouble::Away) => assert!(took < Duration::from_millis(20), "{took:?}"),
            other => panic!("{other:?}"),
        }
    }
    // The keeper's own question may be one of the five.
    assert!((1..=5).contains(&timeouts), "{timeouts}");
    nothing_is_sent(&bench).await;
    sleep(Duration::from_secs(3)).await;
    nothing_is_sent(&bench).await;
    server.resume();
    works_again(&bench).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_at_once_wait_no_longer_than_one() {
    let server = Server::start(&[]);
    let bench = Bench::connected(&local(&server)).await;
    server.pause();
    let calls = (0..2000).map(|_| timed(ask(&bench.link, "k")));
    let outcomes = join_all(calls).await;
    let slowest = outcomes.iter().map(|(_, took)| *took).max().unwrap();
    assert!(slowest < SLOWEST, "{slowest:?}");
    let sent = outcomes.iter().filter(|(outcome, _)| *outcome == Err(Trouble::Timeout)).count();
    assert!((1..=MAX_IN_FLIGHT).contains(&sent), "{sent}");
    assert!(outcomes.iter().all(|(outcome, _)| outcome.is_err()));
    server.resume();
    works_again(&bench).await;
}

#[tokio::test]
async fn a_server_that_comes_late_is_used_then() {
    let mut server = Server::planned(&[]);
    let bench = Bench::start(&local(&server));
    assert_eq!(bench.link.state(), LinkState::Connecting);
    bench.reaches(LinkState::Away).await;
    nothing_is_sent(&bench).await;
    sleep(Duration::from_secs(3)).await;
    server.restart();
    works_again(&bench).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_server_still_serves_reads() {
    let server = Server::start(&["--maxmemory", "1mb", "--maxmemory-policy", "noeviction"]);
    let bench = Bench::connected(&local(&server)).await;
    let value = "x".repeat(10_000);
    let mut refused = 0;
    for number in 0..200 {
        match put(&bench.link, &format!("k{number}"), &value).await {
            Ok(()) => assert_eq!(refused, 0),
            outcome => {
                assert_eq!(outcome, Err(Trouble::Refused(RefusedKind::Oom)));
                refused += 1;
            }
        }
    }
    assert!(refused > 50, "{refused}");
    assert_eq!((ask(&bench.link, "k0").await, bench.link.state()), (Ok(Some(value)), LinkState::Up));
    assert_eq!(bench.families.errors(Op::Set, "oom"), refused);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_of_another_type_is_only_that() {
    let server = Server::start(&[]);
    let bench = Bench::connected(&local(&server)).await;
    server.tell("RPUSH list 1 2 3");
    for _ in 0..10 {
        assert_eq!(ask(&bench.link, "list").await, Err(Trouble::Refused(RefusedKind::WrongType)));
    }
    assert_eq!(bench.link.state(), LinkState::Up);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_became_a_replica_is_left_alone() {
    let server = Server::start(&[]);
    let bench = Bench::connected(&local(&server)).await;
    server.tell("REPLICAOF 127.0.0.1 1");
    // The keeper's own question is answered with success and may fall in between.
    for _ in 0..10 {
        let outcome = put(&bench.link, "k", "v").await;
        assert!(
            matches!(outcome, Err(Trouble::Refused(RefusedKind::ReadOnly) | Trouble::Away)),
            "{outcome:?}"
        );
    }
    bench.reaches(LinkState::Away).await;
    server.tell("REPLICAOF NO ONE");
    works_again(&bench).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_script_survives_a_flush() {
    let server = Server::start(&[]);
    let bench = Bench::connected(&local(&server)).await;
    let script = Script::new("return redis.call('INCRBY', KEYS[1], ARGV[1])");
    for (round, expected) in [(1, 2), (2, 4), (3, 6)] {
        let mut call = script.prepare_invoke();
        call.key("count").arg(2);
        let sum: u64 = bench.link.script(Op::Limit, &call).await.unwrap();
        assert_eq!(sum, expected, "round {round}");
        assert_eq!(bench.families.errors(Op::Limit, "noscript"), 1 + u64::from(round == 3));
        if round == 2 {
            server.tell("SCRIPT FLUSH");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn callers_that_leave_shift_nobodys_reply() {
    let server = Server::start(&[]);
    let patient = LinkSettings { timeout: Duration::from_secs(10), ..local(&server) };
    let bench = Bench::connected(&patient).await;
    for number in 0..500 {
        put(&bench.link, &format!("k{number}"), &format!("v{number}")).await.unwrap();
    }
    let mut whoami = Pipeline::new();
    whoami.cmd("CLIENT").arg("ID");
    let (before,): (u64,) = bench.link.run(Op::Get, &whoami).await.unwrap();
    server.pause();
    let link = &bench.link;
    let leaving = (0..500).map(|number| async move {
        let key = format!("k{number}");
        let stay = Duration::from_millis(number % 40);
        assert!(timeout(stay, ask(link, &key)).await.is_err(), "a paused server answered");
    });
    join_all(leaving).await;
    // These wait while the server comes back and answers the ones that left, too.
    let staying = (0..500).map(|number| async move {
        assert_eq!(ask(link, &format!("k{number}")).await.unwrap(), Some(format!("v{number}")));
    });
    let later = async {
        sleep(Duration::from_millis(100)).await;
        server.resume();
    };
    tokio::join!(join_all(staying), later);
    let (after,): (u64,) = bench.link.run(Op::Get, &whoami).await.unwrap();
    assert_eq!(before, after, "another connection proves nothing");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hanging_server_collects_no_more_than_the_limit() {
    let server = Server::start(&[]);
    let patient = LinkSettings { timeout: Duration::from_secs(10), ..local(&server) };
    let bench = Bench::connected(&patient).await;
    server.pause();
    let link = &bench.link;
    let waiting = join_all((0..MAX_IN_FLIGHT).map(|_| ask(link, "k")));
    let one_more = async {
        sleep(Duration::from_millis(100)).await;
        let (outcome, took) = timed(ask(link, "k")).await;
        server.resume();
        (outcome, took)
    };
    let (outcomes, (outcome, took)) = tokio::join!(waiting, one_more);
    assert_eq!(outcome, Err(Trouble::Away));
    assert!(took < Duration::from_millis(20), "{took:?}");
    assert!(outcomes.iter().all(|outcome| *outcome == Ok(None)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn peers_that_are_no_redis_are_never_used() {
    let rubbish: [Option<&'static [u8]>; 7] = [
        Some(b"HTTP/1.1 400 Bad Request\r\n\r\n"),
        Some(b"$100\r\nhalf"),
        Some(b"*9223372036854775807\r\n"),
        Some(b"$-9223372036854775808\r\n|9\r\n"),
        Some(&[0xff; 512]),
        Some(b""),
        None,
    ];
    let peers = rubbish.map(|reply| async move {
        let tasks = TaskTracker::new();
        let bench = Bench::single(pretender(&tasks, 0, reply).await);
        for _ in 0..300 {
            assert_ne!(bench.link.state(), LinkState::Up, "{reply:?}");
            sleep(Duration::from_millis(5)).await;
        }
        assert_eq!((bench.link.state(), bench.families.up.get()), (LinkState::Away, 0));
        nothing_is_sent(&bench).await;
    });
    join_all(peers).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_turns_to_nonsense_is_given_up() {
    let nonsense: [(Option<&'static [u8]>, usize); 5] = [
        (Some(b"HTTP/1.1 400 Bad Request\r\n\r\n"), 1),
        (Some(b"?\r\n"), 1),
        (Some(b"$100\r\nhalf"), 5),
        (Some(b""), 5),
        (None, 1),
    ];
    for (reply, calls) in nonsense {
        let tasks = TaskTracker::new();
        let bench = Bench::single(pretender(&tasks, 1, reply).await);
        bench.reaches(LinkState::Up).await;
        for _ in 0..calls {
            let (outcome, took) = timed(ask(&bench.link, "k")).await;
            assert!(outcome.is_err() && took < SLOWEST, "{reply:?}: {outcome:?} after {took:?}");
        }
        assert_eq!(bench.link.state(), LinkState::Away, "{reply:?}");
        bench.stop.cancel();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_password_is_told_without_the_password() {
    let server = Server::start(&["--requirepass", "right"]);
    let url = |password: &str| format!("redis://:{password}@127.0.0.1:{}", server.port);
    let bench = Bench::single(url("wrong-secret"));
    bench.reaches(LinkState::Away).await;
    let shown = format!("{:?} {:?}", bench.link, settings(RedisMode::Single, &[url("wrong-secret")]));
    assert!(!shown.contains("secret") && !shown.contains("127.0.0.1"), "{shown}");
    let bench = Bench::single(url("right"));
    works_again(&bench).await;
}

#[tokio::test]
async fn a_change_of_state_is_logged_once() {
    let lines = logged::Lines::default();
    let _guard = tracing::subscriber::set_default(lines.clone());
    let mut server = Server::start(&[]);
    let bench = Bench::connected(&local(&server)).await;
    server.kill();
    for _ in 0..100 {
        ask(&bench.link, "k").await.unwrap_err();
    }
    bench.reaches(LinkState::Away).await;
    sleep(Duration::from_secs(2)).await;
    server.restart();
    works_again(&bench).await;
    assert_eq!(lines.taken(), ["redis is connected", "redis is away: no connection", "redis is back"]);
}

/// The messages of this thread's log lines.
mod logged {
    use std::{
        fmt,
        sync::{Arc, Mutex},
    };
    use tracing::{Event, Metadata, Subscriber, field::Field, span};

    #[derive(Clone, Default)]
    pub(super) struct Lines(Arc<Mutex<Vec<String>>>);

    impl Lines {
        pub(super) fn taken(&self) -> Vec<String> {
            std::mem::take(&mut self.0.lock().unwrap())
        }
    }

    impl tracing::field::Visit for Lines {
        fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
            if field.name() == "message" {
                self.0.lock().unwrap().push(format!("{value:?}"));
            }
        }
    }

    impl Subscriber for Lines {
        fn enabled(&self, metadata: &Metadata<'_>) -> bool {
            metadata.is_event() && metadata.target().contains("redis")
        }

        fn event(&self, event: &Event<'_>) {
            event.record(&mut self.clone());
        }

        fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
            span::Id::from_u64(1)
        }

        fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

        fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

        fn enter(&self, _: &span::Id) {}

        fn exit(&self, _: &span::Id) {}
    }
}
