//! The model list: what the caller's key may use, and nothing else.

use crate::state::snapshot::{KeyEntry, ModelEntry, Pattern, Snapshot};
use bytes::Bytes;
use serde::Serialize;

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
pub fn list(snapshot: &Snapshot, key: &KeyEntry) -> Bytes {
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
    to_json(&List { object: "list", data: exact.chain(spelled).collect() })
}

/// One model, under the name that was asked for.
#[must_use]
pub fn one(id: &str, entry: &ModelEntry) -> Bytes {
    to_json(&Model::of(id, entry))
}

fn to_json(value: &impl Serialize) -> Bytes {
    // Strings and numbers cannot fail to serialise.
    serde_json::to_vec(value).unwrap_or_default().into()
}
