//! Purging by number: nothing is searched or deleted, entries of an older generation are just not valid any more.
//!
//! There is one number for all entries and one for every tenant, model and key that was ever purged. An entry
//! carries the numbers that held when it was asked for. Keeping the numbers in Redis, so that all replicas
//! follow, is the caller's: here is the local copy, and the rule by which two copies become one (the larger wins).

use crate::cache::entry::{Entry, Tags};
use arc_swap::ArcSwap;
use std::{
    collections::HashMap,
    time::{SystemTime, UNIX_EPOCH},
};

/// The numbers that concern one entry: of all, of its tenant, of its model, of its key.
pub type Generation = [u64; 4];

/// Spelling of the number for all entries.
const ALL: &str = "all";

/// What to purge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Purge {
    /// Everything.
    All,
    /// All answers of a tenant.
    Tenant(String),
    /// All answers of a configured model.
    Model(String),
    /// All answers of a configured key.
    Key(String),
}

impl Purge {
    /// The field that holds its number in Redis: `all`, `tenant:NAME`, `model:NAME`, `key:NAME`.
    #[must_use]
    pub fn field(&self) -> String {
        match self {
            Self::All => ALL.to_owned(),
            Self::Tenant(name) => format!("tenant:{name}"),
            Self::Model(name) => format!("model:{name}"),
            Self::Key(name) => format!("key:{name}"),
        }
    }

    /// The other way round; nothing for a field that this version does not know.
    fn of(field: &str) -> Option<Self> {
        if field == ALL {
            return Some(Self::All);
        }
        let (kind, name) = field.split_once(':')?;
        match kind {
            "tenant" => Some(Self::Tenant(name.to_owned())),
            "model" => Some(Self::Model(name.to_owned())),
            "key" => Some(Self::Key(name.to_owned())),
            _ => None,
        }
    }
}

/// The local numbers. Reading takes no lock and, as long as nothing was purged by name, hashes no name; a purge
/// copies the numbers, of which there are few.
#[derive(Default)]
pub struct Generations {
    numbers: ArcSwap<Numbers>,
}

#[derive(Debug, Clone, Default)]
struct Numbers {
    all: u64,
    tenants: HashMap<String, u64>,
    models: HashMap<String, u64>,
    keys: HashMap<String, u64>,
}

impl Generations {
    /// The numbers that an answer gets that is asked for now.
    #[must_use]
    pub fn current(&self, tags: &Tags) -> Generation {
        self.numbers.load().of(tags)
    }

    /// Was it asked for after every purge that concerns it?
    #[must_use]
    pub fn is_valid(&self, entry: &Entry) -> bool {
        let current = self.numbers.load().of(&entry.tags);
        entry.generation.iter().zip(current).all(|(stored, current)| *stored >= current)
    }

    /// Purges; says which field has which number now, for the other replicas.
    ///
    /// The number is the time in milliseconds if that is larger than the next one. Counting alone would let two
    /// replicas that do not hear of each other both arrive at 1, and what the first one stored after its purge
    /// would live through the second one's.
    pub fn bump(&self, purge: &Purge) -> (String, u64) {
        let clock = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
        let clock = u64::try_from(clock).unwrap_or_default();
        let mut number = 0;
        // May run more than once; what the last run left is what counts.
        self.numbers.rcu(|numbers| {
            let mut numbers = Numbers::clone(numbers);
            number = numbers.get(purge).saturating_add(1).max(clock);
            numbers.raise(purge, number);
            numbers
        });
        (purge.field(), number)
    }

    /// Takes over what is larger in `remote`, which is all that Redis has; gives back what is larger here, to be
    /// written there. Fields that this version does not know are left alone.
    pub fn merge(&self, remote: &HashMap<String, u64>) -> HashMap<String, u64> {
        let known = remote.iter().filter_map(|(field, number)| Some((Purge::of(field)?, *number)));
        self.raise(known.collect());
        let mut ahead = self.numbers.load().fields();
        ahead.retain(|field, number| *number > remote.get(field).copied().unwrap_or_default());
        ahead
    }

    fn raise(&self, mut numbers: Vec<(Purge, u64)>) {
        let current = self.numbers.load();
        numbers.retain(|(purge, number)| *number > current.get(purge));
        // Nearly always: nothing is copied when nothing is new.
        if numbers.is_empty() {
            return;
        }
        self.numbers.rcu(|current| {
            let mut next = Numbers::clone(current);
            for (purge, number) in &numbers {
                next.raise(purge, *number);
            }
            next
        });
    }
}

impl Numbers {
    fn of(&self, tags: &Tags) -> Generation {
        let number = |names: &HashMap<String, u64>, name: &str| names.get(name).copied().unwrap_or_default();
        [
            self.all,
            number(&self.tenants, &tags.tenant),
            number(&self.models, &tags.model),
            number(&self.keys, &tags.key),
        ]
    }

    fn get(&self, purge: &Purge) -> u64 {
        let number = match purge {
            Purge::All => return self.all,
            Purge::Tenant(name) => self.tenants.get(name),
            Purge::Model(name) => self.models.get(name),
            Purge::Key(name) => self.keys.get(name),
        };
        number.copied().unwrap_or_default()
    }

    fn raise(&mut self, purge: &Purge, number: u64) {
        let place = match purge {
            Purge::All => &mut self.all,
            Purge::Tenant(name) => self.tenants.entry(name.clone()).or_default(),
            Purge::Model(name) => self.models.entry(name.clone()).or_default(),
            Purge::Key(name) => self.keys.entry(name.clone()).or_default(),
        };
        *place = number.max(*place);
    }

    /// Every number that is not zero, by field.
    fn fields(&self) -> HashMap<String, u64> {
        let named = |kind: fn(String) -> Purge, names: &HashMap<String, u64>| {
            names.iter().map(|(name, number)| (kind(name.clone()).field(), *number)).collect::<Vec<_>>()
        };
        let mut fields = HashMap::from([(ALL.to_owned(), self.all)]);
        fields.extend(named(Purge::Tenant, &self.tenants));
        fields.extend(named(Purge::Model, &self.models));
        fields.extend(named(Purge::Key, &self.keys));
        fields.retain(|_, number| *number > 0);
        fields
    }
}

#[cfg(test)]
#[path = "generations_tests.rs"]
mod tests;
