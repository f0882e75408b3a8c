//! Redis as LiteLLM names it: host, port, password and so on, each by itself; here they are one address.

use super::{
    account::Account,
    plan::Redis,
    section::{Section, Text},
    source::{Data, Node},
};

/// What LiteLLM reads when the file names no server.
pub(super) fn of_environment(account: &Account) -> Redis {
    let (host, port) = (account.variable("REDIS_HOST"), account.variable("REDIS_PORT"));
    let with_default = |reference: &str, default: &str| reference.replace('}', &format!(":-{default}}}"));
    let url = format!("redis://{}:{}", with_default(&host, "127.0.0.1"), with_default(&port, "6379"));
    Redis { mode: "single", urls: vec![url], master: None, key_prefix: None }
}

/// The servers that these fields name; each begins with `prefix`.
pub(super) fn server(map: &Section<'_>, prefix: &str) -> Option<Redis> {
    let url = format!("{prefix}url");
    if let Some(url) = whole(map, &url) {
        return Some(Redis { mode: "single", urls: vec![url], master: None, key_prefix: None });
    }
    let login = Login::read(map, prefix);
    let (mode, places) = match (places(map, "redis_startup_nodes"), places(map, "sentinel_nodes")) {
        (nodes, _) if !nodes.is_empty() => ("cluster", nodes),
        (_, sentinels) if !sentinels.is_empty() => ("sentinel", sentinels),
        _ => ("single", single(map, prefix).into_iter().collect()),
    };
    if places.is_empty() {
        map.leave(&format!("{prefix}password"), "the server that it is for is not named");
        return None;
    }
    let master = (mode == "sentinel").then(|| {
        let named = map.text("service_name").filter(|name| *name != Text::Plain(String::new()));
        named.map_or_else(|| "mymaster".to_owned(), |name| name.ours(map.account))
    });
    let urls = places.iter().map(|place| format!("{}{place}", login.0)).collect();
    Some(Redis { mode, urls, master, key_prefix: None })
}

/// An address that is given whole.
fn whole(map: &Section<'_>, key: &str) -> Option<String> {
    let place = map.get(key)?.value.place;
    match map.text(key)? {
        Text::Plain(url) => {
            let rest = url.strip_prefix("redis://").or_else(|| url.strip_prefix("rediss://"));
            let host = rest.map(|rest| rest.rsplit('@').next().unwrap_or_default());
            let host = host.and_then(|host| host.split(['/', '?']).next());
            let (host, port) =
                host.and_then(|host| host.rsplit_once(':')).unwrap_or((host.unwrap_or_default(), "6379"));
            if !is_host(host) || !is_port(port) {
                map.leave(key, "not the address of a Redis server: redis://host:6379");
                return None;
            }
            Some(if url.contains('@') {
                map.account.secret(&url, key, place)
            } else {
                url.replace('$', "$$")
            })
        }
        variable => Some(variable.ours(map.account)),
    }
}

/// Everything before the host.
struct Login(String);

impl Login {
    fn read(map: &Section<'_>, prefix: &str) -> Self {
        let name = |field: &str| format!("{prefix}{field}");
        let scheme = if map.flag(&name("ssl")) == Some(true) { "rediss" } else { "redis" };
        let key = name("password");
        let place = map.get(&key).map(|entry| entry.value.place);
        let password = match (map.text(&key), place) {
            (Some(Text::Plain(text)), _) if text.is_empty() => None,
            (Some(Text::Plain(text)), Some(place)) => Some(map.account.secret(&text, &key, place)),
            (text, _) => text.map(|text| text.ours(map.account)),
        };
        let Some(password) = password else {
            map.leave(&name("username"), "a user needs a password here");
            return Self(format!("{scheme}://"));
        };
        map.tell(&key, "part of an address here: percent-encode characters such as @ and / in the variable");
        let user = map.text(&name("username"));
        let user = user
            .map(|user| part(map, &name("username"), &user, is_host).unwrap_or_default())
            .unwrap_or_default();
        Self(format!("{scheme}://{user}:{password}@"))
    }
}

fn single(map: &Section<'_>, prefix: &str) -> Option<String> {
    let name = |field: &str| format!("{prefix}{field}");
    let (host, port) = (map.text(&name("host")), map.text(&name("port")));
    let port = port.map(|port| part(map, &name("port"), &port, is_port));
    let host = part(map, &name("host"), &host?, is_host)?;
    let port = port.unwrap_or_else(|| Some("6379".to_owned()))?;
    let database = map.whole(&name("db")).map(|db| format!("/{db}")).unwrap_or_default();
    Some(format!("{host}:{port}{database}"))
}

/// A part of an address; what cannot stand there is left.
fn part(map: &Section<'_>, key: &str, text: &Text, fits: fn(&str) -> bool) -> Option<String> {
    match text {
        Text::Plain(plain) if !fits(plain) => {
            map.leave(key, "cannot stand in the address of a Redis server");
            None
        }
        text => Some(text.ours(map.account)),
    }
}

fn is_host(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_".contains(&byte))
}

fn is_port(text: &str) -> bool {
    text.parse::<u16>().is_ok_and(|port| port > 0)
}

fn places(map: &Section<'_>, key: &str) -> Vec<String> {
    map.items(key).into_iter().filter_map(|node| place(map, node)).collect()
}

/// `{host: …, port: …}` or `[host, port]`; what is neither stays open in the account.
fn place(map: &Section<'_>, node: &Node) -> Option<String> {
    match &node.data {
        Data::Map(entries) => {
            let map = Section::new(entries, map.account, map.spot.clone());
            let (host, port) = (map.text("host")?, map.text("port")?);
            let (host, port) = (part(&map, "host", &host, is_host), part(&map, "port", &port, is_port));
            Some(format!("{}:{}", host?, port?))
        }
        Data::List(items) => {
            let written = |item: &Node| match &item.data {
                Data::Scalar(scalar) => Some(scalar.written.clone()),
                _ => None,
            };
            let parts: Vec<String> = items.iter().map(written).collect::<Option<_>>()?;
            match parts.as_slice() {
                [host, port] if is_host(host) && is_port(port) => {
                    map.account.take(node);
                    Some(format!("{host}:{port}"))
                }
                _ => None,
            }
        }
        Data::Scalar(_) => None,
    }
}
