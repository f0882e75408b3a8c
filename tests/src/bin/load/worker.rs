//! One connection that sends one request after the other.

use crate::{
    chunked::Chunked,
    clock::{Alarm, now},
    plan::Plan,
    scan::Scan,
    tally::{Finished, Tally},
};
use std::{io, rc::Rc, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// Sends from the time at which the connection opens until the plan's end.
pub(crate) async fn run(plan: Rc<Plan>, tally: Rc<Tally>, opens: u64) {
    wait(&mut None, opens).await;
    let mut alarm = None;
    let mut connection = None;
    let (mut request, mut buffer) = (Vec::new(), Vec::with_capacity(256 * 1024));
    while let Some(due) = plan.due(now()) {
        wait(&mut alarm, due).await;
        let mut stream = match connection.take() {
            Some(stream) => stream,
            None => match connect(&plan, &tally).await {
                Ok(stream) => stream,
                Err(error) => {
                    tally.failed(&error.to_string());
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    continue;
                }
            },
        };
        plan.write(&mut request);
        match exchange(&plan, &tally, &mut stream, due, &request, &mut buffer).await {
            Ok(true) => connection = Some(stream),
            Ok(false) => {}
            Err(error) => tally.failed(&error.to_string()),
        }
    }
}

/// Makes the timer when there is something to wait for: it is a descriptor, of which ten thousand streams leave none.
async fn wait(alarm: &mut Option<Alarm>, at: u64) {
    if now() < at {
        let alarm = alarm.get_or_insert_with(|| Alarm::new().expect("a timer"));
        alarm.until(at).await.expect("the timer");
    }
}

async fn connect(plan: &Plan, tally: &Tally) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(plan.address).await?;
    stream.set_nodelay(true)?;
    tally.connections.set(tally.connections.get() + 1);
    Ok(stream)
}

/// Sends one request and reads its answer; true when the connection can serve the next one.
async fn exchange(
    plan: &Plan,
    tally: &Tally,
    stream: &mut TcpStream,
    due: u64,
    request: &[u8],
    buffer: &mut Vec<u8>,
) -> io::Result<bool> {
    let start = now();
    stream.write_all(request).await?;
    buffer.clear();
    let head = loop {
        fill(stream, buffer).await?;
        if let Some(head) = Head::parse(buffer, plan.expect.as_ref())? {
            break head;
        }
    };
    let mut framing = head.framing;
    let mut reading = Reading { plan, tally, scan: Scan::default(), first_event: None, error: Vec::new() };
    let mut from = head.length;
    loop {
        let done = match &mut framing {
            Framing::Length(left) => {
                *left = left.saturating_sub(buffer.len() - from);
                reading.take(&buffer[from..], head.status);
                *left == 0
            }
            Framing::Chunked(chunks) => {
                let data = |piece: &[u8]| reading.take(piece, head.status);
                chunks.feed(&buffer[from..], data).map_err(io::Error::other)?;
                chunks.done()
            }
        };
        if done {
            break;
        }
        buffer.clear();
        from = 0;
        fill(stream, buffer).await?;
    }
    let finished = Finished {
        due,
        start,
        first_event: reading.first_event,
        end: now(),
        status: head.status,
        events: reading.scan.events,
    };
    tally.finished(&finished, &reading.error);
    // During the warm-up a cache is filled.
    if let Some(surprise) = head.surprise.filter(|_| head.status == 200 && start >= plan.measure_from) {
        tally.failed(&surprise);
    }
    Ok(!head.close)
}

async fn fill(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> io::Result<()> {
    match stream.read_buf(buffer).await? {
        0 => Err(io::ErrorKind::UnexpectedEof.into()),
        _ => Ok(()),
    }
}

/// What is kept of a body while it is read.
struct Reading<'a> {
    plan: &'a Plan,
    tally: &'a Tally,
    scan: Scan,
    first_event: Option<u64>,
    error: Vec<u8>,
}

impl Reading<'_> {
    fn take(&mut self, piece: &[u8], status: u16) {
        if status != 200 {
            self.error.extend_from_slice(piece);
        } else if self.plan.stream {
            let received = now();
            self.scan.feed(piece, |sent| self.tally.chunk(sent, received));
            if self.first_event.is_none() && self.scan.events > 0 {
                self.first_event = Some(received);
            }
        }
    }
}

enum Framing {
    Length(usize),
    Chunked(Chunked),
}

struct Head {
    length: usize,
    status: u16,
    framing: Framing,
    close: bool,
    /// What stands in the place of the header that was expected.
    surprise: Option<String>,
}

impl Head {
    fn parse(bytes: &[u8], expect: Option<&(String, String)>) -> io::Result<Option<Self>> {
        let mut headers = [httparse::EMPTY_HEADER; 64];
        let mut response = httparse::Response::new(&mut headers);
        let httparse::Status::Complete(length) = response.parse(bytes).map_err(io::Error::other)? else {
            return Ok(None);
        };
        let value = |name: &str| {
            let header = response.headers.iter().find(|header| header.name.eq_ignore_ascii_case(name))?;
            std::str::from_utf8(header.value).ok()
        };
        let framing = match value("content-length").and_then(|text| text.parse().ok()) {
            Some(length) => Framing::Length(length),
            None if value("transfer-encoding").is_some() => Framing::Chunked(Chunked::default()),
            None => return Err(io::Error::other("an answer without a length")),
        };
        let close = value("connection").is_some_and(|text| text.eq_ignore_ascii_case("close"));
        let surprise = expect.filter(|(name, expected)| value(name) != Some(expected.as_str())).map(
            |(name, expected)| format!("{name}: {:?} instead of {expected:?}", value(name).unwrap_or("")),
        );
        Ok(Some(Self { length, status: response.code.unwrap_or_default(), framing, close, surprise }))
    }
}
