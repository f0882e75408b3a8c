//! The `sluice` command and the gateway as a library.
//!
//! This crate joins the others: it reads the command line, loads the configuration, boots the listeners,
//! and ends them in the right order. What a request meets lives in `sluice-core`.
//!
//! | module | what it owns |
//! | --- | --- |
//! | `cli` | every command, flag and help text |
//! | `env` | every environment variable |
//! | `boot` | settings → running gateway → stopped gateway; what the in-process tests use |
//! | `serve` | the `serve` command: which configuration, logs, runtime |
//! | `demo` | what runs when there is no configuration |
//! | `reload` | the file again, for a gateway that runs |
//! | `watch`, `stamps` | notices that a file has changed |
//! | `shutdown` | signals |
//! | `notify` | what a service manager is told |
//! | `banner`, `logging`, `terminal` | what people and machines read |
//! | `admin_client` | one question to a gateway that runs |
//! | `import` | a LiteLLM configuration as one of ours |
//! | `check`, `diff`, `explain`, `health`, `key`, `mock`, `usage` | the other commands |

mod admin_client;
mod banner;
mod boot;
mod check;
mod cli;
mod demo;
mod diff;
mod env;
mod explain;
mod health;
mod import;
mod key;
mod logging;
mod mock;
mod notify;
mod reload;
mod serve;
mod shutdown;
mod stamps;
mod terminal;
mod usage;
mod watch;

pub use boot::{Running, StartError, StartOptions, Stopped, start};

use clap::Parser as _;
use cli::{Cli, Command, ConfigCommand, ImportCommand, KeyCommand};
use std::{process::ExitCode, time::Instant};

/// Runs the command line of this process to its end.
#[must_use]
pub fn run() -> ExitCode {
    let begun = Instant::now();
    logging::install_panic_hook();
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        // Also `--help` and `--version`, which go to standard output and succeed.
        Err(answer) => {
            let failed = answer.use_stderr();
            let _ = answer.print();
            return if failed { ExitCode::from(2) } else { ExitCode::SUCCESS };
        }
    };
    match cli.command {
        None => serve::run(&cli.serve, begun),
        Some(Command::Serve(args)) => serve::run(&args, begun),
        Some(Command::Check(args)) => check::run(&args),
        Some(Command::Schema) => check::schema(),
        Some(Command::Config(ConfigCommand::Default)) => check::default(),
        Some(Command::Config(ConfigCommand::Show { file, env_optional })) => check::show(&file, env_optional),
        Some(Command::Diff(args)) => diff::run(&args),
        Some(Command::Explain(args)) => explain::run(&args),
        Some(Command::Usage(args)) => usage::run(&args),
        Some(Command::Key(KeyCommand::New(args))) => key::new(&args),
        Some(Command::Import(ImportCommand::Litellm(args))) => import::litellm(&args),
        Some(Command::Mock(args)) => mock::run(&args),
        Some(Command::Health(args)) => health::run(&args),
    }
}
