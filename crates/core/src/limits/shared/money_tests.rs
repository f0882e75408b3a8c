//! Budgets that replicas share.

use super::*;

#[tokio::test]
async fn whoever_leaves_while_it_is_asked_holds_nothing() {
    let world = World::new(dollars(1000), 1).await;
    for _ in 0..20 {
        let asking = world.ask(0, 100);
        // Polled once: the question is on its way.
        tokio::time::timeout(Duration::ZERO, asking).await.ok();
    }
    world.advance_seconds(2).await;
    world.look_after().await;
    let mut spent = 0;
    while let Ok(permit) = world.ask(0, 100).await {
        world.end(permit, 100);
        spent += 100;
    }
    assert_eq!(spent, 1000);
}

#[tokio::test]
async fn a_budget_ends_where_it_says_over_all_replicas() {
    let world = World::new(dollars(100_000), 3).await;
    let mut spent = 0;
    for turn in 0..3000 {
        if let Ok(permit) = world.ask(turn % 3, 700).await {
            world.end(permit, 500);
            spent += 500;
        }
        if turn % 50 == 0 {
            world.advance(100_000).await;
            world.look_after().await;
        }
    }
    assert_eq!(spent, 100_000);
    let refusal = world.ask(1, 1).await.map(drop).unwrap_err();
    assert!(refusal.money.as_ref().unwrap().is_final());
    assert!(refusal.to_string().contains("this month; resets 2026-12-01."), "{refusal}");
    assert_eq!(refusal.retry_after, Some(Duration::from_secs(86_400 * 2 - 6)), "until midnight");
    world.advance_seconds(2 * 86_400).await;
    assert!(world.ask(2, 500).await.is_ok(), "a new month");
}

#[tokio::test]
async fn what_was_spent_outlives_processes_and_a_redis_that_forgets() {
    let mut world = World::new(dollars(1000), 1).await;
    world.end(world.ask(0, 300).await.unwrap(), 300);
    world.replicas[0].shared.leave_at(|| world.at()).await;
    // The next process: Redis knows what was spent, and the ledger says the same, which counts once.
    world.advance_seconds(10).await;
    world.replicas[0] = world.replica("/a", 300);
    world.end(world.ask(0, 200).await.unwrap(), 200);
    assert_eq!(world.replicas[0].paid(), 500);
    // Redis forgets: this process and its ledger do not.
    world.advance_seconds(2).await;
    world.look_after().await;
    assert!(world.server.tell("FLUSHALL").starts_with("+OK"));
    world.advance(1000).await;
    world.end(world.ask(0, 100).await.unwrap(), 100);
    assert_eq!(world.replicas[0].paid(), 600);
    // Another machine's ledger adds its own.
    world.server.tell("FLUSHALL");
    world.advance(1000).await;
    let other = world.replica("/b", 150);
    world.replicas.push(other);
    world.end(world.ask(0, 50).await.unwrap(), 50);
    world.end(world.ask(1, 50).await.unwrap(), 50);
    world.end(world.ask(0, 1).await.unwrap(), 0);
    world.advance_seconds(2).await;
    world.look_after().await;
    world.end(world.ask(0, 1).await.unwrap(), 0);
    assert_eq!(world.replicas[0].paid(), 600 + 150 + 100);
}

#[tokio::test]
async fn a_replica_that_spends_nothing_now_tells_a_forgetful_redis_what_it_has_spent() {
    let mut world = World::new(dollars(1000), 2).await;
    world.end(world.ask(0, 400).await.unwrap(), 400);
    world.replicas.push(world.replica("/b", 150));
    world.look_after().await;
    world.advance_seconds(2).await;
    world.look_after().await;
    world.server.tell("FLUSHALL");
    world.advance(0).await;
    world.look_after().await;
    world.look_after().await;
    let mut spent = 0;
    while let Ok(permit) = world.ask(1, 50).await {
        world.end(permit, 50);
        spent += 50;
    }
    assert_eq!(spent, 1000 - 400 - 150);
}

#[tokio::test]
async fn what_an_answer_cost_is_told_however_late_it_ends() {
    let world = World::new(dollars(1000), 2).await;
    let long = world.ask(0, 900).await.unwrap();
    for _ in 0..10 {
        world.advance_seconds(3).await;
        world.look_after().await;
    }
    assert!(world.ask(1, 200).await.map(|permit| world.end(permit, 100)).is_ok(), "100 are left");
    world.end(long, 300);
    for _ in 0..3 {
        world.advance_seconds(2).await;
        world.look_after().await;
    }
    let mut spent = 400;
    while let Ok(permit) = world.ask(1, 100).await {
        world.end(permit, 100);
        spent += 100;
    }
    assert_eq!(spent, 1000);
    world.look_after().await;
    assert_eq!(world.replicas[1].paid(), 1000);
}

#[tokio::test]
async fn what_a_process_held_that_is_gone_is_free_again() {
    let mut world = World::new(dollars(1000), 2).await;
    world.end(world.ask(0, 100).await.unwrap(), 100);
    let open = [world.ask(0, 400).await.unwrap(), world.ask(1, 200).await.unwrap()];
    let next = world.replica("/b", 0);
    let dead = std::mem::replace(&mut world.replicas[0], next);
    let mut spent = 0;
    for _ in 0..12 {
        while let Ok(permit) = world.ask(1, 50).await {
            world.end(permit, 50);
            spent += 50;
        }
        world.advance_seconds(1).await;
        world.look_after().await;
    }
    assert_eq!(spent, 1000 - 100 - 200, "what a living one holds is held, however long");
    drop((open, dead));
}
