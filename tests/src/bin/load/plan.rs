//! What to send, how often and for how long: the command line and the bytes made from it.

use clap::Parser;
use hyper::Uri;
use std::{cell::Cell, net::SocketAddr};

/// Where the unique number stands in a body: in the prompt, or in the seed, behind a digit that keeps it a number.
const MARK: &str = "n=00000000000000";
const SEED: &str = ",\"seed\":100000000000000";
const DIGITS: usize = 14;

/// Load for one endpoint of an LLM gateway.
#[derive(Parser)]
pub(crate) struct Args {
    /// `http://ip:port/path`.
    #[arg(long)]
    url: Uri,
    /// Extra header line, `name: value`; may be repeated.
    #[arg(long)]
    header: Vec<String>,
    /// The body's `model`.
    #[arg(long, default_value = "bench")]
    model: String,
    /// Size of the body in bytes, roughly.
    #[arg(long, default_value_t = 1024)]
    body_size: usize,
    /// Ask for streams.
    #[arg(long)]
    stream: bool,
    /// Connections.
    #[arg(long, default_value_t = 64)]
    pub(crate) conns: usize,
    /// Requests per second over all connections; 0 sends as fast as answers come.
    #[arg(long, default_value_t = 0.0)]
    rps: f64,
    /// Seconds that are measured.
    #[arg(long, default_value_t = 4.0)]
    pub(crate) duration: f64,
    /// Seconds before that.
    #[arg(long, default_value_t = 1.0)]
    pub(crate) warmup: f64,
    /// Ends after so many requests, if not before; 0 for no such end.
    #[arg(long, default_value_t = 0)]
    requests: u64,
    /// Seconds over which the connections are opened, one after the other.
    #[arg(long, default_value_t = 0.0)]
    spread: f64,
    /// Seconds that open requests may take after the end.
    #[arg(long, default_value_t = 20.0)]
    pub(crate) grace: f64,
    /// Only so many different bodies; 0 makes each one unique.
    #[arg(long, default_value_t = 0)]
    distinct: u64,
    /// First number of the unique bodies; random without it.
    #[arg(long)]
    seed: Option<u64>,
    /// Bodies differ in their `seed` instead of their prompt, so that answers may be cached.
    #[arg(long)]
    seeded: bool,
    /// Header line, `name: value`, without which an answer after the warm-up is an error.
    #[arg(long)]
    expect: Option<String>,
}

/// The prepared request and the run's times, in nanoseconds of the monotonic clock.
pub(crate) struct Plan {
    pub(crate) url: String,
    pub(crate) address: SocketAddr,
    pub(crate) stream: bool,
    pub(crate) conns: usize,
    pub(crate) rps: f64,
    pub(crate) body_size: usize,
    pub(crate) measure_from: u64,
    pub(crate) end: u64,
    pub(crate) expect: Option<(String, String)>,
    start: u64,
    requests: u64,
    spread: u64,
    head: Vec<u8>,
    body: Vec<u8>,
    mark: usize,
    distinct: u64,
    seed: u64,
    written: Cell<u64>,
    tickets: Cell<u64>,
}

impl Plan {
    pub(crate) fn new(args: &Args, start: u64) -> Self {
        let path = args.url.path_and_query().map_or("/", |path| path.as_str());
        let host = args.url.authority().expect("--url http://ip:port/path").as_str();
        let body = body(args, path);
        let length = body.len();
        let mut head = format!(
            "POST {path} HTTP/1.1\r\nhost: {host}\r\ncontent-type: application/json\r\naccept: */*\r\n\
             user-agent: sluice-load\r\ncontent-length: {length}\r\n"
        );
        for line in &args.header {
            head.push_str(line);
            head.push_str("\r\n");
        }
        head.push_str("\r\n");
        let expect = args.expect.as_ref().map(|line| {
            let (name, value) = line.split_once(": ").expect("--expect 'name: value'");
            (name.to_owned(), value.to_owned())
        });
        let number = if args.seeded { SEED } else { MARK };
        let mark = body.find(number).expect("the body holds its number") + number.len() - DIGITS;
        let nanoseconds = |seconds: f64| (seconds * 1e9) as u64;
        Self {
            url: args.url.to_string(),
            address: host.parse().expect("ip:port in --url"),
            stream: args.stream,
            conns: args.conns,
            rps: args.rps,
            body_size: length,
            measure_from: start + nanoseconds(args.warmup),
            end: start + nanoseconds(args.warmup + args.duration),
            expect,
            start,
            requests: args.requests,
            spread: nanoseconds(args.spread),
            head: head.into_bytes(),
            mark,
            body: body.into_bytes(),
            distinct: args.distinct,
            seed: args.seed.unwrap_or(start / 1000 % 99_991) * 1_000_000_000,
            written: Cell::new(0),
            tickets: Cell::new(0),
        }
    }

    /// Writes the next request into `out`.
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        let n = self.written.replace(self.written.get() + 1);
        let number = self.seed + if self.distinct > 0 { n % self.distinct } else { n };
        out.clear();
        out.extend_from_slice(&self.head);
        out.extend_from_slice(&self.body);
        let at = self.head.len() + self.mark;
        out[at..at + DIGITS].copy_from_slice(format!("{number:014}").as_bytes());
    }

    /// When a connection sends its first request at the earliest.
    pub(crate) fn opens(&self, index: usize) -> u64 {
        self.start + self.spread * index as u64 / self.conns as u64
    }

    /// When the next request is due; `None` after the end.
    pub(crate) fn due(&self, now: u64) -> Option<u64> {
        let n = self.tickets.replace(self.tickets.get() + 1);
        if self.requests > 0 && n >= self.requests {
            return None;
        }
        let at = if self.rps > 0.0 { self.start + (n as f64 * 1e9 / self.rps) as u64 } else { now };
        (now < self.end && at < self.end).then_some(at)
    }

    /// How many requests were written, warm-up included.
    pub(crate) fn sent(&self) -> u64 {
        self.written.get()
    }
}

fn body(args: &Args, path: &str) -> String {
    let (model, seed) = (&args.model, if args.seeded { SEED } else { "" });
    let stream = if args.stream { ",\"stream\":true" } else { "" };
    let prompt = |frame: usize| format!("{MARK} {}", words(args.body_size.saturating_sub(frame)));
    if path.ends_with("/chat/completions") {
        let system = r#"{"role":"system","content":"You are a helpful assistant."}"#;
        let user = prompt(200);
        format!(
            r#"{{"model":"{model}","messages":[{system},{{"role":"user","content":"{user}"}}],"temperature":0.7,"max_tokens":256{seed}{stream}}}"#
        )
    } else if path.ends_with("/responses") {
        let user = prompt(110);
        format!(r#"{{"model":"{model}","input":"{user}","max_output_tokens":256{seed}{stream}}}"#)
    } else {
        let user = prompt(110);
        format!(r#"{{"model":"{model}","prompt":"{user}","temperature":0.7,"max_tokens":256{seed}{stream}}}"#)
    }
}

/// Prose with the escapes and accents that real prompts have.
fn words(size: usize) -> String {
    let sentence = r#"Summarise the following incident report in two sentences; keep every number.\nThe café gateway said \"hello\" at 12:45. "#;
    let mut text = sentence.repeat(size / sentence.len());
    text.push_str(&"x".repeat(size - text.len()));
    text
}
