//! `models:` as YAML.

use super::{
    account::Spot,
    plan::{Model, Plan, Target},
    write::{Writer, limits, quoted, word},
};
use std::fmt::Write;

/// Writes the section, and what was said about models.
pub(super) fn write(writer: &mut Writer<'_>, plan: &Plan) {
    writer.line("");
    writer.remarks(&Spot::Section("models"), 0);
    if plan.models.is_empty() {
        writer.line("models: []");
    } else {
        writer.line("models:");
    }
    for model in &plan.models {
        writer.remarks(&Spot::Model(model.name.clone()), 2);
        entry(writer, model, plan);
    }
    let names: Vec<&str> = plan.models.iter().map(|model| model.name.as_str()).collect();
    writer.orphans(&names);
}

fn entry(writer: &mut Writer<'_>, model: &Model, plan: &Plan) {
    let Model { name, aliases, strategy, affinity, targets, fallbacks, strict, rpm, tpm, attempts } = model;
    let name = name.replace('$', "$$");
    writer.line(&format!("  - name: {}", word(&name)));
    let list = |names: &[String]| {
        names.iter().map(|name| word(&name.replace('$', "$$"))).collect::<Vec<_>>().join(", ")
    };
    if !aliases.is_empty() {
        writer.line(&format!("    aliases: [{}]", list(aliases)));
    }
    if let Some(strategy) = strategy {
        writer.line(&format!("    strategy: {strategy}"));
    }
    if *affinity {
        writer.line("    prompt_cache_affinity: true");
    }
    match targets.as_slice() {
        [only] => writer.line(&format!("    targets: [{}]", target(only, plan))),
        _ => {
            writer.line("    targets:");
            for one in targets {
                writer.line(&format!("      - {}", target(one, plan)));
            }
        }
    }
    if !fallbacks.is_empty() {
        writer.line(&format!("    fallbacks: [{}]", list(fallbacks)));
    }
    if *strict {
        writer.line("    strict: true");
    }
    if let Some(limits) = limits(*rpm, *tpm) {
        writer.line(&format!("    limits: {limits}"));
    }
    if let Some(attempts) = attempts {
        writer.line(&format!("    resilience: {{attempts: {attempts}}}"));
    }
}

fn target(target: &Target, plan: &Plan) -> String {
    let provider = plan.providers.get(target.provider).map_or("", |provider| provider.name.as_str());
    let mut fields = format!("provider: {}, model: {}", word(provider), model(&target.model));
    for (name, value) in [
        ("weight", target.weight),
        ("priority", Some(target.priority).filter(|priority| *priority > 0)),
        ("context_window", target.context_window),
        ("max_output_tokens", target.max_output_tokens),
    ] {
        if let Some(value) = value {
            let _ = write!(fields, ", {name}: {value}");
        }
    }
    if target.completions_only {
        fields.push_str(", endpoints: [completions]");
    }
    if !target.lacks.is_empty() {
        let _ = write!(fields, ", lacks: [{}]", target.lacks.join(", "));
    }
    format!("{{{fields}}}")
}

fn model(model: &str) -> String {
    if model.contains(['{', '*']) { quoted(model) } else { word(model) }
}
