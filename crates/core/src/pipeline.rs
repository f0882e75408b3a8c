//! The request function: every stage in the order in which it runs.
//!
//! Each stage returns a fact that a later one needs, so the compiler keeps the order; the reason for it stands
//! beside each line.

use crate::{
    app::App,
    cache::store::Recalled,
    error::{ErrorKind, GatewayError},
    facts::{Cached, Call, Plan},
    reply::{
        body::ReplyBody,
        head::{self, StreamRules},
        render::Audience,
        unread::Watched,
    },
    request_id,
    server::{
        client_address,
        cors::{self, Grant},
        io::ConnState,
        routes::{self, Endpoint, Route},
    },
    stages::{
        auth,
        cache::{self, Keyed, LookUp},
        count, intake, limits,
        models::{self, Shape},
        route,
    },
    state::snapshot::Snapshot,
    telemetry::{
        exchange::{CacheNote, Exchange, Recorder},
        labels::{CacheResult, EndpointLabel, Stage},
        tags,
        trace::{self, Onward, Trace},
    },
    timer,
    upstream::{
        abandoned::Leaving,
        failover::{self, Walk},
        share,
    },
};
use bytes::Bytes;
use futures_util::FutureExt;
use http::{HeaderValue, Method, Request, Response, Version, header, request::Parts};
use http_body::Body as _;
use hyper::body::Incoming;
use sluice_config::model::ApiListener;
use sluice_protocol::Dialect;
use std::{
    net::SocketAddr,
    panic::AssertUnwindSafe,
    pin::{Pin, pin},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};
use tokio_util::sync::CancellationToken;

/// A request, and what it arrived on.
pub struct Arrival {
    /// The gateway.
    pub app: Arc<App>,
    /// Who connected.
    pub peer: SocketAddr,
    /// The connection's state.
    pub connection: Arc<ConnState>,
    /// Fires when the drain is over.
    pub cut: CancellationToken,
    /// Head and body.
    pub request: Request<Incoming>,
}

/// Answers a request. Whatever happens inside, the client gets an answer: a panic becomes a 500.
pub async fn handle(arrival: Arrival) -> Response<ReplyBody> {
    let Arrival { app, peer, connection, cut, request } = arrival;
    let (head, body) = request.into_parts();
    let route = routes::find(head.uri.path());
    let audience = Audience::of(&head, route.as_ref());
    let label = route.as_ref().map_or(EndpointLabel::Other, Route::label);
    let mut recorder = Recorder::open(app.clone(), request_id::of(&head.headers), peer, label);
    recorder.anthropic = audience.dialect.is_anthropic();
    recorder.body_left = !body.is_end_stream();
    recorder.head_only = head.method == Method::HEAD;
    let id = recorder.id.clone();
    // One configuration for the whole request, whatever is reloaded meanwhile.
    let snapshot = app.snapshot();
    // A page of another origin may read the answer whatever it is, or not at all.
    let page = cors::grant(snapshot.settings.listeners.api.cors.as_ref(), &head.headers);

    let asked = Asked { head: &head, route, audience, page: page.as_ref() };
    let work = answer(&app, &snapshot, asked, body, cut, recorder);
    let answered = AssertUnwindSafe(work).catch_unwind().await;
    let mut response = answered.unwrap_or_else(|_| {
        app.metrics.panics.inc();
        head::panicked(&id, audience)
    });
    if let Some(page) = page {
        page.write(response.headers_mut());
    }
    let cut_off = response.body().left_body_unread();
    if cut_off {
        connection.leave_unread();
    }
    if cut_off || app.is_draining() {
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

/// What head and path say, before anything is decided.
struct Asked<'a> {
    head: &'a Parts,
    route: Option<Route<'a>>,
    audience: Audience,
    /// The page that may read the answer.
    page: Option<&'a Grant>,
}

async fn answer(
    app: &Arc<App>,
    snapshot: &Arc<Snapshot>,
    asked: Asked<'_>,
    body: Incoming,
    cut: CancellationToken,
    mut recorder: Recorder,
) -> Response<ReplyBody> {
    let Asked { head, route, audience, page } = asked;
    let proxies = &snapshot.settings.listeners.api.trusted_proxies;
    recorder.client = client_address::of(recorder.client, &head.headers, proxies);
    recorder.trace = Trace::begin(
        snapshot.tracer.as_ref(),
        trace::Head {
            headers: &head.headers,
            method: &head.method,
            route: route.as_ref().and_then(|route| route.template(head.uri.path())),
            secure: snapshot.settings.listeners.api.tls.is_some(),
        },
    );
    // Before all else, since browsers send no key with it.
    if let Some(route) = route.as_ref().filter(|_| page.is_some() && cors::is_preflight(head)) {
        return head::preflight(recorder, route, &head.headers);
    }
    match admit(app, snapshot, head, body, route, &cut, &mut recorder).await {
        Ok(Admitted::Own(json)) => head::own(recorder, json),
        Ok(Admitted::Hit(recalled)) => {
            let heartbeat = recorder.model.as_ref().map_or(Duration::MAX, |model| model.heartbeat);
            head::recalled(recorder, recalled, StreamRules { audience, heartbeat, cut })
        }
        Ok(Admitted::Call(call, plan, cached)) => forward(call, plan, cached, recorder, audience, cut).await,
        Err(error) => head::refuse(recorder, &error, audience),
    }
}

/// What the stages made of a request.
enum Admitted {
    /// Answered from what we know ourselves.
    Own(Bytes),
    /// Answered before.
    Hit(Recalled),
    /// To be asked of an upstream; by others at the same time, and for later, where it may be kept.
    Call(Box<Call>, Box<Plan>, Option<Box<Cached>>),
}

/// The stages, in their order.
async fn admit(
    app: &App,
    snapshot: &Snapshot,
    head: &Parts,
    body: Incoming,
    route: Option<Route<'_>>,
    cut: &CancellationToken,
    x: &mut Recorder,
) -> Result<Admitted, GatewayError> {
    // Path and method: a wrong one is wrong for everybody, and says nothing of keys.
    let route = route.ok_or_else(|| routes::unknown(head.uri.path()))?;
    route.check_method(&head.method)?;
    check_host(head)?;
    // The key, before a byte of the body is read: strangers cost nothing.
    let caller = auth::identify(snapshot, head, route.family, x.started, &app.metrics);
    x.laps.end(Stage::Auth);
    let caller = caller?;
    // From here on the request is an accepted one, which leaves a usage record whatever becomes of it.
    x.key = Some(caller.key.clone());
    x.tags = tags::read(&head.headers, &snapshot.tags);
    let shape = || Shape::of(route.family, &head.headers);
    let dialect = match &route.endpoint {
        Endpoint::Call(dialect) => *dialect,
        Endpoint::Models => return Ok(Admitted::Own(models::list(snapshot, &caller.key, shape()))),
        Endpoint::Model(id) => {
            let entry = route::find(snapshot, &caller.key, id, &app.metrics)?;
            return Ok(Admitted::Own(models::one(id, entry, shape())));
        }
    };
    // Room, before memory is spent on a body: of the gateway, and of the tenant's share of it.
    let listener = &snapshot.settings.listeners.api;
    check_room(app, listener.max_in_flight)?;
    limits::enter(&caller.key, &app.metrics, &mut x.limits)?;
    x.laps.end(Stage::Limit);
    // What the head says of the body, before the body.
    intake::check_head(head, &body, listener)?;
    x.uploads();
    let body = receive(body, listener, cut).await?;
    x.received(body.len());
    // In boxes, since they are handed on from stage to stage.
    let mut call = Box::new(intake::read(head, body, dialect, route.profile(), &x.id)?);
    call.trace = Onward::of(x.trace.as_ref(), &head.headers);
    x.user = if snapshot.settings.ledger.keep_user { tags::user(&call.envelope) } else { None };
    x.stream = call.stream;
    x.laps.end(Stage::Decode);
    // The model: only a sound body names one.
    let model = route::resolve(snapshot, &caller.key, &call, &app.metrics)
        .inspect_err(|_| x.requested_model = Some(route::shown(&call.envelope.model())))?;
    x.model = Some(model.clone());
    x.laps.end(Stage::Route);
    // May the answer be a stored one? Before the targets, since the key of such a request chooses among them.
    let candidate = cache::judge(snapshot.cache.as_ref(), &caller.key, &model, &head.headers, &call, x)?;
    x.laps.end(Stage::Cache);
    let draft = candidate.as_ref().map(|candidate| &candidate.draft);
    let asking =
        route::Asking { snapshot, key: &caller.key, headers: &head.headers, call: &call, came: x.started };
    let mut plan = Box::new(route::plan(model, asking, draft)?);
    x.laps.end(Stage::Route);
    let keyed = candidate.map(|candidate| candidate.toward(&plan)).transpose()?;
    if keyed.is_some() {
        x.laps.end(Stage::Cache);
    }
    // A count has no prompt that is paid for.
    x.prompt_tokens = match dialect {
        Dialect::CountTokens => 0,
        _ => keyed.as_ref().and_then(Keyed::prompt_tokens).unwrap_or_else(|| call.prompt_tokens()),
    };
    x.laps.end(Stage::Decode);
    // The limits, once it is known whom the request may burden: one that could not be served takes nothing from
    // anybody's bucket. Before the look-up, since a stored answer is a request like any other.
    let at_hand = |plan: &Plan| keyed.as_ref().is_some_and(|keyed| keyed.is_at_hand(plan));
    // A client in a hurry does not stand in a line for longer than it waits at all.
    let until = call.patience.map(|_| plan.deadline);
    let admitted = {
        let line = pin!(limits::admit(app, snapshot, &caller.key, &call, &plan, at_hand, x));
        in_line(line, until, cut).await
    };
    let admitted = admitted.unwrap_or_else(|why| Err(out_of_line(x, why)));
    // The cache is not come to by a request that is refused.
    plan.passed_over = admitted.inspect_err(|_| x.cache = CacheNote::default())?;
    x.laps.end(Stage::Limit);
    if dialect == Dialect::CountTokens {
        if !count::is_made_there(&plan) {
            x.limits.leave_provider();
            return Ok(Admitted::Own(count::own(call.prompt_tokens())));
        }
        count::keep_those_who_make_it(&mut plan);
    }
    let Some(keyed) = keyed else {
        return Ok(Admitted::Call(call, plan, None));
    };
    let looked_up = cache::look_up(keyed, &caller.key, &plan, &call, x).await;
    x.laps.end(Stage::Cache);
    match looked_up? {
        LookUp::Hit(recalled) => Ok(Admitted::Hit(recalled)),
        LookUp::Ask(cached) => Ok(Admitted::Call(call, plan, Some(cached))),
    }
}

/// Receives the body, unless the drain ends before it does.
async fn receive(
    body: Incoming,
    listener: &ApiListener,
    cut: &CancellationToken,
) -> Result<Bytes, GatewayError> {
    tokio::select! {
        biased;
        received = intake::receive(body, listener) => received,
        () = cut.cancelled() => Err(draining()),
    }
}

/// Asks the upstreams. A stream that has to wait long gets its head first; the walk then goes on in its body.
async fn forward(
    call: Box<Call>,
    plan: Box<Plan>,
    cached: Option<Box<Cached>>,
    mut recorder: Recorder,
    audience: Audience,
    cut: CancellationToken,
) -> Response<ReplyBody> {
    let rules = StreamRules { audience, heartbeat: plan.entry.heartbeat, cut: cut.clone() };
    let stream = call.stream;
    recorder.leaving = Leaving::of(&plan);
    if !stream {
        let walked = match cached {
            cached if recorder.leaving.is_some() => walk(call, plan, cached, recorder, cut).await,
            Some(cached) => share::run(cached, plan, call, recorder, cut).await,
            None => failover::run(plan, call, recorder, cut).await,
        };
        return head::answer(walked, rules);
    }
    let id = recorder.id.clone();
    let committed = Arc::new(AtomicBool::new(false));
    recorder.committed = Some(committed.clone());
    let commit_after = plan.entry.commit_after;
    let mut note = recorder.cache.clone();
    let remaining = recorder.limits.remaining;
    let coalesced = cached.as_ref().map(|cached| cached.coalesced.clone());
    if let Some(cached) = &cached {
        note = CacheNote::new(CacheResult::Miss);
        note.refreshed = !cached.looks_up;
    }
    let mut walk = walk(call, plan, cached, recorder, cut);
    match tokio::time::timeout(commit_after, &mut walk).await {
        Ok(walked) => head::answer(walked, rules),
        Err(_) => {
            committed.store(true, Ordering::Relaxed);
            if coalesced.is_some_and(|coalesced| coalesced.load(Ordering::Relaxed)) {
                note = CacheNote::new(CacheResult::Coalesced);
            }
            head::waiting(&id, &note, &remaining, walk, rules)
        }
    }
}

/// The walk to an answer, as a thing that can be handed on.
fn walk(
    call: Box<Call>,
    plan: Box<Plan>,
    cached: Option<Box<Cached>>,
    recorder: Recorder,
    cut: CancellationToken,
) -> Walk {
    let (leaving, app) = (recorder.leaving.clone(), recorder.app().clone());
    let walk: Walk = match cached {
        Some(cached) => Box::pin(share::run(cached, plan, call, recorder, cut)),
        None => Box::pin(failover::run(plan, call, recorder, cut)),
    };
    match leaving {
        Some(leaving) => Box::pin(Watched::new(walk, leaving, app)),
        None => walk,
    }
}

/// Stands in a line for room, which ends by itself, with the client's patience, or with the drain.
async fn in_line<T>(
    line: Pin<&mut impl Future<Output = T>>,
    until: Option<Instant>,
    cut: &CancellationToken,
) -> Result<T, GatewayError> {
    tokio::select! {
        biased;
        done = line => Ok(done),
        () = cut.cancelled() => Err(draining()),
        () = timer::until(until) => Err(out_of_patience()),
    }
}

/// The request leaves the line in which it stood until now.
fn out_of_line(x: &mut Exchange, why: GatewayError) -> GatewayError {
    x.waited_by_rule(x.laps.running());
    why
}

fn out_of_patience() -> GatewayError {
    let text = "No room came up in the time that the request allows (x-sluice-timeout-ms).";
    GatewayError::new(ErrorKind::Limited, text).retry_after(Some(Duration::from_secs(1)))
}

fn draining() -> GatewayError {
    GatewayError::new(ErrorKind::Draining, "The gateway is shutting down.")
}

/// Exactly one `Host`: two readers of two names would not agree on who was asked.
fn check_host(head: &Parts) -> Result<(), GatewayError> {
    let mut hosts = head.headers.get_all(header::HOST).iter();
    match (hosts.next(), hosts.next()) {
        (Some(_), None) => Ok(()),
        (None, _) if head.version == Version::HTTP_10 => Ok(()),
        _ => Err(GatewayError::new(ErrorKind::BadHead, "A request must have exactly one Host header.")),
    }
}

fn check_room(app: &App, max_in_flight: usize) -> Result<(), GatewayError> {
    if app.in_flight.total() <= max_in_flight {
        return Ok(());
    }
    let error =
        GatewayError::new(ErrorKind::Overloaded, "The gateway serves as many requests as it may; try again.");
    Err(error.retry_after(Some(Duration::from_secs(1))))
}
