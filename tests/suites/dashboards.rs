//! The dashboards and rules that are shipped: well formed, alike in their manners, and asking only for what the code
//! declares.
//!
//! Whether every query finds data is asked of a real Prometheus, elsewhere; here nothing runs.
//! `SLUICE_WRITE_DASHBOARDS=1` writes the files in their form, after an export from Grafana say.

mod broken;
mod document;
mod form;
mod names;
mod panel;
mod place;
mod promql;
mod rules;
mod shape;

use crate::tidy::root;
use names::Names;
use serde_json::Value;
use std::{fs, path::PathBuf};

/// The files of a folder with an ending, in order.
fn files(folder: &str, ending: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(root().join(folder)).unwrap();
    let mut found: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    found.retain(|path| path.to_str().unwrap().ends_with(ending));
    found.sort();
    found
}

/// Each dashboard's name, text and content.
fn dashboards() -> Vec<(String, String, Value)> {
    let read = |path: PathBuf| {
        let text = fs::read_to_string(&path).unwrap();
        let content = serde_json::from_str(&text).unwrap();
        (path.file_stem().unwrap().to_str().unwrap().to_owned(), text, content)
    };
    files("dashboards", ".json").into_iter().map(read).collect()
}

/// What the code declares and the rules record, and what is wrong with the rules.
fn names() -> (Names, Vec<String>) {
    let mut names = Names::declared();
    let texts =
        files("deploy/prometheus", "rules.yml").into_iter().map(|path| fs::read_to_string(path).unwrap());
    let faults = rules::faults(&texts.collect::<Vec<_>>(), &mut names);
    (names, faults)
}

fn assert_none(faults: &[String]) {
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
}

#[test]
fn dashboards_ask_only_for_what_there_is_and_look_alike() {
    let (names, _) = names();
    let all = dashboards();
    let stems: Vec<&str> = all.iter().map(|(name, ..)| name.as_str()).collect();
    assert_eq!(stems, ["cache", "internals", "overview", "providers", "tenants"]);
    let faults: Vec<String> = all
        .iter()
        .flat_map(|(name, _, content)| {
            let found = document::faults(&format!("sluice-{name}"), content, &names);
            found.into_iter().map(move |fault| format!("{name}: {fault}"))
        })
        .collect();
    assert_none(&faults);
}

#[test]
fn rules_ask_only_for_what_there_is() {
    let (_, faults) = names();
    assert_none(&faults);
}

#[test]
fn dashboards_are_in_their_form() {
    for (name, text, content) in dashboards() {
        let formed = form::text(&content);
        if std::env::var_os("SLUICE_WRITE_DASHBOARDS").is_some() {
            fs::write(root().join(format!("dashboards/{name}.json")), formed).unwrap();
        } else {
            assert!(
                text == formed,
                "{name} is not in its form; write it anew with SLUICE_WRITE_DASHBOARDS=1"
            );
        }
    }
}
