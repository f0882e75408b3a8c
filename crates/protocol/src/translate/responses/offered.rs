//! Tools that the target knows under another name than the client, or that are called otherwise: those of a namespace,
//! and custom ones. An answer that calls one is told in the client's words.

use std::collections::BTreeMap;

use crate::envelope::Envelope;
use crate::raw::{Object, items, quoted};

/// One of them, in the client's words; names are JSON strings.
#[derive(Debug, Clone)]
pub(super) struct Offered {
    pub(super) namespace: Option<String>,
    pub(super) name: String,
    pub(super) is_custom: bool,
}

/// The name of a tool of a namespace where there are none.
pub(super) fn joined(namespace: &str, name: &str) -> String {
    format!("{namespace}__{name}")
}

/// The tools of a request by the name that the target has for them, without those that are the same at both ends.
pub(super) fn offered(call: &Envelope) -> BTreeMap<String, Offered> {
    let mut offered = BTreeMap::new();
    let tools = call.value("tools").and_then(|tools| std::str::from_utf8(tools).ok());
    for tool in tools.and_then(|tools| items(tools).ok()).unwrap_or_default() {
        let Ok(tool) = Object::parse(tool) else { continue };
        match (tool.string("type").as_deref(), tool.string("name")) {
            (Some("namespace"), Some(namespace)) => {
                for tool in tool.items("tools").unwrap_or_default() {
                    add(tool, &namespace, &mut offered);
                }
            }
            (Some("custom"), Some(name)) => {
                let tool = Offered { namespace: None, name: quoted(&name), is_custom: true };
                offered.insert(name.into_owned(), tool);
            }
            _ => {}
        }
    }
    offered
}

fn add(tool: &str, namespace: &str, offered: &mut BTreeMap<String, Offered>) {
    let Ok(tool) = Object::parse(tool) else { return };
    let Some(name) = tool.string("name") else { return };
    let is_custom = tool.string("type").as_deref() == Some("custom");
    let known = Offered { namespace: Some(quoted(namespace)), name: quoted(&name), is_custom };
    offered.insert(joined(namespace, &name), known);
}
