//! A second request beside a slow first one: the client gets whichever answer begins first, and pays for both.

use crate::support::{CHAT, CHAT_REPLY, begin, chat, chat_events, chat_stream, delta, seeded};
use serde_json::json;
use sluice_tests::{
    client::Request,
    gateway::{Config, KEY},
    ledger::Bookkeeper,
    sse::Stream,
    upstream::{Answer, Gate, Received, Upstream},
};

/// So many answers are needed before it is known what is slow, and none of them is hedged.
const LEARNED: usize = 20;

/// Quick until it is known, and then as slow as the gate; with streams for those who want them.
async fn quick_then(gate: &Gate) -> Upstream {
    let gate = gate.clone();
    Upstream::with(move |n, request| match n {
        0..LEARNED => reply(request),
        _ => Answer::new().gate(&gate).then(reply(request)),
    })
    .await
}

async fn quick() -> Upstream {
    Upstream::with(|_, request| reply(request)).await
}

fn reply(request: &Received) -> Answer {
    if request.json()["stream"] == true {
        return Answer::sse(chat_events(&["hi"]));
    }
    Answer::json(CHAT_REPLY)
}

fn config(first: &Upstream, second: &Upstream, hedge: &str) -> Config {
    let targets = "[{provider: up, model: m}, {provider: spare, model: m, priority: 1}]";
    Config::to(first)
        .also("spare", &second.base_url())
        .model_entry(&format!("{{name: both, targets: {targets}{hedge}}}"))
}

const HEDGE: &str = ", hedge: {after: p95, max_ratio: 100%}";

fn both(body: &str) -> Request {
    Request::post(CHAT, body.replace("\"m\"", "\"both\"")).bearer(KEY)
}

/// Asks until it is known how quick the first target is.
async fn learn(keeper: &Bookkeeper, stream: bool) {
    for _ in 0..LEARNED {
        if stream {
            assert!(Stream::open(keeper.api, &both(&chat_stream())).await.rest().await.done());
        } else {
            let _ = both(&chat()).send(keeper.api).await.expect(200);
        }
    }
}

#[tokio::test]
async fn a_slow_first_byte_is_hedged_and_the_loser_is_cancelled_and_paid_for() {
    for stream in [false, true] {
        let gate = Gate::new();
        let (first, second) = (quick_then(&gate).await, quick().await);
        let keeper = Bookkeeper::start(&config(&first, &second, HEDGE)).await;
        learn(&keeper, stream).await;
        if stream {
            let mut stream = Stream::open(keeper.api, &both(&chat_stream())).await;
            assert_eq!(stream.head.get("x-sluice-provider"), "spare");
            assert!(stream.rest().await.done());
        } else {
            let answer = both(&chat()).send(keeper.api).await.expect(200);
            assert_eq!((answer.get("x-sluice-provider"), answer.get("x-sluice-attempts")), ("spare", "2"));
        }
        first.left(1).await;
        keeper.metric_is("sluice_hedges_total{model=\"both\",result=\"won\"}", 1.0).await;
        let record = keeper.records(LEARNED + 1).await.pop().unwrap();
        let tries = record["attempts"].as_array().unwrap();
        let gist = |n: usize| json!([tries[n]["provider"], tries[n]["outcome"], tries[n]["source"]]);
        assert_eq!(gist(0), json!(["up", "cancelled", "estimated"]), "{record:#}");
        assert_eq!(
            gist(1),
            json!(["spare", "ok", if stream { "estimated" } else { "provider" }]),
            "{record:#}"
        );
        assert_eq!((&record["provider"], &record["end"]), (&json!("spare"), &json!("ok")));
    }
}

#[tokio::test]
async fn when_the_first_one_answers_after_all_the_second_is_cancelled() {
    let (gate, never) = (Gate::new(), Gate::new());
    let first = quick_then(&gate).await;
    let second = Upstream::script([Answer::new().gate(&never)]).await;
    let keeper = Bookkeeper::start(&config(&first, &second, HEDGE)).await;
    learn(&keeper, false).await;
    let mut asked = begin([both(&chat()).send(keeper.api)]);
    second.called(1).await;
    gate.open();
    let answer = asked.remove(0).await.unwrap().expect(200);
    assert_eq!(answer.get("x-sluice-provider"), "up");
    second.left(1).await;
    keeper.metric_is("sluice_hedges_total{model=\"both\",result=\"lost\"}", 1.0).await;
}

#[tokio::test]
async fn one_that_fails_leaves_the_other_to_answer() {
    let gate = Gate::new();
    let first = quick_then(&gate).await;
    let second = Upstream::script([Answer::error(500, "{}")]).await;
    let keeper = Bookkeeper::start(&config(&first, &second, HEDGE)).await;
    learn(&keeper, false).await;
    let mut asked = begin([both(&chat()).send(keeper.api)]);
    second.called(1).await;
    gate.open();
    assert_eq!(asked.remove(0).await.unwrap().expect(200).get("x-sluice-provider"), "up");
}

#[tokio::test]
async fn hedges_are_bounded_by_their_share_and_off_where_nobody_asks_for_them() {
    let slow = || {
        Upstream::with(|n, _| {
            Answer::new().wait(if n < LEARNED { 0 } else { 60 }).then(Answer::json(CHAT_REPLY))
        })
    };
    for (hedge, most) in [(", hedge: {after: p50, max_ratio: 10%}", 5), ("", 0)] {
        let (first, second) = (slow().await, quick().await);
        let keeper = Bookkeeper::start(&config(&first, &second, hedge)).await;
        learn(&keeper, false).await;
        for _ in 0..20 {
            let _ = both(&chat()).send(keeper.api).await.expect(200);
        }
        // A tenth of 40 requests.
        assert!(second.calls() <= most, "{} hedges", second.calls());
        assert!(most == 0 || second.calls() > 0);
    }
}

#[tokio::test]
async fn of_two_that_fail_neither_is_asked_again_for_what_the_other_did() {
    let gate = Gate::new();
    let first = {
        let gate = gate.clone();
        Upstream::with(move |n, request| match n {
            0..LEARNED => reply(request),
            _ => Answer::new().gate(&gate).then(Answer::error(504, "{}")),
        })
        .await
    };
    let second = Upstream::script([Answer::error(429, "{}")]).await;
    let keeper = Bookkeeper::start(&config(&first, &second, HEDGE)).await;
    learn(&keeper, false).await;
    let mut asked = begin([both(&chat()).send(keeper.api)]);
    second.called(1).await;
    gate.open();
    let answer = asked.remove(0).await.unwrap();
    assert!([429, 504].contains(&answer.status()), "{}", answer.text());
    // Neither a timeout nor a 429 is tried again.
    assert_eq!((first.calls(), second.calls()), (LEARNED + 1, 1));
}

#[tokio::test]
async fn a_hedge_that_wins_and_then_breaks_is_gone_on_with_at_the_other_target() {
    let whole = || Answer::sse(chat_events(&["one", " two", " three"]));
    let first = Upstream::with(move |n, request| match n {
        0..LEARNED => reply(request),
        LEARNED => Answer::new().hang(),
        _ => whole(),
    })
    .await;
    let broken = Answer::stream().send([delta("one"), delta(" two")].concat()).wait(2).reset();
    let second = Upstream::script([broken, whole()]).await;
    let more = format!("{HEDGE}, resume: deterministic");
    let keeper = Bookkeeper::start(&config(&first, &second, &more)).await;
    learn(&keeper, true).await;
    let mut stream = Stream::open(keeper.api, &both(&seeded(7, ",\"stream\":true"))).await;
    assert_eq!(stream.head.get("x-sluice-provider"), "spare");
    let events = stream.rest().await;
    assert!(events.done(), "{events:?}");
    let chunks = events.events.iter().map(|event| event.json()["choices"][0]["delta"]["content"].clone());
    let said: String = chunks.filter_map(|text| text.as_str().map(str::to_owned)).collect();
    assert_eq!(said, "one two three");
    assert_eq!((first.calls(), second.calls()), (LEARNED + 2, 1), "the one that broke is not asked again");
    let record = keeper.records(LEARNED + 1).await.pop().unwrap();
    let tries: Vec<_> = record["attempts"].as_array().unwrap().iter().map(|one| &one["provider"]).collect();
    assert_eq!(tries, ["up", "spare", "up"], "{record:#}");
}
