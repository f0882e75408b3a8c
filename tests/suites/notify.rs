//! What the process tells a service manager, read at the manager's end of the line.

use crate::support::{CHAT, CHAT_REPLY, chat};
use sluice_tests::{
    client::Request,
    eventually,
    gateway::{Config, KEY},
    process::{Process, command, free_port},
    upstream::{Answer, Upstream},
};
use std::{
    net::SocketAddr,
    os::{
        linux::net::SocketAddrExt as _,
        unix::net::{SocketAddr as UnixAddr, UnixDatagram},
    },
    path::PathBuf,
    sync::{Arc, Mutex},
};

/// The end of a manager.
#[derive(Clone, Default)]
struct Manager(Arc<Mutex<Vec<String>>>);

impl Manager {
    fn at(socket: UnixDatagram) -> Self {
        let manager = Self::default();
        let heard = manager.0.clone();
        std::thread::spawn(move || {
            let mut message = [0; 4096];
            while let Ok(length) = socket.recv(&mut message) {
                heard.lock().unwrap().push(String::from_utf8(message[..length].to_vec()).unwrap());
            }
        });
        manager
    }

    /// All but signs of life.
    fn heard(&self) -> Vec<String> {
        self.0.lock().unwrap().iter().filter(|message| *message != "WATCHDOG=1").cloned().collect()
    }

    fn signs(&self) -> usize {
        self.0.lock().unwrap().iter().filter(|message| *message == "WATCHDOG=1").count()
    }

    /// Waits until this is the latest that was said, and a reload came before it.
    async fn hears_after_a_reload(&self, said: &str) {
        eventually(said, || {
            let heard = self.heard();
            let reloaded = heard.iter().any(|message| message.starts_with("RELOADING=1\n"));
            reloaded && heard.last().is_some_and(|last| last == said)
        })
        .await;
    }

    /// The n-th message, when it has come.
    async fn hears(&self, n: usize) -> String {
        eventually(&format!("message {n}"), || self.heard().len() >= n).await;
        self.heard().swap_remove(n - 1)
    }
}

struct Unit {
    process: Process,
    api: SocketAddr,
    admin: SocketAddr,
    config: Config,
    file: PathBuf,
    _folder: tempfile::TempDir,
    _upstream: Upstream,
}

impl Unit {
    async fn start(environment: &[(&str, &str)]) -> Self {
        let upstream = Upstream::script([Answer::json(CHAT_REPLY)]).await;
        let config = Config::to(&upstream).section("shutdown: {delay: 0s, drain: 200s}");
        let local = || SocketAddr::from(([127, 0, 0, 1], free_port()));
        let (api, admin, folder) = (local(), local(), tempfile::tempdir().unwrap());
        let file = folder.path().join("sluice.yaml");
        std::fs::write(&file, config.yaml(&api.to_string(), &admin.to_string())).unwrap();
        let mut command = command(&["serve", "--config", file.to_str().unwrap()]);
        command.envs(environment.iter().copied());
        let process = Process::start(command);
        Self { process, api, admin, config, file, _folder: folder, _upstream: upstream }
    }

    fn write(&self, more: &str) {
        let config = self.config.clone().section(more);
        let yaml = config.yaml(&self.api.to_string(), &self.admin.to_string());
        std::fs::write(&self.file, yaml).unwrap();
    }

    async fn serves(&self) {
        let _ = Request::post(CHAT, chat()).bearer(KEY).send(self.api).await.expect(200);
    }

    async fn ends(mut self) {
        self.process.signal("TERM");
        assert_eq!(self.process.exit().await.code(), Some(0), "{}", self.process.output());
    }
}

/// The system's own clock, as services tell it.
fn uptime() -> u64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    u64::try_from(now.tv_sec).unwrap() * 1_000_000 + u64::try_from(now.tv_nsec).unwrap() / 1_000
}

fn began(message: &str) -> u64 {
    let rest = message.strip_prefix("RELOADING=1\nMONOTONIC_USEC=").unwrap_or_else(|| panic!("{message}"));
    rest.split('\n').next().unwrap().parse().unwrap()
}

#[tokio::test]
async fn a_manager_hears_of_the_start_of_every_reload_and_of_the_end() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("notify");
    let manager = Manager::at(UnixDatagram::bind(&path).unwrap());
    let unit = Unit::start(&[("NOTIFY_SOCKET", path.to_str().unwrap()), ("WATCHDOG_USEC", "200000")]).await;
    let ready = format!("READY=1\nSTATUS=Serving on {}, admin on {}", unit.api, unit.admin);
    assert_eq!(manager.hears(1).await, ready);
    // Not before it is true.
    unit.serves().await;
    eventually("signs of life", || manager.signs() >= 5).await;

    unit.write("limits: {concurrency: 77}");
    let before = uptime();
    unit.process.signal("HUP");
    let told = began(&manager.hears(2).await);
    assert!((before..=uptime()).contains(&told), "{before} {told}");
    manager.hears_after_a_reload(&ready).await;

    unit.write("nonsense: 1");
    let _ = Request::post("/-/reload", "").send(unit.admin).await.expect(422);
    manager.hears_after_a_reload(&format!("{ready}; the last reload was rejected, see the log")).await;
    unit.serves().await;

    unit.ends().await;
    manager
        .hears_after_a_reload("STOPPING=1\nSTATUS=Draining, 200 s at most\nEXTEND_TIMEOUT_USEC=220000000")
        .await;
    // Each reload ends with a word, and nothing else is said. (How many there are the file's watcher has a say in.)
    let heard = manager.heard();
    for pair in heard.windows(2).filter(|pair| pair[0].starts_with("RELOADING=1\n")) {
        assert!(pair[1].starts_with("RE"), "{heard:?}");
    }
    assert!(heard[1..heard.len() - 1].iter().all(|message| message.starts_with("RE")), "{heard:?}");
}

#[tokio::test]
async fn a_manager_without_a_path_hears_as_much_and_signs_of_life_are_for_who_is_asked() {
    let name = format!("sluice-test-{}", free_port());
    let socket = UnixDatagram::bind_addr(&UnixAddr::from_abstract_name(&name).unwrap()).unwrap();
    let manager = Manager::at(socket);
    let asked = [("NOTIFY_SOCKET", &*format!("@{name}")), ("WATCHDOG_USEC", "20000"), ("WATCHDOG_PID", "1")];
    let unit = Unit::start(&asked).await;
    assert!(manager.hears(1).await.starts_with("READY=1\n"));
    unit.ends().await;
    assert!(manager.hears(2).await.starts_with("STOPPING=1\n"));
    assert_eq!(manager.signs(), 0);
}

#[tokio::test]
async fn a_manager_that_cannot_be_reached_keeps_nobody_from_serving() {
    for socket in ["/nowhere/notify", "@nobody", "junk", "vsock:2:1234", ""] {
        let unit = Unit::start(&[("NOTIFY_SOCKET", socket), ("WATCHDOG_USEC", "50000")]).await;
        unit.process.listens(unit.api).await;
        unit.serves().await;
        unit.write("limits: {concurrency: 77}");
        unit.process.signal("HUP");
        unit.process.says("configuration reloaded").await;
        let warned = unit.process.output().matches("the service manager cannot be told").count();
        assert_eq!(warned, usize::from(!socket.is_empty()), "{}", unit.process.output());
        unit.ends().await;
    }
}
