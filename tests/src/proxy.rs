//! A real HTTP proxy that knows `CONNECT` and nothing else, and remembers who wanted what.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional},
    net::{TcpListener, TcpStream},
    task::{JoinHandle, JoinSet},
};

/// What a proxy does with those who come.
#[derive(Debug, Clone)]
pub enum Manner {
    /// Connects everybody.
    Open,
    /// Connects those who send this `Proxy-Authorization`; 407 for others.
    Ask(String),
    /// Says this and hangs up.
    Say(&'static str),
    /// Takes the connection and says nothing.
    Hang,
}

/// The proxy; it ends with its last handle, and every tunnel with it.
pub struct Proxy {
    /// Where it listens.
    pub address: SocketAddr,
    heads: Arc<Mutex<Vec<String>>>,
    server: JoinHandle<()>,
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Proxy {
    /// Starts one. Every name leads to `target` at whatever port; so it is plain who has resolved it.
    #[expect(clippy::disallowed_methods, reason = "aborted when the proxy is dropped")]
    pub async fn start(manner: Manner, target: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
        let address = listener.local_addr().expect("address");
        let heads = Arc::new(Mutex::new(Vec::new()));
        let heard = heads.clone();
        let server = tokio::spawn(async move {
            let mut tunnels = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                tunnels.spawn(serve(stream, manner.clone(), target, heard.clone()));
            }
        });
        Self { address, heads, server }
    }

    /// As it is configured, with `user:password@` or nothing before the address.
    #[must_use]
    pub fn line(&self, credentials: &str) -> String {
        format!("proxy: \"http://{credentials}{}\"", self.address)
    }

    /// The heads of all that was asked of it.
    #[must_use]
    pub fn asked(&self) -> Vec<String> {
        self.heads.lock().expect("lock").clone()
    }
}

async fn serve(mut stream: TcpStream, manner: Manner, target: SocketAddr, heads: Arc<Mutex<Vec<String>>>) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let Ok(byte) = stream.read_u8().await else { return };
        head.push(byte);
    }
    let head = String::from_utf8(head).expect("text");
    heads.lock().expect("lock").push(head.clone());
    let refusal = match &manner {
        Manner::Open => None,
        Manner::Ask(wanted) => {
            let sent = head.lines().find_map(|line| line.strip_prefix("Proxy-Authorization: "));
            let refusal = "HTTP/1.1 407 Who are you?\r\nProxy-Authenticate: Basic realm=\"x\"\r\n\r\n";
            (sent != Some(wanted)).then_some(refusal)
        }
        Manner::Say(what) => Some(*what),
        Manner::Hang => return std::future::pending().await,
    };
    if let Some(refusal) = refusal {
        let _ = stream.write_all(refusal.as_bytes()).await;
        return;
    }
    let Ok(mut upstream) = TcpStream::connect(target).await else {
        let _ = stream.write_all(b"HTTP/1.1 502 Nobody there\r\n\r\n").await;
        return;
    };
    stream.set_nodelay(true).expect("nodelay");
    upstream.set_nodelay(true).expect("nodelay");
    let _ = stream.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").await;
    let _ = copy_bidirectional(&mut stream, &mut upstream).await;
}
