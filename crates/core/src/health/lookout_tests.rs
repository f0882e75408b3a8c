use super::*;
use crate::{
    health::stock::HealthStock,
    telemetry::{
        labels::AttemptOutcome::{self, ConnectError, ServerError},
        metrics::Metrics,
    },
};
use sluice_config::model::{Circuit as Rules, Ratio};
use std::sync::atomic::AtomicUsize;

const RULES: Rules = Rules {
    consecutive_failures: 2,
    failure_ratio: Ratio(0.5),
    window: Duration::from_secs(10),
    min_requests: 20,
    open_for: Duration::from_secs(30),
    max_open: Duration::from_secs(60),
};

/// Opens when the test says so.
#[derive(Default)]
struct Gate {
    open: AtomicBool,
    knocks: AtomicUsize,
}

impl Gate {
    fn knocks(&self) -> usize {
        self.knocks.load(Ordering::Relaxed)
    }
}

impl Door for Gate {
    fn opens(self: Arc<Self>) -> Pin<Box<dyn Future<Output = bool> + Send>> {
        self.knocks.fetch_add(1, Ordering::Relaxed);
        Box::pin(async move { self.open.load(Ordering::Relaxed) })
    }
}

struct Place {
    stock: HealthStock,
    post: Post,
    health: Arc<Health>,
    gate: Arc<Gate>,
}

impl Place {
    fn new() -> Self {
        let (post, gate) = (Post::default(), Arc::new(Gate::default()));
        let stock = HealthStock::new(post.clone());
        let health = stock.target("up", "up", "m", RULES, &Metrics::new().unwrap());
        let door: Weak<Gate> = Arc::downgrade(&gate);
        health.lookout.watch(door);
        Self { stock, post, health, gate }
    }

    fn fails(&self, outcome: AttemptOutcome) {
        let mut trial = self.health.admit(now()).unwrap_or_else(|_| self.health.anyway());
        if outcome == ConnectError { trial.lost(now()) } else { trial.ended(outcome, now()) }
    }

    fn left(&self) -> Option<Duration> {
        self.health.circuit.stands(now()).1
    }
}

async fn secs(seconds: u64) {
    // Off the ticks of the task.
    tokio::time::sleep(Duration::from_millis(seconds * 1_000 + 10)).await;
}

#[tokio::test(start_paused = true)]
async fn a_target_that_can_be_connected_to_again_may_be_probed_at_once() {
    let place = Place::new();
    place.fails(ConnectError);
    secs(3).await;
    assert_eq!(place.gate.knocks(), 0, "its circuit is closed");
    for _ in 0..3 {
        place.fails(ConnectError);
    }
    assert_eq!(place.post.tasks.len(), 1, "one looks");
    secs(4).await;
    assert_eq!(place.gate.knocks(), 4);
    assert!(place.health.admit(now()).is_err());
    place.gate.open.store(true, Ordering::Relaxed);
    secs(1).await;
    assert_eq!(place.left(), Some(Duration::ZERO));
    let mut probe = place.health.admit(now()).unwrap();
    assert!(place.health.admit(now()).is_err(), "one finds out for all");
    secs(3).await;
    assert_eq!(place.gate.knocks(), 5, "nobody looks while it is due or probed");
    probe.ended(AttemptOutcome::Ok, now());
    secs(2).await;
    assert_eq!(place.post.tasks.len(), 0, "the circuit is closed");
}

#[tokio::test(start_paused = true)]
async fn a_probe_that_cannot_connect_is_followed_by_looking_and_one_that_fails_otherwise_is_not() {
    let place = Place::new();
    place.fails(ConnectError);
    place.fails(ConnectError);
    place.gate.open.store(true, Ordering::Relaxed);
    secs(1).await;
    place.gate.open.store(false, Ordering::Relaxed);
    place.fails(ConnectError);
    assert!(place.left().unwrap() > Duration::from_secs(40), "longer than before");
    secs(2).await;
    assert_eq!((place.gate.knocks(), place.post.tasks.len()), (3, 1));
    place.fails(ServerError);
    place.gate.open.store(true, Ordering::Relaxed);
    secs(3).await;
    assert_eq!((place.gate.knocks(), place.post.tasks.len()), (3, 0));
    assert!(place.left().unwrap() > Duration::from_secs(30));
}

#[tokio::test(start_paused = true)]
async fn other_failures_are_not_looked_after_until_one_cannot_connect() {
    let place = Place::new();
    place.fails(ServerError);
    place.fails(ServerError);
    secs(3).await;
    assert_eq!((place.gate.knocks(), place.post.tasks.len()), (0, 0));
    // One that was asked although its circuit is open.
    place.fails(ConnectError);
    secs(3).await;
    assert_eq!((place.gate.knocks(), place.post.tasks.len()), (3, 1));
}

#[tokio::test(start_paused = true)]
async fn looking_ends_with_the_target_in_the_configuration_and_with_the_gateway() {
    let place = Place::new();
    place.fails(ConnectError);
    place.fails(ConnectError);
    let Place { stock, post, health, gate } = place;
    drop(gate);
    secs(1).await;
    assert_eq!(post.tasks.len(), 0, "nobody stands there any more");
    drop((stock, health));

    let place = Place::new();
    place.fails(ConnectError);
    place.fails(ConnectError);
    place.post.stop.cancel();
    place.post.tasks.close();
    place.post.tasks.wait().await;
    assert_eq!(place.gate.knocks(), 0);
}
