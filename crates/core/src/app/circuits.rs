//! Circuits closed by hand, and keys that are given another chance: for when an operator knows that it is over.

use super::App;
use crate::{
    health::{circuit::State, key_pool::KeyState},
    state::snapshot::{Provider, Snapshot, Target},
};
use serde::Serialize;
use std::{sync::Arc, time::Instant};

/// Which targets are meant.
#[derive(Debug, Clone, Copy)]
pub enum Upstreams<'a> {
    /// All of them.
    All,
    /// Those of one provider.
    Provider(&'a str),
    /// One.
    Target {
        /// Name of the provider.
        provider: &'a str,
        /// The upstream's name for the model, as configured.
        model: &'a str,
    },
}

/// There is nothing of that name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoSuchUpstream {
    /// No such provider.
    #[error("No provider is called '{name}'.{}", hint(.closest.as_deref()))]
    Provider {
        /// The name that was asked for.
        name: String,
        /// One that exists.
        closest: Option<String>,
    },
    /// The provider has no such target.
    #[error("Provider '{provider}' has no target with model '{model}'.{}", hint(.closest.as_deref()))]
    Target {
        /// Name of the provider.
        provider: String,
        /// The model that was asked for.
        model: String,
        /// One that it has.
        closest: Option<String>,
    },
}

fn hint(closest: Option<&str>) -> String {
    closest.map_or(String::new(), |closest| format!(" Closest: '{closest}'."))
}

/// What was changed by hand; what was well already is not in it.
#[derive(Debug, Default, Serialize)]
pub struct Closed {
    /// Circuits that were not closed, or whose target had asked to be left alone.
    #[serde(rename = "closed")]
    pub circuits: Vec<ClosedCircuit>,
    /// Keys that were not ready.
    pub keys: Vec<ReadyKey>,
}

/// A target that was not asked, or only by a probe.
#[derive(Debug, Serialize)]
pub struct ClosedCircuit {
    provider: String,
    model: String,
    /// The state of its circuit, or `resting`.
    was: &'static str,
}

/// A key that was not ready.
#[derive(Debug, Serialize)]
pub struct ReadyKey {
    provider: String,
    key: String,
    was: KeyState,
}

impl App {
    /// Closes circuits, and forgets what is wrong with the keys of their providers.
    ///
    /// # Errors
    /// When there is nothing of that name.
    pub fn close_circuits(&self, wanted: Upstreams<'_>) -> Result<Closed, NoSuchUpstream> {
        let snapshot = self.snapshot.load();
        let (targets, providers) = meant(&snapshot, wanted)?;
        let (mut closed, now) = (Closed::default(), Instant::now());
        for target in targets {
            let circuit = &target.health.circuit;
            let was = match target.health.stands(now) {
                (State::Closed, _) => circuit.rests(now).map(|_| "resting"),
                (state, _) => Some(state.as_str()),
            };
            target.health.close();
            closed.circuits.extend(was.map(|was| ClosedCircuit {
                provider: target.provider.name.to_string(),
                model: target.model.to_string(),
                was,
            }));
        }
        for provider in providers {
            let troubled = provider.pool.states(now).filter(|(_, state, _)| *state != KeyState::Ready);
            closed.keys.extend(troubled.map(|(key, was, _)| ReadyKey {
                provider: provider.name.to_string(),
                key: key.to_owned(),
                was,
            }));
            provider.pool.forgive();
        }
        Ok(closed)
    }
}

type Meant<'a> = (Vec<&'a Arc<Target>>, Vec<&'a Arc<Provider>>);

fn meant<'a>(snapshot: &'a Snapshot, wanted: Upstreams<'_>) -> Result<Meant<'a>, NoSuchUpstream> {
    let targets = snapshot.models.targets();
    let (name, model) = match wanted {
        Upstreams::All => return Ok((targets, snapshot.providers.iter().collect())),
        Upstreams::Provider(name) => (name, None),
        Upstreams::Target { provider, model } => (provider, Some(model)),
    };
    let Some(provider) = snapshot.providers.iter().find(|provider| *provider.name == *name) else {
        let names = snapshot.providers.iter().map(|provider| &*provider.name);
        return Err(NoSuchUpstream::Provider { name: name.to_owned(), closest: closest(names, name) });
    };
    let own = targets.into_iter().filter(|target| target.provider.name == provider.name);
    let mut own: Vec<_> = own.collect();
    if let Some(model) = model {
        let names: Vec<&str> = own.iter().map(|target| &*target.model).collect();
        if !names.contains(&model) {
            let closest = closest(names.into_iter(), model);
            return Err(NoSuchUpstream::Target {
                provider: name.to_owned(),
                model: model.to_owned(),
                closest,
            });
        }
        own.retain(|target| *target.model == *model);
    }
    Ok((own, vec![provider]))
}

fn closest<'a>(names: impl Iterator<Item = &'a str>, asked: &str) -> Option<String> {
    names.min_by_key(|name| strsim::osa_distance(name, asked)).map(str::to_owned)
}
