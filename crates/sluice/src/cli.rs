//! The command line. Stable: scripts and operators rely on every name here.

use crate::{boot::BUILD, env, usage::when::when};
use clap::{Args, Parser, Subcommand, ValueEnum};
use http::{HeaderName, HeaderValue};
use jiff::Timestamp;
use std::{net::SocketAddr, path::PathBuf, sync::LazyLock};

/// What `--version` says: of a release, whose builder knows it, the revision too.
static VERSION: LazyLock<String> = LazyLock::new(|| match BUILD.revision {
    "unknown" => BUILD.version.to_owned(),
    revision => format!("{} ({revision})", BUILD.version),
});

/// An LLM gateway: one address, your keys and limits, any provider behind it.
#[derive(Debug, Parser)]
#[command(name = "sluice", version = VERSION.as_str(), args_conflicts_with_subcommands = true, after_help = env::help())]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) serve: ServeArgs,
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Serve (also without the word); with no configuration at all: a demo that answers at once
    Serve(ServeArgs),
    /// Validate configuration files; exit 0, 1 (warnings, with --strict) or 2 (errors)
    Check(CheckArgs),
    /// Print the JSON schema of the configuration
    Schema,
    /// Print a configuration: the defaults, or what a file comes to
    #[command(subcommand)]
    Config(ConfigCommand),
    /// What NEW has otherwise than OLD, and whether a reload is enough; exit 0 (nothing), 1 (a reload is enough), 3 (needs a
    /// restart) or 2 (one of them is not valid)
    Diff(DiffArgs),
    /// Tell what would be done with a request, and why; nothing is started, and nobody is asked without --live
    Explain(ExplainArgs),
    /// Tell who used how much, from the ledger; the gateway may run or not
    Usage(UsageArgs),
    /// Make client keys
    #[command(subcommand)]
    Key(KeyCommand),
    /// Turn the configuration of another gateway into one of Sluice's
    #[command(subcommand)]
    Import(ImportCommand),
    /// Run the deterministic mock upstream alone
    Mock(MockArgs),
    /// Ask a running Sluice whether it is ready; exit 0 or 1
    Health(HealthArgs),
}

#[derive(Debug, Args)]
pub(crate) struct ServeArgs {
    /// Configuration file [default: ./sluice.yaml when there is one]
    #[arg(short, long, value_name = "FILE", env = env::CONFIG, hide_env = true)]
    pub(crate) config: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct CheckArgs {
    /// Files to check
    #[arg(required = true, value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
    /// Accept ${VAR} and ${file:…} that are not there, as on a build machine
    #[arg(long)]
    pub(crate) env_optional: bool,
    /// Exit 1 when there are warnings
    #[arg(long)]
    pub(crate) strict: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// The running defaults as annotated YAML
    Default,
    /// What FILE comes to: secrets masked, with the origin of each value
    Show {
        /// Configuration file
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// Accept ${VAR} and ${file:…} that are not there
        #[arg(long)]
        env_optional: bool,
    },
}

#[derive(Debug, Args)]
pub(crate) struct DiffArgs {
    /// The configuration as it is
    #[arg(value_name = "OLD")]
    pub(crate) old: PathBuf,
    /// The configuration as it is to be
    #[arg(value_name = "NEW")]
    pub(crate) new: PathBuf,
    /// Accept ${VAR} and ${file:…} that are not there
    #[arg(long)]
    pub(crate) env_optional: bool,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ExplainArgs {
    /// Configuration file
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// Model that the client asks for
    #[arg(long, value_name = "M")]
    pub(crate) model: String,
    /// Name of the client's key
    #[arg(long, value_name = "NAME")]
    pub(crate) key: Option<String>,
    /// Endpoint [default: as the body looks]
    #[arg(long, value_name = "ENDPOINT", value_enum)]
    pub(crate) endpoint: Option<Endpoint>,
    /// The request's body, a JSON file; `-` reads standard input
    #[arg(long, value_name = "FILE")]
    pub(crate) body: Option<PathBuf>,
    /// A header of the request, 'name: value'; may be given several times
    #[arg(long = "header", value_name = "HEADER", value_parser = header)]
    pub(crate) headers: Vec<(HeaderName, HeaderValue)>,
    /// Ask the gateway that runs how the targets fare, at its admin listener: the one of the configuration, or
    /// this. It is shown the configuration's admin token
    #[arg(long, value_name = "HOST:PORT", num_args = 0..=1, require_equals = true, default_missing_value = "")]
    pub(crate) live: Option<String>,
    /// Accept ${VAR} and ${file:…} that are not there
    #[arg(long)]
    pub(crate) env_optional: bool,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// An endpoint that calls models.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Endpoint {
    Completions,
    Chat,
    Embeddings,
    Responses,
    Messages,
}

#[derive(Debug, Args)]
pub(crate) struct UsageArgs {
    /// Configuration file that names the state_dir [default: ./sluice.yaml when there is one]
    #[arg(short, long, value_name = "FILE", env = env::CONFIG, hide_env = true)]
    pub(crate) config: Option<PathBuf>,
    /// The folder of the ledger; no configuration is read then
    #[arg(long, value_name = "DIR")]
    pub(crate) state_dir: Option<PathBuf>,
    /// What to add up by
    #[arg(long, value_name = "WHAT", value_enum, default_value = "tenant", conflicts_with = "records")]
    pub(crate) by: UsageBy,
    /// From then on: 2026-11-01 (midnight UTC), 2026-11-01T08:00:00Z, 7d, 24h, 30m, today, month [default: the
    /// beginning of the month; with --records: no bound]
    #[arg(long, value_name = "WHEN", value_parser = when)]
    pub(crate) since: Option<Timestamp>,
    /// Up to then, not including it [default: now]
    #[arg(long, value_name = "WHEN", value_parser = when)]
    pub(crate) until: Option<Timestamp>,
    /// Print CSV
    #[arg(long, conflicts_with_all = ["json", "records"])]
    pub(crate) csv: bool,
    /// Print JSON; with --records a line for each
    #[arg(long)]
    pub(crate) json: bool,
    /// Single records with their attempts instead of sums, the newest first
    #[arg(long)]
    pub(crate) records: bool,
    /// How many records
    #[arg(long, value_name = "N", default_value_t = 20, requires = "records")]
    pub(crate) limit: u32,
}

/// What usage is added up by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum UsageBy {
    Tenant,
    Key,
    Model,
    Day,
}

#[derive(Debug, Subcommand)]
pub(crate) enum KeyCommand {
    /// Make a key: prints the secret once, and the entry for the configuration
    New(KeyArgs),
}

#[derive(Debug, Args)]
pub(crate) struct KeyArgs {
    /// The key's name in logs and metrics
    #[arg(value_name = "NAME", value_parser = name)]
    pub(crate) name: String,
    /// The tenant that it belongs to
    #[arg(long, value_name = "T", default_value = "default", value_parser = name)]
    pub(crate) tenant: String,
    /// Models it may ask for, with commas; `gpt-*` and `*` match many
    #[arg(long, value_name = "MODELS", default_value = "*", value_delimiter = ',')]
    pub(crate) models: Vec<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ImportCommand {
    /// Print what a LiteLLM proxy's config.yaml is here; exit 0, 1 (something is left to you) or 2 (not readable)
    ///
    /// Everything in the file is taken over, explained in a comment, or left to you in a comment with its line and
    /// the reason. Secrets are not written: variables stand in their place, and a comment says where each one was.
    /// Keys in LiteLLM's database cannot be read. What is set in the environment is looked at only for the hash of
    /// the master key.
    Litellm(LitellmArgs),
}

#[derive(Debug, Args)]
pub(crate) struct LitellmArgs {
    /// The proxy's configuration; files that it includes are read as well
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// Write it there instead of printing it; never over a file that exists
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct MockArgs {
    /// Address to listen on; port 0 lets the system choose
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:4010")]
    pub(crate) listen: SocketAddr,
}

#[derive(Debug, Args)]
pub(crate) struct HealthArgs {
    /// The admin listener, HOST:PORT or http://HOST:PORT [default: as the configuration says]
    #[arg(long, alias = "url", value_name = "ADDR")]
    pub(crate) admin: Option<String>,
    /// Configuration file that names the admin listener [default: ./sluice.yaml when there is one]
    #[arg(short, long, value_name = "FILE", env = env::CONFIG, hide_env = true)]
    pub(crate) config: Option<PathBuf>,
}

/// A header as curl takes it.
fn header(text: &str) -> Result<(HeaderName, HeaderValue), &'static str> {
    let (name, value) = text.split_once(':').ok_or("expected 'name: value'")?;
    let name = name.trim().parse().map_err(|_| "the name is not a header's")?;
    let value = HeaderValue::from_str(value.trim()).map_err(|_| "the value cannot be sent in a header")?;
    Ok((name, value))
}

/// A name that reads the same in YAML, a log line and a metric label.
fn name(text: &str) -> Result<String, String> {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    if !text.is_empty() && text.len() <= 64 && text.bytes().all(fits) {
        Ok(text.to_owned())
    } else {
        Err("expected 1 to 64 of the characters A-Z a-z 0-9 . _ -".to_owned())
    }
}

#[cfg(test)]
#[path = "cli_tests.rs"]
mod tests;
