//! Listeners: addresses, exposure, TLS.

use super::Check;
use crate::{
    codes,
    model::{AuthMode, Settings},
    path,
};
use std::net::Ipv6Addr;

impl Check<'_> {
    pub(super) fn listeners(&mut self, settings: &mut Settings) {
        self.api_exposure(settings);
        let admin = &mut settings.listeners.admin;
        if let Some(token) = &admin.token {
            self.inline_secret("listeners.admin.token", token);
        }
        // `${SLUICE_ADMIN_TOKEN:-}` with the variable unset means no token.
        admin.token = admin.token.take().filter(|token| !token.expose().is_empty());
        if let Some(token) = &admin.token
            && !token.expose().bytes().all(|byte| byte.is_ascii_graphic())
        {
            let help = "visible ASCII characters only, no spaces";
            self.error(
                "listeners.admin.token",
                codes::BAD_VALUE,
                "the token cannot be sent in a header",
                help,
            );
        }
        // One that only the machine that serves has is one.
        let elsewhere = self.options.env_optional && self.problems.is_unusable("listeners.admin.token");
        if admin.token.is_none() && !elsewhere && !admin.bind.ip().is_loopback() {
            let help = "set listeners.admin.token: \"${SLUICE_ADMIN_TOKEN}\", or bind to 127.0.0.1";
            let message = "the admin listener can be reached from outside and has no token";
            self.error("listeners.admin.bind", codes::EXPOSED, message, help);
        }
        let (api, admin) = (settings.listeners.api.bind, settings.listeners.admin.bind);
        let any = api.ip().is_unspecified() || admin.ip().is_unspecified();
        if api.port() != 0 && api.port() == admin.port() && (any || api.ip() == admin.ip()) {
            let written = ["listeners.admin.bind", "listeners.api.bind"];
            let at = written.into_iter().find(|at| self.problems.index.spot(at).is_some());
            let at = at.unwrap_or("listeners.admin.bind");
            self.error(
                at,
                codes::SAME_ADDRESS,
                "both listeners have the same address",
                "give one of them another port",
            );
        }
        self.api_details(settings);
    }

    fn api_exposure(&mut self, settings: &Settings) {
        let bind = "listeners.api.bind";
        let outside = !settings.listeners.api.bind.ip().is_loopback();
        let keys_help = "set auth.mode: keys and list at least one key (`sluice key new NAME --tenant T`), or bind to 127.0.0.1";
        match settings.auth.mode {
            AuthMode::Open if outside => {
                self.error(
                    "auth.mode",
                    codes::EXPOSED,
                    "`open` is only allowed while the api listener is on loopback",
                    keys_help,
                );
            }
            AuthMode::Open if !settings.keys.is_empty() => {
                let message = "with `open` nobody is asked for the keys that are listed";
                self.warning("auth.mode", codes::EXPOSED, message, "set auth.mode: keys");
            }
            AuthMode::Keys if outside && settings.keys.is_empty() && !self.problems.is_unusable("keys") => {
                let message = "the api listener can be reached from outside and no key is listed";
                self.error(bind, codes::EXPOSED, message, keys_help);
            }
            AuthMode::Keys if settings.keys.is_empty() => {
                let message = "`keys` with no key listed answers nobody";
                self.warning(
                    "auth.mode",
                    codes::NOTHING_SERVED,
                    message,
                    "add one: `sluice key new NAME --tenant T`",
                );
            }
            AuthMode::Open | AuthMode::Keys => {}
        }
    }

    fn api_details(&mut self, settings: &mut Settings) {
        let api = &mut settings.listeners.api;
        if let Some(tls) = &mut api.tls {
            self.pem("listeners.api.tls.cert", &mut tls.cert, "-----BEGIN CERTIFICATE");
            self.pem("listeners.api.tls.key", &mut tls.key, "PRIVATE KEY-----");
        }
        let open = settings.auth.mode == AuthMode::Open;
        if let Some(cors) = &settings.listeners.api.cors {
            self.origins(&cors.origins, open);
        }
    }

    fn origins(&mut self, origins: &[String], open: bool) {
        for (index, origin) in origins.iter().enumerate() {
            let at = path::item("listeners.api.cors.origins", index);
            if origin == "*" && origins.len() == 1 {
                if open {
                    let help = "list the origins that are meant, or ask for keys";
                    let message = "without keys `*` lets any page in a browser on this machine spend money";
                    self.error(&at, codes::EXPOSED, message, help);
                }
            } else if let Err((what, help)) = check_origin(origin) {
                let message = format!("`{}` is not an origin: {what}", self.written(&at, origin));
                self.error(&at, codes::BAD_VALUE, message, help);
            }
        }
    }
}

/// As browsers send it: anything else would be compared in vain for ever.
fn check_origin(origin: &str) -> Result<(), (&'static str, String)> {
    const HELP: &str =
        "scheme and host, and the port where it is not the usual one: https://tools.example.com";
    if origin == "*" {
        return Err(("`*` stands alone or not at all", "list `*` only, or origins only".to_owned()));
    }
    let parts = origin.split_once("://");
    let Some((scheme, host)) = parts.filter(|(scheme, host)| !scheme.is_empty() && !host.is_empty()) else {
        return Err(("it has no scheme or no host", HELP.to_owned()));
    };
    if let Some(end) = host.find(['/', '?', '#']) {
        let bare = host.get(..end).unwrap_or_default();
        return Err(("it ends after the host", format!("{scheme}://{bare}")));
    }
    if origin.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return Err(("browsers send lower case", origin.to_ascii_lowercase()));
    }
    let (name, port) = match host.rsplit_once(':') {
        // The colons of an IPv6 address are in brackets.
        Some((name, port)) if !port.ends_with(']') => (name, Some(port)),
        _ => (host, None),
    };
    if let Some(port) = port {
        if port.parse::<u16>().is_err() || port.starts_with(['0', '+']) {
            return Err(("the port is not one", HELP.to_owned()));
        }
        if matches!((scheme, port), ("http", "80") | ("https", "443")) {
            return Err(("browsers leave out the usual port", format!("{scheme}://{name}")));
        }
    }
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b".-_".contains(&byte);
    let bracketed = name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    let is_host = match bracketed {
        Some(address) => address.parse::<Ipv6Addr>().is_ok(),
        None => !name.is_empty() && name.bytes().all(fits),
    };
    let is_scheme = scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
    if is_host && is_scheme {
        Ok(())
    } else {
        Err(("there are characters that no origin has", HELP.to_owned()))
    }
}
