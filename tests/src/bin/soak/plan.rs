//! The nth request: what is asked, by whom, and when its client leaves. Drawn from seed and number alone, so that
//! it can be drawn again when it is looked at what became of it.

use crate::ways::{Equal, Form, Leaves, WAYS, Way};
use fastrand::Rng;
use serde_json::{Value, json};

/// What the names of requests begin with.
const ID: &str = "soak-";

/// A key of the gateway's configuration.
pub(crate) struct Key {
    pub(crate) name: &'static str,
    pub(crate) tenant: &'static str,
    /// Further members of the entry.
    pub(crate) members: &'static str,
}

/// Those that ordinary requests are sent with.
pub(crate) const KEYS: &[Key] = &[
    Key { name: "search-web", tenant: "search", members: "" },
    Key { name: "search-app", tenant: "search", members: ", budget: {usd: 100000, per: day}" },
    Key { name: "batch-night", tenant: "batch", members: "" },
    Key { name: "office-a", tenant: "office", members: ", limits: {concurrency: 500}" },
    Key { name: "office-b", tenant: "office", members: "" },
];

/// One that is refused most of the time.
pub(crate) const TIGHT: Key =
    Key { name: "tight", tenant: "batch", members: ", limits: {requests: {rate: 60/min, burst: 5}}" };

/// A key's secret.
pub(crate) fn secret(name: &str) -> String {
    format!("sk-sluice-soak-{name}")
}

/// A request.
pub(crate) struct Plan {
    pub(crate) leaves: Leaves,
    /// Moment of the leaving: milliseconds, or events.
    pub(crate) moment: u32,
    /// Leaves with a reset where it can.
    pub(crate) resets: bool,
    /// Is not let in.
    pub(crate) stranger: bool,
    pub(crate) head: Vec<u8>,
    pub(crate) body: Vec<u8>,
}

/// The name of the nth request.
pub(crate) fn id(n: u32) -> String {
    format!("{ID}{n:08}")
}

/// The number of the request of that name.
pub(crate) fn number(id: &str) -> Option<u32> {
    id.strip_prefix(ID)?.parse().ok()
}

impl Plan {
    /// Draws the nth request.
    pub(crate) fn draw(seed: u64, n: u32) -> Self {
        let mut rng = Rng::with_seed(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ u64::from(n));
        let mut at = rng.u32(..1000);
        for way in WAYS {
            match at.checked_sub(way.share) {
                Some(rest) => at = rest,
                None => return Self::of(way, seed, n, &mut rng),
            }
        }
        odd(n, &mut rng)
    }

    fn of(way: &Way, seed: u64, n: u32, rng: &mut Rng) -> Self {
        let key = rng.choice(KEYS).expect("keys").name;
        let include_usage = rng.bool();
        let group = match way.equal {
            Equal::No => None,
            Equal::Of(count) => Some(rng.u32(..count)),
            Equal::Near(width) => Some(n / width),
        };
        // What is equal is drawn from the group, what may differ was drawn before.
        let mut same = group.map(|group| Rng::with_seed(seed ^ (u64::from(group) << 20)));
        let (path, mut body) = ask(way, same.as_mut().unwrap_or(rng));
        if let Some(group) = group {
            body["seed"] = group.into();
        }
        if body["stream"] == true && include_usage {
            body["stream_options"] = json!({"include_usage": true});
        }
        let moment = match way.leaves {
            Leaves::Waiting(most) => rng.u32(5..most as u32),
            Leaves::Reading(most) => rng.u32(1..most),
            Leaves::Never | Leaves::Uploading | Leaves::AtOnce => 0,
        };
        Self { leaves: way.leaves, moment, resets: rng.bool(), ..Self::post(n, path, key, body.to_string()) }
    }

    fn post(n: u32, path: &str, key: &str, body: String) -> Self {
        Self::new(&format!("POST {path}"), n, key, body.into_bytes())
    }

    fn new(what: &str, n: u32, key: &str, body: Vec<u8>) -> Self {
        let mut head = format!(
            "{what} HTTP/1.1\r\nhost: gateway\r\nauthorization: Bearer {}\r\nx-request-id: {}\r\n",
            secret(key),
            id(n)
        );
        if !body.is_empty() {
            head.push_str(&format!("content-type: application/json\r\ncontent-length: {}\r\n", body.len()));
        }
        head.push_str("\r\n");
        Self {
            leaves: Leaves::Never,
            moment: 0,
            resets: false,
            stranger: false,
            head: head.into_bytes(),
            body,
        }
    }
}

/// What never reaches an upstream: strangers, wrong bodies, unknown models, requests beyond a limit, lists.
fn odd(n: u32, rng: &mut Rng) -> Plan {
    let (path, body) = ask(&WAYS[0], rng);
    let text = body.to_string();
    match rng.u32(..5) {
        0 => Plan { stranger: true, ..Plan::post(n, path, "nobody", text) },
        1 => Plan::post(n, path, KEYS[0].name, text[..text.len() / 2].to_owned()),
        2 => Plan::post(n, path, KEYS[1].name, text.replacen("\"plain\"", "\"unheard-of\"", 1)),
        3 => Plan::post(n, path, TIGHT.name, text),
        _ => Plan::new("GET /v1/models", n, KEYS[2].name, Vec::new()),
    }
}

fn ask(way: &Way, rng: &mut Rng) -> (&'static str, Value) {
    let model = way.model;
    let stream = match way.form {
        Form::Plain => false,
        Form::Stream => true,
        Form::Either => rng.bool(),
    };
    let chat = rng.u32(..3) > 0;
    let mut body = if chat {
        let system = "You answer in a few plain sentences.";
        json!({"model": model, "messages": [
            {"role": "system", "content": system}, {"role": "user", "content": prose(rng)},
        ]})
    } else {
        json!({"model": model, "prompt": prose(rng)})
    };
    if stream {
        body["stream"] = true.into();
    }
    if rng.u32(..4) == 0 {
        body["max_tokens"] = 400.into();
    }
    (if chat { "/v1/chat/completions" } else { "/v1/completions" }, body)
}

/// Some hundred words: estimates of short texts are dominated by what frames them. Some begin alike, so that the
/// mock reports a part of them as cached.
fn prose(rng: &mut Rng) -> String {
    let sentences = rng.usize(8..40);
    let opening = rng.usize(..SENTENCES.len());
    let first = (0..3).map(|n| SENTENCES[(opening + n) % SENTENCES.len()]);
    let first: Vec<&str> = first.collect();
    let rest = (3..sentences).map(|_| *rng.choice(SENTENCES).expect("sentences"));
    first.into_iter().chain(rest).collect::<Vec<_>>().join(" ")
}

const SENTENCES: &[&str] = &[
    "The harbour was quiet that morning, and the boats lay close together behind the wall.",
    "Nobody had told the keeper that the supply ship would come two days late.",
    "Write down what changed, who asked for it, and how we would notice that it went wrong.",
    "In the second quarter the number of open orders fell by a little more than a tenth.",
    "She read the letter twice before she put it back into the drawer of the old desk.",
    "Please keep every figure as it stands, and say so where one of them is missing.",
    "The train leaves at seven, so there is time for a coffee if we do not talk too long.",
    "A good test fails for one reason only, and its name says what that reason is.",
    "When the wind turned north, the people in the valley brought their sheep down.",
    "It is not the speed of the answer that matters here, but that it can be checked.",
    "They agreed to meet again in spring, when the road over the pass would be open.",
    "The room had two windows, one to the garden and one to the yard of the brewery.",
    "Compare both proposals, and tell me in a few sentences which one you would choose.",
    "Most of the money was spent on heating, and the rest on paper, ink and postage.",
];
