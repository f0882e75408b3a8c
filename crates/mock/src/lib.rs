//! A deterministic upstream that speaks OpenAI's and Anthropic's dialects: the demo's model, the tests'
//! counterpart, the benchmarks' far end. It knows nothing of the gateway and shares no parser with it.
//!
//! # Endpoints
//! `POST completions`, `chat/completions`, `embeddings`, `responses`, `messages`, `messages/count_tokens`;
//! `GET models`, `models/{id}`. The path before them says which provider the mock plays:
//!
//! | `base_url` ends in | provider |
//! | --- | --- |
//! | `/v1` | all endpoints; takes any member in OpenAI's dialects |
//! | `/chat-only/v1` | a compatible one that has chat completions and embeddings alone, 404 for the rest; takes what vendors add, and refuses other dialects' members |
//! | `/strict/v1` | OpenAI: refuses what it does not know |
//! | `/anthropic/v1` | Anthropic: messages alone, models and errors in its shape |
//! | `/openai/v1` | Azure OpenAI, its `v1` paths: needs `api-key` or a Bearer, tells its filters' findings |
//! | `/openai` | Azure OpenAI, `/deployments/{deployment}/…?api-version=…`: 404 without a version |
//!
//! `messages` is judged as Anthropic's API does at every path: key and `anthropic-version`, unknown members, the order
//! of calls and results, at most 4 marks for the cache, the signatures of thoughts. With `thinking` enabled or adaptive
//! an answer begins with thoughts. Only a marked request is read from the prompt cache there.
//!
//! With a `seed` (or `temperature: 0`) the text depends on model, prompt and seed alone; without, it varies.
//! Tokens are counted nearly as OpenAI's `o200k` does. Prompts seen before are reported as cached in steps
//! of 64 tokens. When `tools` are given and the user spoke last, the answer is a call of the tool that fits
//! best; who says `both` gets two calls in parallel.
//!
//! # Models
//! | model | behaviour |
//! | --- | --- |
//! | `demo` | streams at a readable pace, 20 ms a piece |
//! | `demo-slow` | 3 s before anything, then 150 ms a piece |
//! | `demo-flaky` | 500 for 3 of every 10 requests: the 3rd, 6th and 9th |
//! | `demo-limited` | 429 with `retry-after: 2` for every second request |
//! | `demo-down` | 503 |
//! | `bench…` | a constant answer made ahead, see [`BenchSettings`]; not recorded, no scripts |
//! | `mock-<status>` | that error, 400 to 599 |
//! | `mock-slow-<ms>` | waits before the head |
//! | `mock-late-<ms>` | a stream's head at once, its first event after a pause |
//! | `mock-cut-<n>` | drops the connection after n pieces; plain: after half the body |
//! | `mock-eof-<n>` | ends the stream properly after n pieces, without its last event; plain: half a document |
//! | `mock-hang-<n>` | sends nothing more after n pieces and keeps the connection; plain: after half the body |
//! | `mock-error-<n>` | an error event after n pieces, then the end; plain: 500 |
//! | `mock-drop` | closes the connection without a byte |
//! | `mock-html`, `mock-garbage` | 200 with an HTML page; 200 with half a JSON document |
//! | `mock-stream-<n>` | exactly n content pieces |
//! | `mock-pace-<ms>-<n>` | n content pieces with a pause between |
//! | `mock-echo` | says the request's body, byte for byte |
//! | `mock-thinks` | thinks first, unasked: `reasoning_content`, or a `reasoning` item |
//! | `mock-redacted` | where it is asked to think, gives `redacted_thinking` |
//! | `mock-chatty` | says something before it calls a tool |
//! | `mock-refusal` | declines, in the dialect's way |
//! | `mock-filter` | a filter ends the answer after a few words |
//! | `mock-filter-prompt` | 400 with the code `content_filter` |
//! | `mock-strict` | an ordinary model that is judged as `/strict/v1` does |
//! | `mock-missing` | as an Azure deployment: 404 `DeploymentNotFound` |
//! | anything else | an ordinary model without a pause |
//!
//! With n = 0 a fault comes before the stream's first event.
//!
//! # Control
//! | path | |
//! | --- | --- |
//! | `POST /__mock/config` | a [`Config`] as JSON, or its numbers as a query; answers the [`BenchSettings`] in force |
//! | `GET /__mock/stats` | [`Counts`] |
//! | `GET /__mock/requests` | the last 100 requests, oldest first, as [`Recorded`] |
//! | `POST /__mock/reset` | as new, but for what is open |
//! | `GET /readyz` | 200, for `sluice health --admin ADDR` |
//!
//! A script, its steps as [`ScriptStep`]:
//!
//! ```json
//! {"models": [{"model": "x", "script": [{"status": 500}, {"like": "mock-cut-2"}], "repeat": false}]}
//! ```
//!
//! In the same process a [`MockHandle`] does all of it.

mod answer;
mod azure;
mod bench;
mod body;
mod call;
mod chat;
mod clock;
mod completions;
mod compose;
mod control;
mod door;
mod embeddings;
mod endpoint;
mod fault;
mod http;
mod input;
mod journal;
mod logprobs;
mod messages;
mod model;
mod models;
mod openai;
mod perform;
mod prefix;
mod refusal;
mod reply;
mod responses;
mod rng;
mod schema;
mod script;
mod server;
mod spent;
mod sse;
mod state;
mod stats;
mod strict;
mod talk;
mod tokens;
mod words;

#[cfg(test)]
mod tests;

pub use bench::BenchSettings;
pub use control::{Config, ModelScript};
pub use journal::Recorded;
pub use script::{ScriptStep, Then};
pub use server::{Mock, MockHandle, Options};
pub use spent::{Cut, Finished, ModelTokens};
pub use stats::Counts;
