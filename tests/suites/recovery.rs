//! What happens when a fault is gone: traffic is back within seconds, whatever the circuit's time says.

use crate::support::{CHAT, CHAT_REPLY, chat};
use sluice_tests::{
    client::Request,
    gateway::{Config, Gateway, KEY},
    upstream::{Answer, Upstream},
};
use std::time::{Duration, Instant};
use tokio::net::TcpSocket;

/// A gateway whose model `both` asks `up` and then `spare`. Two failures open a circuit, for half a minute.
async fn before(up: &str, spare: &Upstream) -> Gateway {
    Config::to_url(up)
        .also("spare", &spare.base_url())
        .model_entry(
            "{name: both, targets: [{provider: up, model: m}, {provider: spare, model: m, priority: 1}]}",
        )
        .section("resilience: {circuit: {consecutive_failures: 2, open_for: 30s}}")
        .start()
        .await
}

/// Who answers.
async fn asked(gateway: &Gateway) -> String {
    let request = Request::post(CHAT, chat().replace("\"m\"", "\"both\"")).bearer(KEY);
    request.send(gateway.api).await.expect(200).get("x-sluice-provider").to_owned()
}

/// Asks until the circuit is open.
async fn opened(gateway: &Gateway) {
    for _ in 0..3 {
        assert_eq!(asked(gateway).await, "spare");
    }
    let opened = "sluice_circuit_transitions_total{provider=\"up\",to=\"open\"}";
    assert_eq!(gateway.metric(opened).await, 1.0);
}

#[tokio::test]
async fn a_target_that_takes_connections_again_is_asked_again_within_seconds() {
    // The port is this test's all the time; nobody listens at it yet.
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let url = format!("http://{}/v1", socket.local_addr().unwrap());
    let spare = Upstream::script([Answer::json(CHAT_REPLY)]).await;
    let gateway = before(&url, &spare).await;
    opened(&gateway).await;
    tokio::time::sleep(Duration::from_millis(2_500)).await;
    assert_eq!(asked(&gateway).await, "spare");

    let up = Upstream::on(socket.listen(64).unwrap(), |_, _| Answer::json(CHAT_REPLY));
    let back = Instant::now();
    while asked(&gateway).await != "up" {
        assert!(back.elapsed() < Duration::from_secs(5), "still left out");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(up.calls(), 1, "no request but the client's own was sent to find out");
    for _ in 0..3 {
        assert_eq!(asked(&gateway).await, "up");
    }
    // The one connection that looked, and the one that is used.
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    assert_eq!(up.connections(), 2);
}

#[tokio::test]
async fn a_target_that_answers_badly_is_left_alone_for_its_time() {
    let up = Upstream::script([Answer::error(500, "{}")]).await;
    let spare = Upstream::script([Answer::json(CHAT_REPLY)]).await;
    let gateway = before(&up.base_url(), &spare).await;
    opened(&gateway).await;
    let (calls, connections) = (up.calls(), up.connections());
    tokio::time::sleep(Duration::from_millis(2_500)).await;
    assert_eq!(asked(&gateway).await, "spare");
    assert_eq!((up.calls(), up.connections()), (calls, connections));
}

#[tokio::test]
async fn a_private_address_is_not_connected_to_to_find_out_either() {
    let up = Upstream::script([Answer::json(CHAT_REPLY)]).await;
    let gateway = Config::to(&up)
        .public_only()
        .section("resilience: {circuit: {consecutive_failures: 1, open_for: 30s}}")
        .start()
        .await;
    let _ = gateway.post(CHAT, chat()).await.expect(502);
    tokio::time::sleep(Duration::from_millis(2_500)).await;
    let _ = gateway.post(CHAT, chat()).await.expect(502);
    assert_eq!(up.connections(), 0);
}
