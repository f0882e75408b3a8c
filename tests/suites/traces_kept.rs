//! Which traces are kept: what went wrong, what was slow and what the caller keeps; of the rest a share.

use crate::{
    collector::{Collector, PARENT, child},
    support::{CHAT, CHAT_REPLY, DONE, before_spare, chat, chat_events, chat_stream, chat_to, delta, finish},
};
use sluice_tests::{
    client::Request,
    eventually,
    gateway::{Config, Gateway, KEY},
    sse::Stream,
    upstream::{Answer, Upstream},
};

/// A request whose trace is kept whatever its share: when it has come, so has what was in the queue before it.
async fn mark(gateway: &Gateway, id: &str) {
    let _ = child("{}", PARENT).header("x-request-id", id).send(gateway.api).await.expect(400);
}

/// The ids of the requests that are kept, in their order.
async fn kept(collector: &Collector, gateway: &Gateway) -> Vec<String> {
    mark(gateway, "mark").await;
    let ids = || -> Vec<String> {
        let mut spans = collector.spans();
        spans.sort_by_key(|span| span.start);
        spans.iter().filter_map(|span| Some(span.is.get("sluice.request.id")?.as_str()?.to_owned())).collect()
    };
    eventually("the mark", || ids().iter().any(|id| id == "mark")).await;
    let mut ids = ids();
    ids.retain(|id| id != "mark");
    ids
}

fn named(id: &str, body: String) -> Request {
    Request::post(CHAT, body).bearer(KEY).header("x-request-id", id)
}

#[tokio::test]
async fn of_what_goes_well_none_is_kept_at_a_share_of_nothing() {
    let upstream = Upstream::with(|_, request| {
        if request.text().contains("bad") { Answer::error(400, "{}") } else { Answer::json(CHAT_REPLY) }
    })
    .await;
    let collector = Collector::new().await;
    let config = Config::to(&upstream).key(
        "little",
        "sk-sluice-little",
        "models: [\"*\"], limits: {requests: {rate: 1/h, burst: 1}}",
    );
    let gateway = config.section(&collector.section(", sample: 0%")).start().await;
    let _ = named("well", chat()).send(gateway.api).await.expect(200);
    let _ = named("bad", chat().replace("hi", "bad")).send(gateway.api).await.expect(400);
    let _ = named("unknown", chat_to("nothing")).send(gateway.api).await.expect(404);
    let _ =
        Request::post(CHAT, chat()).header("x-request-id", "stranger").send(gateway.api).await.expect(401);
    for status in [200, 429] {
        let request = Request::post(CHAT, chat()).bearer("sk-sluice-little").header("x-request-id", "little");
        let _ = request.send(gateway.api).await.expect(status);
    }
    assert_eq!(kept(&collector, &gateway).await, Vec::<String>::new());
}

#[tokio::test]
async fn what_failed_and_what_was_tried_again_is_kept_at_a_share_of_nothing() {
    let failing = Upstream::script([Answer::error(500, "{}")]).await;
    let (spare, collector) = (Upstream::script([Answer::json(CHAT_REPLY)]).await, Collector::new().await);
    let config = before_spare(&failing.base_url(), &spare, "first_byte: 5s");
    let gateway = config.section(&collector.section(", sample: 0%")).start().await;
    let _ = named("tried-again", chat_to("both")).send(gateway.api).await.expect(200);
    let _ = named("failed", chat()).send(gateway.api).await.expect(502);
    assert_eq!(kept(&collector, &gateway).await, ["tried-again", "failed"]);
}

#[tokio::test]
async fn what_was_slow_is_kept_at_a_share_of_nothing() {
    let whole = chat_events(&["one", "two"]);
    let rest = [delta("two"), finish(), DONE.into()].concat();
    let upstream = Upstream::with(move |_, request| {
        let text = request.text();
        let first = Answer::chunked();
        match text.split("\"content\":\"").nth(1).and_then(|rest| rest.split('"').next()) {
            Some("slow-plain") => Answer::new().wait(500).then(Answer::json(CHAT_REPLY)),
            Some("slow-first") => first.wait(500).chunk(&whole).last_chunk(),
            Some("slow-second") => first.chunk(delta("one")).wait(500).chunk(&rest).last_chunk(),
            // Longer than a slow one, but always at it.
            Some("long") => {
                let parts = (0..8).fold(first, |answer, _| answer.chunk(delta("one")).wait(80));
                parts.chunk(&rest).last_chunk()
            }
            _ => Answer::json(CHAT_REPLY),
        }
    })
    .await;
    let collector = Collector::new().await;
    let gateway =
        Config::to(&upstream).section(&collector.section(", sample: 0%, slow: 400ms")).start().await;
    for id in ["quick", "slow-plain"] {
        let _ = named(id, chat().replace("hi", id)).send(gateway.api).await.expect(200);
    }
    for id in ["slow-first", "slow-second", "long"] {
        let mut stream = Stream::open(gateway.api, &named(id, chat_stream().replace("hi", id))).await;
        assert!(stream.rest().await.done());
    }
    assert_eq!(kept(&collector, &gateway).await, ["slow-plain", "slow-first", "slow-second"]);
}

#[tokio::test]
async fn what_the_caller_keeps_is_kept_and_what_it_does_not_is_not() {
    let (upstream, collector) = (Upstream::script([Answer::json(CHAT_REPLY)]).await, Collector::new().await);
    let nothing = Config::to(&upstream).section(&collector.section(", sample: 0%")).start().await;
    let everything = Config::to(&upstream).section(&collector.section(", sample: 100%")).start().await;
    for (id, gateway, flags) in [
        ("sampled", &nothing, "01"),
        ("not", &everything, "00"),
        ("all", &everything, "01"),
        ("none", &nothing, "00"),
    ] {
        let parent = PARENT.replace("-01", &format!("-{flags}"));
        let request = child(chat(), &parent).header("x-request-id", id);
        let _ = request.send(gateway.api).await.expect(200);
    }
    let _ = named("own", chat()).send(everything.api).await.expect(200);
    mark(&nothing, "other-mark").await;
    eventually("its spans", || format!("{:?}", collector.spans()).contains("other-mark")).await;
    assert_eq!(kept(&collector, &everything).await, ["sampled", "all", "own", "other-mark"]);
}
