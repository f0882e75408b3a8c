//! The processes and their folder: the mock and Redis, which stay, and gateways, each with a place of its own.

use crate::load;
use serde_json::{Value, json};
use sluice_tests::{
    client::Request,
    gateway, ledger,
    process::{Process, command, free_port},
    redis::Redis,
};
use std::{cell::RefCell, fs, net::SocketAddr, path::PathBuf, time::Duration};

/// The key that stays.
pub(crate) const MAIN: &str = "sk-sluice-main";
/// The key that comes and goes.
pub(crate) const SPARE: &str = "sk-sluice-spare";

/// Everything that gateways have in common.
pub(crate) struct House {
    mock: SocketAddr,
    redis: RefCell<Redis>,
    folder: tempfile::TempDir,
    _mock: Process,
}

/// A place for a gateway, and the process in it.
pub(crate) struct Gateway {
    /// The data plane.
    pub(crate) api: SocketAddr,
    /// The admin listener.
    pub(crate) admin: SocketAddr,
    folder: PathBuf,
    process: Option<Process>,
}

fn local() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], free_port()))
}

impl House {
    /// Starts the mock with the models of the load, and Redis.
    pub(crate) async fn new() -> Self {
        let mock = local();
        let process = Process::start(command(&["mock", "--listen", &mock.to_string()]));
        process.listens(mock).await;
        let step = json!({"chunks": load::chunks(), "gap_ms": load::GAP.as_millis() as u64});
        let scripts = json!({"models": [{"model": "paced", "repeat": true, "script": [step]}]});
        let _ = Request::post("/__mock/config", scripts.to_string()).send(mock).await.expect(200);
        let folder = tempfile::Builder::new().prefix("sluice-steady-").tempdir().expect("a folder");
        Self { mock, redis: RefCell::new(Redis::start()), folder, _mock: process }
    }

    /// A place with a configuration.
    pub(crate) fn gateway(&self, name: &str, text: &str) -> Gateway {
        let folder = self.folder.path().join(name);
        fs::create_dir(&folder).expect("a folder");
        let gateway = Gateway { api: local(), admin: local(), folder, process: None };
        self.write(&gateway, text);
        gateway
    }

    /// Writes a configuration as tools do: beside the old one, then in its place.
    pub(crate) fn write(&self, gateway: &Gateway, text: &str) {
        let text = text
            .replace("{state}", &gateway.folder.join("state").display().to_string())
            .replace("{api}", &gateway.api.to_string())
            .replace("{admin}", &gateway.admin.to_string())
            .replace("{redis}", &self.redis.borrow().url())
            .replace("{mock}", &self.mock.to_string())
            .replace("{main}", &gateway::hash(MAIN))
            .replace("{spare}", &gateway::hash(SPARE));
        let next = gateway.folder.join("next.yaml");
        fs::write(&next, text).expect("a file");
        fs::rename(next, gateway.file()).expect("a file");
    }

    /// Kills Redis, and starts it again after a while.
    pub(crate) async fn redis_away(&self, time: Duration) {
        self.redis.borrow_mut().kill();
        tokio::time::sleep(time).await;
        self.redis.borrow_mut().restart();
    }
}

impl Gateway {
    fn file(&self) -> PathBuf {
        self.folder.join("sluice.yaml")
    }

    /// Starts a process, and waits until it is ready.
    pub(crate) async fn start(&mut self) {
        let file = self.file();
        let process = Process::start(command(&["serve", "--config", file.to_str().expect("a path of text")]));
        process.listens(self.api).await;
        process.listens(self.admin).await;
        let _ = Request::get("/readyz").send(self.admin).await.expect(200);
        self.process = Some(process);
    }

    /// Ends the process in order.
    pub(crate) async fn stop(&mut self) {
        self.signal("TERM");
        self.ended().await;
    }

    /// Waits until the process has ended in order.
    pub(crate) async fn ended(&mut self) {
        let mut process = self.process.take().expect("a process");
        // Longer than a stream and the delay.
        let status = loop {
            if let Ok(status) = tokio::time::timeout(Duration::from_millis(200), process.exit()).await {
                break status;
            }
        };
        assert_eq!(status.code(), Some(0), "{}", process.output());
    }

    /// Sends a signal.
    pub(crate) fn signal(&self, name: &str) {
        self.process.as_ref().expect("a process").signal(name);
    }

    /// Asks for a reload by the admin listener.
    pub(crate) async fn ask_to_reload(&self) {
        let _ = Request::post("/-/reload", "").send(self.admin).await;
    }

    /// What `/status` says of the last reload.
    pub(crate) async fn last_reload(&self) -> Value {
        Request::get("/status").send(self.admin).await.expect(200).json()["last_reload"].clone()
    }

    /// A metric.
    pub(crate) async fn metric(&self, series: &str) -> f64 {
        gateway::metric(self.admin, series).await
    }

    /// The request ids in its ledger, each with how it ended.
    pub(crate) fn records(&self) -> Vec<(String, String)> {
        let text = |record: &Value, name: &str| record[name].as_str().unwrap_or_default().to_owned();
        let records = ledger::records(&self.folder.join("state").join(sluice_core::ledger::FILE));
        records.iter().map(|record| (text(record, "id"), text(record, "end"))).collect()
    }
}
