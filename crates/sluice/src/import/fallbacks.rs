//! Aliases and fallbacks: other names, and other models after the own targets.

use super::{
    account::{Account, Spot, Weight},
    plan::{Model, Plan, Target},
    section::Section,
    source::{Data, Entry, Node},
};

/// LiteLLM's word for every model.
const ALL: &str = "*";

/// `model_group_alias`.
pub(super) fn aliases(map: &Section<'_>, plan: &mut Plan) {
    for entry in map.entries.iter().filter(|entry| !entry.repeated) {
        if let Err(why) = alias(map, entry, plan) {
            map.account.remark(Weight::Open, &map.spot, entry, &why);
        }
    }
}

fn alias(map: &Section<'_>, entry: &Entry, plan: &mut Plan) -> Result<(), String> {
    let alias = &entry.key;
    let model = match &entry.value.data {
        Data::Map(_) => {
            let item = map.section(alias, &map.spot).ok_or("a model is expected")?;
            let model = item.word("model").ok_or("`model` is missing")?;
            if item.flag("hidden") == Some(true) {
                item.leave("hidden", "the list of models has every name that the key may use");
            }
            item.rest(&[], "no counterpart is known");
            model
        }
        _ => map.word(alias).ok_or("a model is expected")?,
    };
    if alias.contains('*') || alias.trim() != alias || alias.is_empty() {
        return Err("an alias is one fixed name".to_owned());
    }
    if plan.models.iter().any(|known| known.name == *alias || known.aliases.contains(alias)) {
        return Err("there is a model of this name already".to_owned());
    }
    let known = resolve(&model, plan).ok_or_else(|| missing(&model))?;
    if let Some(model) = plan.models.iter_mut().find(|model| model.name == known) {
        model.aliases.push(alias.clone());
    }
    Ok(())
}

fn missing(model: &str) -> String {
    format!("no model `{model}` was taken over")
}

/// The name of the model that is meant. One that only a wildcard or a deployment's id stands for is made a model.
fn resolve(name: &str, plan: &mut Plan) -> Option<String> {
    let of_alias = |model: &&Model| model.aliases.iter().any(|alias| alias == name);
    let exact = plan.models.iter().find(|model| model.name == name || of_alias(model));
    if let Some(model) = exact {
        return Some(model.name.clone());
    }
    let targets = of_id(name, plan).or_else(|| of_wildcard(name, plan))?;
    plan.models.push(Model::new(name, targets));
    Some(name.to_owned())
}

fn of_id(id: &str, plan: &Plan) -> Option<Vec<Target>> {
    let target = plan
        .models
        .iter()
        .flat_map(|model| &model.targets)
        .find(|target| target.ids.iter().any(|own| own == id))?;
    // Of a wildcard there is no rest to send.
    let fixed = !target.model.contains("{rest}") && target.model != "*";
    fixed.then(|| vec![Target { weight: None, priority: 0, ..target.clone() }])
}

fn of_wildcard(name: &str, plan: &Plan) -> Option<Vec<Target>> {
    let prefix =
        |model: &Model| model.name.strip_suffix('*').filter(|prefix| name.starts_with(prefix)).map(str::len);
    let model =
        plan.models.iter().filter(|model| prefix(model).is_some()).max_by_key(|model| prefix(model))?;
    let rest = name.get(prefix(model)?..)?.replace('$', "$$");
    let fixed = |target: &Target| {
        let upstream =
            if target.model == "*" { name.to_owned() } else { target.model.replace("{rest}", &rest) };
        Target { model: upstream, ..target.clone() }
    };
    (!name.contains('*')).then(|| model.targets.iter().map(fixed).collect())
}

/// `fallbacks` and `context_window_fallbacks`: a list of maps from a model to others. Defaults (`*`) come last.
pub(super) fn lists(section: &Section<'_>, key: &str, plan: &mut Plan) {
    let mut defaults: Vec<(&Entry, &Account)> = Vec::new();
    for item in section.items(key) {
        let Data::Map(entries) = &item.data else {
            let why = "a map from a model to a list of others is expected";
            section.account.remark_item(Weight::Open, &section.spot, key, item, why);
            continue;
        };
        if entries.is_empty() {
            section.account.take(item);
        }
        for entry in entries {
            if entry.key == ALL {
                defaults.push((entry, section.account));
            } else {
                of_model(section, key, entry, plan);
            }
        }
    }
    for (entry, _) in defaults {
        let owner = Section::new(std::slice::from_ref(entry), section.account, section.spot.clone());
        common(&owner, ALL, plan);
    }
}

fn of_model(section: &Section<'_>, key: &str, entry: &Entry, plan: &mut Plan) {
    let of_alias = |model: &Model| model.aliases.contains(&entry.key);
    let known = plan.models.iter().find(|model| model.name == entry.key || of_alias(model));
    let Some(name) = known.map(|model| model.name.clone()) else {
        let why = format!("{} ({key})", missing(&entry.key));
        return section.account.remark(Weight::Open, &section.spot, entry, &why);
    };
    let map = Section::new(std::slice::from_ref(entry), section.account, Spot::Model(name.clone()));
    for item in map.items(&entry.key) {
        add(&map, item, &name, plan);
    }
}

/// `default_fallbacks`: for every model that has none of its own.
pub(super) fn common(section: &Section<'_>, key: &str, plan: &mut Plan) {
    let without: Vec<String> = plan
        .models
        .iter()
        .filter(|model| model.fallbacks.is_empty())
        .map(|model| model.name.clone())
        .collect();
    for item in section.items(key) {
        if let Some(name) = fallback(section, item, plan) {
            section.account.take(item);
            for model in
                plan.models.iter_mut().filter(|model| model.name != name && without.contains(&model.name))
            {
                push(model, &name);
            }
        }
    }
}

fn add(section: &Section<'_>, item: &Node, model: &str, plan: &mut Plan) {
    let Some(name) = fallback(section, item, plan) else { return };
    if name == model {
        let why = "a model is no fallback of itself";
        return section.account.remark_item(Weight::Open, &section.spot, "fallback", item, why);
    }
    section.account.take(item);
    if let Some(model) = plan.models.iter_mut().find(|known| known.name == model) {
        push(model, &name);
    }
}

fn push(model: &mut Model, fallback: &str) {
    if !model.fallbacks.iter().any(|known| known == fallback) {
        model.fallbacks.push(fallback.to_owned());
    }
}

/// The model that a fallback names; what is none is left.
fn fallback(section: &Section<'_>, item: &Node, plan: &mut Plan) -> Option<String> {
    let leave = |why: &str| section.account.remark_item(Weight::Open, &section.spot, "fallback", item, why);
    let Data::Scalar(scalar) = &item.data else {
        leave("a fallback is the name of a model; its requests are the client's own");
        return None;
    };
    let name = scalar.written.clone();
    if name.contains('*') {
        leave("a fallback is one model, and this is a pattern");
        return None;
    }
    let Some(known) = resolve(&name, plan) else {
        leave(&missing(&name));
        return None;
    };
    Some(known)
}
