//! Why a setting of LiteLLM is not taken over, or need not be: one table for each of its maps.

use super::{
    account::Weight::{Open, Told},
    section::Reason,
};

/// `litellm_params`.
pub(super) const PARAMS: &[Reason] = &[
    Reason("temperature", Open, DEFAULTS),
    Reason("top_p", Open, DEFAULTS),
    Reason("top_k", Open, DEFAULTS),
    Reason("seed", Open, DEFAULTS),
    Reason("stop", Open, DEFAULTS),
    Reason("max_tokens", Open, DEFAULTS),
    Reason("max_completion_tokens", Open, DEFAULTS),
    Reason("presence_penalty", Open, DEFAULTS),
    Reason("frequency_penalty", Open, DEFAULTS),
    Reason("reasoning_effort", Open, DEFAULTS),
    Reason("thinking", Open, DEFAULTS),
    Reason("extra_body", Open, DEFAULTS),
    Reason("response_format", Open, DEFAULTS),
    Reason("tags", Open, "a model's `rules` choose targets by tenant, key or header"),
    Reason(
        "ssl_verify",
        Open,
        "certificates are always verified; name your own authority with the provider's `ca_file`",
    ),
    Reason("ssl_certificate", Open, "client certificates are not offered to upstreams"),
    Reason(
        "azure_ad_token",
        Open,
        "only keys are sent to Azure; a token in a header can be set under `headers`",
    ),
    Reason("tenant_id", Open, ENTRA),
    Reason("client_id", Open, ENTRA),
    Reason("client_secret", Open, ENTRA),
    Reason("azure_scope", Open, ENTRA),
    Reason("region_name", Open, "the address of a deployment says its region"),
    Reason("mock_timeout", Open, "`sluice mock` is an upstream that can be slow"),
    Reason("mock_response", Open, "`sluice mock` is an upstream that answers without a model"),
    Reason("input_cost_per_second", Open, BY_TOKENS),
    Reason("output_cost_per_second", Open, BY_TOKENS),
    Reason("input_cost_per_pixel", Open, BY_TOKENS),
    Reason("input_cost_per_audio_token", Open, BY_TOKENS),
    Reason("max_budget", Open, "budgets are of tenants and keys"),
    Reason("budget_duration", Open, "budgets are of tenants and keys"),
    Reason(
        "max_retries",
        Open,
        "the deployments of one model have different retries: `resilience.attempts` is the model's",
    ),
    Reason("merge_reasoning_content_in_choices", Open, "answers are passed on as they come"),
    Reason("use_in_pass_through", Open, "there are no pass-through routes here"),
    Reason("configurable_clientside_auth_params", Open, "clients cannot choose an upstream's address or key"),
    Reason("use_litellm_proxy", Open, "list the other proxy as a provider of kind openai_compatible"),
    Reason("cache_control_injection_points", Open, "a client's own cache_control marks are passed on"),
    Reason(
        "default_api_key_tpm_limit",
        Open,
        "limits of keys are written at each key, or once under `limits`",
    ),
    Reason(
        "default_api_key_rpm_limit",
        Open,
        "limits of keys are written at each key, or once under `limits`",
    ),
    Reason("aws_region_name", Open, "belongs to a provider that is not served here"),
];
const DEFAULTS: &str =
    "a default for requests: upstreams are sent what the client sends, so the client has to say it";
const ENTRA: &str = "tokens are not fetched from Entra ID: use a key of the Azure resource";
const BY_TOKENS: &str = "prices are per token";

/// What is said of any other field of `litellm_params`.
pub(super) const PARAM: &str =
    "no counterpart is known; if it is a default for requests, the client has to send it";

/// `model_info`.
pub(super) const INFO: &[Reason] = &[
    Reason("id", Told, "targets have no id of their own; answers name provider and model"),
    Reason(
        "base_model",
        Open,
        "name it in `prices` if spending is to be counted: this deployment has no published price",
    ),
    Reason("access_groups", Open, "which models a key may use is written at the key: `models`"),
    Reason("team_id", Open, "which models a key may use is written at the key: `models`"),
    Reason("team_public_model_name", Open, "add it to the model's `aliases`"),
    Reason("health_check_model", Told, HEALTH),
    Reason("health_check_timeout", Told, HEALTH),
    Reason("disable_background_health_check", Told, HEALTH),
    Reason("input_cost_per_second", Open, BY_TOKENS),
    Reason("output_cost_per_second", Open, BY_TOKENS),
    Reason("supported_environments", Open, "one file is one environment"),
    Reason("description", Told, "for people; put it into a comment"),
    Reason("version", Told, "for people; put it into a comment"),
    Reason("metadata", Told, "for people; put it into a comment"),
    Reason("litellm_provider", Told, "the provider's kind says it"),
];
const HEALTH: &str = "upstreams are judged by the requests that they answer; nobody probes them";

/// What is said of any other field of `model_info`.
pub(super) const INFO_FIELD: &str = "no counterpart is known";

/// `router_settings`.
pub(super) const ROUTER: &[Reason] = &[
    Reason(
        "content_policy_fallbacks",
        Open,
        "a refusal of content is the answer here, and is not asked for elsewhere",
    ),
    Reason(
        "retry_policy",
        Open,
        "what is retried is decided by the kind of failure; `resilience.attempts` bounds it",
    ),
    Reason("model_group_retry_policy", Open, "write `resilience: {attempts: …}` at the model"),
    Reason(
        "allowed_fails_policy",
        Open,
        "a circuit counts failures of the upstream, not of requests; see `resilience.circuit`",
    ),
    Reason(
        "disable_cooldowns",
        Open,
        "circuits cannot be switched off; a high `resilience.circuit.consecutive_failures` comes near",
    ),
    Reason("routing_strategy_args", Open, "the strategies have no parameters"),
    Reason("enable_tag_filtering", Open, "a model's `rules` choose targets by tenant, key or header"),
    Reason("tag_filtering_match_any", Open, "a model's `rules` choose targets by tenant, key or header"),
    Reason(
        "retry_after",
        Told,
        "waits between tries grow with full jitter, and an upstream's Retry-After is kept",
    ),
    Reason(
        "max_fallbacks",
        Open,
        "`resilience.attempts` bounds the tries over targets and fallbacks together",
    ),
    Reason("default_litellm_params", Open, DEFAULTS),
    Reason("set_verbose", Told, "the log level is telemetry.logs.level"),
    Reason("debug_level", Told, "the log level is telemetry.logs.level"),
    Reason("client_ttl", Told, "connections are kept as long as they are of use"),
    Reason("cache_responses", Told, "answers are cached by the section `cache` alone"),
    Reason("caching_groups", Open, "each model has its own answers"),
    Reason("provider_budget_config", Open, "budgets are of tenants and keys"),
    Reason("alerting_config", Open, ALERTS),
    Reason("assistants_config", Open, "there are no assistants here"),
    Reason("default_priority", Open, "requests have no priorities"),
    Reason("polling_interval", Told, "there is no queue to poll"),
    Reason("fallbacks_on_status_code", Open, "what is failed over is decided by the kind of failure"),
    Reason(
        "deployment_affinity_ttl_seconds",
        Open,
        "the strategy `session` and prompt_cache_affinity need no time",
    ),
];
const ALERTS: &str = "alerts are Prometheus rules over /metrics: see deploy/prometheus";

/// `litellm_settings`.
pub(super) const LITELLM: &[Reason] = &[
    Reason(
        "content_policy_fallbacks",
        Open,
        "a refusal of content is the answer here, and is not asked for elsewhere",
    ),
    Reason(
        "ssl_verify",
        Open,
        "certificates are always verified; name your own authority with the provider's `ca_file`",
    ),
    Reason("force_ipv4", Open, "both families are tried"),
    Reason(
        "modify_params",
        Open,
        "requests are passed on; what another dialect cannot hold is told in x-sluice-dropped",
    ),
    Reason("telemetry", Told, "nothing is sent to anybody but the upstreams"),
    Reason("redact_user_api_key_info", Open, "log lines and records name the key, never its secret"),
    Reason("langfuse_default_tags", Open, CALLBACK),
    Reason("s3_callback_params", Open, CALLBACK),
    Reason("datadog_params", Open, CALLBACK),
    Reason("callback_settings", Open, CALLBACK),
    Reason("default_team_settings", Open, "teams are tenants; logging targets of their own are not offered"),
    Reason("default_team_params", Open, IN_DATABASE),
    Reason("default_internal_user_params", Open, IN_DATABASE),
    Reason("max_internal_user_budget", Open, IN_DATABASE),
    Reason("internal_user_budget_duration", Open, IN_DATABASE),
    Reason("max_end_user_budget", Open, "budgets are of tenants and keys"),
    Reason("upperbound_key_generate_params", Open, IN_DATABASE),
    Reason("default_key_generate_params", Open, IN_DATABASE),
    Reason("key_generation_settings", Open, IN_DATABASE),
    Reason("mcp_aliases", Open, "there is no MCP gateway here"),
    Reason("enable_preview_features", Told, "all that there is is on"),
    Reason(
        "disable_end_user_cost_tracking",
        Told,
        "end users are not counted unless `ledger.keep_user` says so",
    ),
    Reason("disable_end_user_cost_tracking_prometheus_only", Told, "end users are no metric label"),
    Reason("disable_copilot_system_to_assistant", Told, "no such change is made"),
    Reason("disable_hf_tokenizer_download", Told, "nothing is downloaded"),
    Reason("enable_json_schema_validation", Open, "answers are passed on as they come"),
    Reason("custom_prometheus_metadata_labels", Open, "labels of metrics are fixed"),
    Reason("prometheus_initialize_budget_metrics", Told, "budgets are metrics from the start"),
    Reason("public_model_groups", Open, "a client sees the models that its key may use"),
    Reason("cost_discount_config", Open, "write the prices that you pay under `prices`"),
    Reason("model_alias_map", Open, "add the names to the model's `aliases`"),
];
pub(super) const CALLBACK: &str =
    "logging callbacks do not exist here: there are log lines, metrics, traces (OTLP) and the usage ledger";
const IN_DATABASE: &str = "keys, users and teams of LiteLLM's database are not here: `sluice key new` makes keys, with limits and a budget of their own";

/// `cache_params`.
pub(super) const CACHE: &[Reason] = &[
    Reason("similarity_threshold", Open, SEMANTIC),
    Reason("qdrant_semantic_cache_embedding_model", Open, SEMANTIC),
    Reason("redis_semantic_cache_embedding_model", Open, SEMANTIC),
    Reason("qdrant_collection_name", Open, SEMANTIC),
    Reason("qdrant_quantization_config", Open, SEMANTIC),
    Reason("qdrant_semantic_cache_vector_size", Open, SEMANTIC),
    Reason("qdrant_api_base", Open, SEMANTIC),
    Reason("qdrant_api_key", Open, SEMANTIC),
    Reason("s3_bucket_name", Open, STORE),
    Reason("s3_region_name", Open, STORE),
    Reason("s3_aws_access_key_id", Open, STORE),
    Reason("s3_aws_secret_access_key", Open, STORE),
    Reason("s3_endpoint_url", Open, STORE),
    Reason("s3_path", Open, STORE),
    Reason("gcs_bucket_name", Open, STORE),
    Reason("gcs_path", Open, STORE),
    Reason("gcs_path_service_account", Open, STORE),
    Reason("disk_cache_dir", Open, STORE),
    Reason("sentinel_password", Open, "one login is for both, and Sentinels are asked without it as well"),
    Reason("default_in_memory_ttl", Open, "both tiers keep an answer for `cache.ttl`"),
    Reason("default_in_redis_ttl", Open, "both tiers keep an answer for `cache.ttl`"),
    Reason("max_connections", Told, "commands share connections"),
    Reason("redis_flush_size", Told, "writes are not gathered"),
    Reason("ssl_cert_reqs", Open, "certificates are always verified"),
    Reason("ssl_check_hostname", Open, "certificates are always verified"),
    Reason("gcp_service_account", Open, "Redis is asked with a user and a password"),
    Reason("gcp_ssl_ca_certs", Open, "certificates of public authorities are trusted"),
    Reason("enable_redis_auth_cache", Told, "keys are in memory"),
];
pub(super) const SEMANTIC: &str = "an answer is given again only to the same request, never to a similar one";
pub(super) const STORE: &str = "answers are kept in memory, and in Redis where there is one";

/// What is said of any other setting.
pub(super) const SETTING: &str = "no counterpart is known";

/// `general_settings`.
pub(super) const GENERAL: &[Reason] = &[
    Reason("database_url", Open, DATABASE),
    Reason("database_type", Open, DATABASE),
    Reason("database_connection_pool_limit", Told, NO_DATABASE),
    Reason("database_connection_timeout", Told, NO_DATABASE),
    Reason("allow_requests_on_db_unavailable", Told, NO_DATABASE),
    Reason("disable_prisma_schema_update", Told, NO_DATABASE),
    Reason("use_redis_transaction_buffer", Told, NO_DATABASE),
    Reason(
        "store_model_in_db",
        Open,
        "models that were added in LiteLLM's database cannot be read from here: add them below",
    ),
    Reason("supported_db_objects", Open, "what LiteLLM's database holds cannot be read from here"),
    Reason("store_prompts_in_spend_logs", Open, "prompts are never stored"),
    Reason("disable_spend_logs", Open, "the usage ledger is always kept; `ledger.retention` says how long"),
    Reason(
        "disable_spend_updates",
        Open,
        "the usage ledger is always kept; `ledger.retention` says how long",
    ),
    Reason("disable_error_logs", Told, "the log level is telemetry.logs.level"),
    Reason("proxy_batch_write_at", Told, LEDGER),
    Reason("proxy_batch_polling_interval", Told, LEDGER),
    Reason("proxy_budget_rescheduler_min_time", Told, LEDGER),
    Reason("proxy_budget_rescheduler_max_time", Told, LEDGER),
    Reason("disable_reset_budget", Open, "budgets begin anew with their day or month"),
    Reason("background_health_checks", Told, HEALTH),
    Reason("health_check_interval", Told, HEALTH),
    Reason("health_check_details", Told, HEALTH),
    Reason("alerting", Open, ALERTS),
    Reason("alerting_threshold", Open, ALERTS),
    Reason("alerting_args", Open, ALERTS),
    Reason("alert_types", Open, ALERTS),
    Reason("alert_to_webhook_url", Open, ALERTS),
    Reason("spend_report_frequency", Open, "`sluice usage` reports what was spent"),
    Reason("custom_auth", Open, "clients are known by keys alone"),
    Reason("enable_jwt_auth", Open, "clients are known by keys alone"),
    Reason("litellm_jwtauth", Open, "clients are known by keys alone"),
    Reason("enable_oauth2_auth", Open, "clients are known by keys alone"),
    Reason("custom_sso", Open, "there is no login"),
    Reason("ui_access_mode", Open, "there is no web interface to administer"),
    Reason("litellm_license", Told, "there is no licence to enter"),
    Reason(
        "key_management_system",
        Open,
        "secrets come from variables and files: ${NAME}, ${file:/run/secrets/name}",
    ),
    Reason(
        "key_management_settings",
        Open,
        "secrets come from variables and files: ${NAME}, ${file:/run/secrets/name}",
    ),
    Reason(
        "use_azure_key_vault",
        Open,
        "secrets come from variables and files: ${NAME}, ${file:/run/secrets/name}",
    ),
    Reason(
        "use_google_kms",
        Open,
        "secrets come from variables and files: ${NAME}, ${file:/run/secrets/name}",
    ),
    Reason("completion_model", Open, "a request has to name its model"),
    Reason("embedding_model", Open, "a request has to name its model"),
    Reason("infer_model_from_keys", Open, "list the models under `models`"),
    Reason("enforce_user_param", Open, "requests need not name their user"),
    Reason("enforced_params", Open, "what a request must hold is the provider's to say"),
    Reason("allowed_routes", Open, "only the routes of models are served"),
    Reason("public_routes", Open, "only the routes of models are served"),
    Reason("admin_only_routes", Open, "administration has a listener of its own"),
    Reason("allowed_ips", Open, "put a firewall, or a proxy, before it"),
    Reason("use_x_forwarded_for", Open, "name the proxies: listeners.api.trusted_proxies"),
    Reason("pass_through_endpoints", Open, "there are no pass-through routes here"),
    Reason("litellm_key_header_name", Open, "keys come in Authorization or x-api-key"),
    Reason("forward_client_headers_to_llm_api", Open, "headers of clients are not passed on"),
    Reason("forward_openai_org_id", Open, "headers of clients are not passed on"),
    Reason("user_api_key_cache_ttl", Told, "keys are in memory"),
    Reason("disable_master_key_return", Told, "no secret is ever shown"),
    Reason("disable_adding_master_key_hash_to_db", Told, NO_DATABASE),
    Reason(
        "disable_retry_on_max_parallel_request_limit_error",
        Open,
        "a full provider is passed over for the next target",
    ),
    Reason("max_response_size_mb", Open, "answers have no size limit of their own"),
    Reason("maximum_spend_logs_retention_interval", Told, LEDGER),
    Reason("default_team_disabled", Open, IN_DATABASE),
    Reason("service_account_settings", Open, IN_DATABASE),
    Reason("custom_key_generate", Open, IN_DATABASE),
];
const DATABASE: &str = "keys, users, teams and spending in LiteLLM's database cannot be read from here: make keys with \
    `sluice key new`, or list the blake3 hash of a key that a client has, and it goes on working";
const NO_DATABASE: &str = "there is no database to run";
const LEDGER: &str = "the usage ledger writes and cleans up by itself";

/// Sections that have no counterpart at all.
pub(super) const SECTIONS: &[Reason] = &[
    Reason("guardrails", Open, "there are no guardrails here: keep them before or behind the gateway"),
    Reason("mcp_servers", Open, "there is no MCP gateway here"),
    Reason("mcp_tools", Open, "there is no MCP gateway here"),
    Reason("vector_store_registry", Open, "there are no vector stores here"),
    Reason("search_tools", Open, "there are no search tools here"),
    Reason("agent_list", Open, "there are no agents here"),
    Reason("prompts", Open, "there is no prompt management here"),
    Reason("policies", Open, "there are no guardrails here: keep them before or behind the gateway"),
    Reason("finetune_settings", Open, "fine-tuning goes to the provider directly"),
    Reason("files_settings", Open, "files go to the provider directly"),
    Reason("callback_settings", Open, CALLBACK),
    Reason("credential_list", Open, "no model refers to it"),
    Reason(
        "team_settings",
        Open,
        "teams are tenants: list them under `tenants`, and their keys under `keys`",
    ),
    Reason(
        "default_team_settings",
        Open,
        "teams are tenants: list them under `tenants`, and their keys under `keys`",
    ),
    Reason("worker_startup_hooks", Open, "nothing can be run at the start"),
];

/// What is said of any other section.
pub(super) const SECTION: &str = "a section that is not known here";
