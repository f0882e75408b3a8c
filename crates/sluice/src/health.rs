//! `sluice health`: the readiness probe of a container that has no curl.

use crate::{
    admin_client::{self, Answer, Page},
    cli::HealthArgs,
    serve, terminal,
};
use sluice_config::{Options, Source};
use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    process::ExitCode,
};

/// The default of `listeners.admin.bind`.
const DEFAULT: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 4001);
/// The answer is a few lines.
const MAX_ANSWER: u64 = 16 * 1024;

/// Asks, says what came back, and turns it into the exit code.
pub(crate) fn run(args: &HealthArgs) -> ExitCode {
    match address(args).and_then(ask) {
        Ok(answer) if answer.status == 200 => {
            terminal::print(&answer.body);
            ExitCode::SUCCESS
        }
        Ok(answer) => {
            terminal::tell(&answer.body);
            ExitCode::FAILURE
        }
        Err(message) => {
            terminal::tell(&format!("error: {message}"));
            ExitCode::FAILURE
        }
    }
}

/// `--admin`, or what the running gateway was told: the configuration with its environment overrides.
fn address(args: &HealthArgs) -> Result<SocketAddr, String> {
    let bind = match &args.admin {
        Some(text) => admin_client::resolve(text)?,
        None => configured(args)?,
    };
    Ok(admin_client::reachable(bind))
}

fn configured(args: &HealthArgs) -> Result<SocketAddr, String> {
    let named = std::env::var("SLUICE__LISTENERS__ADMIN__BIND").ok().filter(|text| !text.is_empty());
    if let Some(text) = named {
        return admin_client::resolve(&text);
    }
    let Some(file) = serve::configuration(args.config.as_deref()) else { return Ok(DEFAULT) };
    // A probe may run without the secrets of the gateway that it asks.
    let options = Options { env_optional: true, ..Options::default() };
    match sluice_config::load(Source::File(&file), &options) {
        Ok(loaded) => Ok(loaded.settings.listeners.admin.bind),
        Err(_) => Err(format!("{} is not valid; name the listener with --admin HOST:PORT", file.display())),
    }
}

fn ask(admin: SocketAddr) -> Result<Answer, String> {
    admin_client::get(admin, Page { path: "/readyz?verbose", token: None, longest: MAX_ANSWER })
}
