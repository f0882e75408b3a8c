//! One entry of `model_list`: a deployment, as far as it can be served.

use super::{
    account::{Account, Spot, Weight},
    address::{self, Address},
    headers, info,
    kinds::{self, Kind, Style},
    prices::{self, Cost},
    reasons,
    section::{Section, Text},
    source::{Data, Node},
};
use std::time::Duration;

/// What makes two deployments one provider, but for their keys; all as our file has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Identity {
    pub(super) kind: &'static Kind,
    pub(super) ours: &'static str,
    pub(super) base_url: Option<String>,
    pub(super) api_version: Option<String>,
    pub(super) private: bool,
    pub(super) headers: Vec<(String, String)>,
    pub(super) timeout: Option<Duration>,
    pub(super) drop_fields: Vec<String>,
}

/// See the module.
pub(super) struct Deployment<'a> {
    /// The name that clients ask for.
    pub(super) group: String,
    pub(super) identity: Identity,
    /// `${NAME}`; absent where none is wanted.
    pub(super) key: Option<String>,
    /// The upstream's name for the model, `*` as LiteLLM has it.
    pub(super) upstream: String,
    pub(super) weight: Option<f64>,
    pub(super) order: Option<u64>,
    pub(super) rpm: Option<u64>,
    pub(super) tpm: Option<u64>,
    pub(super) parallel: Option<u64>,
    pub(super) attempts: Option<u64>,
    pub(super) strict: bool,
    pub(super) completions_only: bool,
    pub(super) context_window: Option<u64>,
    pub(super) max_output_tokens: Option<u64>,
    pub(super) lacks: Vec<&'static str>,
    pub(super) cost: Option<Cost>,
    pub(super) id: Option<String>,
    /// To say something about it later.
    pub(super) params: Section<'a>,
}

/// What the settings say of all deployments.
#[derive(Default)]
pub(super) struct Defaults<'a> {
    pub(super) timeout: Option<Duration>,
    pub(super) strict: bool,
    pub(super) parallel: Option<u64>,
    /// Items of `credential_list`.
    pub(super) credentials: Vec<Section<'a>>,
}

/// Reads an entry; several deployments where it names several organizations.
pub(super) fn read<'a>(item: &'a Node, account: &'a Account, defaults: &Defaults<'a>) -> Vec<Deployment<'a>> {
    match served(item, account, defaults) {
        Ok(deployments) => deployments,
        Err(why) => {
            account.remark_item(Weight::Open, &spot(item), "-", item, &why);
            Vec::new()
        }
    }
}

/// With the model that it would have been part of.
fn spot(item: &Node) -> Spot {
    let Data::Map(entries) = &item.data else { return Spot::Section("models") };
    let name = entries.iter().rfind(|entry| entry.key == "model_name").map(|entry| &entry.value.data);
    match name {
        Some(Data::Scalar(scalar)) => Spot::Model(scalar.written.clone()),
        _ => Spot::Section("models"),
    }
}

fn served<'a>(
    item: &'a Node,
    account: &'a Account,
    defaults: &Defaults<'a>,
) -> Result<Vec<Deployment<'a>>, String> {
    let Data::Map(entries) = &item.data else {
        return Err("an entry with `model_name` and `litellm_params` is expected".to_owned());
    };
    let entry = Section::new(entries, account, Spot::Section("models"));
    let group = entry.word("model_name").ok_or("`model_name` is missing")?;
    if !is_name(&group) {
        return Err("not a usable name: 1 to 200 visible characters, and `*` only at the end".to_owned());
    }
    let spot = Spot::Model(group.clone());
    let entry = Section::new(entries, account, spot.clone());
    let params = entry.section("litellm_params", &spot).ok_or("`litellm_params` is missing")?;
    let params = with_credential(params, defaults)?;
    let written = params.word("model").ok_or("`litellm_params.model` is missing")?;
    let (kind, upstream) = provider(&params, &written)?;
    if upstream.matches('*').count() > 1 || (upstream.contains('*') && !group.ends_with('*')) {
        return Err("a `*` in the model needs one at the end of its `model_name`, and stands once".to_owned());
    }
    let info = entry.section("model_info", &spot);
    info.as_ref().map_or(Ok(()), info::mode)?;
    if upstream == "*"
        && written == "*"
        && let Some(model) = params.get("model")
    {
        let why = "LiteLLM finds the provider by the model's name, and here all go to one: add models such as `claude-*`";
        account.say(Weight::Open, &spot, model, why);
    }
    let identity = identity(kind, &params, defaults)?;
    let key = key(&identity, &params);
    let mut deployment = Deployment {
        group,
        identity,
        key,
        upstream,
        weight: params.number("weight"),
        order: params.whole("order").filter(|order| small(*order, "order", &params)),
        rpm: limit("rpm", &params, &entry),
        tpm: limit("tpm", &params, &entry),
        parallel: params.whole("max_parallel_requests").or(defaults.parallel).filter(|count| *count > 0),
        attempts: params
            .whole("num_retries")
            .or_else(|| params.whole("max_retries"))
            .map(|retries| retries + 1),
        strict: params.flag("drop_params").map_or(defaults.strict, |drop| !drop),
        completions_only: kind.theirs == "text-completion-openai",
        context_window: None,
        max_output_tokens: None,
        lacks: Vec::new(),
        cost: prices::read(&params, info.as_ref()),
        id: None,
        params: params.clone(),
    };
    if let Some(info) = &info {
        info::abilities(&mut deployment, info);
    }
    let deployments = organizations(deployment, &params);
    params.rest(reasons::PARAMS, reasons::PARAM);
    entry.rest(&[], "no counterpart is known");
    Ok(deployments)
}

/// A name that may end in `*`.
fn is_name(name: &str) -> bool {
    let star = !name.trim_end_matches('*').contains('*') && name.matches('*').count() <= 1;
    star && !name.is_empty()
        && name.trim() == name
        && name.chars().count() <= 200
        && !name.chars().any(char::is_control)
}

fn small(value: u64, key: &str, params: &Section<'_>) -> bool {
    let fits = value < 1_000_000;
    if !fits {
        params.leave(key, "too large");
    }
    fits
}

/// In `litellm_params`, or beside it.
fn limit(key: &str, params: &Section<'_>, entry: &Section<'_>) -> Option<u64> {
    let map = if params.get(key).is_some() { params } else { entry };
    map.whole(key).filter(|limit| positive(*limit, key, map))
}

pub(super) fn positive(value: u64, key: &str, params: &Section<'_>) -> bool {
    if value == 0 {
        params.leave(key, "a limit of nothing: remove the deployment instead");
    }
    value > 0
}

fn with_credential<'a>(params: Section<'a>, defaults: &Defaults<'a>) -> Result<Section<'a>, String> {
    let Some(name) = params.word("litellm_credential_name") else { return Ok(params) };
    let is_named = |item: &&Section<'_>| {
        let value = item.get("credential_name").map(|entry| &entry.value.data);
        matches!(value, Some(Data::Scalar(scalar)) if scalar.written == name)
    };
    let item = defaults
        .credentials
        .iter()
        .find(is_named)
        .ok_or_else(|| format!("no credential is called {name}"))?;
    let _ = item.word("credential_name");
    Ok(match item.section("credential_values", &item.spot) {
        Some(values) => params.over(values.entries),
        None => params,
    })
}

fn provider(params: &Section<'_>, written: &str) -> Result<(&'static Kind, String), String> {
    if kinds::is_of_other_endpoint(written.rsplit('/').next().unwrap_or_default()) {
        return Err(info::SERVED.to_owned());
    }
    let custom = params.word("custom_llm_provider");
    let (prefix, model) = match (&custom, written.split_once('/')) {
        (Some(custom), Some((prefix, model))) if prefix == custom => (custom.as_str(), model),
        (Some(custom), _) => (custom.as_str(), written),
        (None, Some((prefix, model))) => (prefix, model),
        (None, None) => {
            let found = kinds::of_bare_name(written);
            let why = "a model without its provider: write `PROVIDER/MODEL`, as in openai/gpt-4o";
            return found.map(|kind| (kind, written.to_owned())).ok_or_else(|| why.to_owned());
        }
    };
    let kind = kinds::kind(prefix).ok_or_else(|| kinds::unserved(prefix))?;
    let model = match kind.theirs {
        "azure" => model.trim_start_matches("o_series/").trim_start_matches("gpt5_series/"),
        _ => model,
    };
    if model.is_empty() {
        return Err("the model is missing behind its provider".to_owned());
    }
    if model.starts_with("responses/") && matches!(kind.style, Style::OpenAi | Style::Azure) {
        return Err("chat over the Responses API: clients call /v1/responses here".to_owned());
    }
    // LiteLLM knows these by their short names, too.
    let is_short = kind.ours == "fireworks" && !model.contains('/') && !model.contains('*');
    Ok((kind, if is_short { format!("accounts/fireworks/models/{model}") } else { model.to_owned() }))
}

fn identity(kind: &'static Kind, params: &Section<'_>, defaults: &Defaults<'_>) -> Result<Identity, String> {
    let account = params.account;
    let field = if params.get("api_base").is_some() { "api_base" } else { "base_url" };
    let address = match params.text(field) {
        Some(Text::Plain(written)) => address::read(kind, &written)?,
        Some(Text::Variable(name)) => address::of_variable(kind, &account.variable(&name), &name),
        None => address::absent(kind, |name| account.variable(name)).ok_or("`api_base` is missing")?,
    };
    let Address { base_url, mut api_version, private, told } = address;
    if let Some(told) = told {
        params.tell(field, &told);
    }
    if kind.style == Style::Azure {
        let unversioned = base_url.as_ref().is_some_and(|url| url.ends_with("/openai/v1"));
        // What LiteLLM takes when nobody says it.
        let default = || "${AZURE_API_VERSION:-2024-10-21}".to_owned();
        let written = api_version_of(params);
        api_version = if unversioned { None } else { written.or(api_version).or_else(|| Some(default())) };
    }
    let ours = match (kind.style, &base_url) {
        (Style::OpenAi, Some(_)) => "openai_compatible",
        _ => kind.ours,
    };
    let timeout = timeout(params, "timeout").or(defaults.timeout);
    let stream = timeout_of_streams(params);
    if let Some(stream) = stream
        && Some(stream) != timeout
    {
        params.leave("stream_timeout", "streams and plain answers share `timeouts.first_byte` here");
    }
    let base_url = base_url.map(|url| if url.contains("${") { url } else { url.replace('$', "$$") });
    let headers = headers::read(params);
    let drop_fields = headers::drop_fields(params, ours);
    Ok(Identity { kind, ours, base_url, api_version, private, headers, timeout, drop_fields })
}

fn api_version_of(params: &Section<'_>) -> Option<String> {
    const KEY: &str = "api_version";
    let fits = |text: &str| {
        !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-.".contains(&byte))
    };
    match params.text(KEY)? {
        Text::Plain(text) if !fits(&text) => {
            params.leave(KEY, "a date is expected, and perhaps -preview: \"2024-10-21\"");
            None
        }
        text => Some(text.ours(params.account)),
    }
}

fn timeout_of_streams(params: &Section<'_>) -> Option<Duration> {
    timeout(params, "stream_timeout")
}

/// A year, in milliseconds.
const LONGEST_WAIT: u128 = 365 * 24 * 3_600_000;

/// Seconds, which may have a fraction.
pub(super) fn timeout(section: &Section<'_>, key: &str) -> Option<Duration> {
    let seconds = section.number(key)?;
    let duration = Duration::try_from_secs_f64(seconds)
        .ok()
        .filter(|duration| (1..=LONGEST_WAIT).contains(&duration.as_millis()));
    if duration.is_none() {
        section.leave(key, "not a time that can be waited");
    }
    duration
}

fn key(identity: &Identity, params: &Section<'_>) -> Option<String> {
    let entry = params.get("api_key");
    match (params.text("api_key"), entry) {
        (Some(Text::Plain(key)), _) if kinds::is_no_key(&key) => {
            params.tell("api_key", "stands for no key, and none is sent");
            None
        }
        (Some(Text::Plain(key)), Some(entry)) => {
            Some(params.account.secret(&key, "api_key", entry.value.place))
        }
        (Some(Text::Plain(_)), None) => None,
        (Some(variable), _) => Some(variable.ours(params.account)),
        // Another address is not sent OpenAI's key.
        (None, _) if identity.ours != identity.kind.ours => None,
        (None, _) => identity.kind.key.map(|name| params.account.variable(name)),
    }
}

/// One deployment for each organization, as LiteLLM has it.
fn organizations<'a>(deployment: Deployment<'a>, params: &Section<'a>) -> Vec<Deployment<'a>> {
    const HEADER: &str = "openai-organization";
    let names: Vec<String> = params
        .items("organization")
        .into_iter()
        .filter_map(|item| match &item.data {
            Data::Scalar(scalar) => {
                params.account.take(item);
                Text::read(&scalar.written).map(|text| text.ours(params.account))
            }
            _ => None,
        })
        .collect();
    if names.is_empty() {
        return vec![deployment];
    }
    let with = |name: &String| {
        let mut headers = deployment.identity.headers.clone();
        headers.retain(|(known, _)| known != HEADER);
        headers.push((HEADER.to_owned(), name.clone()));
        let identity = Identity { headers, ..deployment.identity.clone() };
        Deployment { identity, ..deployment.copy() }
    };
    names.iter().map(with).collect()
}

impl<'a> Deployment<'a> {
    fn copy(&self) -> Deployment<'a> {
        Deployment {
            group: self.group.clone(),
            identity: self.identity.clone(),
            key: self.key.clone(),
            upstream: self.upstream.clone(),
            lacks: self.lacks.clone(),
            id: self.id.clone(),
            cost: self.cost.clone(),
            params: self.params.clone(),
            ..*self
        }
    }
}
