//! The background task of a link: connects, watches, connects again.
//!
//! Redis may be away for as long as it likes; the pauses between tries grow to a second and are drawn at random, so
//! that many gateways do not come back at the same moment. A change of state is logged once.

use super::{
    link::{Live, RedisLink},
    topology::{Connection, Connector},
    trouble::Trouble,
};
use std::{sync::Arc, time::Duration};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

/// The pause after a connection that broke.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// The longest pause, and the one after a server that hung.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
/// How often a connection in use is asked whether it works.
const WATCH: Duration = Duration::from_secs(1);
/// The same once it failed.
const WATCH_CLOSELY: Duration = Duration::from_millis(50);

/// Keeps one link.
pub(super) struct Keeper {
    link: Arc<RedisLink>,
    connector: Connector,
    stop: CancellationToken,
    /// What was last logged; none before the first try.
    told: Option<Told>,
}

/// A state as it was logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Told {
    Up,
    Away,
}

impl Keeper {
    pub(super) fn new(link: Arc<RedisLink>, connector: Connector, stop: CancellationToken) -> Self {
        Self { link, connector, stop, told: None }
    }

    /// Runs until the link is stopped.
    pub(super) async fn run(mut self) {
        let stop = self.stop.clone();
        // Once cancelled, the connection goes with this task's last handle.
        stop.run_until_cancelled(self.keep()).await;
        self.link.stop();
    }

    async fn keep(&mut self) {
        let mut pause = Pause::after(Trouble::Io);
        loop {
            match self.connect().await {
                Ok(connection) => {
                    let live = Arc::new(Live::new(connection));
                    self.link.install(Arc::clone(&live));
                    self.tell_up();
                    let why = self.watch(&live).await;
                    self.tell_away(why);
                    pause = Pause::after(why);
                }
                Err(why) => {
                    self.link.not_connected();
                    self.tell_away(why);
                }
            }
            sleep(pause.next()).await;
        }
    }

    /// A connection that has answered.
    async fn connect(&mut self) -> Result<Connection, Trouble> {
        let mut connection = self.connector.connect().await?;
        self.link.probe(&mut connection).await?;
        Ok(connection)
    }

    /// Waits until the breaker opens. The questions in between find what callers do not: a connection that died while
    /// nobody used it, and a server that hangs while every caller leaves before the time is over.
    async fn watch(&self, live: &Live) -> Trouble {
        loop {
            let wait = if live.breaker.doubtful() { WATCH_CLOSELY } else { jittered(WATCH) };
            tokio::select! {
                why = live.given_up() => return why,
                () = sleep(wait) => {}
            }
            // Its failure is counted like any other.
            self.link.ping().await.ok();
        }
    }

    fn tell_up(&mut self) {
        match self.told.replace(Told::Up) {
            Some(Told::Up) => {}
            Some(Told::Away) => tracing::info!("redis is back"),
            None => tracing::info!("redis is connected"),
        }
    }

    fn tell_away(&mut self, why: Trouble) {
        if self.told.replace(Told::Away) != Some(Told::Away) {
            tracing::warn!("redis is away: {}", reason(why));
        }
    }
}

/// Why Redis is away, for the log.
const fn reason(why: Trouble) -> &'static str {
    match why {
        Trouble::Timeout => "timeouts",
        Trouble::Io => "no connection",
        Trouble::BadReply => "its replies make no sense",
        Trouble::Refused(kind) => kind.as_str(),
        Trouble::Away => "stopped",
    }
}

/// The pauses between tries.
struct Pause {
    next: Duration,
}

impl Pause {
    fn after(why: Trouble) -> Self {
        // A server that broke off may be back at once; one that hangs or refuses needs its time.
        Self { next: if why == Trouble::Io { FIRST_PAUSE } else { LONGEST_PAUSE } }
    }

    fn next(&mut self) -> Duration {
        let pause = self.next;
        self.next = (pause * 2).min(LONGEST_PAUSE);
        jittered(pause)
    }
}

/// Half of it to all of it.
fn jittered(time: Duration) -> Duration {
    time.mul_f64(0.5 + fastrand::f64() / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_a_second_and_differ() {
        let mut pause = Pause::after(Trouble::Io);
        let mut longest = FIRST_PAUSE;
        for _ in 0..20 {
            let drawn = pause.next();
            assert!(drawn >= longest / 2 && drawn <= longest, "{drawn:?} of {longest:?}");
            longest = (longest * 2).min(LONGEST_PAUSE);
        }
        let drawn: std::collections::HashSet<_> = (0..100).map(|_| jittered(LONGEST_PAUSE)).collect();
        assert!(drawn.len() > 90);
        assert!(Pause::after(Trouble::Timeout).next() >= LONGEST_PAUSE / 2);
    }
}
