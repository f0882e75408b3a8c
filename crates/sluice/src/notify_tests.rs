//! What is read from the environment, and signs of life. The whole conversation is tested from outside.

use super::*;
use std::{os::linux::net::SocketAddrExt as _, time::Instant};
use tokio::runtime::Builder;

#[test]
fn addresses_are_paths_and_abstract_names() {
    assert!(address(OsStr::new("/run/systemd/notify")).unwrap().as_pathname().is_some());
    assert!(address(OsStr::new("@notify")).unwrap().as_pathname().is_none());
    for wrong in ["run/notify", "vsock:2:1", &format!("/{}", "long".repeat(100))] {
        assert!(address(OsStr::new(wrong)).is_err(), "{wrong}");
    }
}

#[test]
fn signs_of_life_are_given_by_whom_they_are_wanted() {
    let us = process::id().to_string();
    let second = Some(Duration::from_secs(1));
    assert_eq!(watchdog(Some("1000000"), Some(&us)), second);
    assert_eq!(watchdog(Some("1000000"), None), second);
    for (micros, pid) in [(Some("1000000"), "1"), (Some("0"), &*us), (Some("soon"), &us), (None, &us)] {
        assert_eq!(watchdog(micros, Some(pid)), None, "{micros:?} {pid}");
    }
}

/// A manager that waits for a sign of life within 100 ms, and its end of the line.
fn manager() -> (Notify, UnixDatagram) {
    let name = format!("sluice-notify-{}", process::id());
    let address = SocketAddr::from_abstract_name(name).unwrap();
    let ear = UnixDatagram::bind_addr(&address).unwrap();
    let manager = Manager {
        socket: UnixDatagram::unbound().unwrap(),
        address,
        watchdog: Some(Duration::from_millis(100)),
        serving: String::new(),
        reloads: AtomicUsize::new(0),
        failed: AtomicBool::new(false),
    };
    (Notify(Some(Arc::new(manager))), ear)
}

/// Signs that come within a time.
fn signs(ear: &UnixDatagram, time: Duration) -> usize {
    let end = Instant::now() + time;
    let mut count = 0;
    while let Some(left) = end.checked_duration_since(Instant::now()).filter(|left| !left.is_zero()) {
        ear.set_read_timeout(Some(left)).unwrap();
        let mut said = [0; 64];
        if let Ok(length) = ear.recv(&mut said) {
            assert_eq!(&said[..length], b"WATCHDOG=1");
            count += 1;
        }
    }
    count
}

#[test]
fn threads_that_hang_give_no_sign_of_life() {
    let (notify, ear) = manager();
    let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let _entered = runtime.enter();
    let living = notify.live().unwrap();
    assert!(signs(&ear, Duration::from_millis(500)) >= 4);
    let (hung, tasks) = (Arc::new(AtomicUsize::new(0)), TaskTracker::new());
    let over = Arc::new(AtomicBool::new(false));
    for _ in 0..2 {
        let (hung, over) = (hung.clone(), over.clone());
        tasks.spawn(async move {
            hung.fetch_add(1, Ordering::SeqCst);
            while !over.load(Ordering::SeqCst) {}
        });
    }
    while hung.load(Ordering::SeqCst) < 2 {}
    // What was said before.
    signs(&ear, Duration::from_millis(50));
    assert_eq!(signs(&ear, Duration::from_millis(500)), 0);
    over.store(true, Ordering::SeqCst);
    assert!(signs(&ear, Duration::from_millis(500)) >= 4);
    drop(living);
    signs(&ear, Duration::from_millis(50));
    assert_eq!(signs(&ear, Duration::from_millis(300)), 0);
}
