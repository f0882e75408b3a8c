//! One upstream call for equal requests.
//!
//! The first of them leads: its walk becomes the source of a flight, and the others read along. A leader's
//! failure sends one of the others to lead the next flight; what would fail for all of them alike is told to
//! all of them.

use crate::{
    cache::{
        flight::{End, Opening, Reader},
        flights::{Boarding, Ticket},
        store::{Fetched, Keep, Recalled},
    },
    error::{ErrorKind, GatewayError},
    facts::{Cached, Call, Plan},
    telemetry::{
        exchange::{CacheNote, Recorder},
        labels::{CacheResult, CacheTier},
    },
    upstream::{
        attempt::Delivery,
        failover::{self, Walk, Walked},
        lead::Lead,
    },
};
use std::future::poll_fn;
use tokio_util::sync::CancellationToken;

/// Flights that a request follows before it takes their failure for its own.
const PATIENCE: usize = 2;

/// Answers a request that may be answered together with others.
pub async fn run(
    cached: Cached,
    plan: Plan,
    mut call: Call,
    mut recorder: Recorder,
    cut: CancellationToken,
) -> Walked {
    call.shared = true;
    let (stream, wants_usage) = (call.stream, call.wants_usage());
    let mut followed = 0;
    loop {
        let boarding = if cached.joins {
            let recall = || cached.cache.recall_again(&cached.key, cached.max_age);
            cached.cache.flights.board(cached.key, wants_usage, cached.limit, recall)
        } else {
            Boarding::Lead(Ticket::alone(cached.limit))
        };
        let mut reader = match boarding {
            Boarding::Landed(entry) => match Recalled::of(&entry, stream, wants_usage).await {
                Some(recalled) => {
                    recorder.cache = CacheNote::hit(&entry, CacheTier::Memory);
                    return Walked { recorder, result: Ok(Delivery::Recalled(recalled)) };
                }
                None => return alone(plan, call, recorder, cut).await,
            },
            Boarding::Lead(ticket) => return lead(ticket, cached, plan, call, recorder, cut).await,
            Boarding::Join(reader) => reader,
        };
        followed += 1;
        recorder.cache = CacheNote::new(CacheResult::Coalesced);
        let opening = tokio::select! {
            biased;
            opening = opening(&mut reader, stream) => opening,
            () = cut.cancelled() => {
                let error = GatewayError::new(ErrorKind::Draining, "The gateway is shutting down.");
                return Walked { recorder, result: Err(error) };
            }
        };
        let result = match opening {
            Opening::Stream | Opening::Complete(_) | Opening::Outgrown if stream => {
                recorder.cache.giver = reader.giver();
                Ok(Delivery::Shared(reader))
            }
            Opening::End(End::Failed(error)) if followed < PATIENCE && may_differ(&error) => continue,
            Opening::End(End::Failed(error)) => Err(error),
            Opening::End(End::Broken(broken)) => Err(broken.error),
            Opening::End(End::Plain(entry, _) | End::Found(entry)) | Opening::Complete(entry) => {
                recorder.cache.give(&entry);
                match Recalled::of(&entry, stream, wants_usage).await {
                    Some(recalled) => Ok(Delivery::Recalled(recalled)),
                    None => return alone(plan, call, recorder, cut).await,
                }
            }
            // Whole, but not kept whole: it can only be read as it came.
            Opening::Stream | Opening::Outgrown | Opening::End(End::Whole) => {
                return alone(plan, call, recorder, cut).await;
            }
        };
        return Walked { recorder, result };
    }
}

/// A stream's reader needs its beginning; who wants another form than it comes in needs the whole.
async fn opening(reader: &mut Reader, stream: bool) -> Opening {
    if stream {
        return poll_fn(|cx| reader.poll_opening(cx)).await.0;
    }
    poll_fn(|cx| reader.poll_whole(cx)).await
}

/// Might another walk end better? What the upstream said of the request itself it would say again.
fn may_differ(error: &GatewayError) -> bool {
    !matches!(error.kind, ErrorKind::UpstreamRefused(_) | ErrorKind::Draining | ErrorKind::NotActive)
}

/// What cannot be shared is asked for alone, and not kept.
async fn alone(plan: Plan, mut call: Call, mut recorder: Recorder, cut: CancellationToken) -> Walked {
    call.shared = false;
    recorder.cache = CacheNote::new(CacheResult::Miss);
    failover::run(plan, call, recorder, cut).await
}

/// Leads a flight.
async fn lead(
    ticket: Ticket,
    cached: Cached,
    plan: Plan,
    call: Call,
    mut recorder: Recorder,
    cut: CancellationToken,
) -> Walked {
    recorder.cache = CacheNote::new(CacheResult::Miss);
    recorder.cache.refreshed = !cached.looks_up;
    let (stream, wants_usage) = (call.stream, call.wants_usage());
    // Should the record be lost with a panic of the flight, the client is still told.
    let spare = recorder.spare();
    let planned = plan.targets.first().cloned();
    let keep = Keep {
        cache: cached.cache.clone(),
        key: cached.key,
        ttl: cached.ttl,
        limit: cached.limit,
        tags: cached.tags.clone(),
        generation: cached.generation,
        dialect: call.envelope.dialect(),
    };
    let walk: Walk = Box::pin(look_and_walk(cached, plan, call, recorder, cut));
    let mut reader = ticket.launch(Box::new(Lead::new(walk, keep, planned)), wants_usage);
    let (opening, record) = poll_fn(|cx| reader.poll_opening(cx)).await;
    let Some(mut recorder) = record else {
        let error =
            GatewayError::new(ErrorKind::Internal, "The gateway failed on this request; the fault is ours.");
        return Walked { recorder: spare.open(), result: Err(error) };
    };
    let result = match opening {
        Opening::Stream | Opening::Outgrown | Opening::Complete(_) => Ok(Delivery::Shared(reader)),
        Opening::End(End::Failed(error)) => Err(error),
        Opening::End(End::Broken(broken)) => Err(broken.error),
        Opening::End(End::Plain(entry, stored)) => {
            reader.settle(&mut recorder);
            recorder.cache.stored = stored;
            Recalled::of(&entry, stream, wants_usage).await.map(Delivery::Recalled).ok_or_else(no_answer)
        }
        // It was found to serve this client before it was taken.
        Opening::End(End::Found(entry)) => {
            Recalled::of(&entry, stream, wants_usage).await.map(Delivery::Recalled).ok_or_else(no_answer)
        }
        Opening::End(End::Whole) => Err(no_answer()),
    };
    Walked { recorder, result }
}

fn no_answer() -> GatewayError {
    GatewayError::new(ErrorKind::Internal, "The answer cannot be given in the form that was asked for.")
}

/// The second tier first, then the upstreams.
async fn look_and_walk(
    cached: Cached,
    plan: Plan,
    call: Call,
    mut recorder: Recorder,
    cut: CancellationToken,
) -> Walked {
    if cached.looks_up {
        match cached.cache.fetch(&cached.key, cached.max_age).await {
            Fetched::Hit(entry) => {
                if let Some(recalled) = Recalled::of(&entry, call.stream, call.wants_usage()).await {
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
