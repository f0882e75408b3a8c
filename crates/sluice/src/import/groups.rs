//! Deployments → providers and models. Deployments of one group that differ in nothing but the key are one target with
//! a pool of keys; a provider serves all targets that have its address, its headers, its timers and its keys.

use super::{
    deployment::Deployment,
    names,
    plan::{Key, Model, Plan, Provider, Target},
};

/// Deployments of one model that differ in nothing but their key.
struct Cell<'d, 'a> {
    group: &'d str,
    members: Vec<&'d Deployment<'a>>,
    /// Of the members.
    weights: Vec<u64>,
    provider: usize,
}

/// Adds the providers and models of all deployments.
pub(super) fn plan(deployments: &[Deployment<'_>], plan: &mut Plan) {
    let mut cells = cells(deployments);
    for index in 0..cells.len() {
        let Some(cell) = cells.get(index) else { continue };
        let keys = pool(cell);
        let provider = provider(cell, keys, &mut plan.providers);
        if let Some(cell) = cells.get_mut(index) {
            cell.provider = provider;
        }
    }
    names::of_providers(&mut plan.providers);
    for cell in &cells {
        if !plan.models.iter().any(|model| model.name == cell.group) {
            let of_group: Vec<&Cell<'_, '_>> =
                cells.iter().filter(|other| other.group == cell.group).collect();
            plan.models.push(model(cell.group, &of_group));
        }
    }
    limits(&cells, plan);
    prices(&cells, plan);
}

fn cells<'d, 'a>(deployments: &'d [Deployment<'a>]) -> Vec<Cell<'d, 'a>> {
    let mut cells: Vec<Cell<'d, 'a>> = Vec::new();
    for deployment in deployments {
        let same = |cell: &&mut Cell<'d, 'a>| {
            cell.group == deployment.group
                && cell.members.first().is_some_and(|first| {
                    first.identity == deployment.identity
                        && first.upstream == deployment.upstream
                        && first.order == deployment.order
                        && first.completions_only == deployment.completions_only
                })
        };
        match cells.iter_mut().find(same) {
            Some(cell) => cell.members.push(deployment),
            None => cells.push(Cell {
                group: &deployment.group,
                members: vec![deployment],
                weights: Vec::new(),
                provider: 0,
            }),
        }
    }
    let weights: Vec<Vec<u64>> = cells.iter().map(|cell| weights(cell, &cells)).collect();
    for (cell, weights) in cells.iter_mut().zip(weights) {
        cell.weights = weights;
    }
    cells
}

/// More than that would not be a share any more.
const HEAVIEST: f64 = 1e6;

/// The shares of a cell's members among those of its group and order: by `weight`, else by `rpm`, else by `tpm`, as
/// LiteLLM draws them.
fn weights(cell: &Cell<'_, '_>, cells: &[Cell<'_, '_>]) -> Vec<u64> {
    let order = |cell: &Cell<'_, '_>| cell.members.first().and_then(|first| first.order);
    let rivals = cells.iter().filter(|other| other.group == cell.group && order(other) == order(cell));
    let rivals: Vec<&Deployment<'_>> = rivals.flat_map(|other| other.members.iter().copied()).collect();
    let has = |of: fn(&Deployment<'_>) -> bool| rivals.iter().filter(|deployment| of(deployment)).count();
    let weighted = has(|deployment| deployment.weight.is_some());
    if weighted > 0 && weighted < rivals.len() {
        let why = "other deployments of this model have none: they got a weight of 1";
        cell.members.iter().for_each(|member| member.params.leave("weight", why));
    }
    // Precise for all that a limit can sensibly be.
    let count = |count: Option<u64>| count.and_then(|count| u32::try_from(count).ok()).map_or(0.0, f64::from);
    let share = |deployment: &Deployment<'_>| -> f64 {
        if weighted > 0 {
            deployment.weight.unwrap_or(1.0).min(HEAVIEST)
        } else if has(|deployment| deployment.rpm.is_some()) == rivals.len() {
            count(deployment.rpm)
        } else if has(|deployment| deployment.tpm.is_some()) == rivals.len() {
            count(deployment.tpm)
        } else {
            1.0
        }
    };
    let whole = rivals.iter().all(|deployment| share(deployment).fract() == 0.0);
    let factor = if whole { 1.0 } else { 1000.0 };
    let rounded = |share: f64| format!("{:.0}", share * factor).parse::<u64>().unwrap_or(1);
    let divisor = rivals.iter().map(|deployment| rounded(share(deployment))).fold(0, gcd).max(1);
    cell.members.iter().map(|member| rounded(share(member)) / divisor).collect()
}

fn gcd(one: u64, other: u64) -> u64 {
    if other == 0 { one } else { gcd(other, one % other) }
}

/// The keys of a cell and their shares.
fn pool(cell: &Cell<'_, '_>) -> Vec<Key> {
    let mut keys: Vec<Key> = Vec::new();
    for (member, weight) in cell.members.iter().zip(&cell.weights) {
        let Some(value) = &member.key else { continue };
        match keys.iter_mut().find(|key| key.value == *value) {
            Some(key) => key.weight = key.weight.saturating_add(*weight),
            None => keys.push(Key { name: String::new(), value: value.clone(), weight: *weight }),
        }
    }
    let divisor = keys.iter().map(|key| key.weight).fold(0, gcd).max(1);
    for key in &mut keys {
        key.weight /= divisor;
    }
    if keys.iter().all(|key| key.weight == 0) {
        keys.iter_mut().for_each(|key| key.weight = 1);
    }
    keys
}

fn provider(cell: &Cell<'_, '_>, keys: Vec<Key>, providers: &mut Vec<Provider>) -> usize {
    let Some(first) = cell.members.first() else { return 0 };
    let same = |provider: &Provider| {
        provider.identity == first.identity
            && provider.keys.len() == keys.len()
            && keys.iter().all(|key| provider.keys.iter().any(|known| known == key))
    };
    if let Some(known) = providers.iter().position(same) {
        return known;
    }
    providers.push(Provider {
        name: String::new(),
        identity: first.identity.clone(),
        keys,
        rpm: None,
        tpm: None,
        max_concurrency: None,
        prices: Vec::new(),
    });
    providers.len() - 1
}

fn model(name: &str, cells: &[&Cell<'_, '_>]) -> Model {
    let orders = || cells.iter().filter_map(|cell| cell.members.first().and_then(|first| first.order));
    // Those without an order come after all that have one.
    let last = orders().max().map_or(0, |order| order + 1);
    let mut targets: Vec<Target> = cells
        .iter()
        .filter_map(|cell| {
            let first = cell.members.first()?;
            let sum = cell.weights.iter().fold(0, |sum: u64, weight| sum.saturating_add(*weight));
            let weight = Some(sum.min(u64::from(u32::MAX)));
            let priority = first.order.unwrap_or(last);
            let most = |of: fn(&Deployment<'_>) -> Option<u64>| {
                cell.members.iter().filter_map(|member| of(member)).min()
            };
            Some(Target {
                provider: cell.provider,
                model: pattern(&first.upstream, name),
                weight,
                priority,
                context_window: most(|member| member.context_window),
                max_output_tokens: most(|member| member.max_output_tokens),
                completions_only: first.completions_only,
                lacks: first.lacks.clone(),
                ids: cell.members.iter().filter_map(|member| member.id.clone()).collect(),
            })
        })
        .collect();
    let lowest = targets.iter().map(|target| target.priority).min().unwrap_or(0);
    targets.iter_mut().for_each(|target| target.priority -= lowest);
    tidy_weights(&mut targets);
    targets.sort_by_key(|target| target.priority);
    let members = || cells.iter().flat_map(|cell| cell.members.iter());
    Model {
        strict: members().any(|member| member.strict),
        attempts: retries(&members().copied().collect::<Vec<_>>()),
        ..Model::new(name, targets)
    }
}

/// One number for all, or none.
fn retries(members: &[&Deployment<'_>]) -> Option<u64> {
    let mut numbers: Vec<u64> = members.iter().filter_map(|member| member.attempts).collect();
    numbers.sort_unstable();
    numbers.dedup();
    if let [number] = numbers.as_slice() {
        return Some(*number);
    }
    for member in members {
        let why = "the deployments of this model differ in it: `resilience.attempts` is the model's";
        member.params.leave("num_retries", why);
        member.params.leave("max_retries", why);
    }
    None
}

/// Weights that say nothing are left out: those of a single target, and equal ones.
fn tidy_weights(targets: &mut [Target]) {
    let priorities: Vec<u64> = targets.iter().map(|target| target.priority).collect();
    for priority in priorities {
        let mut same: Vec<&mut Target> =
            targets.iter_mut().filter(|target| target.priority == priority).collect();
        let first = same.first().and_then(|target| target.weight);
        let equal = same.iter().all(|target| target.weight == first);
        let none = same.iter().all(|target| target.weight == Some(0));
        if equal || none {
            same.iter_mut().for_each(|target| target.weight = None);
        }
    }
}

/// `*` as our targets have it: the whole name asked for, or what the `*` of the model's own name stood for.
fn pattern(upstream: &str, name: &str) -> String {
    match (upstream, name) {
        ("*", "*") => "*".to_owned(),
        _ => upstream.replace('$', "$$").replace('*', "{rest}"),
    }
}

/// Limits of a deployment are its provider's where that serves nothing else, and the model's where that has no other
/// target; else they could not be said.
fn limits(cells: &[Cell<'_, '_>], plan: &mut Plan) {
    for cell in cells {
        let alone = cells.iter().filter(|other| other.provider == cell.provider).count() == 1;
        let only_target = cells.iter().filter(|other| other.group == cell.group).count() == 1;
        let sum = |of: fn(&Deployment<'_>) -> Option<u64>| -> Option<u64> {
            cell.members.iter().map(|member| of(member)).sum::<Option<u64>>()
        };
        let (rpm, tpm, parallel) =
            (sum(|member| member.rpm), sum(|member| member.tpm), sum(|member| member.parallel));
        if let Some(provider) = plan.providers.get_mut(cell.provider)
            && let Some(parallel) = parallel
        {
            provider.max_concurrency = Some(provider.max_concurrency.unwrap_or(0) + parallel);
        }
        if alone && let Some(provider) = plan.providers.get_mut(cell.provider) {
            (provider.rpm, provider.tpm) = (rpm, tpm);
        } else if only_target
            && let Some(model) = plan.models.iter_mut().find(|model| model.name == cell.group)
        {
            (model.rpm, model.tpm) = (rpm, tpm);
        } else {
            leave_limits(
                cell,
                &["rpm", "tpm"],
                "its provider serves other models as well, and the model has other targets: \
                a provider of its own can have this limit",
            );
        }
        if (alone || only_target) && cell.members.len() > 1 {
            let partly = |of: fn(&Deployment<'_>) -> Option<u64>| {
                cell.members.iter().any(|member| of(member).is_some())
            };
            let why = "some deployments of this pool of keys have this limit, and others none";
            if rpm.is_none() && partly(|member| member.rpm) {
                leave_limits(cell, &["rpm"], why);
            }
            if tpm.is_none() && partly(|member| member.tpm) {
                leave_limits(cell, &["tpm"], why);
            }
        }
    }
}

fn leave_limits(cell: &Cell<'_, '_>, keys: &[&str], why: &str) {
    for member in &cell.members {
        keys.iter().for_each(|key| member.params.leave(key, why));
    }
}

fn prices(cells: &[Cell<'_, '_>], plan: &mut Plan) {
    for cell in cells {
        let Some(provider) = plan.providers.get_mut(cell.provider) else { continue };
        for member in &cell.members {
            let Some(cost) = &member.cost else { continue };
            let model = member.upstream.replace('$', "$$");
            match provider.prices.iter().find(|(known, _)| *known == model) {
                None => provider.prices.push((model, cost.clone())),
                Some((_, known)) if known == cost => {}
                Some(_) => {
                    let why = "another deployment of this model has another price at the same provider";
                    for key in ["input_cost_per_token", "output_cost_per_token"] {
                        member.params.leave(key, why);
                    }
                }
            }
        }
    }
}
