//! Real `redis-server` processes for this room's tests, and peers that only pretend to be one.

use super::{LinkMetrics, LinkSettings, LinkState, Op, RedisLink};
use ::redis::Pipeline;
use prometheus::{HistogramOpts, HistogramVec, IntCounterVec, IntGauge, Opts};
use sluice_config::model::{RedisMode, Secret};
use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::sleep,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// A port that was free a moment ago.
pub(crate) fn free_port() -> u16 {
    TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port()
}

/// One server without persistence.
pub(crate) struct Server {
    pub(crate) port: u16,
    folder: PathBuf,
    arguments: Vec<String>,
    child: Option<Child>,
}

impl Server {
    pub(crate) fn start(arguments: &[&str]) -> Self {
        let mut server = Self::planned(arguments);
        server.restart();
        server
    }

    /// Not started yet.
    pub(crate) fn planned(arguments: &[&str]) -> Self {
        let port = free_port();
        let folder = std::env::temp_dir().join(format!("sluice-redis-{}-{port}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        Self { port, folder, arguments: arguments.iter().map(ToString::to_string).collect(), child: None }
    }

    /// Starts it, empty, and waits until it accepts commands.
    pub(crate) fn restart(&mut self) {
        self.kill();
        let child = Command::new("redis-server")
            .args(&self.arguments)
            .args(["--port", &self.port.to_string(), "--bind", "127.0.0.1"])
            .args(["--save", "", "--appendonly", "no", "--dir"])
            .arg(&self.folder)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn();
        self.child = Some(child.expect("redis-server; `tests/run tools` installs it"));
        self.wait();
    }

    /// A Sentinel that watches `master`.
    pub(crate) fn sentinel(master: u16) -> Self {
        let mut sentinel = Self::planned(&[]);
        let file = sentinel.folder.join("sentinel.conf");
        let text = format!(
            "port {}\nbind 127.0.0.1\nsentinel monitor main 127.0.0.1 {master} 1\n\
             sentinel down-after-milliseconds main 400\nsentinel failover-timeout main 3000\n",
            sentinel.port
        );
        std::fs::write(&file, text).unwrap();
        let child = Command::new("redis-server")
            .arg(&file)
            .arg("--sentinel")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn();
        sentinel.child = Some(child.expect("redis-server"));
        sentinel.wait();
        sentinel
    }

    fn wait(&self) {
        wait_for("redis-server answers", || self.ask(b"PING\r\n").is_some_and(|r| !r.is_empty()));
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    pub(crate) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().ok();
            child.wait().ok();
        }
    }

    /// The process stands still: its sockets stay open and nothing is answered.
    pub(crate) fn pause(&self) {
        self.signal("-STOP");
    }

    pub(crate) fn resume(&self) {
        self.signal("-CONT");
    }

    fn signal(&self, signal: &str) {
        let id = self.child.as_ref().unwrap().id().to_string();
        assert!(Command::new("kill").args([signal, &id]).status().unwrap().success());
    }

    /// Sends one line past the link and returns what comes back first.
    pub(crate) fn tell(&self, line: &str) -> String {
        let reply = self.ask(format!("{line}\r\n").as_bytes()).unwrap();
        String::from_utf8_lossy(&reply).into_owned()
    }

    fn ask(&self, line: &[u8]) -> Option<Vec<u8>> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).ok()?;
        stream.set_read_timeout(Some(Duration::from_secs(1))).ok()?;
        stream.write_all(line).ok()?;
        let mut reply = vec![0; 64 << 10];
        let length = stream.read(&mut reply).ok()?;
        reply.truncate(length);
        Some(reply)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
        std::fs::remove_dir_all(&self.folder).ok();
    }
}

/// Waits, without a runtime, for something outside this process.
#[expect(clippy::disallowed_methods, reason = "servers start before anything else runs")]
pub(crate) fn wait_for(what: &str, mut done: impl FnMut() -> bool) {
    let start = Instant::now();
    while !done() {
        assert!(start.elapsed() < Duration::from_secs(15), "waited in vain: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// The families as a test reads them.
pub(crate) struct Families {
    pub(crate) up: IntGauge,
    pub(crate) duration: HistogramVec,
    errors: IntCounterVec,
}

impl Families {
    pub(crate) fn errors(&self, op: Op, kind: &str) -> u64 {
        self.errors.with_label_values(&[op.as_str(), kind]).get()
    }
}

pub(crate) fn metrics() -> (LinkMetrics, Families) {
    let families = Families {
        up: IntGauge::new("redis_up", "up").unwrap(),
        duration: HistogramVec::new(HistogramOpts::new("redis_op_duration_seconds", "time"), &["op"])
            .unwrap(),
        errors: IntCounterVec::new(Opts::new("redis_errors_total", "errors"), &["op", "kind"]).unwrap(),
    };
    (LinkMetrics::new(families.up.clone(), &families.duration, families.errors.clone()), families)
}

/// A link under test and what belongs to it.
pub(crate) struct Bench {
    pub(crate) link: Arc<RedisLink>,
    pub(crate) families: Families,
    pub(crate) stop: CancellationToken,
    pub(crate) tasks: TaskTracker,
}

pub(crate) fn settings(mode: RedisMode, urls: &[String]) -> LinkSettings {
    LinkSettings {
        mode,
        urls: urls.iter().cloned().map(Secret::new).collect(),
        master: (mode == RedisMode::Sentinel).then(|| "main".to_owned()),
        timeout: Duration::from_millis(50),
    }
}

impl Bench {
    pub(crate) fn start(settings: &LinkSettings) -> Self {
        let (metrics, families) = metrics();
        let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
        let link = RedisLink::start(settings, metrics, &tasks, stop.clone()).unwrap();
        Self { link, families, stop, tasks }
    }

    pub(crate) fn single(url: String) -> Self {
        Self::start(&settings(RedisMode::Single, &[url]))
    }

    pub(crate) async fn connected(settings: &LinkSettings) -> Self {
        let bench = Self::start(settings);
        bench.reaches(LinkState::Up).await;
        bench
    }

    /// Waits for a state; returns how long that took.
    pub(crate) async fn reaches(&self, state: LinkState) -> Duration {
        let start = Instant::now();
        while self.link.state() != state {
            let waited = start.elapsed();
            assert!(waited < Duration::from_secs(12), "still {:?}, not {state:?}", self.link.state());
            sleep(Duration::from_millis(5)).await;
        }
        start.elapsed()
    }
}

pub(crate) fn get(key: &str) -> Pipeline {
    let mut pipeline = Pipeline::new();
    pipeline.cmd("GET").arg(key);
    pipeline
}

pub(crate) fn set(key: &str, value: &str) -> Pipeline {
    let mut pipeline = Pipeline::new();
    pipeline.cmd("SET").arg(key).arg(value).ignore();
    pipeline
}

/// A listener that answers the first `sane` requests of each connection with `+PONG` and the others with `rubbish`;
/// without rubbish it hangs up instead.
pub(crate) async fn pretender(tasks: &TaskTracker, sane: usize, rubbish: Option<&'static [u8]>) -> String {
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let url = format!("redis://{}", listener.local_addr().unwrap());
    let inner = tasks.clone();
    tasks.spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            inner.spawn(async move {
                let mut request = [0; 4096];
                let mut answered = 0;
                while stream.read(&mut request).await.is_ok_and(|n| n > 0) {
                    answered += 1;
                    let reply = if answered <= sane { Some(&b"+PONG\r\n"[..]) } else { rubbish };
                    let Some(reply) = reply else { return };
                    if stream.write_all(reply).await.is_err() {
                        return;
                    }
                }
            });
        }
    });
    url
}
