//! A real `redis-server` on its own port, without persistence; it can be killed, paused and asked anything.

use crate::process::free_port;
use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

/// One server.
pub struct Redis {
    port: u16,
    folder: tempfile::TempDir,
    child: Option<Child>,
}

impl Redis {
    /// Starts a server and waits until it answers.
    #[must_use]
    pub fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let mut redis = Self { port: free_port(), folder, child: None };
        redis.restart();
        redis
    }

    /// What `redis.urls` says.
    #[must_use]
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Kills the server without warning.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Starts the server again, empty, on the same port.
    pub fn restart(&mut self) {
        self.kill();
        let child = Command::new("redis-server")
            .args(["--port", &self.port.to_string(), "--bind", "127.0.0.1"])
            .args(["--save", "", "--appendonly", "no", "--dir"])
            .arg(self.folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .expect("redis-server; `tests/run tools` installs it");
        self.child = Some(child);
        let start = Instant::now();
        while !self.answers() {
            assert!(start.elapsed() < Duration::from_secs(10), "redis-server does not answer");
            pause(Duration::from_millis(10));
        }
    }

    /// Stops the server without closing its connections: it hangs.
    pub fn pause(&self) {
        self.signal("STOP");
    }

    /// Lets a paused server go on.
    pub fn resume(&self) {
        self.signal("CONT");
    }

    fn signal(&self, name: &str) {
        let pid = self.child.as_ref().expect("a running server").id().to_string();
        assert!(Command::new("kill").args(["-s", name, &pid]).status().expect("kill").success());
    }

    /// Refuses every write from now on, as a full server does; `false` takes it back.
    pub fn fill(&self, full: bool) {
        let limit: &[u8] = if full { b"1" } else { b"0" };
        assert_eq!(self.ask(&[b"CONFIG", b"SET", b"maxmemory", limit]), Reply::Text(b"OK".into()));
    }

    /// Forgets everything.
    pub fn flush(&self) {
        assert_eq!(self.ask(&[b"FLUSHALL"]), Reply::Text(b"OK".into()));
    }

    /// All keys that fit the pattern, sorted.
    #[must_use]
    pub fn keys(&self, pattern: &str) -> Vec<String> {
        let Reply::List(keys) = self.ask(&[b"KEYS", pattern.as_bytes()]) else { panic!("no list of keys") };
        let text = |key| match key {
            Reply::Text(key) => String::from_utf8(key).expect("a key of text"),
            other => panic!("a key: {other:?}"),
        };
        let mut keys: Vec<String> = keys.into_iter().map(text).collect();
        keys.sort();
        keys
    }

    /// The bytes of a key; `None` when there is none.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<Vec<u8>> {
        match self.ask(&[b"GET", key.as_bytes()]) {
            Reply::Text(bytes) => Some(bytes),
            _ => None,
        }
    }

    /// Replaces the bytes of a key; its life stays as it is.
    pub fn put(&self, key: &str, value: &[u8]) {
        let reply = self.ask(&[b"SET", key.as_bytes(), value, b"KEEPTTL"]);
        assert_eq!(reply, Reply::Text(b"OK".into()));
    }

    /// Sends a command on a connection of its own.
    #[must_use]
    pub fn ask(&self, command: &[&[u8]]) -> Reply {
        let mut wire = format!("*{}\r\n", command.len()).into_bytes();
        for part in command {
            wire.extend_from_slice(format!("${}\r\n", part.len()).as_bytes());
            wire.extend_from_slice(part);
            wire.extend_from_slice(b"\r\n");
        }
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).expect("redis-server");
        stream.set_read_timeout(Some(Duration::from_secs(10))).expect("a time limit");
        stream.write_all(&wire).expect("a command");
        reply(&mut BufReader::new(stream))
    }

    /// Does it answer a PING?
    #[must_use]
    pub fn answers(&self) -> bool {
        let ask = || -> std::io::Result<bool> {
            let mut stream = TcpStream::connect(("127.0.0.1", self.port))?;
            stream.set_read_timeout(Some(Duration::from_secs(1)))?;
            stream.write_all(b"PING\r\n")?;
            let mut reply = [0; 7];
            stream.read_exact(&mut reply)?;
            Ok(&reply == b"+PONG\r\n")
        };
        ask().unwrap_or(false)
    }
}

/// What the server said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// A simple or a bulk string.
    Text(Vec<u8>),
    /// An integer.
    Number(i64),
    /// An array.
    List(Vec<Reply>),
    /// Nothing there.
    Nil,
    /// An error.
    Error(String),
}

fn reply(from: &mut impl BufRead) -> Reply {
    let mut line = String::new();
    from.read_line(&mut line).expect("a reply");
    let (kind, rest) = line.trim_end().split_at(1);
    let number = || rest.parse::<i64>().expect("a number");
    match kind {
        "+" => Reply::Text(rest.into()),
        "-" => Reply::Error(rest.into()),
        ":" => Reply::Number(number()),
        "*" => Reply::List((0..number()).map(|_| reply(from)).collect()),
        "$" => {
            let Ok(length) = usize::try_from(number()) else { return Reply::Nil };
            let mut bytes = vec![0; length + 2];
            from.read_exact(&mut bytes).expect("the whole reply");
            bytes.truncate(length);
            Reply::Text(bytes)
        }
        _ => panic!("not a reply: {line}"),
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.kill();
    }
}

#[expect(clippy::disallowed_methods, reason = "a test's own thread, before anything runs")]
fn pause(time: Duration) {
    std::thread::sleep(time);
}

#[cfg(test)]
mod tests {
    use super::{Redis, Reply};

    #[test]
    fn a_killed_server_comes_back_on_its_port() {
        let mut redis = Redis::start();
        let url = redis.url();
        redis.kill();
        assert!(!redis.answers());
        redis.restart();
        assert!(redis.answers() && redis.url() == url);
    }

    #[test]
    fn it_can_be_asked_filled_and_flushed() {
        let redis = Redis::start();
        redis.put("a", b"\r\n\0");
        assert_eq!((redis.get("a"), redis.get("b")), (Some(b"\r\n\0".into()), None));
        assert_eq!(redis.keys("*"), ["a"]);
        redis.fill(true);
        assert!(matches!(redis.ask(&[b"SET", b"b", b"1"]), Reply::Error(why) if why.starts_with("OOM")));
        redis.fill(false);
        redis.flush();
        assert_eq!(redis.ask(&[b"DBSIZE"]), Reply::Number(0));
    }
}
