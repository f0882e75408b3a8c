//! The way through an HTTP proxy: `CONNECT`, and what it answers.
//!
//! Owns that one question and answer on a connection that is there already; afterwards the connection is the
//! upstream's. Every upstream is reached in this way, `http` ones too, so that the proxy reads nothing of a request.

use crate::upstream::connect::ConnectError;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use sluice_config::model::Proxy;
use std::fmt;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// The head of a proxy's answer is no longer.
const MAX_HEAD: usize = 16 << 10;
/// How a head ends.
const END: &[u8] = b"\r\n\r\n";
/// Name and version that proxies see.
const USER_AGENT: &str = concat!("sluice/", env!("CARGO_PKG_VERSION"));

/// A proxy to go through.
pub struct Tunnel {
    /// Where it is: a name or an address.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// `Proxy-Authorization`, a whole line.
    authorization: String,
}

/// Without its credentials.
impl fmt::Debug for Tunnel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tunnel").field("host", &self.host).field("port", &self.port).finish_non_exhaustive()
    }
}

impl Tunnel {
    /// As it is configured.
    #[must_use]
    pub fn new(proxy: &Proxy) -> Self {
        let authorization = proxy.credentials.as_ref().map_or_else(String::new, |credentials| {
            format!("Proxy-Authorization: Basic {}\r\n", STANDARD.encode(credentials.expose()))
        });
        Self { host: proxy.host.clone(), port: proxy.port, authorization }
    }

    /// Has the proxy connect to `host`. What comes on the connection afterwards is the upstream's, to the byte.
    ///
    /// # Errors
    /// When the proxy does not.
    pub async fn dig(&self, stream: &mut TcpStream, host: &str, port: u16) -> Result<(), ConnectError> {
        let host = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
        let head = format!(
            "CONNECT {host}:{port} HTTP/1.1\r\nHost: {host}:{port}\r\nUser-Agent: {USER_AGENT}\r\n{}\r\n",
            self.authorization
        );
        stream.write_all(head.as_bytes()).await.map_err(|_| ConnectError::ProxyUnreachable)?;
        let head = head_of(stream).await?;
        match status(&head) {
            Some(200..=299) => Ok(()),
            Some(407) => Err(ConnectError::ProxyAuth),
            Some(status) => Err(ConnectError::ProxyRefused(status)),
            None => Err(ConnectError::ProxyAnswer),
        }
    }
}

/// Reads up to the end of a head and not a byte further: an upstream may speak first.
async fn head_of(stream: &mut TcpStream) -> Result<Vec<u8>, ConnectError> {
    let (mut head, mut seen) = (Vec::new(), [0; 1024]);
    while head.len() < MAX_HEAD {
        let there = stream.peek(&mut seen).await.map_err(|_| ConnectError::ProxyUnreachable)?;
        if there == 0 {
            break;
        }
        let before = head.len();
        head.extend_from_slice(seen.get(..there).unwrap_or_default());
        let end = head.windows(END.len()).position(|window| window == END).map(|at| at + END.len());
        let taken = end.unwrap_or(head.len()) - before;
        let taken = seen.get_mut(..taken).unwrap_or_default();
        stream.read_exact(taken).await.map_err(|_| ConnectError::ProxyUnreachable)?;
        if let Some(end) = end {
            head.truncate(end);
            return Ok(head);
        }
    }
    Err(ConnectError::ProxyAnswer)
}

/// `HTTP/1.1 200 Connection established`
fn status(head: &[u8]) -> Option<u16> {
    let rest = head.strip_prefix(b"HTTP/1.")?;
    let code = rest.get(2..5).filter(|_| rest.get(1) == Some(&b' '))?;
    let ends = rest.get(5).is_some_and(|byte| matches!(byte, b' ' | b'\r'));
    let code = std::str::from_utf8(code).ok()?.parse().ok()?;
    (ends && code >= 100).then_some(code)
}

#[cfg(test)]
mod tests {
    use super::*;
    use sluice_config::model::Secret;
    use tokio::net::TcpListener;

    #[test]
    fn a_status_is_three_digits_of_a_status_line() {
        assert_eq!(status(b"HTTP/1.1 200 Connection established\r\n\r\n"), Some(200));
        assert_eq!(status(b"HTTP/1.0 407\r\n"), Some(407));
        for head in
            ["HTTP/2 200 OK", "HTTP/1.1 2000", "HTTP/1.1 +20 ", "HTTP/1.1  20 ", "SSH-2.0-x", "HTTP/1.1"]
        {
            assert_eq!(status(head.as_bytes()), None, "{head}");
        }
    }

    /// What a proxy that sends this makes of it, and what is left on the connection.
    async fn answered(parts: &[&[u8]]) -> (Result<(), ConnectError>, Vec<u8>, String) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let proxy = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            stream.set_nodelay(true).unwrap();
            let mut asked = vec![0; 1024];
            let length = stream.read(&mut asked).await.unwrap();
            for part in parts {
                stream.write_all(part).await.unwrap();
                tokio::time::sleep(std::time::Duration::from_millis(5)).await;
            }
            String::from_utf8(asked[..length].to_vec()).unwrap()
        };
        let client = async {
            let credentials = Some(Secret::new("me:pw".to_owned()));
            let tunnel = Tunnel::new(&Proxy { host: "p".to_owned(), port: 1, credentials });
            assert!(!format!("{tunnel:?}").contains("bWU6cHc="));
            let mut stream = TcpStream::connect(address).await.unwrap();
            let dug = tunnel.dig(&mut stream, "fd00::1", 443).await;
            let mut rest = Vec::new();
            let _ = stream.read_to_end(&mut rest).await;
            (dug, rest)
        };
        let (asked, (dug, rest)) = tokio::join!(proxy, client);
        (dug, rest, asked)
    }

    #[tokio::test]
    async fn what_the_upstream_says_first_is_kept_however_the_answer_is_cut() {
        for parts in [
            &[&b"HTTP/1.1 200 OK\r\nvia: x\r\n\r\nhello"[..]][..],
            &[b"HTTP/1.1 200 OK\r", b"\n", b"\r", b"\nhel", b"lo"],
        ] {
            let (dug, rest, asked) = answered(parts).await;
            assert_eq!((dug, &*rest), (Ok(()), &b"hello"[..]));
            assert!(
                asked.starts_with("CONNECT [fd00::1]:443 HTTP/1.1\r\nHost: [fd00::1]:443\r\n"),
                "{asked}"
            );
            assert!(asked.ends_with("\r\nProxy-Authorization: Basic bWU6cHc=\r\n\r\n"), "{asked}");
        }
    }

    #[tokio::test]
    async fn an_answer_that_is_none_opens_nothing() {
        const LONG: &[u8] = &[b'x'; MAX_HEAD + 1];
        for (parts, fault) in [
            (&[&b"HTTP/1.1 407 No\r\n\r\n"[..]][..], ConnectError::ProxyAuth),
            (&[b"HTTP/1.1 503 No\r\n\r\n"], ConnectError::ProxyRefused(503)),
            (&[b"SSH-2.0-OpenSSH\r\n\r\n"], ConnectError::ProxyAnswer),
            (&[b"HTTP/1.1 200 OK\r\n"], ConnectError::ProxyAnswer),
            (&[b""], ConnectError::ProxyAnswer),
            (&[LONG], ConnectError::ProxyAnswer),
        ] {
            assert_eq!(answered(parts).await.0, Err(fault));
        }
    }
}
