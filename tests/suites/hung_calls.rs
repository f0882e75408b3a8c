//! Calls that hang hold nothing that others need: no pool, no lock, no permit.

use crate::support::{CHAT, CHAT_REPLY, all, chat_to, in_flight, well};
use sluice_tests::{
    client::{Client, Request},
    gateway::{Config, Gateway, KEY},
    upstream::{Answer, Upstream},
};
use std::time::{Duration, Instant};

fn ask(gateway: &Gateway, model: &str) -> impl Future<Output = sluice_tests::client::Answer> + Send + use<> {
    Request::post(CHAT, chat_to(model)).bearer(KEY).send(gateway.api)
}

#[tokio::test]
async fn a_hundred_hung_calls_leave_every_request_of_other_models_its_second() {
    let upstream = Upstream::with(|_, request| {
        if request.text().contains("\"hang\"") { Answer::new().hang() } else { Answer::json(CHAT_REPLY) }
    })
    .await;
    let well = well().await;
    let gateway = Config::to(&upstream)
        .timeouts("first_byte: 60s")
        .model("hang")
        .also("well", &well.base_url())
        .model_entry("{name: elsewhere, targets: [{provider: well, model: m}]}")
        .start()
        .await;
    let mut hung = Vec::new();
    for _ in 0..100 {
        let mut client = Client::connect(gateway.api).await;
        client.send(&Request::post(CHAT, chat_to("hang")).bearer(KEY).wire()).await;
        hung.push(client);
    }
    upstream.called(100).await;
    in_flight(&gateway, 100).await;
    // The same provider, and another one.
    for model in ["m", "elsewhere"] {
        let mut slowest = Duration::ZERO;
        for _ in 0..100 {
            let begun = Instant::now();
            let reply = ask(&gateway, model).await.expect(200);
            assert_eq!((reply.text().as_str(), reply.get("x-sluice-attempts")), (CHAT_REPLY, "1"));
            slowest = slowest.max(begun.elapsed());
        }
        println!("{model}: the slowest of 100 took {slowest:?}");
        assert!(slowest < Duration::from_secs(1), "{model}: {slowest:?}");
        for reply in all((0..100).map(|_| ask(&gateway, model))).await {
            let _ = reply.expect(200);
        }
    }
    in_flight(&gateway, 100).await;
    drop(hung);
    in_flight(&gateway, 0).await;
    upstream.left(100).await;
}
