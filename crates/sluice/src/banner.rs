//! What a person sees when Sluice is ready: the addresses, who may call, which models, and a line to paste.

use sluice_config::model::{AuthMode, Settings};
use std::{
    fmt::Write as _,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::Path,
    time::Duration,
};

/// More names than this are counted, not listed.
const MODELS_SHOWN: usize = 10;

/// Everything that the banner tells.
pub(crate) struct Banner<'a> {
    pub(crate) settings: &'a Settings,
    /// The configuration file; none: the demo.
    pub(crate) file: Option<&'a Path>,
    pub(crate) api: SocketAddr,
    pub(crate) admin: SocketAddr,
    pub(crate) ready_after: Duration,
}

impl Banner<'_> {
    pub(crate) fn render(&self) -> String {
        let mut text = String::new();
        let origin = match self.file {
            Some(file) => file.display().to_string(),
            None => "no config file: built-in demo (sluice config default > sluice.yaml)".to_owned(),
        };
        let (version, millis) = (env!("CARGO_PKG_VERSION"), self.ready_after.as_millis());
        let scheme = if self.settings.listeners.api.tls.is_some() { "https" } else { "http" };
        // Writing to a `String` cannot fail.
        let _ = writeln!(text, "sluice {version}  ready in {millis} ms   {origin}");
        let api = format!("{scheme}://{}/v1", self.api);
        let _ = writeln!(text, "  api     {api:<29}  auth: {}", self.auth());
        let admin = format!("http://{}/", self.admin);
        let _ = writeln!(text, "  admin   {admin:<29}  metrics: /metrics");
        let _ = writeln!(text, "  models  {}", self.models());
        let _ = writeln!(text, "  try     {}", self.example(scheme));
        text
    }

    fn auth(&self) -> String {
        match (self.settings.auth.mode, self.settings.keys.len()) {
            (AuthMode::Open, _) => "open (loopback only)".to_owned(),
            (AuthMode::Keys, 1) => "1 key".to_owned(),
            (AuthMode::Keys, count) => format!("{count} keys"),
        }
    }

    fn models(&self) -> String {
        let names: Vec<&str> = self.settings.models.iter().map(|model| model.name.as_str()).collect();
        match names.get(..MODELS_SHOWN) {
            Some(first) if names.len() > MODELS_SHOWN + 1 => {
                format!("{} and {} more", first.join(" "), names.len() - MODELS_SHOWN)
            }
            _ if names.is_empty() => "none: every request is refused until there are some".to_owned(),
            _ => names.join(" "),
        }
    }

    fn example(&self, scheme: &str) -> String {
        let address = reachable(self.api);
        if self.file.is_none() {
            return format!(
                "curl -s {scheme}://{address}/openai/v1/completions \
                 -d '{{\"model\":\"demo\",\"prompt\":\"Once\",\"seed\":7}}' -H 'content-type: application/json'"
            );
        }
        let key = match self.settings.auth.mode {
            AuthMode::Keys => " -H \"authorization: Bearer $SLUICE_KEY\"",
            AuthMode::Open => "",
        };
        format!("curl -s {scheme}://{address}/v1/models{key}")
    }
}

/// An address to connect to: a listener on every address is reached on loopback.
fn reachable(bound: SocketAddr) -> SocketAddr {
    let ip = if bound.ip().is_unspecified() { IpAddr::V4(Ipv4Addr::LOCALHOST) } else { bound.ip() };
    SocketAddr::new(ip, bound.port())
}

#[cfg(test)]
mod tests {
    use super::*;
    use sluice_config::Env;
    use std::collections::BTreeMap;

    const API: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 4000);
    const ADMIN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 4001);

    fn demo() -> Settings {
        Settings::demo(SocketAddr::from(([127, 0, 0, 1], 1)), &Env::Map(BTreeMap::new())).unwrap()
    }

    fn render(settings: &Settings, file: Option<&str>, api: SocketAddr) -> String {
        let ready_after = Duration::from_micros(38_900);
        Banner { settings, file: file.map(Path::new), api, admin: ADMIN, ready_after }.render()
    }

    #[test]
    fn the_demo_says_where_it_is_and_what_to_paste() {
        let expected = r#"sluice 0.1.0  ready in 38 ms   no config file: built-in demo (sluice config default > sluice.yaml)
  api     http://127.0.0.1:4000/v1       auth: open (loopback only)
  admin   http://127.0.0.1:4001/         metrics: /metrics
  models  demo demo-slow demo-flaky demo-limited demo-down demo-resilient
  try     curl -s http://127.0.0.1:4000/openai/v1/completions -d '{"model":"demo","prompt":"Once","seed":7}' -H 'content-type: application/json'
"#;
        assert_eq!(render(&demo(), None, API), expected);
    }

    #[test]
    fn a_file_is_named_and_its_keys_are_counted_and_wanted() {
        let mut settings = demo();
        settings.auth.mode = AuthMode::Keys;
        let text = render(&settings, Some("/etc/sluice.yaml"), SocketAddr::from(([0, 0, 0, 0], 80)));
        assert!(text.starts_with("sluice 0.1.0  ready in 38 ms   /etc/sluice.yaml\n"), "{text}");
        assert!(text.contains("http://0.0.0.0:80/v1") && text.contains("auth: 0 keys"), "{text}");
        assert!(
            text.contains(r#"curl -s http://127.0.0.1:80/v1/models -H "authorization: Bearer $SLUICE_KEY""#)
        );
    }

    #[test]
    fn a_long_list_of_models_is_counted() {
        let mut settings = demo();
        let Some(model) = settings.models.first().cloned() else { panic!("the demo has models") };
        settings.models = std::iter::repeat_n(model, 30).collect();
        assert!(render(&settings, None, API).contains("demo and 20 more\n"));
    }
}
