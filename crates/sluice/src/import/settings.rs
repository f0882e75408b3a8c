//! `router_settings` and `litellm_settings`, of which many hold the same; the first goes before the second.

use super::{
    account::{Account, Spot, Weight},
    deployment::{self, Defaults},
    fallbacks,
    plan::{Budget, Model, Plan},
    reasons,
    section::{Section, Text},
    source::Data,
};
use std::time::Duration;

/// Both maps, as far as they are there.
pub(super) struct Settings<'a> {
    pub(super) router: Option<Section<'a>>,
    pub(super) litellm: Option<Section<'a>>,
}

/// Tries without a word about them, here.
const ATTEMPTS: u64 = 3;

impl<'a> Settings<'a> {
    pub(super) fn of(root: &Section<'a>) -> Self {
        let spot = Spot::Section("rest");
        Self {
            router: root.section("router_settings", &spot),
            litellm: root.section("litellm_settings", &spot),
        }
    }

    /// The map that has this setting, speaking of it at that section.
    fn pick(&self, key: &str, spot: &'static str) -> Option<Section<'a>> {
        let both = [&self.router, &self.litellm].map(|map| map.as_ref().filter(|map| map.get(key).is_some()));
        let at = |map: &Section<'a>| map.at(spot);
        if let [Some(_), Some(second)] = both {
            at(second).tell(key, "router_settings has it, too, and that counts");
        }
        both.into_iter().flatten().next().map(at)
    }

    fn timeout(&self, key: &str) -> Option<Duration> {
        self.pick(key, "providers").and_then(|map| deployment::timeout(&map, key))
    }

    /// What holds for every deployment.
    pub(super) fn defaults(&self, defaults: &mut Defaults<'a>) {
        let common = self.timeout("request_timeout");
        let router = self.timeout("timeout");
        if router.is_some()
            && common.is_some()
            && let Some(map) = self.pick("request_timeout", "providers")
        {
            map.tell("request_timeout", "router_settings.timeout counts");
        }
        defaults.timeout = router.or(common);
        if let Some(stream) = self.timeout("stream_timeout")
            && Some(stream) != defaults.timeout
            && let Some(map) = self.pick("stream_timeout", "providers")
        {
            map.leave("stream_timeout", "streams and plain answers share `timeouts.first_byte` here");
        }
        defaults.strict =
            self.pick("drop_params", "models").and_then(|map| map.flag("drop_params")) == Some(false);
        let parallel = "default_max_parallel_requests";
        defaults.parallel = self.pick(parallel, "providers").and_then(|map| map.whole(parallel));
    }

    /// What concerns the models that are there by now.
    pub(super) fn models(&self, plan: &mut Plan) {
        if let Some(map) = self
            .pick("model_group_alias", "models")
            .and_then(|map| map.section("model_group_alias", &map.spot))
        {
            fallbacks::aliases(&map, plan);
        }
        for key in ["fallbacks", "context_window_fallbacks"] {
            if let Some(map) = self.pick(key, "models") {
                fallbacks::lists(&map, key, plan);
                if key == "context_window_fallbacks"
                    && let Some(entry) = map.get(key)
                {
                    let why = "a fallback is tried after any failure here, and for requests larger than the windows that \
                        are known: add `context_window` to targets";
                    map.account.say(Weight::Told, &map.spot, entry, why);
                }
            }
        }
        if let Some(map) = self.pick("default_fallbacks", "models") {
            fallbacks::common(&map, "default_fallbacks", plan);
        }
        self.strategy(plan);
        self.checks(plan);
        self.resilience(plan);
    }

    fn strategy(&self, plan: &mut Plan) {
        const KEY: &str = "routing_strategy";
        let Some(map) = self.pick(KEY, "models") else { return };
        let strategy = match map.word(KEY).as_deref() {
            None | Some("simple-shuffle") => None,
            Some("least-busy") => Some("least_busy"),
            Some("latency-based-routing") => Some("least_latency"),
            Some("cost-based-routing") => Some("cheapest"),
            Some("usage-based-routing" | "usage-based-routing-v2") => {
                map.tell(KEY, "least_busy comes nearest; a provider that has used up its limits is passed over in any case");
                Some("least_busy")
            }
            Some(_) => {
                map.leave(KEY, "there is weighted, least_latency, least_busy, cheapest and session");
                None
            }
        };
        let chosen = |model: &&mut Model| model.targets.len() > 1;
        plan.models.iter_mut().filter(chosen).for_each(|model| model.strategy = strategy);
    }

    fn checks(&self, plan: &mut Plan) {
        for key in ["enable_pre_call_checks", "enable_pre_call_check"] {
            if let Some(map) = self.pick(key, "models") {
                const ALWAYS: &str = "targets whose context window is too small are always passed over";
                match map.flag(key) {
                    Some(true) => map.tell(key, ALWAYS),
                    Some(false) => map.leave(key, ALWAYS),
                    None => {}
                }
            }
        }
        let key = "optional_pre_call_checks";
        let Some(map) = self.pick(key, "models") else { return };
        for item in map.items(key) {
            let name = word(item);
            let why = match name.as_str() {
                "prompt_caching" => {
                    map.account.take(item);
                    let pooled = |model: &Model| {
                        let mut providers =
                            model.targets.iter().filter_map(|target| plan.providers.get(target.provider));
                        model.targets.len() > 1 || providers.any(|provider| provider.keys.len() > 1)
                    };
                    let affine: Vec<bool> = plan.models.iter().map(pooled).collect();
                    plan.models.iter_mut().zip(affine).for_each(|(model, affine)| model.affinity = affine);
                    continue;
                }
                "enforce_model_rate_limits" => {
                    let why = "limits of providers and models always hold";
                    map.account.remark_item(Weight::Told, &map.spot, key, item, why);
                    continue;
                }
                "session_affinity" | "deployment_affinity" => {
                    "`strategy: session` keeps a session at one target"
                }
                "responses_api_deployment_check" => {
                    "state of the Responses API is kept by the provider; a model with one target keeps it together"
                }
                _ => "no counterpart is known",
            };
            map.account.remark_item(Weight::Open, &map.spot, key, item, why);
        }
    }

    fn resilience(&self, plan: &mut Plan) {
        if let Some(map) = self.pick("num_retries", "resilience") {
            plan.attempts = map.whole("num_retries").map(|retries| retries.saturating_add(1));
        }
        if let Some(map) = self.pick("allowed_fails", "resilience") {
            plan.circuit.failures = map.whole("allowed_fails").map(|fails| fails.saturating_add(1));
        }
        if let Some(map) = self.pick("cooldown_time", "resilience") {
            plan.circuit.open_for = deployment::timeout(&map, "cooldown_time");
        }
        let common = plan.attempts.unwrap_or(ATTEMPTS);
        for model in &mut plan.models {
            let places = u64::try_from(model.targets.len() + model.fallbacks.len()).unwrap_or(u64::MAX);
            let wanted = model.attempts.unwrap_or(common);
            // Each fallback is to have its turn.
            let due = if model.fallbacks.is_empty() { wanted } else { wanted.max(places) };
            model.attempts = (due != common).then_some(due);
        }
    }

    /// What is left of both.
    pub(super) fn others(&self, plan: &mut Plan) {
        if let Some(map) = &self.litellm {
            callbacks(map, plan);
            logs(map, plan);
            budget(map, plan);
            map.rest(reasons::LITELLM, reasons::SETTING);
        }
        if let Some(map) = &self.router {
            map.rest(reasons::ROUTER, reasons::SETTING);
        }
    }
}

fn word(node: &super::source::Node) -> String {
    match &node.data {
        Data::Scalar(scalar) => scalar.written.clone(),
        _ => String::new(),
    }
}

fn callbacks(map: &Section<'_>, plan: &mut Plan) {
    let spot = Spot::Section("telemetry");
    for key in ["callbacks", "success_callback", "failure_callback", "service_callback", "service_callbacks"]
    {
        for item in map.items(key) {
            match word(item).as_str() {
                "prometheus" => {
                    let why = "metrics are at /metrics of the admin listener; deploy/prometheus has rules, dashboards/ has dashboards";
                    map.account.remark_item(Weight::Told, &spot, key, item, why);
                }
                "otel" | "opentelemetry" => {
                    map.account.take(item);
                    plan.traces = Some(otlp(map.account));
                }
                _ => map.account.remark_item(Weight::Open, &spot, key, item, reasons::CALLBACK),
            }
        }
    }
}

/// The collector, where OpenTelemetry's own tools look for it.
fn otlp(account: &Account) -> String {
    let _ = account.variable("OTEL_EXPORTER_OTLP_ENDPOINT");
    "${OTEL_EXPORTER_OTLP_ENDPOINT:-}".to_owned()
}

fn logs(map: &Section<'_>, plan: &mut Plan) {
    plan.logs.debug = map.flag("set_verbose") == Some(true);
    plan.logs.text = map.flag("json_logs") == Some(false);
    match map.flag("turn_off_message_logging") {
        Some(true) => map.tell("turn_off_message_logging", "prompts and answers are never logged"),
        Some(false) => map.leave("turn_off_message_logging", "prompts and answers are never logged"),
        None => {}
    }
}

fn budget(map: &Section<'_>, plan: &mut Plan) {
    let map = map.at("tenants");
    let usd = map.number("max_budget").filter(|usd| *usd > 0.0 && *usd < 1e12);
    let per = match map.text("budget_duration") {
        Some(Text::Plain(text)) => match text.as_str() {
            "1d" | "24h" | "daily" => Some("day"),
            "30d" | "31d" | "1mo" | "monthly" => Some("month"),
            _ => None,
        },
        _ => None,
    };
    match (usd, per) {
        (Some(usd), Some(per)) => plan.budget = Some(Budget { usd, per }),
        _ => {
            for key in ["max_budget", "budget_duration"] {
                map.leave(key, "a budget is of a day or a month: tenants: [{name: default, budget: {usd: 100, per: month}}]");
            }
        }
    }
}
