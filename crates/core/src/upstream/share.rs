//! One upstream call for equal requests, after one look into the second tier.
//!
//! The first of them leads: its walk becomes the source of a flight, and the others read along. A leader's
//! failure sends one of the others to lead the next flight. A refusal of the request itself is told to those
//! whose bodies are the same byte for byte; what one body has and the other has not may be the very reason.

use crate::{
    cache::{
        entry::Entry,
        flight::{End, Opening, Reader, Terms},
        flights::{Boarding, Ticket},
        store::{Fetched, Keep, Recalled, Wanted},
    },
    error::{Broken, ErrorKind, GatewayError},
    facts::{Cached, Call, Plan},
    telemetry::{
        exchange::{CacheNote, Recorder},
        labels::{AbortPhase, CacheResult, CacheTier},
    },
    upstream::{
        abandoned::Leaving,
        attempt::Delivery,
        failover::{self, Walk, Walked},
        failure::OUT_OF_TIME,
        lead::Lead,
    },
};
use std::{
    future::poll_fn,
    panic::resume_unwind,
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};
use tokio_util::sync::CancellationToken;

/// Flights that a request follows before it takes their failure for its own.
const PATIENCE: usize = 2;

/// Answers a request that may be answered together with others.
pub async fn run(
    cached: Box<Cached>,
    plan: Box<Plan>,
    mut call: Box<Call>,
    mut recorder: Recorder,
    cut: CancellationToken,
) -> Walked {
    call.shared = true;
    recorder.phase = AbortPhase::Wait;
    let wanted = Wanted { stream: call.stream, usage: call.wants_usage(), paced: cached.paced };
    let terms = terms(&cached, &plan, wanted);
    // A follower waits no longer than its own walk might take.
    let deadline = plan.deadline;
    let mut followed = 0;
    loop {
        let boarding = if cached.joins {
            let again = || cached.cache.recall_again(&cached.key, cached.max_age);
            let flights = &cached.cache.flights;
            flights.board(cached.key, &terms, wanted.usage, cached.limit, call.envelope.body(), again)
        } else {
            Boarding::Lead(Ticket::alone(cached.limit, terms.clone()))
        };
        let reader = match boarding {
            Boarding::Lead(ticket) => return lead(ticket, cached, plan, call, wanted, recorder, cut).await,
            Boarding::Landed(entry) => {
                let Some(recalled) = Recalled::of(&entry, wanted).await else {
                    return Box::pin(alone(plan, call, recorder, cut)).await;
                };
                recorder.limits.leave_provider();
                recorder.cache = CacheNote::hit(&entry, CacheTier::Memory);
                return Walked { recorder, result: Ok(Delivery::Recalled(recalled)) };
            }
            Boarding::Join(reader) => reader,
        };
        followed += 1;
        // Whoever follows asks no provider.
        recorder.limits.leave_provider();
        recorder.cache = CacheNote::new(CacheResult::Coalesced);
        cached.coalesced.store(true, Ordering::Relaxed);
        let followed_to = tokio::select! {
            biased;
            to = follow(reader, &call, wanted, cached.max_age, &mut recorder) => to,
            () = tokio::time::sleep_until(deadline.into()) => Followed::Done(Err(too_long(recorder.started.elapsed()))),
            () = cut.cancelled() => Followed::Done(Err(draining())),
        };
        match followed_to {
            Followed::Done(result) => return Walked { recorder, result },
            Followed::Again(_) if followed < PATIENCE => {}
            // What was told to the others holds for this request as well.
            Followed::Again(Some(error)) => return Walked { recorder, result: Err(error) },
            Followed::Again(None) | Followed::Alone => {
                return Box::pin(alone(plan, call, recorder, cut)).await;
            }
        }
    }
}

/// Where following another request's flight led.
enum Followed {
    /// To an answer, or to an error that is this request's, too.
    Done(Result<Delivery, GatewayError>),
    /// To nothing that settles it: another flight may. Holds an error that would do in the end.
    Again(Option<GatewayError>),
    /// To an answer that this request cannot read.
    Alone,
}

/// Reads along until it is known what the flight brings. The reader is let go before anything else is begun.
async fn follow(
    mut reader: Reader,
    call: &Call,
    wanted: Wanted,
    max_age: Option<Duration>,
    recorder: &mut Recorder,
) -> Followed {
    // A stream's reader needs its beginning; who wants another form than it comes in needs the whole.
    let opening = if wanted.stream {
        poll_fn(|cx| reader.poll_opening(cx)).await.0
    } else {
        poll_fn(|cx| reader.poll_whole(cx)).await
    };
    let entry = match opening {
        Opening::Stream | Opening::Complete(_) | Opening::Outgrown if wanted.stream => {
            recorder.cache.giver = reader.giver();
            return Followed::Done(Ok(Delivery::Shared(reader)));
        }
        Opening::End(End::Failed(error)) => {
            return match error.kind {
                ErrorKind::Draining => Followed::Done(Err(error)),
                // What lies with the request lies with an equal one; those that only share its key may differ in it.
                ErrorKind::UpstreamRefused(_) | ErrorKind::Unserved
                    if reader.asked() == call.envelope.body() =>
                {
                    Followed::Done(Err(error))
                }
                ErrorKind::UpstreamRefused(_) | ErrorKind::Unserved => Followed::Again(None),
                // Another client's hurry is none of this one's.
                _ if error.reason == Some(OUT_OF_TIME) => Followed::Again(None),
                _ => Followed::Again(Some(error)),
            };
        }
        Opening::End(End::Broken(broken)) => return Followed::Done(Err(broken.error)),
        Opening::End(End::Found(entry)) => {
            if max_age.is_some_and(|limit| entry.age(Instant::now()) > limit) {
                return Followed::Again(None);
            }
            recorder.cache = CacheNote::hit(&entry, CacheTier::Redis);
            entry
        }
        Opening::End(End::Plain(entry, _)) | Opening::Complete(entry) => {
            recorder.cache.give(&entry);
            entry
        }
        // Whole, but not kept whole: it can only be read as it came.
        Opening::Stream | Opening::Outgrown | Opening::End(End::Whole) => return Followed::Alone,
    };
    drop(reader);
    let recalled = Recalled::of(&entry, wanted).await;
    recalled.map_or(Followed::Alone, |recalled| Followed::Done(Ok(Delivery::Recalled(recalled))))
}

/// What requests must have in common to read one flight, beside their key.
fn terms(cached: &Cached, plan: &Plan, wanted: Wanted) -> Terms {
    let asked_by_us = plan.choices.first().is_some_and(|first| first.target.provider.ask_usage);
    let usage = (wanted.stream && !asked_by_us).then_some(wanted.usage);
    Terms { generation: cached.generation, usage }
}

fn draining() -> GatewayError {
    GatewayError::new(ErrorKind::Draining, "The gateway is shutting down.")
}

fn too_long(limit: Duration) -> GatewayError {
    let text = format!("An equal request under way brought no answer within {} s.", limit.as_secs_f64());
    GatewayError::new(ErrorKind::UpstreamTimeout, text)
}

/// What cannot be shared is asked for alone, and not kept. Rare, so callers box it: its state would otherwise be
/// part of every request's.
async fn alone(
    plan: Box<Plan>,
    mut call: Box<Call>,
    mut recorder: Recorder,
    cut: CancellationToken,
) -> Walked {
    call.shared = false;
    recorder.cache = CacheNote::new(CacheResult::Miss);
    failover::run(plan, call, recorder, cut).await
}

/// Leads a flight.
async fn lead(
    ticket: Ticket,
    mut cached: Box<Cached>,
    plan: Box<Plan>,
    call: Box<Call>,
    wanted: Wanted,
    mut recorder: Recorder,
    cut: CancellationToken,
) -> Walked {
    recorder.cache = CacheNote::new(CacheResult::Miss);
    recorder.cache.refreshed = !cached.looks_up;
    let planned = plan.choices.first().map(|first| first.target.clone());
    let keep = Keep {
        cache: cached.cache.clone(),
        key: cached.key,
        ttl: cached.ttl,
        limit: cached.limit,
        // The walk has no use for them.
        tags: std::mem::take(&mut cached.tags),
        generation: cached.generation,
        dialect: call.envelope.dialect(),
        prompt_tokens: recorder.prompt_tokens,
    };
    // Others may read on when the client of this request has left: the flight knows when nobody does.
    let leaving = Leaving::of(&plan);
    recorder.leaving = leaving.clone();
    let unclaimed = recorder.app().unclaimed().clone();
    let walk: Walk = Box::pin(look_and_walk(cached, plan, call, wanted, recorder, cut));
    let mut reader =
        ticket.launch(Box::new(Lead::new(walk, keep, planned, unclaimed, leaving)), wanted.usage);
    let (opening, record) = poll_fn(|cx| reader.poll_opening(cx)).await;
    let Some(mut recorder) = record else {
        // The walk has panicked, wherever it was polled, and has taken its request's record along: the request
        // ends as one whose own handler panicked.
        resume_unwind(Box::new("the flight that this request led has panicked"));
    };
    let result = match opening {
        Opening::Stream | Opening::Outgrown | Opening::Complete(_) => Ok(Delivery::Shared(reader)),
        Opening::End(End::Failed(error)) => Err(error),
        Opening::End(End::Broken(broken)) => Err(broken.error),
        Opening::End(End::Plain(entry, stored)) => {
            reader.settle(&mut recorder);
            recorder.cache.stored = stored;
            whole(&entry, Wanted { paced: false, ..wanted }).await
        }
        // It was found to serve this client before it was taken.
        Opening::End(End::Found(entry)) => whole(&entry, wanted).await,
        Opening::End(End::Whole) => Err(Broken::fault().error),
    };
    Walked { recorder, result }
}

/// The leader's own answer, which is in a form that it can be given in.
async fn whole(entry: &Arc<Entry>, wanted: Wanted) -> Result<Delivery, GatewayError> {
    Recalled::of(entry, wanted).await.map(Delivery::Recalled).ok_or_else(|| Broken::fault().error)
}

/// The second tier first, then the upstreams.
async fn look_and_walk(
    cached: Box<Cached>,
    plan: Box<Plan>,
    call: Box<Call>,
    wanted: Wanted,
    mut recorder: Recorder,
    cut: CancellationToken,
) -> Walked {
    if cached.looks_up {
        match cached.cache.fetch(&cached.key, cached.max_age).await {
            Fetched::Hit(entry) => {
                if let Some(recalled) = Recalled::of(&entry, wanted).await {
                    recorder.limits.leave_provider();
                    recorder.cache = CacheNote::hit(&entry, CacheTier::Redis);
                    return Walked { recorder, result: Ok(Delivery::Recalled(recalled)) };
                }
            }
            Fetched::Trouble => {
                recorder.cache.result = Some(CacheResult::Error);
                recorder.cache.tier = Some(CacheTier::Redis);
            }
            Fetched::Miss => {}
        }
    }
    failover::run(plan, call, recorder, cut).await
}
