//! The tables put together, once: for each preset its families, and for each family its members.

use std::cell::RefCell;
use std::cmp::Reverse;
use std::collections::HashSet;
use std::sync::LazyLock;

use super::families::{self, Models};
use super::{Family, Members, Treatment, members};
use crate::dialect::Dialect;
use crate::provider::{PRESETS, Preset, ProviderKind};

/// Holds for providers of which the tables know nothing.
const ANY: &str = "openai_compatible";

/// The families of a preset, the closest first.
type Families = Vec<(Models, Family)>;

/// By preset, in the order of [`PRESETS`].
static CATALOGUE: LazyLock<Vec<(&str, Families)>> = LazyLock::new(|| {
    let (families, members) = (families::rows().collect(), members::rows().collect());
    let tables = Tables { families, members, lists: RefCell::default() };
    PRESETS.iter().map(|preset| (preset.id, tables.families_of(preset))).collect()
});

/// The closest family.
pub(super) fn find(id: &str, model: &str) -> Option<&'static Family> {
    let of = |wanted: &str| CATALOGUE.iter().find(|(id, _)| *id == wanted).map(|(_, families)| families);
    let families = of(id).or_else(|| of(ANY))?;
    families.iter().find(|(models, _)| models.include(model)).map(|(_, family)| family)
}

/// All members that the tables name, in order.
static MEMBERS: LazyLock<Vec<&str>> = LazyLock::new(|| {
    let mut names: Vec<_> = members::rows().map(|row| row.member).collect();
    names.sort_unstable();
    names.dedup();
    names
});

/// Do the tables name this member?
pub(super) fn knows(member: &str) -> bool {
    MEMBERS.binary_search(&member).is_ok()
}

/// The families of a preset, the closest first, with the names of their models.
#[cfg(test)]
pub(super) fn families_of(id: &str) -> impl Iterator<Item = (&'static str, &'static Family)> {
    let found = CATALOGUE.iter().find(|(known, _)| *known == id).map(|(_, families)| families);
    found.into_iter().flatten().map(|(models, family)| (models.0, family))
}

/// Under whose names the tables may speak of a preset, its own first.
pub(super) fn lineage(preset: &Preset) -> Vec<&'static str> {
    let mut names = vec![preset.id];
    names.extend(match preset.kind {
        ProviderKind::Anthropic => &["anthropic"][..],
        ProviderKind::Azure => &["azure", "openai", ANY],
        ProviderKind::OpenAi => &["openai", ANY],
        ProviderKind::OpenAiCompatible => &[ANY],
    });
    names.dedup();
    names
}

/// What a provider of this kind is spoken to in by those whose endpoint it has not.
pub(super) const fn via(kind: ProviderKind) -> Dialect {
    match kind {
        ProviderKind::Anthropic => Dialect::Messages,
        ProviderKind::OpenAi | ProviderKind::OpenAiCompatible | ProviderKind::Azure => Dialect::Chat,
    }
}

/// Both data files.
struct Tables {
    families: Vec<families::Row>,
    members: Vec<members::Row>,
    /// Every list of members once: most families have the same as others.
    lists: RefCell<HashSet<Members>>,
}

impl Tables {
    fn families_of(&self, preset: &Preset) -> Families {
        let lineage = lineage(preset);
        let distance = |provider: &str| lineage.iter().position(|name| *name == provider);
        let mut rows: Vec<(usize, &families::Row)> =
            self.families.iter().filter_map(|row| Some((distance(row.provider)?, row))).collect();
        rows.sort_by_key(|(distance, row)| (Reverse(row.models.closeness()), *distance));
        rows.dedup_by_key(|(_, row)| row.models);
        rows.into_iter().map(|(_, row)| (row.models, self.family(row, via(preset.kind), distance))).collect()
    }

    fn family(&self, row: &families::Row, via: Dialect, distance: impl Fn(&str) -> Option<usize>) -> Family {
        let families::Row { models, endpoints, max_output, thinking, .. } = *row;
        let members = |client, wire| {
            let fits = |row: &&members::Row| {
                row.client == client && row.wire == wire && (row.models == "*" || row.models == models.0)
            };
            let ranked = |row: &members::Row| {
                let rank = (row.models == "*", distance(row.provider)?);
                Some((row.member, rank, row.treatment))
            };
            let mut found: Vec<_> = self.members.iter().filter(fits).filter_map(ranked).collect();
            found.sort_by_key(|(member, rank, _)| (*member, *rank));
            found.dedup_by_key(|(member, ..)| *member);
            let members = found.into_iter().map(|(member, _, treatment)| (member, treatment));
            self.shared(members.collect())
        };
        Family {
            max_output,
            thinking,
            endpoints,
            via: Some(via),
            own: Dialect::ALL.map(|client| members(client, client)),
            translated: Dialect::ALL.map(|client| members(client, via)),
        }
    }

    /// The list of these members that all families have in common.
    fn shared(&self, members: Box<[(&'static str, Treatment)]>) -> Members {
        let mut lists = self.lists.borrow_mut();
        if let Some(known) = lists.get(&*members) {
            return known;
        }
        let kept: Members = Box::leak(members);
        lists.insert(kept);
        kept
    }
}
