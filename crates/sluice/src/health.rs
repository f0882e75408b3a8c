//! `sluice health`: the readiness probe of a container that has no curl.
//!
//! One blocking HTTP/1.1 request without a runtime, so that a probe costs a millisecond.

use crate::{cli::HealthArgs, serve, terminal};
use sluice_config::{Options, Source};
use std::{
    io::{self, Read, Write},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, ToSocketAddrs},
    process::ExitCode,
    time::Duration,
};

/// The default of `listeners.admin.bind`.
const DEFAULT: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 4001);
/// Below the time that container runtimes give a probe.
const TIMEOUT: Duration = Duration::from_secs(2);
/// The answer is a few lines; whatever is longer is not ours.
const MAX_ANSWER: u64 = 16 * 1024;

/// Asks, says what came back, and turns it into the exit code.
pub(crate) fn run(args: &HealthArgs) -> ExitCode {
    match address(args).and_then(ask) {
        Ok(answer) if answer.status == 200 => {
            terminal::print(&answer.body);
            ExitCode::SUCCESS
        }
        Ok(answer) => {
            terminal::tell(&answer.body);
            ExitCode::FAILURE
        }
        Err(message) => {
            terminal::tell(&format!("error: {message}"));
            ExitCode::FAILURE
        }
    }
}

/// `--admin`, or what the running gateway was told: the configuration with its environment overrides.
fn address(args: &HealthArgs) -> Result<SocketAddr, String> {
    let bind = match &args.admin {
        Some(text) => resolve(text)?,
        None => configured(args)?,
    };
    let ip = match bind.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    Ok(SocketAddr::new(ip, bind.port()))
}

fn configured(args: &HealthArgs) -> Result<SocketAddr, String> {
    let named = std::env::var("SLUICE__LISTENERS__ADMIN__BIND").ok().filter(|text| !text.is_empty());
    if let Some(text) = named {
        return resolve(&text);
    }
    let Some(file) = serve::configuration(args.config.as_deref()) else { return Ok(DEFAULT) };
    // A probe may run without the secrets of the gateway that it asks.
    let options = Options { env_optional: true, ..Options::default() };
    match sluice_config::load(Source::File(&file), &options) {
        Ok(loaded) => Ok(loaded.settings.listeners.admin.bind),
        Err(_) => Err(format!("{} is not valid; name the listener with --admin HOST:PORT", file.display())),
    }
}

fn resolve(text: &str) -> Result<SocketAddr, String> {
    let host = text.strip_prefix("http://").unwrap_or(text).trim_end_matches('/');
    host.to_socket_addrs()
        .ok()
        .and_then(|mut addresses| addresses.next())
        .ok_or_else(|| format!("{text}: expected HOST:PORT, such as 127.0.0.1:4001"))
}

struct Answer {
    status: u16,
    body: String,
}

fn ask(admin: SocketAddr) -> Result<Answer, String> {
    let bytes = exchange(admin).map_err(|fault| format!("no answer from {admin}: {fault}"))?;
    parse(&bytes).ok_or_else(|| format!("what listens on {admin} is not a Sluice admin listener"))
}

fn exchange(admin: SocketAddr) -> io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect_timeout(&admin, TIMEOUT)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    stream.set_write_timeout(Some(TIMEOUT))?;
    write!(stream, "GET /readyz?verbose HTTP/1.1\r\nhost: {admin}\r\nconnection: close\r\n\r\n")?;
    let mut bytes = Vec::new();
    stream.take(MAX_ANSWER).read_to_end(&mut bytes)?;
    Ok(bytes)
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

    fn args(admin: &str) -> HealthArgs {
        HealthArgs { admin: Some(admin.to_owned()), config: None }
    }

    #[test]
    fn a_listener_on_every_address_is_asked_on_loopback() {
        assert_eq!(address(&args("0.0.0.0:4001")).unwrap().to_string(), "127.0.0.1:4001");
        assert_eq!(address(&args("[::]:4001")).unwrap().to_string(), "[::1]:4001");
        assert_eq!(address(&args("http://127.0.0.1:9/")).unwrap().to_string(), "127.0.0.1:9");
        assert!(address(&args("nonsense")).unwrap_err().contains("HOST:PORT"));
    }

    #[test]
    fn the_status_and_the_body_are_read() {
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
        });
        let answer = ask(admin).unwrap();
        assert_eq!((answer.status, answer.body.as_str()), (503, "not ready"));
        server.join().unwrap();
    }

    #[test]
    fn something_else_on_the_port_is_named_as_such() {
        assert!(parse(b"SSH-2.0-OpenSSH\r\n").is_none());
        assert!(parse(b"HTTP/1.1 ok\r\n\r\n").is_none());
    }
}
