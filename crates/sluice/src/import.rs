//! `sluice import litellm`: the configuration of a LiteLLM proxy as one of ours.
//!
//! From top to bottom: `source` (files to one tree with places) → `settings`, `general` (what holds for all) →
//! `deployment` (each entry of `model_list`) → `groups` (providers with pools of keys, models with targets) →
//! `fallbacks` → `storage` (Redis, cache) → `write`. `account` sees to it that every value of the source ends up in the
//! result or in a comment. Nothing is asked for over the network, and no secret is ever written.

mod account;
mod address;
mod deployment;
mod fallbacks;
mod general;
mod groups;
mod headers;
mod info;
mod kinds;
mod models;
mod names;
mod plan;
mod prices;
mod reasons;
mod redis;
mod section;
mod settings;
mod shown;
mod source;
mod storage;
mod write;

use crate::{cli::LitellmArgs, serve::INVALID, terminal};
use account::{Account, Spot};
use deployment::Defaults;
use plan::Plan;
use section::Section;
use settings::Settings;
use sluice_config::{Env, Report, codes};
use source::{Data, Source};
use std::{path::Path, process::ExitCode};

/// What came of it.
struct Imported {
    yaml: String,
    /// Places that are left to a person.
    open: usize,
    /// For the terminal.
    summary: String,
}

/// Prints our configuration, and says beside it what it came to.
pub(crate) fn litellm(args: &LitellmArgs) -> ExitCode {
    let imported = match import(&args.file, &Env::Process) {
        Ok(imported) => imported,
        Err(report) => {
            terminal::tell(&report.render(terminal::tell_in_colour()));
            return ExitCode::from(INVALID);
        }
    };
    match &args.output {
        None => terminal::print(&imported.yaml),
        Some(path) => {
            if let Err(why) = keep(path, &imported.yaml) {
                terminal::tell(&format!("error: cannot write {}: {why}", path.display()));
                return ExitCode::from(INVALID);
            }
        }
    }
    terminal::tell(&imported.summary);
    ExitCode::from(u8::from(imported.open > 0))
}

/// Never over a file that is there: it may be one that serves.
fn keep(path: &Path, yaml: &str) -> std::io::Result<()> {
    use std::io::Write;
    std::fs::File::create_new(path)?.write_all(yaml.as_bytes())
}

fn import(path: &Path, env: &Env) -> Result<Imported, Report> {
    let source = source::read(path)?;
    let account = Account::default();
    let mut plan = Plan::default();
    convert(path, &source, &account, env, &mut plan)?;
    let totals = account.totals();
    let (yaml, open) = write::write(&plan, account, &source);
    let (providers, models) = (plan.providers.len(), plan.models.len());
    let name = path.display();
    let left = match open {
        0 => "nothing is left to you".to_owned(),
        1 => format!("1 place is left to you, marked {}", write::OPEN),
        _ => format!("{open} places are left to you, marked {}", write::OPEN),
    };
    let (taken, all) = (totals.taken, totals.taken + totals.left);
    let summary = format!(
        "{name}: {taken} of {all} values taken over (providers: {providers}, models: {models}); {left}"
    );
    Ok(Imported { yaml, open, summary })
}

fn convert<'a>(
    path: &Path,
    source: &'a Source,
    account: &'a Account,
    env: &Env,
    plan: &mut Plan,
) -> Result<(), Report> {
    let root = Section::new(&source.sections, account, Spot::Section("rest"));
    let models = match root.get("model_list").map(|entry| (&entry.value, &entry.value.data)) {
        Some((_, Data::List(items))) => items,
        Some((node, _)) => {
            let (file, help) = (path.display().to_string(), "write `- model_name: …` items below it");
            return Err(source::refusal(
                &file,
                Some(node.place),
                codes::WRONG_TYPE,
                "`model_list` must be a list",
                help,
            ));
        }
        None => {
            let (file, help) = (
                path.display().to_string(),
                "models that are in LiteLLM's database cannot be read from here",
            );
            let message = format!("{file} has no `model_list`: there is nothing to import");
            return Err(source::refusal(&file, None, codes::MISSING, &message, help));
        }
    };
    let settings = Settings::of(&root);
    let mut defaults = Defaults::default();
    settings.defaults(&mut defaults);
    general::credentials(&root, &mut defaults);
    general::read(&root, env, &mut defaults, plan);
    let deployments: Vec<_> =
        models.iter().flat_map(|item| deployment::read(item, account, &defaults)).collect();
    general::rest_of_credentials(&defaults);
    groups::plan(&deployments, plan);
    settings.models(plan);
    storage::read(&settings, plan);
    settings.others(plan);
    general::others(&root, source);
    Ok(())
}

#[cfg(test)]
#[path = "import/import_tests.rs"]
mod tests;
