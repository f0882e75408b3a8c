//! The processes and their folder: the mock, which stays; gateways, which come and go on one ledger.

use crate::{
    books::Spent,
    plan::{self, KEYS, Key, TIGHT},
    ways::{WAYS, spare_model},
};
use rustix::process::{Pid, Signal, kill_process};
use std::{
    cell::{Cell, RefCell},
    fmt::Write as _,
    fs::File,
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Output, Stdio},
    time::{Duration, Instant},
};
use tokio::time::sleep;

/// What a process may take to begin, and to end once nobody asks it anything more.
const PATIENCE: Duration = Duration::from_secs(60);

/// Prices of what is not free, in nano-dollars per token: input, read from a prompt cache, output.
pub(crate) const PRICES: [u64; 3] = [2_000, 500, 10_000];

/// Everything that the gateways of one run have in common.
pub(crate) struct House {
    pub(crate) api: SocketAddr,
    folder: RefCell<Option<tempfile::TempDir>>,
    path: PathBuf,
    mock_at: SocketAddr,
    mock: RefCell<Child>,
    served: Cell<usize>,
}

/// A running gateway.
pub(crate) struct Gateway {
    child: Child,
    log: PathBuf,
}

impl House {
    /// Makes a folder with a configuration, and starts a mock that behaves as all ways say.
    pub(crate) fn new() -> Self {
        let folder = tempfile::Builder::new().prefix("sluice-soak-").tempdir().expect("a folder");
        let [api, admin, mock_at] = free_addresses();
        let path = folder.path().to_owned();
        std::fs::write(path.join("sluice.yaml"), configuration(&path, api, admin, mock_at)).expect("a file");
        let output = File::create(path.join("mock.log")).expect("a file");
        let mock = command(&["mock", "--listen", &mock_at.to_string()])
            .stdout(output.try_clone().expect("a file"))
            .stderr(output)
            .spawn()
            .expect("the mock");
        let house = Self {
            api,
            folder: RefCell::new(Some(folder)),
            path,
            mock_at,
            mock: RefCell::new(mock),
            served: Cell::new(0),
        };
        let begun = Instant::now();
        while !listens(mock_at) {
            assert!(begun.elapsed() < PATIENCE, "the mock does not listen");
            std::thread::yield_now();
        }
        let scripts = WAYS.iter().flat_map(|way| way.scripts()).map(|(model, steps)| {
            format!(r#"{{"model":"{model}","repeat":true,"script":[{}]}}"#, steps.join(","))
        });
        let scripts: Vec<String> = scripts.collect();
        let told = house.ask_mock("POST", "config", &format!(r#"{{"models":[{}]}}"#, scripts.join(",")));
        assert!(told.starts_with("HTTP/1.1 200"), "{told}");
        house
    }

    /// Starts a gateway, and waits until it listens.
    pub(crate) async fn serve(&self) -> Gateway {
        let log = self.log_of(self.served.get());
        self.served.set(self.served.get() + 1);
        let errors = File::create(log.with_extension("stderr")).expect("a file");
        let config = self.path.join("sluice.yaml");
        let child = command(&["serve", "--config", config.to_str().expect("a path of text")])
            .stdout(File::create(&log).expect("a file"))
            .stderr(errors)
            .spawn()
            .expect("the gateway");
        let mut gateway = Gateway { child, log };
        let begun = Instant::now();
        while !listens(self.api) {
            let ended = gateway.child.try_wait().expect("a status");
            assert!(ended.is_none(), "the gateway ended by itself: {}", gateway.errors());
            assert!(begun.elapsed() < PATIENCE, "the gateway does not listen: {}", gateway.errors());
            sleep(Duration::from_millis(5)).await;
        }
        gateway
    }

    fn log_of(&self, n: usize) -> PathBuf {
        self.path.join(format!("gateway-{n}.log"))
    }

    /// The logs of all gateways so far.
    pub(crate) fn logs(&self) -> Vec<PathBuf> {
        (0..self.served.get()).map(|n| self.log_of(n)).collect()
    }

    pub(crate) fn ledger(&self) -> PathBuf {
        self.path.join("state/usage.sqlite")
    }

    /// What `sluice usage` prints of all that is in the ledger.
    pub(crate) fn usage(&self, by: &str) -> Output {
        let folder = self.path.join("state");
        let folder = folder.to_str().expect("a path of text");
        let args = ["usage", "--by", by, "--json", "--since", "2020-01-01", "--state-dir", folder];
        command(&args).output().expect("sluice usage")
    }

    /// What the mock has counted, once nothing is under way.
    pub(crate) async fn mock_counts(&self) -> Spent {
        let begun = Instant::now();
        loop {
            let told = self.ask_mock("GET", "stats", "");
            let body = told.split_once("\r\n\r\n").map_or("", |(_, body)| body);
            let spent: Spent = serde_json::from_str(body).unwrap_or_else(|why| panic!("{why}: {told}"));
            if spent.in_flight == 0 {
                return spent;
            }
            assert!(begun.elapsed() < PATIENCE, "the mock still has {} answers under way", spent.in_flight);
            sleep(Duration::from_millis(20)).await;
        }
    }

    fn ask_mock(&self, method: &str, action: &str, body: &str) -> String {
        let mut stream = TcpStream::connect(self.mock_at).expect("the mock");
        let length = body.len();
        let request = format!(
            "{method} /__mock/{action} HTTP/1.1\r\nhost: mock\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}"
        );
        stream.write_all(request.as_bytes()).expect("the mock");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("the mock's answer");
        answer
    }

    /// Leaves the folder where it is.
    pub(crate) fn keep(&self) -> PathBuf {
        if let Some(folder) = self.folder.borrow_mut().take() {
            let _ = folder.keep();
        }
        self.path.clone()
    }
}

impl Drop for House {
    fn drop(&mut self) {
        let mock = self.mock.get_mut();
        let _ = mock.kill();
        let _ = mock.wait();
    }
}

impl Gateway {
    /// Asks it to end, and waits until it has.
    pub(crate) async fn drained(mut self) -> ExitStatus {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw).expect("a process");
        kill_process(pid, Signal::TERM).expect("a running process");
        let begun = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().expect("a status") {
                return status;
            }
            assert!(begun.elapsed() < PATIENCE, "the gateway does not end: {}", self.errors());
            sleep(Duration::from_millis(5)).await;
        }
    }

    /// Kills it without warning; its log.
    pub(crate) fn killed(mut self) -> PathBuf {
        self.child.kill().expect("a running process");
        self.child.wait().expect("its end");
        self.log.clone()
    }

    fn errors(&self) -> String {
        std::fs::read_to_string(self.log.with_extension("stderr")).unwrap_or_default()
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A command of the binary beside this one, with nothing in its environment that would change what it does.
fn command(args: &[&str]) -> Command {
    let beside = || std::env::current_exe().expect("a path").with_file_name("sluice");
    let binary = std::env::var_os("SLUICE_BIN").map_or_else(beside, PathBuf::from);
    let mut command = Command::new(binary);
    command.args(args).stdin(Stdio::null()).env_clear();
    for kept in ["PATH", "HOME", "TMPDIR"] {
        if let Some(value) = std::env::var_os(kept) {
            command.env(kept, value);
        }
    }
    command
}

/// Loopback ports that were free a moment ago.
fn free_addresses<const N: usize>() -> [SocketAddr; N] {
    let listeners = [(); N].map(|()| TcpListener::bind("127.0.0.1:0").expect("a free port"));
    listeners.map(|listener| listener.local_addr().expect("an address"))
}

fn listens(address: SocketAddr) -> bool {
    TcpStream::connect(address).is_ok()
}

fn configuration(folder: &Path, api: SocketAddr, admin: SocketAddr, mock: SocketAddr) -> String {
    let state = folder.join("state");
    let [input, cached, output] = PRICES.map(|nano_usd| nano_usd as f64 / 1000.0);
    let mut yaml = format!(
        "version: 1\n\
         state_dir: \"{}\"\n\
         listeners: {{api: {{bind: \"{api}\"}}, admin: {{bind: \"{admin}\"}}}}\n\
         shutdown: {{delay: 200ms, drain: 30s}}\n\
         auth: {{mode: keys}}\n\
         cache: {{mode: seeded, memory: 64MiB}}\n\
         limits: {{requests: {{rate: 1000000/s}}, tokens: {{rate: 1000000000/s}}}}\n\
         tenants:\n\
         \x20 - {{name: search, budget: {{usd: 1000000, per: month}}}}\n\
         \x20 - {{name: batch, limits: {{tokens: {{rate: 1000000000/s}}}}}}\n\
         \x20 - {{name: office}}\n\
         prices:\n",
        state.display()
    );
    for provider in ["up", "spare"] {
        let price = format!("input: {input}, cached_input: {cached}, output: {output}");
        writeln!(yaml, "  - {{provider: {provider}, model: \"*\", {price}}}").expect("text");
    }
    yaml.push_str("providers:\n");
    for provider in ["up", "spare", "free"] {
        write!(
            yaml,
            "  - name: {provider}\n    kind: openai_compatible\n    base_url: \"http://{mock}/v1\"\n    \
             allow_private: true\n    keys: [{{name: main, value: sk-provider-{provider}}}]\n    \
             timeouts: {{connect: 5s, first_byte: 20s, idle: 4s, total: 60s}}\n"
        )
        .expect("text");
    }
    yaml.push_str("models:\n");
    for way in WAYS {
        let (model, provider) = (way.model, way.provider);
        let spare = match way.spare {
            true => format!(", {{provider: spare, model: {}, priority: 1}}", spare_model(model)),
            false => String::new(),
        };
        let target = format!("{{provider: {provider}, model: {model}}}");
        writeln!(yaml, "  - {{name: {model}, targets: [{target}{spare}]}}").expect("text");
    }
    yaml.push_str("keys:\n");
    for Key { name, tenant, members } in KEYS.iter().chain([&TIGHT]) {
        let hash = blake3::hash(plan::secret(name).as_bytes()).to_hex();
        writeln!(
            yaml,
            "  - {{name: {name}, tenant: {tenant}, hash: \"blake3:{hash}\", models: [\"*\"]{members}}}"
        )
        .expect("text");
    }
    yaml
}
