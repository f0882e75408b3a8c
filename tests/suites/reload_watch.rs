//! The files are watched: what changes on disk is put in force unasked, however it was written, and told.

use crate::support::{CHAT, CHAT_REPLY, chat};
use sluice_tests::{
    client::Request,
    eventually_async,
    gateway::{Config, KEY},
    replica::Replica,
    upstream::{Answer, Upstream},
};
use std::{fs, os::unix::fs::symlink};

const NEW: &str = "sk-sluice-new";
const BY_FILE: &str = "\"event\":\"configuration reloaded\",\"who\":\"file\"";
const REFUSED: &str = "\"event\":\"reload rejected; the old configuration stays in force\",\"who\":\"file\"";

async fn ask(sluice: &Replica, key: &str) -> u16 {
    Request::post(CHAT, chat()).bearer(key).send(sluice.api).await.status()
}

async fn until(sluice: &Replica, key: &str, status: u16) {
    eventually_async(&format!("{status} for {key}"), async || ask(sluice, key).await == status).await;
}

async fn last_reload(sluice: &Replica) -> serde_json::Value {
    Request::get("/status").send(sluice.admin).await.json()["last_reload"].clone()
}

#[tokio::test]
async fn a_file_that_is_written_in_place_or_replaced_is_put_in_force() {
    let upstream = Upstream::script([Answer::json(CHAT_REPLY)]).await;
    let config = Config::to(&upstream);
    let more = config.clone().key("new", NEW, "models: [\"*\"]");
    let sluice = Replica::start(&config).await;
    assert_eq!((ask(&sluice, NEW).await, last_reload(&sluice).await), (401, serde_json::Value::Null));

    sluice.write(&more);
    until(&sluice, NEW, 200).await;
    sluice.says(BY_FILE).await;
    sluice.says("\"changes\":1,\"diff\":\"+ keys[new]: {").await;

    // As editors and configuration management do.
    fs::write(sluice.file("next.yaml"), sluice.yaml(&config)).unwrap();
    fs::rename(sluice.file("next.yaml"), sluice.file("sluice.yaml")).unwrap();
    until(&sluice, NEW, 401).await;
    sluice.says("\"diff\":\"- keys[new]\"").await;
    assert_eq!(ask(&sluice, KEY).await, 200);
    let told = last_reload(&sluice).await;
    assert_eq!((&told["who"], &told["result"]), (&"file".into(), &"ok".into()));
}

#[tokio::test]
async fn a_kubelets_links_are_followed() {
    let upstream = Upstream::script([Answer::json(CHAT_REPLY)]).await;
    let config = Config::to(&upstream);
    let mut sluice = Replica::start(&config).await;
    sluice.stop().await;
    // The volume's layout: the file is a link into `..data`, which is a link to a folder of its own for each version.
    let version = |name: &str, config: &Config| {
        fs::create_dir(sluice.file(name)).unwrap();
        fs::write(sluice.file(name).join("sluice.yaml"), sluice.yaml(config)).unwrap();
    };
    version("..one", &config);
    version("..two", &config.clone().key("new", NEW, "models: [\"*\"]"));
    symlink("..one", sluice.file("..data")).unwrap();
    fs::remove_file(sluice.file("sluice.yaml")).unwrap();
    symlink("..data/sluice.yaml", sluice.file("sluice.yaml")).unwrap();
    sluice.begin().await;
    assert_eq!(ask(&sluice, NEW).await, 401);

    symlink("..two", sluice.file("..data_tmp")).unwrap();
    fs::rename(sluice.file("..data_tmp"), sluice.file("..data")).unwrap();
    fs::remove_dir_all(sluice.file("..one")).unwrap();
    until(&sluice, NEW, 200).await;
}

#[tokio::test]
async fn a_secret_that_is_rotated_is_used() {
    let upstream = Upstream::script([Answer::json(CHAT_REPLY)]).await;
    let with =
        |file: &str| Config::to(&upstream).provider(&format!("headers: {{x-team: \"${{file:{file}}}\"}}"));
    let mut sluice = Replica::start(&Config::to(&upstream)).await;
    sluice.stop().await;
    fs::write(sluice.file("team"), "one\n").unwrap();
    sluice.write(&with("team"));
    sluice.begin().await;
    let seen = async || {
        assert_eq!(ask(&sluice, KEY).await, 200);
        upstream.requests().last().unwrap().header("x-team").unwrap_or_default().to_owned()
    };
    assert_eq!(seen().await, "one");
    fs::write(sluice.file("team"), "two\n").unwrap();
    eventually_async("the new secret", async || seen().await == "two").await;
    sluice.says("another secret").await;

    // One that is not there yet is waited for, with the old configuration in force.
    sluice.write(&with("other"));
    sluice.says(REFUSED).await;
    assert_eq!(seen().await, "two");
    fs::write(sluice.file("other"), "three\n").unwrap();
    eventually_async("the secret that came late", async || seen().await == "three").await;
    assert!(!["one", "two", "three"].iter().any(|secret| sluice.printed(&format!("{secret}\"")) > 0));
}

#[tokio::test]
async fn what_is_not_valid_is_told_once_and_mended_by_the_next_writing() {
    let upstream = Upstream::script([Answer::json(CHAT_REPLY)]).await;
    let config = Config::to(&upstream);
    let sluice = Replica::start(&config).await;
    sluice.write(&config.clone().section("resilience: {atempts: 2}"));
    sluice.says(REFUSED).await;
    let told = last_reload(&sluice).await;
    assert_eq!((&told["who"], &told["result"]), (&"file".into(), &"rejected".into()));
    assert!(told["why"].as_str().unwrap().contains("atempts"), "{told}");
    assert_eq!(ask(&sluice, KEY).await, 200);

    sluice.write(&config.key("new", NEW, "models: [\"*\"]"));
    until(&sluice, NEW, 200).await;
    sluice.says(BY_FILE).await;
    assert_eq!((sluice.printed(REFUSED), last_reload(&sluice).await["result"].as_str()), (1, Some("ok")));
}
