//! The admin listener as a probe, a scraper, an operator and a hostile web page meet it: over a real socket.

use super::*;
use sluice_config::{
    Env,
    model::{Redis, RedisMode, Secret, Settings},
};
use sluice_core::{BuildInfo, LogSink, ledger::LedgerPlace};
use std::collections::BTreeMap;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

struct Admin {
    app: Arc<App>,
    address: SocketAddr,
    stop: CancellationToken,
    serving: tokio::task::JoinHandle<()>,
}

struct Answer {
    status: u16,
    head: String,
    body: String,
}

impl Admin {
    async fn start(token: Option<&str>) -> Self {
        Self::with(token, |_| {}).await
    }

    /// The demo's settings, and what `change` makes of them.
    async fn with(token: Option<&str>, change: impl FnOnce(&mut Settings)) -> Self {
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let mut settings = Settings::demo(any, &Env::Map(BTreeMap::new())).unwrap();
        settings.listeners.admin.bind = any;
        settings.listeners.admin.token = token.map(|token| Secret::new(token.to_owned()));
        change(&mut settings);
        let info = BuildInfo { version: "1.2.3", revision: "abc" };
        let app = App::build(settings, info, LogSink::discard(), LedgerPlace::Memory).unwrap();
        let server = AdminServer::bind(Arc::clone(&app), None).await.unwrap();
        let (address, stop) = (server.local_addr(), CancellationToken::new());
        let serving = TaskTracker::new().spawn(server.serve(stop.clone()));
        Self { app, address, stop, serving }
    }

    /// Sends `head` (request line and headers, one per line) with a connection that closes.
    async fn send(&self, head: &str) -> Answer {
        self.exchange(head, "").await
    }

    async fn exchange(&self, head: &str, body: &str) -> Answer {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        let request = format!("{}\r\nconnection: close\r\n\r\n{body}", head.replace('\n', "\r\n"));
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).await.unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Answer { status, head: head.to_ascii_lowercase(), body: body.to_owned() }
    }

    async fn get(&self, path: &str) -> Answer {
        self.send(&format!("GET {path} HTTP/1.1\nhost: {}", self.address)).await
    }

    /// Posts `body`, with further `headers` (each with a line break before it).
    async fn post(&self, path: &str, headers: &str, body: &str) -> Answer {
        let length = body.len();
        let head = format!("POST {path} HTTP/1.1\nhost: {}{headers}\ncontent-length: {length}", self.address);
        self.exchange(&head, body).await
    }
}

/// A Redis that nobody will ever reach.
fn no_redis() -> Redis {
    Redis {
        mode: RedisMode::Single,
        urls: vec![Secret::new("redis://127.0.0.1:1".to_owned())],
        master: None,
        timeout: Duration::from_millis(50),
        key_prefix: "sluice".to_owned(),
        replicas: 1,
    }
}

#[tokio::test]
async fn every_page_answers_and_none_may_be_kept() {
    let admin = Admin::start(None).await;
    for (path, content_type) in [
        ("/", "text/plain"),
        ("/livez", "text/plain"),
        ("/readyz", "text/plain"),
        ("/metrics", "text/plain; version=0.0.4"),
        ("/status", "application/json"),
    ] {
        let answer = admin.get(path).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.body);
        for header in ["cache-control: no-store", "x-content-type-options: nosniff", content_type] {
            assert!(answer.head.contains(header), "{path} lacks {header}: {}", answer.head);
        }
    }
}

#[tokio::test]
async fn a_head_request_has_the_length_and_no_body() {
    let admin = Admin::start(None).await;
    let answer = admin.send("HEAD /livez HTTP/1.1\nhost: localhost").await;
    assert_eq!((answer.status, answer.body.as_str()), (200, ""));
    assert!(answer.head.contains("content-length: 3"), "{}", answer.head);
}

#[tokio::test]
async fn a_drain_makes_it_unready_and_leaves_it_alive() {
    let admin = Admin::start(None).await;
    assert_eq!(admin.get("/readyz").await.body, "ready\n");
    admin.app.begin_drain();
    let answer = admin.get("/readyz?verbose").await;
    assert_eq!(answer.status, 503);
    assert_eq!(answer.body, "[+] config loaded: ok\n[-] accepting requests: failed\nnot ready\n");
    assert_eq!(admin.get("/livez").await.status, 200);
    assert_eq!(admin.get("/metrics").await.status, 200);
}

#[tokio::test]
async fn unknown_paths_and_methods_are_told_so_in_json() {
    let admin = Admin::start(None).await;
    for path in ["/metrics/", "/statuss", "/-/nothing", "/v1/models"] {
        let answer = admin.get(path).await;
        assert_eq!(answer.status, 404, "{path}");
        assert!(answer.body.contains("\"code\": \"not_found\""), "{}", answer.body);
    }
    let answer = admin.send("POST /status HTTP/1.1\nhost: localhost\ncontent-length: 0").await;
    assert_eq!(answer.status, 405);
    assert!(answer.head.contains("allow: get, head"), "{}", answer.head);
    assert!(answer.body.contains("\"code\": \"method_not_allowed\""), "{}", answer.body);
}

#[tokio::test]
async fn a_token_guards_status_and_control_and_leaves_probes_and_scrapers_alone() {
    let admin = Admin::start(Some("s3cret")).await;
    for path in ["/", "/livez", "/readyz", "/metrics"] {
        assert_eq!(admin.get(path).await.status, 200, "{path}");
    }
    for path in ["/status", "/-/nothing"] {
        let answer = admin.get(path).await;
        assert_eq!(answer.status, 401, "{path}");
        assert!(answer.head.contains("www-authenticate: bearer"), "{}", answer.head);
        assert!(!answer.body.contains("s3cret"));
    }
    let with =
        |path: &str| format!("GET {path} HTTP/1.1\nhost: gateway.internal\nauthorization: Bearer s3cret");
    assert_eq!(admin.send(&with("/status")).await.status, 200);
    assert_eq!(admin.send(&with("/-/nothing")).await.status, 404);
}

#[tokio::test]
async fn without_a_token_a_rebound_dns_name_reads_nothing() {
    let admin = Admin::start(None).await;
    for path in ["/", "/status", "/metrics", "/-/nothing"] {
        let answer = admin.send(&format!("GET {path} HTTP/1.1\nhost: evil.example")).await;
        assert_eq!(answer.status, 403, "{path}");
        assert!(answer.body.contains("\"code\": \"host_not_allowed\""), "{}", answer.body);
    }
    // Probes tell nothing, and HTTP/1.0 ones send no `Host`.
    assert_eq!(admin.send("GET /readyz HTTP/1.0").await.status, 200);
}

#[tokio::test(start_paused = true)]
async fn a_head_that_never_ends_is_cut() {
    let admin = Admin::start(None).await;
    let begun = tokio::time::Instant::now();
    let mut slow = TcpStream::connect(admin.address).await.unwrap();
    slow.write_all(b"GET /livez HTTP/1.1\r\nhost: ").await.unwrap();
    slow.read_to_end(&mut Vec::new()).await.unwrap();
    assert!((HEADER_TIMEOUT..HEADER_TIMEOUT * 2).contains(&begun.elapsed()), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn stopping_ends_idle_connections_too() {
    let admin = Admin::start(None).await;
    let mut idle = TcpStream::connect(admin.address).await.unwrap();
    idle.write_all(b"GET /livez HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
    let mut first = [0; 12];
    idle.read_exact(&mut first).await.unwrap();
    assert_eq!(&first, b"HTTP/1.1 200");
    admin.stop.cancel();
    tokio::time::timeout(Duration::from_secs(5), admin.serving).await.unwrap().unwrap();
    idle.read_to_end(&mut Vec::new()).await.unwrap();
}

#[tokio::test]
async fn an_address_in_use_is_named_with_the_way_out() {
    let admin = Admin::start(None).await;
    let mut settings = Settings::clone(&admin.app.settings());
    settings.listeners.admin.bind = admin.address;
    let info = BuildInfo { version: "1.2.3", revision: "abc" };
    let app = App::build(settings, info, LogSink::discard(), LedgerPlace::Memory).unwrap();
    let Err(fault) = AdminServer::bind(app, None).await else { panic!("bound twice") };
    let text = fault.to_string();
    for part in [&admin.address.to_string(), "listeners.admin.bind", "SLUICE__LISTENERS__ADMIN__BIND"] {
        assert!(text.contains(part), "{text}");
    }
}

#[tokio::test]
async fn a_purge_says_what_it_did_and_how_far_it_has_come() {
    let admin = Admin::start(None).await;
    for (query, body, parts) in [
        ("", "{\"all\":true}", ["\"all\": true", "\"reach\": \"here\""]),
        ("?tenant=default", "", ["\"tenant\": \"default\"", "\"known\": true"]),
        ("", "{\"tenant\":\"gone\"}", ["\"tenant\": \"gone\"", "\"known\": false"]),
        ("?model=demo", "", ["\"model\": \"demo\"", "\"known\": true"]),
        ("?key=nobody", "", ["\"key\": \"nobody\"", "\"known\": false"]),
    ] {
        let answer = admin.post(&format!("/-/cache/purge{query}"), "", body).await;
        assert_eq!(answer.status, 200, "{query} {body}: {}", answer.body);
        for part in parts {
            assert!(answer.body.contains(part), "{query} {body} lacks {part}: {}", answer.body);
        }
        assert!(answer.body.contains("\"note\": "), "{}", answer.body);
    }
    let everything = admin.post("/-/cache/purge?all=true", "", "").await;
    assert!(!everything.body.contains("known"), "{}", everything.body);
}

#[tokio::test]
async fn a_purge_that_is_not_understood_does_nothing_and_says_how() {
    let admin = Admin::start(None).await;
    for (query, body) in [("", ""), ("", "{}"), ("?tenant=a&key=b", ""), ("?all=true", "{\"all\":true}")] {
        let answer = admin.post(&format!("/-/cache/purge{query}"), "", body).await;
        assert_eq!(answer.status, 400, "{query} {body}: {}", answer.body);
        assert!(answer.body.contains("?tenant=NAME"), "{}", answer.body);
    }
    let answer = admin.post("/-/cache/purge", "", &"x".repeat(4097)).await;
    assert_eq!(answer.status, 413, "{}", answer.body);
    for method in ["GET", "HEAD", "DELETE", "PUT"] {
        let answer = admin.send(&format!("{method} /-/cache/purge?all=true HTTP/1.1\nhost: localhost")).await;
        assert_eq!(answer.status, 405, "{method}");
        assert!(answer.head.contains("allow: post\r\n"), "{method}: {}", answer.head);
    }
}

#[tokio::test]
async fn without_a_cache_there_is_nothing_to_purge() {
    let admin = Admin::with(None, |settings| settings.cache = None).await;
    let answer = admin.post("/-/cache/purge?all=true", "", "").await;
    assert_eq!(answer.status, 404, "{}", answer.body);
    assert!(answer.body.contains("\"code\": \"no_cache\""), "{}", answer.body);
    assert!(!admin.get("/status").await.body.contains("\"cache\""));
}

#[tokio::test]
async fn who_may_not_purge_is_refused_before_the_body_is_read() {
    let admin = Admin::start(Some("s3cret")).await;
    let path = "/-/cache/purge?all=true";
    let answer = admin.post(path, "", "").await;
    assert_eq!(answer.status, 401, "{}", answer.body);
    assert_eq!(admin.post(path, "\nauthorization: Bearer wrong", "").await.status, 401);
    assert_eq!(admin.post(path, "\nauthorization: Bearer s3cret", "").await.status, 200);

    let open = Admin::start(None).await;
    let rebound = format!("POST {path} HTTP/1.1\nhost: evil.example\ncontent-length: 0");
    assert_eq!(open.send(&rebound).await.status, 403);
    // A page of another site reads no answer, and would not have to.
    let answer = open.post(path, "\norigin: https://evil.example", "").await;
    assert_eq!(answer.status, 403, "{}", answer.body);
    assert!(answer.body.contains("\"code\": \"origin_not_allowed\""), "{}", answer.body);
    assert_eq!(open.post(path, "\norigin: http://localhost:8080", "").await.status, 200);
}

#[tokio::test]
async fn without_redis_it_is_degraded_and_ready_all_the_same() {
    let admin = Admin::with(None, |settings| {
        settings.redis = Some(no_redis());
        if let Some(cache) = &mut settings.cache {
            cache.redis = true;
        }
    })
    .await;
    let mut answer = admin.get("/readyz").await;
    for _ in 0..500 {
        if answer.body.contains("away") {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
        answer = admin.get("/readyz").await;
    }
    assert_eq!((answer.status, answer.body.as_str()), (200, "ready, degraded\nredis: away\n"));
    let verbose = admin.get("/readyz?verbose").await;
    assert_eq!(verbose.status, 200);
    assert!(verbose.body.contains("[~] redis: away (degraded"), "{}", verbose.body);
    let status = admin.get("/status").await.body;
    for part in
        ["\"redis\": \"away\"", "\"shared\": true", "\"entries\": 0", "\"flights\": 0", "\"capacity_bytes\""]
    {
        assert!(status.contains(part), "{part}: {status}");
    }
    let purged = admin.post("/-/cache/purge?tenant=default", "", "").await;
    assert_eq!(purged.status, 200);
    assert!(purged.body.contains("\"reach\": \"redis_away\""), "{}", purged.body);
}
