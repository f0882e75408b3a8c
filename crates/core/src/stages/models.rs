//! The model list: what the caller's key may use, and nothing else. In OpenAI's shape or in Anthropic's.

use crate::{
    headers as names,
    server::routes::Family,
    state::snapshot::{KeyEntry, ModelEntry, Pattern, Snapshot},
};
use bytes::Bytes;
use http::HeaderMap;
use serde::Serialize;
use sluice_protocol::Dialect;

/// Whose shape a list has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// OpenAI's.
    OpenAi,
    /// Anthropic's.
    Anthropic,
}

impl Shape {
    /// By the path, and by the header that all of Anthropic's clients send.
    #[must_use]
    pub fn of(family: Family, headers: &HeaderMap) -> Self {
        let is_anthropic = family == Family::Anthropic || headers.contains_key(names::ANTHROPIC_VERSION);
        if is_anthropic { Self::Anthropic } else { Self::OpenAi }
    }

    /// The dialect in which errors are told beside it.
    #[must_use]
    pub const fn dialect(self) -> Dialect {
        match self {
            Self::OpenAi => Dialect::Chat,
            Self::Anthropic => Dialect::Messages,
        }
    }
}

/// `GET …/models`, in Anthropic's shape. Always one page.
#[derive(Serialize)]
struct Page<'a> {
    data: Vec<Info<'a>>,
    first_id: Option<&'a str>,
    has_more: bool,
    last_id: Option<&'a str>,
}

#[derive(Serialize)]
struct Info<'a> {
    #[serde(rename = "type")]
    form: &'static str,
    id: &'a str,
    display_name: &'a str,
    /// The epoch stands for a date that is not known.
    created_at: &'static str,
}

impl<'a> Info<'a> {
    fn of(id: &'a str) -> Self {
        Self { form: "model", id, display_name: id, created_at: "1970-01-01T00:00:00Z" }
    }
}

/// `GET …/models`, in OpenAI's shape.
#[derive(Serialize)]
struct List<'a> {
    object: &'static str,
    data: Vec<Model<'a>>,
}

#[derive(Serialize)]
struct Model<'a> {
    id: &'a str,
    object: &'static str,
    /// Unknown; a date that nobody checked would be a false one.
    created: u64,
    owned_by: &'a str,
}

impl<'a> Model<'a> {
    fn of(id: &'a str, entry: &'a ModelEntry) -> Self {
        let owner = entry.targets.first().map_or("sluice", |target| &*target.provider.name);
        Self { id, object: "model", created: 0, owned_by: owner }
    }
}

/// All models that the key may use, aliases beside them. A wildcard is no model: of it, only names that the key
/// itself spells out are listed.
#[must_use]
pub fn list(snapshot: &Snapshot, key: &KeyEntry, shape: Shape) -> Bytes {
    let is_wild = |entry: &ModelEntry| entry.name.ends_with('*');
    let models = snapshot.models.all().iter().filter(|entry| !is_wild(entry));
    let exact = models.flat_map(|entry| {
        let names = std::iter::once(&*entry.name).chain(entry.aliases.iter().map(String::as_str));
        names.filter(|name| key.may_use(name)).map(|name| Model::of(name, entry))
    });
    let spelled = key.models.iter().filter_map(|pattern| match pattern {
        Pattern::Exact(name) => {
            snapshot.models.find(name).filter(|entry| is_wild(entry)).map(|entry| Model::of(name, entry))
        }
        Pattern::Prefix(_) => None,
    });
    let data: Vec<Model<'_>> = exact.chain(spelled).collect();
    match shape {
        Shape::OpenAi => to_json(&List { object: "list", data }),
        Shape::Anthropic => {
            let data: Vec<_> = data.iter().map(|model| Info::of(model.id)).collect();
            let (first_id, last_id) = (data.first().map(|one| one.id), data.last().map(|one| one.id));
            to_json(&Page { data, first_id, has_more: false, last_id })
        }
    }
}

/// One model, under the name that was asked for.
#[must_use]
pub fn one(id: &str, entry: &ModelEntry, shape: Shape) -> Bytes {
    match shape {
        Shape::OpenAi => to_json(&Model::of(id, entry)),
        Shape::Anthropic => to_json(&Info::of(id)),
    }
}

fn to_json(value: &impl Serialize) -> Bytes {
    // Strings and numbers cannot fail to serialise.
    serde_json::to_vec(value).unwrap_or_default().into()
}
