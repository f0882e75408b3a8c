//! Upstreams behind an HTTP proxy: reached through it whole, and what is told when it does not let us through.

use crate::{
    support::{CHAT, CHAT_REPLY, DONE, chat, chat_stream_request, delta, finish},
    tls::{Certificate, tls_upstream},
};
use sluice_tests::{
    eventually,
    gateway::{Config, Gateway},
    proxy::{Manner, Proxy},
    sse::Stream,
    upstream::{Answer, Gate, Upstream},
};
use std::net::SocketAddr;

/// A name that nobody here can resolve.
const NAME: &str = "http://upstream.invalid:8080/v1";

const NOWHERE: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 1);

async fn through(proxy: &Proxy, credentials: &str) -> Gateway {
    Config::to_url(NAME).public_only().provider(&proxy.line(credentials)).start().await
}

#[tokio::test]
async fn requests_go_through_the_proxy_which_alone_knows_the_upstream_and_reads_nothing() {
    let upstream = Upstream::script([Answer::json(CHAT_REPLY)]).await;
    let proxy = Proxy::start(Manner::Ask("Basic bWU6c2VjcmV0QA==".into()), upstream.address()).await;
    // Neither the proxy's private address nor that of the upstream's, which only the proxy sees, is in the way.
    let gateway = through(&proxy, "me:secret%40@").await;
    for _ in 0..5 {
        assert_eq!(gateway.post(CHAT, chat()).await.expect(200).text(), CHAT_REPLY);
    }
    let [asked] = proxy.asked().try_into().expect("one tunnel for all of them");
    assert!(asked.starts_with("CONNECT upstream.invalid:8080 HTTP/1.1\r\nHost: upstream.invalid:8080\r\n"));
    assert!(!asked.contains("sk-provider-secret"), "{asked}");
    assert_eq!((upstream.calls(), upstream.connections()), (5, 1));
    let received = &upstream.requests()[4];
    assert!(received.head.starts_with("POST /v1/chat/completions HTTP/1.1\r\n"), "{}", received.head);
    assert_eq!(received.header("host"), Some("upstream.invalid:8080"));
    assert!(
        received.header("proxy-authorization").is_none() && received.header("proxy-connection").is_none()
    );
}

#[tokio::test]
async fn tls_is_between_us_and_the_upstream() {
    let certificate = Certificate::new();
    let (address, _server) = tls_upstream(&certificate).await;
    let proxy = Proxy::start(Manner::Open, address).await;
    let config = |host: &str| {
        Config::to_url(&format!("https://{host}/v1"))
            .provider(&format!("ca_file: \"{}\"", certificate.file("cert.pem").display()))
            .provider(&proxy.line(""))
    };
    let gateway = config("localhost").start().await;
    assert_eq!(gateway.post(CHAT, chat()).await.expect(200).text(), CHAT_REPLY);
    assert!(proxy.asked()[0].starts_with("CONNECT localhost:443 HTTP/1.1\r\n"), "{:?}", proxy.asked());
    // A proxy that leads elsewhere is found out.
    let answer = config("elsewhere.invalid").start().await.post(CHAT, chat()).await.expect(502);
    assert!(answer.message().contains("no trusted TLS connection"), "{}", answer.message());
}

#[tokio::test]
async fn a_stream_passes_event_by_event_and_its_connection_is_used_again() {
    let gate = Gate::new();
    let rest = [delta("b"), finish(), DONE.to_owned()].concat();
    let answer = Answer::chunked().chunk(delta("a")).gate(&gate).chunk(rest).last_chunk();
    let upstream = Upstream::with(move |_, _| answer.clone()).await;
    let proxy = Proxy::start(Manner::Open, upstream.address()).await;
    let gateway = through(&proxy, "").await;
    let mut stream = Stream::open(gateway.api, &chat_stream_request()).await;
    assert!(stream.event().await.data().contains("\"a\""));
    gate.open();
    assert!(stream.rest().await.done());
    assert!(Stream::open(gateway.api, &chat_stream_request()).await.rest().await.done());
    assert_eq!((proxy.asked().len(), upstream.calls()), (1, 2));
}

#[tokio::test]
async fn a_tunnel_that_died_at_rest_is_replaced_without_a_word() {
    let upstream = Upstream::with(|_, _| Answer::json(CHAT_REPLY).close()).await;
    let proxy = Proxy::start(Manner::Open, upstream.address()).await;
    let gateway = through(&proxy, "").await;
    for _ in 0..3 {
        let _ = gateway.post(CHAT, chat()).await.expect(200);
    }
    assert_eq!(upstream.calls(), 3);
}

#[tokio::test]
async fn a_proxy_that_does_not_let_us_through_is_named_and_nothing_of_it_told() {
    for (manner, said, reason) in [
        (Manner::Ask("Basic other".into()), "the proxy before it wants other credentials", "proxy_auth"),
        (
            Manner::Say("HTTP/1.1 403 Forbidden\r\ncontent-length: 3\r\n\r\nno!"),
            "the proxy before it did not connect (status 403)",
            "proxy_refused",
        ),
        (Manner::Open, "the proxy before it did not connect (status 502)", "proxy_refused"),
        (Manner::Say("220 mail.example ESMTP\r\n\r\n"), "gave no proper answer", "proxy_answer"),
        (Manner::Say(""), "gave no proper answer", "proxy_answer"),
        (Manner::Hang, "could not be reached through its proxy in time", "proxy_timeout"),
    ] {
        let proxy = Proxy::start(manner, NOWHERE).await;
        let gateway = through(&proxy, "me:hunter2@").await;
        let answer = gateway.post(CHAT, chat()).await.expect(502);
        let message = answer.message();
        assert!(message.contains(said), "{said}: {message}");
        let attempts = "sluice_upstream_attempts_total{outcome=\"connect_error\"";
        let metrics = gateway.ask_admin("/metrics").await.text();
        let tries = metrics.lines().filter(|line| line.starts_with(attempts) && !line.ends_with(" 0"));
        assert_eq!(tries.count(), 1, "{metrics}");
        eventually(reason, || gateway.log.text().contains(&format!("\"reason\":\"{reason}\""))).await;
        for text in [message, metrics, gateway.log.text()] {
            for hidden in ["hunter2", "bWU6aHVudGVyMg", &proxy.address.to_string()] {
                assert!(!text.contains(hidden), "{hidden} in {text}");
            }
        }
    }
}

#[tokio::test]
async fn a_proxy_that_is_not_there_is_a_failure_like_others_and_the_next_target_is_asked() {
    let spare = Upstream::script([Answer::json(CHAT_REPLY)]).await;
    for proxy in ["http://127.0.0.1:1", "http://proxy.invalid:3128"] {
        let config =
            Config::to_url(NAME).provider(&format!("proxy: \"{proxy}\"")).also("spare", &spare.base_url());
        let gateway = config
            .model_entry(
                "{name: both, targets: [{provider: up, model: m}, {provider: spare, model: m, priority: 1}]}",
            )
            .start()
            .await;
        let answer = gateway.post(CHAT, crate::support::chat_to("both")).await.expect(200);
        assert_eq!(answer.get("x-sluice-provider"), "spare");
        assert!(answer.get("x-sluice-attempts").parse::<u32>().unwrap() >= 2);
    }
}

#[tokio::test]
async fn an_upstream_written_as_a_private_address_is_asked_of_no_proxy() {
    let upstream = Upstream::script([Answer::json(CHAT_REPLY)]).await;
    let proxy = Proxy::start(Manner::Open, upstream.address()).await;
    for url in ["http://127.0.0.1:8080/v1", "http://169.254.169.254/v1", "http://[::1]:8080/v1"] {
        let config = Config::to_url(url).public_only().provider(&proxy.line(""));
        let answer = config.start().await.post(CHAT, chat()).await.expect(502);
        assert!(answer.message().contains("it may not be connected to"), "{}", answer.message());
    }
    assert!(proxy.asked().is_empty());
    let allowed = Config::to_url("http://[::1]:8080/v1").provider(&proxy.line(""));
    let _ = allowed.start().await.post(CHAT, chat()).await.expect(200);
    assert!(proxy.asked()[0].starts_with("CONNECT [::1]:8080 HTTP/1.1\r\n"));
}

#[tokio::test]
async fn a_reload_goes_another_way_with_other_connections() {
    let upstream = Upstream::script([Answer::json(CHAT_REPLY)]).await;
    let ways = [
        Proxy::start(Manner::Open, upstream.address()).await,
        Proxy::start(Manner::Open, upstream.address()).await,
    ];
    let config = Config::to(&upstream);
    let gateway = config.clone().provider(&ways[0].line("")).start().await;
    let asked = || ways.each_ref().map(|proxy| proxy.asked().len());
    let _ = gateway.post(CHAT, chat()).await.expect(200);
    assert_eq!(asked(), [1, 0]);
    for (way, after) in [
        (Some(ways[1].line("")), [1, 1]),
        // Somebody else to the same proxy shares no connection.
        (Some(ways[1].line("me:pw@")), [1, 2]),
        (Some(ways[1].line("me:pw@")), [1, 2]),
        (None, [1, 2]),
    ] {
        let config = config.clone();
        gateway.apply(&way.map_or(config.clone(), |way| config.provider(&way)));
        let _ = gateway.post(CHAT, chat()).await.expect(200);
        assert_eq!(asked(), after);
    }
    assert_eq!((upstream.calls(), upstream.connections()), (5, 4));
}
