//! The usage ledger and the process: what is in the file after every kind of end, and while the file is in trouble.

use crate::support::{CHAT, CHAT_REPLY, chat, chat_events, chat_stream_request, delta};
use rusqlite::Connection;
use serde_json::Value;
use sluice_core::ledger::FILE;
use sluice_tests::{
    client::Request,
    gateway::{Config, KEY},
    ledger::records,
    process::{Process, command, free_port},
    soon,
    sse::Stream,
    upstream::{Answer, Upstream},
};
use std::{
    collections::BTreeSet,
    fs,
    net::SocketAddr,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

/// Configuration and ledger in a folder, whatever processes come and go.
struct House {
    folder: tempfile::TempDir,
    api: SocketAddr,
    admin: SocketAddr,
}

impl House {
    fn new(upstream: &Upstream, shutdown: &str) -> Self {
        let local = || SocketAddr::from(([127, 0, 0, 1], free_port()));
        let house = Self { folder: tempfile::tempdir().unwrap(), api: local(), admin: local() };
        let config = Config::to(upstream).section(&format!("shutdown: {{{shutdown}}}"));
        let yaml = config.yaml(&house.api.to_string(), &house.admin.to_string());
        fs::write(house.path("sluice.yaml"), yaml).unwrap();
        house
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Where the state is kept when nothing is said of it.
    fn state(&self) -> PathBuf {
        self.path("sluice-data")
    }

    fn file(&self) -> PathBuf {
        self.state().join(FILE)
    }

    fn process(&self) -> Process {
        let path = self.path("sluice.yaml");
        Process::start(command(&["serve", "--config", path.to_str().unwrap()]))
    }

    async fn serve(&self) -> Process {
        let process = self.process();
        process.listens(self.api).await;
        process.listens(self.admin).await;
        process
    }

    async fn ask(&self, id: &str) {
        let request = Request::post(CHAT, chat()).bearer(KEY).header("x-request-id", id);
        let _ = request.send(self.api).await.expect(200);
    }

    async fn metrics_say(&self, text: &str) {
        soon(text, async {
            while !Request::get("/metrics").send(self.admin).await.text().contains(text) {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        })
        .await;
    }
}

fn ids(file: &Path) -> Vec<String> {
    records(file).iter().map(|record| record["id"].as_str().unwrap().to_owned()).collect()
}

fn count(records: &[Value], end: &str) -> usize {
    records.iter().filter(|record| record["end"] == end).count()
}

/// Ends in the time of a drain: every other stream; the rest hang.
async fn half_of_streams() -> Upstream {
    Upstream::with(|n, request| {
        if !request.text().contains("stream") {
            return Answer::json(CHAT_REPLY);
        }
        let begun = Answer::chunked().chunk(delta("Hello there"));
        if n % 2 == 0 { begun.wait(300).chunk(chat_events(&["you"])).last_chunk() } else { begun.hang() }
    })
    .await
}

/// So many streams, each with its first event read.
async fn opened(house: &House, count: usize) -> Vec<Stream> {
    let mut streams = Vec::new();
    for _ in 0..count {
        let mut stream = Stream::open(house.api, &chat_stream_request()).await;
        stream.event().await;
        streams.push(stream);
    }
    streams
}

#[tokio::test]
async fn sigterm_under_open_streams_leaves_a_record_of_each() {
    let upstream = half_of_streams().await;
    let house = House::new(&upstream, "delay: 0s, drain: 2s");
    let mut sluice = house.serve().await;
    house.ask("before").await;
    let streams = opened(&house, 40).await;
    sluice.signal("TERM");
    assert_eq!(sluice.exit().await.code(), Some(0), "{}", sluice.output());
    let records = records(&house.file());
    assert_eq!(records.len(), 41);
    assert_eq!((count(&records, "ok"), count(&records, "drain")), (21, 20));
    assert!(records.iter().all(|record| !record["output"].is_null()), "{records:#?}");
    assert!(!house.state().join(format!("{FILE}-wal")).exists(), "one whole file is left");
    drop(streams);
}

#[tokio::test]
async fn a_second_signal_leaves_what_had_ended_and_what_it_ends() {
    let upstream = half_of_streams().await;
    let house = House::new(&upstream, "delay: 0s, drain: 60s");
    let mut sluice = house.serve().await;
    house.ask("before").await;
    let streams = opened(&house, 20).await;
    sluice.signal("INT");
    sluice.says("draining").await;
    house.metrics_say("sluice_usage_records_total 1").await;
    // Somebody copies the file at that very moment: what is to be written has to be waited for.
    let other = Connection::open(house.file()).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    sluice.signal("INT");
    tokio::time::sleep(Duration::from_millis(150)).await;
    other.execute_batch("COMMIT").unwrap();
    assert_eq!(sluice.exit().await.code(), Some(130), "{}", sluice.output());
    let records = records(&house.file());
    assert_eq!(records.len(), 21, "{}", sluice.output());
    drop(streams);
}

#[tokio::test]
async fn a_killed_process_has_lost_the_last_second_at_most() {
    let upstream = Upstream::script([Answer::json(CHAT_REPLY)]).await;
    let house = House::new(&upstream, "delay: 0s");
    let mut sluice = house.serve().await;
    let begun = Instant::now();
    let mut answered = Vec::new();
    while begun.elapsed() < Duration::from_secs(3) {
        let id = format!("id-{}", answered.len());
        house.ask(&id).await;
        answered.push((id, Instant::now()));
    }
    sluice.signal("KILL");
    let killed = Instant::now();
    sluice.exit().await;
    let written: BTreeSet<String> = ids(&house.file()).into_iter().collect();
    assert_eq!(written.len(), ids(&house.file()).len(), "none is there twice");
    let old = |at: Instant| killed.saturating_duration_since(at) > Duration::from_millis(1_200);
    let lost: Vec<&String> =
        answered.iter().filter(|(id, at)| old(*at) && !written.contains(id)).map(|(id, _)| id).collect();
    assert!(lost.is_empty(), "{lost:?}");
    assert!(answered.iter().filter(|(_, at)| old(*at)).count() > 20, "too slow a machine to tell");

    // The next process goes on where this one was killed.
    let mut sluice = house.serve().await;
    house.ask("after").await;
    sluice.signal("TERM");
    assert_eq!(sluice.exit().await.code(), Some(0), "{}", sluice.output());
    let all = ids(&house.file());
    assert_eq!((all.len(), all.last().map(String::as_str)), (written.len() + 1, Some("after")));
    let sums: i64 = Connection::open(house.file())
        .unwrap()
        .query_row("SELECT sum(requests) FROM daily", [], |row| row.get(0))
        .unwrap();
    assert_eq!(usize::try_from(sums).unwrap(), all.len(), "sums and records go together");
}

#[tokio::test]
async fn requests_go_on_while_the_ledger_cannot_be_written_and_their_records_come_later() {
    let upstream = Upstream::script([Answer::json(CHAT_REPLY)]).await;
    let house = House::new(&upstream, "delay: 0s");
    let mut sluice = house.serve().await;
    house.ask("before").await;
    house.metrics_say("sluice_usage_records_total 1").await;
    // Whoever runs this may be root, whom no permission stops: a file stands where the folder was.
    fs::rename(house.state(), house.path("away")).unwrap();
    fs::write(house.state(), "").unwrap();
    for n in 0..10 {
        house.ask(&n.to_string()).await;
    }
    house.metrics_say("sluice_ledger_up 0").await;
    house.metrics_say("sluice_ledger_queue_records 10").await;
    sluice.says("usage records cannot be written; they wait in memory").await;
    let status = Request::get("/status").send(house.admin).await.json();
    assert_eq!(
        (&status["ledger"]["up"], &status["ledger"]["queued"]),
        (&false.into(), &10.into()),
        "{status}"
    );
    let _ = Request::get("/readyz").send(house.admin).await.expect(200);

    fs::remove_file(house.state()).unwrap();
    fs::rename(house.path("away"), house.state()).unwrap();
    house.metrics_say("sluice_ledger_up 1").await;
    house.metrics_say("sluice_usage_records_total 11").await;
    house.ask("after").await;
    sluice.signal("TERM");
    assert_eq!(sluice.exit().await.code(), Some(0), "{}", sluice.output());
    assert_eq!(ids(&house.file()).len(), 12);
}

#[tokio::test]
async fn what_cannot_be_written_by_the_end_is_told_and_holds_nobody_up_for_long() {
    let upstream = Upstream::script([Answer::json(CHAT_REPLY)]).await;
    let house = House::new(&upstream, "delay: 0s");
    let mut sluice = house.serve().await;
    fs::remove_dir_all(house.state()).unwrap();
    fs::write(house.state(), "").unwrap();
    for n in 0..3 {
        house.ask(&n.to_string()).await;
    }
    house.metrics_say("sluice_ledger_up 0").await;
    sluice.signal("TERM");
    let begun = Instant::now();
    assert_eq!(sluice.exit().await.code(), Some(0), "{}", sluice.output());
    assert!(begun.elapsed() < Duration::from_secs(9), "{:?}", begun.elapsed());
    let output = sluice.output();
    let line = output.lines().find(|line| line.contains("usage records were lost at the end"));
    assert!(line.is_some_and(|line| line.contains("3")), "{output}");
}

#[tokio::test]
async fn a_ledger_that_can_never_be_used_ends_the_start_with_a_reason() {
    let upstream = Upstream::script([Answer::json(CHAT_REPLY)]).await;
    let house = House::new(&upstream, "delay: 0s");
    fs::create_dir(house.state()).unwrap();
    Connection::open(house.file()).unwrap().execute_batch("CREATE TABLE photos (name TEXT)").unwrap();
    let mut sluice = house.process();
    assert_eq!(sluice.exit().await.code(), Some(1));
    sluice.says("is a database of another program").await;
    sluice.says("state_dir").await;

    fs::remove_dir_all(house.state()).unwrap();
    fs::write(house.state(), "").unwrap();
    let mut sluice = house.process();
    assert_eq!(sluice.exit().await.code(), Some(1));
    sluice.says("cannot use").await;
    sluice.says(house.state().to_str().unwrap()).await;
}

#[tokio::test]
async fn the_folder_is_made_at_the_start_for_its_owner_alone() {
    let upstream = Upstream::script([Answer::json(CHAT_REPLY)]).await;
    let house = House::new(&upstream, "delay: 0s");
    let _sluice = house.serve().await;
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&house.state()), mode(&house.file())), (0o700, 0o600));
}

#[tokio::test]
async fn the_demo_leaves_nothing_on_the_disk() {
    let folder = tempfile::tempdir().unwrap();
    let (api, admin) =
        (SocketAddr::from(([127, 0, 0, 1], free_port())), SocketAddr::from(([127, 0, 0, 1], free_port())));
    let mut demo = command(&[]);
    demo.current_dir(folder.path())
        .env("SLUICE__LISTENERS__API__BIND", api.to_string())
        .env("SLUICE__LISTENERS__ADMIN__BIND", admin.to_string());
    let mut sluice = Process::start(demo);
    sluice.listens(api).await;
    sluice.listens(admin).await;
    let _ = Request::post(CHAT, chat().replace("\"m\"", "\"demo\"")).send(api).await.expect(200);
    let status = Request::get("/status").send(admin).await.json();
    assert_eq!(status["ledger"]["place"], "memory", "{status}");
    sluice.signal("INT");
    sluice.exit().await;
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}
