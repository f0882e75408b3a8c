//! The floor of the benchmark: the least that a hyper-based LLM proxy can do.
//!
//! Multi-threaded tokio, hyper's server, hyper-util's pooled client, bodies passed through untouched. With
//! `--inspect` it reads `model` and `stream` of the request and `usage` of a plain answer, and swaps the
//! credential: what every gateway must do at least. With `--answer` it asks nobody and answers itself, always the same:
//! the least that an answer from a cache can cost. It has no other purpose, and no error handling.

use bytes::Bytes;
use clap::Parser;
use http_body_util::{BodyExt, Full, combinators::BoxBody};
use hyper::{
    Request, Response, Uri,
    body::Incoming,
    header::{self, HeaderValue},
    http::uri::{Authority, Scheme},
    service::service_fn,
};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::{TokioExecutor, TokioIo},
};
use std::{
    borrow::Cow,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

type Body = BoxBody<Bytes, hyper::Error>;
type AnyError = Box<dyn std::error::Error + Send + Sync>;

/// A bare pass-through proxy.
#[derive(Parser)]
struct Args {
    /// Where to listen.
    #[arg(long)]
    listen: SocketAddr,
    /// Where to send everything.
    #[arg(long, required_unless_present = "answer")]
    upstream: Option<Authority>,
    /// Ask nobody, and answer so many bytes once a request has been read.
    #[arg(long)]
    answer: Option<usize>,
    /// Read the request's model and the answer's usage.
    #[arg(long)]
    inspect: bool,
    /// Leave Nagle's algorithm on towards the client, to see what it does to streams.
    #[arg(long)]
    nagle: bool,
}

#[derive(serde::Deserialize)]
struct Ask<'a> {
    #[serde(borrow)]
    model: Cow<'a, str>,
    #[serde(default)]
    stream: bool,
}

#[derive(serde::Deserialize)]
struct Reply {
    usage: Option<Usage>,
}

#[derive(serde::Deserialize)]
struct Usage {
    total_tokens: u64,
}

struct Floor {
    client: Client<HttpConnector, Body>,
    upstream: Option<Authority>,
    answer: Option<Bytes>,
    inspect: bool,
    tokens: AtomicU64,
}

impl Floor {
    async fn handle(&self, request: Request<Incoming>) -> Result<Response<Body>, AnyError> {
        let (mut parts, body) = request.into_parts();
        if let Some(answer) = &self.answer {
            whole(body).await?;
            return Ok(Response::new(full(answer.clone())));
        }
        let mut uri = parts.uri.into_parts();
        (uri.scheme, uri.authority) = (Some(Scheme::HTTP), self.upstream.clone());
        parts.uri = Uri::from_parts(uri)?;
        parts.headers.remove(header::HOST);
        parts.headers.remove(header::CONNECTION);
        if !self.inspect {
            let response = self.client.request(Request::from_parts(parts, body.boxed())).await?;
            return Ok(response.map(BodyExt::boxed));
        }
        let body = whole(body).await?;
        let ask: Ask<'_> = serde_json::from_slice(&body)?;
        if ask.model.is_empty() {
            return Err("no model".into());
        }
        let stream = ask.stream;
        parts.headers.insert(header::AUTHORIZATION, HeaderValue::from_static("Bearer sk-upstream"));
        let response = self.client.request(Request::from_parts(parts, full(body))).await?;
        if stream {
            return Ok(response.map(BodyExt::boxed));
        }
        let (parts, body) = response.into_parts();
        let body = whole(body).await?;
        if let Ok(Reply { usage: Some(usage) }) = serde_json::from_slice(&body) {
            self.tokens.fetch_add(usage.total_tokens, Ordering::Relaxed);
        }
        Ok(Response::from_parts(parts, full(body)))
    }
}

#[expect(clippy::disallowed_methods, reason = "the floor has no limits on purpose")]
async fn whole(body: Incoming) -> Result<Bytes, hyper::Error> {
    Ok(body.collect().await?.to_bytes())
}

fn full(body: Bytes) -> Body {
    Full::new(body).map_err(|never| match never {}).boxed()
}

async fn serve(args: Args) -> Result<(), AnyError> {
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    let client = Client::builder(TokioExecutor::new()).pool_max_idle_per_host(1024).build(connector);
    let floor = Arc::new(Floor {
        client,
        upstream: args.upstream,
        answer: args.answer.map(|bytes| vec![b' '; bytes].into()),
        inspect: args.inspect,
        tokens: AtomicU64::new(0),
    });
    let listener = tokio::net::TcpListener::bind(args.listen).await?;
    let mut connections = tokio::task::JoinSet::new();
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(!args.nagle)?;
        while connections.try_join_next().is_some() {}
        let floor = Arc::clone(&floor);
        connections.spawn(async move {
            let service = service_fn(|request| floor.handle(request));
            hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await
        });
    }
}

fn main() -> Result<(), AnyError> {
    let args = Args::parse();
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(serve(args))
}
