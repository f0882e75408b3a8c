//! Limits of tokens: reserved as estimated when a request begins, settled as used when it ends.

use crate::support::{
    DONE, EMBEDDINGS, LIMITED, PROMPT, begin, by_limited, chat, chat_of, chat_stream, chat_with, delta,
    finish, gated, having_used, in_flight, left, limited,
};
use sluice_tests::{
    client::{Answer as Reply, Request},
    gateway::Gateway,
    sse::Stream,
    upstream::{Answer, Gate, Upstream},
};
use std::time::Duration;

/// A gateway whose key has this bucket of tokens.
async fn gateway(upstream: &Upstream, bucket: &str) -> Gateway {
    limited(upstream, &format!("limits: {{tokens: {{{bucket}}}}}")).start().await
}

/// A bucket of this size that fills up far too slowly for a test.
fn still(burst: u64) -> String {
    format!("rate: 1/h, burst: {burst}")
}

async fn ask(gateway: &Gateway, body: String) -> Reply {
    by_limited(body).send(gateway.api).await
}

/// Tokens that are left when nobody asks: a request is admitted for `small` more.
async fn rest(gateway: &Gateway) -> u64 {
    in_flight(gateway, 0).await;
    let small = PROMPT + 1;
    left(&ask(gateway, chat_of(small)).await.expect(200), "tokens") + small
}

/// How many of so many equal requests at once pass while none has its answer yet.
async fn passed(gateway: &Gateway, upstream: &Upstream, gate: &Gate, count: usize, of: u64) -> usize {
    let (calls, limited) =
        (upstream.calls(), "sluice_key_limited_total{key=\"limited\",limit=\"tokens\",tenant=\"default\"}");
    let before = gateway.metric(limited).await;
    let requests = begin((0..count).map(|_| by_limited(chat_of(of)).send(gateway.api)));
    let mut passed = 0;
    sluice_tests::soon("all are decided", async {
        while passed + (gateway.metric(limited).await - before) as usize != count {
            passed = upstream.calls() - calls;
        }
    })
    .await;
    gate.open();
    let (mut ok, mut refused) = (0, 0);
    for request in requests {
        match request.await.unwrap() {
            answer if answer.status() == 200 => ok += 1,
            answer => {
                let answer = answer.expect(429);
                assert_eq!(answer.code(), "rate_limit_exceeded");
                refused += 1;
            }
        }
    }
    assert_eq!((ok, refused), (passed, count - passed));
    passed
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_requests_at_once_as_many_pass_as_there_is_room_for_and_what_they_left_lets_others_pass() {
    let gates = [Gate::new(), Gate::new()];
    let of_calls = gates.clone();
    let upstream = Upstream::with(move |n, _| {
        Answer::new().gate(&of_calls[usize::from(n >= 10)]).then(Answer::json(having_used(6, 4)))
    })
    .await;
    let gateway = gateway(&upstream, &still(1000)).await;
    assert_eq!(passed(&gateway, &upstream, &gates[0], 64, 100).await, 10);
    // Ten have used ten tokens each.
    assert_eq!(passed(&gateway, &upstream, &gates[1], 64, 100).await, 9);
    assert_eq!(rest(&gateway).await, 810);
}

#[tokio::test]
async fn what_was_used_beyond_the_reservation_is_a_debt_that_time_pays() {
    let upstream =
        Upstream::script([Answer::json(having_used(10, 140)), Answer::json(having_used(3, 1))]).await;
    let gateway = gateway(&upstream, "rate: 50/s, burst: 100").await;
    let _ = ask(&gateway, chat_of(20)).await.expect(200);
    let refused = ask(&gateway, chat_of(20)).await.expect(429);
    assert!(
        refused
            .message()
            .starts_with("Key 'limited' used 100/100 tokens (refilled at 50/s); this request may take 20."),
        "{}",
        refused.message()
    );
    assert_eq!(left(&refused, "tokens"), 0);
    let wait: u64 = refused.get("retry-after-ms").parse().unwrap();
    assert!((1..=1_400).contains(&wait), "50 are owed and 20 are needed, at 50 a second: {wait}");
    assert_eq!(refused.get("retry-after"), wait.div_ceil(1000).to_string());
    tokio::time::sleep(Duration::from_millis(wait)).await;
    let _ = ask(&gateway, chat_of(20)).await.expect(200);
    assert_eq!(upstream.calls(), 2);
}

#[tokio::test]
async fn a_debt_is_at_most_one_bucket() {
    let upstream = Upstream::script([Answer::json(having_used(10, 100_000))]).await;
    let gateway = gateway(&upstream, "rate: 1/s, burst: 100").await;
    let _ = ask(&gateway, chat_of(20)).await.expect(200);
    let refused = ask(&gateway, chat_of(20)).await.expect(429);
    let seconds: u64 = refused.get("retry-after").parse().unwrap();
    assert!((1..=120).contains(&seconds), "{seconds}");
}

#[tokio::test]
async fn a_request_that_no_bucket_has_room_for_is_told_that_waiting_does_not_help() {
    let upstream = Upstream::script([Answer::json(having_used(0, 0))]).await;
    let gateway = gateway(&upstream, &still(1000)).await;
    let refused = ask(&gateway, chat_of(1001)).await.expect(429);
    assert_eq!(
        refused.message(),
        "This request may take 1001 tokens; Key 'limited' never has more than 1000 at once. Waiting does not \
         help: shorten the prompt, lower `max_tokens`, or have the limit's burst raised."
    );
    assert_eq!(refused.get("x-should-retry"), "false");
    assert!(!refused.head.has("retry-after") && !refused.head.has("retry-after-ms"), "{refused:?}");
    assert_eq!(upstream.calls(), 0);
    assert_eq!(left(&ask(&gateway, chat_of(1000)).await.expect(200), "tokens"), 0, "nothing was taken");
}

#[tokio::test]
async fn a_guess_is_never_more_than_the_bucket_has() {
    let upstream = Upstream::script([Answer::json(having_used(0, 0))]).await;
    let gateway = gateway(&upstream, &still(100)).await;
    for body in [chat(), chat_with(",\"n\":7")] {
        let answer = ask(&gateway, body).await.expect(200);
        assert_eq!(left(&answer, "tokens"), 0);
    }
    let _ = ask(&gateway, chat_of(101)).await.expect(429);
}

#[tokio::test]
async fn each_of_several_answers_is_reserved() {
    let upstream = Upstream::script([Answer::json(having_used(0, 0))]).await;
    let gateway = gateway(&upstream, &still(10_000)).await;
    for (more, reserved) in [
        ("", 512),
        (",\"n\":3", 1536),
        (",\"max_tokens\":10", 10),
        (",\"max_tokens\":10,\"n\":3", 30),
        (",\"max_completion_tokens\":20", 20),
    ] {
        let answer = ask(&gateway, chat_with(more)).await.expect(200);
        assert_eq!(left(&answer, "tokens"), 10_000 - PROMPT - reserved, "{more}");
    }
}

#[tokio::test]
async fn the_usual_length_of_answers_is_reserved_once_it_is_known() {
    let upstream = Upstream::script([Answer::json(having_used(0, 40))]).await;
    let gateway = gateway(&upstream, &still(100_000)).await;
    let mut before = 100_000;
    let mut reserved = Vec::new();
    for _ in 0..21 {
        let answer = ask(&gateway, chat()).await.expect(200);
        reserved.push(before - left(&answer, "tokens") - PROMPT);
        before -= 40;
    }
    assert_eq!(reserved[..20], [512; 20]);
    assert!((40..=48).contains(&reserved[20]), "{reserved:?}");
    // The client's own word goes before.
    let answer = ask(&gateway, chat_of(1000)).await.expect(200);
    assert_eq!(left(&answer, "tokens"), before - 1000);
}

#[tokio::test]
async fn cached_input_costs_what_its_weight_says() {
    let told = having_used(100, 20).replace(
        "\"total_tokens\":120",
        "\"total_tokens\":120,\"prompt_tokens_details\":{\"cached_tokens\":80}",
    );
    let upstream = Upstream::script([Answer::json(told)]).await;
    for (weight, used) in [("", 120), (", cached_input_weight: 25%", 60), (", cached_input_weight: 0%", 40)] {
        let limits = format!("limits: {{tokens: {{{}}}{weight}}}", still(1000));
        let gateway = limited(&upstream, &limits).start().await;
        let _ = ask(&gateway, chat()).await.expect(200);
        assert_eq!(rest(&gateway).await, 1000 - used, "{weight}");
    }
}

#[tokio::test]
async fn a_stream_holds_what_is_reserved_until_its_end_and_is_settled_by_what_it_has_used() {
    let gate = Gate::new();
    let told = "data: {\"id\":\"c-1\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"m\",\
                \"choices\":[],\"usage\":{\"prompt_tokens\":30,\"completion_tokens\":12,\"total_tokens\":42}}\n\n";
    let rest_of = [finish(), told.into(), DONE.into()].concat();
    let stream = gated(&gate, &delta("Hello"), &rest_of);
    let upstream = Upstream::script([stream, Answer::json(having_used(0, 0))]).await;
    let gateway = gateway(&upstream, &still(1000)).await;
    let body = chat_stream().replace("\"stream\"", "\"max_tokens\":500,\"stream\"");
    let mut stream = Stream::open(gateway.api, &by_limited(body)).await;
    stream.event().await;
    let reserved = PROMPT + 500;
    assert_eq!(stream.head.get("x-ratelimit-remaining-tokens"), (1000 - reserved).to_string());
    let answer = ask(&gateway, chat_of(100)).await.expect(200);
    assert_eq!(left(&answer, "tokens"), 1000 - reserved - 100);
    gate.open();
    assert!(stream.rest().await.done());
    assert_eq!(rest(&gateway).await, 1000 - 42);
}

#[tokio::test]
async fn a_stream_that_is_cut_is_settled_by_what_came() {
    let begun = || Answer::chunked().chunk(delta("Hello there, how are you today?"));
    for client_leaves in [false, true] {
        let answer = if client_leaves { begun().hang() } else { begun().wait(50).reset() };
        let upstream = Upstream::script([answer, Answer::json(having_used(0, 0))]).await;
        let gateway = gateway(&upstream, &still(1000)).await;
        let body = chat_stream().replace("\"stream\"", "\"max_tokens\":500,\"stream\"");
        let mut stream = Stream::open(gateway.api, &by_limited(body)).await;
        stream.event().await;
        if !client_leaves {
            let _ = stream.rest().await.error();
        }
        drop(stream);
        let used = 1000 - rest(&gateway).await;
        assert!((PROMPT + 6..=PROMPT + 12).contains(&used), "eight words or so: {used}");
    }
}

#[tokio::test]
async fn a_request_that_failed_gives_its_tokens_back() {
    let upstream = Upstream::script([
        Answer::error(500, "{}"),
        Answer::error(400, "{}"),
        Answer::json("{\"no\":\"answer\"}"),
        Answer::json(having_used(0, 0)),
    ])
    .await;
    let bucket = format!("limits: {{tokens: {{{}}}}}", still(1000));
    let gateway = limited(&upstream, &bucket).section("resilience: {attempts: 1}").start().await;
    for status in [502, 400, 502] {
        let _ = ask(&gateway, chat_of(900)).await.expect(status);
    }
    assert_eq!(rest(&gateway).await, 1000);
}

#[tokio::test]
async fn embeddings_reserve_their_input_alone() {
    let reply = r#"{"object":"list","data":[{"object":"embedding","index":0,"embedding":[0.5]}],"model":"m","usage":{"prompt_tokens":50,"total_tokens":50}}"#;
    let upstream = Upstream::script([Answer::json(reply)]).await;
    let gateway = gateway(&upstream, &still(1000)).await;
    let request = Request::post(EMBEDDINGS, r#"{"model":"m","input":"Once upon a time"}"#).bearer(LIMITED);
    let reserved = 1000 - left(&request.send(gateway.api).await.expect(200), "tokens");
    assert!((3..=8).contains(&reserved), "{reserved}");
    assert_eq!(left(&request.send(gateway.api).await, "tokens"), 1000 - 50 - reserved);
}
