//! Listeners: addresses, exposure, TLS.

use super::Check;
use crate::{
    codes,
    model::{AuthMode, Settings},
};

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
        for (index, origin) in api.cors.iter().flat_map(|cors| &cors.origins).enumerate() {
            let host = origin.strip_prefix("https://").or_else(|| origin.strip_prefix("http://"));
            if !host.is_some_and(|host| !host.is_empty() && !host.contains(['/', '*', '?', '#', ' '])) {
                let at = format!("listeners.api.cors.origins[{index}]");
                let help = "scheme and host, as browsers send it: https://tools.example.com";
                self.error(&at, codes::BAD_VALUE, "not an origin", help);
            }
        }
    }
}
