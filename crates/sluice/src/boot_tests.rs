//! Starting and stopping, several gateways to a process. What requests meet is tested from outside.

use super::*;
use sluice_config::Env;
use std::collections::BTreeMap;
use tokio::net::TcpStream;

const ANY: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0);

fn settings() -> Settings {
    let mut settings = Settings::demo(ANY, &Env::Map(BTreeMap::new())).unwrap();
    settings.listeners.api.bind = ANY;
    settings.listeners.admin.bind = ANY;
    settings
}

fn options() -> StartOptions {
    StartOptions::new(LogSink::discard(), LedgerPlace::Memory)
}

#[tokio::test]
async fn gateways_in_one_process_do_not_disturb_each_other() {
    let (first, second) =
        (start(settings(), options()).await.unwrap(), start(settings(), options()).await.unwrap());
    let (gone, left) = (first.api, second.api);
    assert_eq!(first.stop(Duration::ZERO, Duration::from_secs(5)).await, Stopped::Drained);
    assert!(TcpStream::connect(gone).await.is_err());
    assert!(TcpStream::connect(left).await.is_ok() && second.app.is_ready());
}

#[tokio::test]
async fn readiness_goes_first_and_the_listener_stays_for_the_delay() {
    let running = start(settings(), options()).await.unwrap();
    let (app, api, admin) = (Arc::clone(&running.app), running.api, running.admin);
    let begun = Instant::now();
    let stop = TaskTracker::new().spawn(running.stop(Duration::from_millis(400), Duration::from_secs(5)));
    while !app.is_draining() {
        tokio::task::yield_now().await;
    }
    assert!(!app.is_ready());
    assert!(TcpStream::connect(api).await.is_ok() && TcpStream::connect(admin).await.is_ok());
    stop.await.unwrap();
    assert!(begun.elapsed() >= Duration::from_millis(400));
    assert!(TcpStream::connect(api).await.is_err() && TcpStream::connect(admin).await.is_err());
}

#[tokio::test]
async fn a_gateway_that_cannot_start_leaves_nothing_behind() {
    let running = start(settings(), options()).await.unwrap();
    let mut taken = settings();
    taken.listeners.admin.bind = running.admin;
    let Err(fault) = start(taken, options()).await else { panic!("two gateways on one address") };
    assert!(matches!(fault, StartError::Admin(_)) && fault.to_string().contains(&running.admin.to_string()));
}
