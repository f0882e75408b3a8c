//! Asks the admin listener of a gateway that runs.
//!
//! One blocking HTTP/1.1 request without a runtime, so that a probe costs a millisecond.

use sluice_config::model::Secret;
use std::{
    io::{self, ErrorKind, Read, Write},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, ToSocketAddrs},
    time::{Duration, Instant},
};

/// Below the time that container runtimes give a probe.
const TIMEOUT: Duration = Duration::from_secs(2);

/// What is asked.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Page<'a> {
    pub(crate) path: &'a str,
    /// Shown to whoever listens there.
    pub(crate) token: Option<&'a Secret>,
    /// Whatever is longer is not ours.
    pub(crate) longest: u64,
}

/// What came back.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: String,
}

/// HOST:PORT or http://HOST:PORT as an address.
pub(crate) fn resolve(text: &str) -> Result<SocketAddr, String> {
    let host = text.strip_prefix("http://").unwrap_or(text).trim_end_matches('/');
    match host.to_socket_addrs() {
        Ok(mut addresses) => addresses.next().ok_or_else(|| format!("{text}: nothing has this name")),
        Err(fault) if fault.kind() == ErrorKind::InvalidInput => {
            Err(format!("{text}: expected HOST:PORT, such as 127.0.0.1:4001"))
        }
        Err(fault) => Err(format!("{text} cannot be looked up: {fault}")),
    }
}

/// Where a listener that is bound like this can be asked from its own machine.
pub(crate) fn reachable(bind: SocketAddr) -> SocketAddr {
    let ip = match bind.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, bind.port())
}

/// Gets a page.
pub(crate) fn get(admin: SocketAddr, page: Page<'_>) -> Result<Answer, String> {
    let token = page.token.map_or("", Secret::expose);
    if token.chars().any(char::is_control) {
        return Err("the admin token cannot be sent as a header".to_owned());
    }
    let bytes = exchange(admin, page).map_err(|fault| format!("no answer from {admin}: {fault}"))?;
    parse(&bytes).ok_or_else(|| format!("what listens on {admin} is not a Sluice admin listener"))
}

fn exchange(admin: SocketAddr, page: Page<'_>) -> io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect_timeout(&admin, TIMEOUT)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    stream.set_write_timeout(Some(TIMEOUT))?;
    let mut head = format!("GET {} HTTP/1.1\r\nhost: {admin}\r\nconnection: close\r\n", page.path);
    if let Some(token) = page.token {
        head.push_str(&format!("authorization: Bearer {}\r\n", token.expose()));
    }
    head.push_str("\r\n");
    stream.write_all(head.as_bytes())?;
    let (mut bytes, mut piece, late) = (Vec::new(), [0; 8 * 1024], Instant::now() + TIMEOUT);
    // Not everybody closes when asked to.
    while !is_whole(&bytes) && (bytes.len() as u64) < page.longest {
        match stream.read(&mut piece) {
            Ok(0) => break,
            Ok(read) if Instant::now() < late => bytes.extend(piece.iter().take(read)),
            Err(fault) if fault.kind() == ErrorKind::Interrupted => {}
            Err(fault) if !matches!(fault.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                return Err(fault);
            }
            Ok(_) | Err(_) => return Err(io::Error::new(ErrorKind::TimedOut, "it took too long")),
        }
    }
    Ok(bytes)
}

/// Has all come that its head speaks of?
fn is_whole(bytes: &[u8]) -> bool {
    let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else { return false };
    let head = String::from_utf8_lossy(bytes.get(..end).unwrap_or_default()).to_ascii_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length:"));
    let length = length.and_then(|length| length.trim().parse::<usize>().ok());
    length.is_some_and(|length| bytes.len() - end - 4 >= length)
}

/// The admin listener always sends a content length, so the body is simply what follows the head.
fn parse(bytes: &[u8]) -> Option<Answer> {
    let text = std::str::from_utf8(bytes).ok()?;
    let (head, body) = text.split_once("\r\n\r\n")?;
    let status = head.strip_prefix("HTTP/1.1 ")?.get(..3)?.parse().ok()?;
    Some(Answer { status, body: body.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    #[test]
    fn the_status_and_the_body_are_read_and_the_token_is_sent() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let admin = listener.local_addr().unwrap();
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            // The whole head: closing with a part of it unread would reset the connection.
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                stream.read_exact(&mut byte).unwrap();
                head.extend(byte);
            }
            stream
                .write_all(b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 9\r\n\r\nnot ready")
                .unwrap();
            String::from_utf8(head).unwrap()
        });
        let token = Secret::new("t0ken".to_owned());
        let answer = get(admin, Page { path: "/status", token: Some(&token), longest: 1024 }).unwrap();
        assert_eq!((answer.status, answer.body.as_str()), (503, "not ready"));
        let head = server.join().unwrap();
        assert!(head.starts_with("GET /status HTTP/1.1\r\n"), "{head}");
        assert!(head.contains("authorization: Bearer t0ken\r\n"), "{head}");
    }

    #[test]
    fn an_answer_is_whole_by_its_length_or_by_its_end() {
        assert!(is_whole(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"));
        assert!(!is_whole(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok"));
        assert!(!is_whole(b"HTTP/1.1 200 OK\r\n\r\nok"));
        assert!(!is_whole(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n"));
    }

    #[test]
    fn something_else_on_the_port_is_named_as_such() {
        assert!(parse(b"SSH-2.0-OpenSSH\r\n").is_none());
        assert!(parse(b"HTTP/1.1 ok\r\n\r\n").is_none());
    }

    #[test]
    fn a_listener_on_every_address_is_asked_on_loopback() {
        let asked = |text: &str| reachable(resolve(text).unwrap()).to_string();
        assert_eq!(asked("0.0.0.0:4001"), "127.0.0.1:4001");
        assert_eq!(asked("[::]:4001"), "[::1]:4001");
        assert_eq!(asked("http://127.0.0.1:9/"), "127.0.0.1:9");
        assert!(resolve("nonsense").unwrap_err().contains("HOST:PORT"));
    }

    #[test]
    fn a_token_cannot_carry_a_header_of_its_own() {
        let token = Secret::new("t0ken\r\nx: y".to_owned());
        let page = Page { path: "/status", token: Some(&token), longest: 1024 };
        assert!(get(SocketAddr::from(([127, 0, 0, 1], 9)), page).is_err_and(|why| why.contains("token")));
    }
}
