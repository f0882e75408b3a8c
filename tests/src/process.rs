//! The built `sluice` binary as a child process: command line, signals, exit codes.
//!
//! `SLUICE_BIN` names the binary; without it the one of the same profile as the running test or driver is taken.

use crate::eventually;
use std::{
    fs::OpenOptions,
    io::{Read, Seek, Write},
    net::SocketAddr,
    path::PathBuf,
    process::{Child, Command, ExitStatus, Output, Stdio},
    sync::{Arc, Mutex},
};

/// The binary under test.
#[must_use]
pub fn binary() -> PathBuf {
    if let Some(path) = std::env::var_os("SLUICE_BIN") {
        return path.into();
    }
    let test = std::env::current_exe().expect("the test binary's path");
    // Tests are in `target/<profile>/deps`, drivers such as `steady` one above.
    let folder = test.ancestors().skip(1).find(|folder| !folder.ends_with("deps")).expect("target/<profile>");
    let path = folder.join("sluice");
    assert!(path.exists(), "{} is not built; run `cargo build` first, or set SLUICE_BIN", path.display());
    path
}

/// A command of the binary with a clean environment: no `SLUICE*` variable and no provider key reaches it.
#[must_use]
pub fn command(args: &[&str]) -> Command {
    let mut command = Command::new(binary());
    command.args(args).stdin(Stdio::null()).env_clear();
    for kept in ["PATH", "HOME", "TMPDIR"] {
        if let Some(value) = std::env::var_os(kept) {
            command.env(kept, value);
        }
    }
    command
}

/// Runs the binary to its end.
#[must_use]
pub fn run(args: &[&str]) -> Output {
    command(args).output().expect("the binary starts")
}

/// A running `sluice serve`; killed when dropped.
pub struct Process {
    child: Child,
    output: Arc<Mutex<String>>,
}

impl Process {
    /// Starts `command`, and keeps what it prints.
    #[must_use]
    pub fn start(mut command: Command) -> Self {
        let mut child =
            command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the binary starts");
        let output = Arc::new(Mutex::new(String::new()));
        keep(child.stdout.take().expect("stdout"), Arc::clone(&output));
        keep(child.stderr.take().expect("stderr"), Arc::clone(&output));
        Self { child, output }
    }

    /// Everything it has printed so far, on both channels.
    #[must_use]
    pub fn output(&self) -> String {
        self.output.lock().expect("lock").clone()
    }

    /// Waits until it has printed `text`.
    pub async fn says(&self, text: &str) {
        eventually(&format!("{text:?} in:\n{}", self.output()), || self.output().contains(text)).await;
    }

    /// Waits until something listens at `address`.
    pub async fn listens(&self, address: SocketAddr) {
        eventually(&format!("a listener at {address}:\n{}", self.output()), || {
            std::net::TcpStream::connect(address).is_ok()
        })
        .await;
    }

    /// Its resident memory.
    #[must_use]
    pub fn rss_mib(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).expect("a process");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("VmRSS");
        let kib = line.split_whitespace().next().and_then(|kib| kib.parse::<u64>().ok());
        kib.expect("a number") / 1024
    }

    /// Sends a signal by its name, as `kill` does.
    pub fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        let status = Command::new("kill").args(["-s", name, &pid]).status().expect("kill");
        assert!(status.success(), "kill -s {name} {pid}");
    }

    /// Waits for its end.
    pub async fn exit(&mut self) -> ExitStatus {
        let mut status = None;
        eventually("the process ends", || {
            status = self.child.try_wait().expect("wait");
            status.is_some()
        })
        .await;
        status.expect("a status")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn keep(mut pipe: impl Read + Send + 'static, into: Arc<Mutex<String>>) {
    std::thread::spawn(move || {
        let mut buffer = [0; 4096];
        while let Ok(n @ 1..) = pipe.read(&mut buffer) {
            into.lock().expect("lock").push_str(&String::from_utf8_lossy(&buffer[..n]));
        }
    });
}

/// A loopback port that is free now, and that no other test of this machine is given for a long while.
///
/// Tests run at the same time, each in a process of its own, and a port lies unbound between this answer and the
/// listener: drawn at random, one would now and then be drawn twice. So all take the next of one row, whose place a
/// file keeps under a lock. The row lies below the range from which the system gives ports to outgoing connections: one
/// of those could take it meanwhile, or, asking whether anybody listens there, find itself.
///
/// # Panics
/// When the folder for temporary files cannot be written.
#[must_use]
pub fn free_port() -> u16 {
    const ROW: std::ops::Range<u16> = 10_000..32_000;
    let place = std::env::temp_dir().join("sluice-tests-port");
    let mut options = OpenOptions::new();
    let mut file =
        options.read(true).write(true).create(true).truncate(false).open(&place).expect("a file of the row");
    file.lock().expect("the row for itself");
    let mut last = String::new();
    file.read_to_string(&mut last).expect("the place in the row");
    let mut port = last.trim().parse().unwrap_or_else(|_| fastrand::u16(ROW));
    loop {
        port = if ROW.contains(&port.wrapping_add(1)) { port + 1 } else { ROW.start };
        if std::net::TcpListener::bind(("127.0.0.1", port)).is_ok() {
            break;
        }
    }
    file.rewind().expect("the row's beginning");
    writeln!(file, "{port:05}").expect("the place in the row");
    port
}
