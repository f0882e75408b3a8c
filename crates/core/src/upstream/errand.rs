//! One try, from the body that it sends and its beginning in the record to what it says of its target and its key.
//!
//! Owns what is noted; the asking itself is `attempt`'s. A request that a target cannot take without losing what was
//! asked never becomes a try.

use crate::{
    facts::{Call, Choice, Plan},
    state::snapshot::Target,
    telemetry::{
        exchange::Attempt,
        labels::{self, AttemptOutcome},
        metrics::Metrics,
        trace::SpanId,
    },
    upstream::{
        attempt::{Delivery, Tried},
        body::Sent,
        failure::Failure,
        itinerary::Turn,
    },
};
use sluice_protocol::{
    Dialect, Segments, capability,
    provider::{self, Encoding},
    translate::Translation,
};
use std::{
    sync::Arc,
    time::{Instant, SystemTime, UNIX_EPOCH},
};

/// One try: whom it asks, for what, with which credential, and until when.
#[derive(Clone)]
pub struct Errand {
    /// Whom.
    pub target: Arc<Target>,
    /// The upstream's name for the model.
    pub model: Arc<str>,
    /// Its place in the request's trace.
    pub span: SpanId,
    /// When it began.
    pub began: Instant,
    /// Which key of the provider's pool.
    pub key: usize,
    /// All tries of the request together end by then.
    pub deadline: Instant,
    /// Its answer begins by then, or another target is asked while there is time.
    pub share: Option<Instant>,
    /// A stream ends by then, whatever its provider allows.
    pub end: Option<Instant>,
    /// Told when the request goes out.
    pub sent: Sent,
    /// What is sent.
    pub outgoing: Arc<Outgoing>,
}

/// A request as one target is sent it.
pub struct Outgoing {
    /// What is spoken.
    pub wire: Dialect,
    /// The body.
    pub body: Segments,
    /// Members that were left out.
    pub dropped: Vec<String>,
    /// Only we asked for usage.
    pub strip_usage: bool,
    /// How the answer becomes the client's, where that speaks otherwise.
    pub translation: Option<Box<Translation>>,
}

/// The target cannot take the request: in which member, and why.
#[derive(Debug, Clone)]
pub struct Unfit {
    /// The member, in the client's words; several with commas between.
    pub member: String,
    /// For people.
    pub why: String,
}

impl Outgoing {
    /// Writes the request for a target.
    ///
    /// # Errors
    /// It cannot be written without losing what was asked, or where the model is strict, without losing anything.
    pub fn of(plan: &Plan, call: &Call, choice: &Choice) -> Result<Arc<Self>, Unfit> {
        let encoding = Encoding { toward: choice.toward(), drop: &choice.target.provider.drop };
        let encoded = provider::encode(&call.envelope, choice.wire, &encoding)
            .map_err(|cannot| Unfit { member: cannot.member, why: cannot.why.into_owned() })?;
        if plan.entry.strict && !encoded.dropped.is_empty() {
            let why = "the model is strict, and the target does not take this".to_owned();
            return Err(Unfit { member: named(&encoded.dropped), why });
        }
        let translates = call.envelope.dialect() != choice.wire;
        let translation = translates.then(|| {
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
            Box::new(Translation::new(&call.envelope, choice.wire, now, &*call.id))
        });
        let provider::Encoded { body, dropped, strip_usage } = encoded;
        Ok(Arc::new(Self { wire: choice.wire, body, dropped, strip_usage, translation }))
    }
}

/// The first of them, and how many more there are: a client may have sent any number.
fn named(members: &[String]) -> String {
    const SHOWN: usize = 8;
    let more = members.len().saturating_sub(SHOWN);
    let mut text = members.iter().take(SHOWN).map(String::as_str).collect::<Vec<_>>().join(", ");
    if more > 0 {
        text.push_str(&format!(" and {more} more"));
    }
    text
}

impl Errand {
    /// Begins a try, with its place in the record.
    #[must_use]
    pub fn begin(choice: &Choice, turn: Turn, outgoing: Arc<Outgoing>, deadline: Instant) -> (Self, Attempt) {
        let (target, model) = (choice.target.clone(), choice.model.clone());
        let (sent, span, began) = (Sent::default(), SpanId::draw(), Instant::now());
        let key = turn.key;
        let errand =
            Self { target, model, span, began, key, deadline, share: None, end: None, sent, outgoing };
        let attempt = Attempt {
            target: errand.target.clone(),
            span,
            model: errand.model.clone(),
            // Until it is known better: the client may leave at any moment.
            outcome: AttemptOutcome::Cancelled,
            status: None,
            reason: None,
            said: None,
            began,
            took: None,
            sent: errand.sent.clone(),
            facts: None,
            trial: turn.trial,
        };
        (errand, attempt)
    }

    /// Notes how it went: in the record, with its target, with its key.
    pub fn note(&self, attempt: &mut Attempt, tried: &Tried, metrics: &Metrics) {
        let provider = &self.target.provider;
        for field in &tried.dropped {
            // Clients may send any name; those of the operator and of the tables are few.
            let known = provider.drop.names(field) || capability::is_known_member(field);
            let field = if known { field } else { labels::OTHER };
            metrics.dropped_fields.with_label_values(&[provider.metrics.label(), field]).inc();
        }
        let now = tried.ended;
        match &tried.result {
            Ok(delivery) => {
                provider.pool.worked(self.key, &self.model, attempt.trial.asked(), now);
                let stream = !matches!(delivery, Delivery::Plain { .. });
                attempt.trial.delivered(tried.answered.unwrap_or(tried.waited), stream, now);
                if let Delivery::Plain { .. } = delivery {
                    attempt.end(AttemptOutcome::Ok, Some(200), now);
                } else {
                    // A stream's try ends with the stream.
                    attempt.status = Some(200);
                }
            }
            Err(failure) => {
                attempt.reason = failure.reason.or(attempt.reason);
                attempt.said = Some(failure.message.as_str().into());
                self.note_key(failure, now);
                if failure.blameless {
                    attempt.trial.ended(AttemptOutcome::Cancelled, now);
                } else if failure.unreachable {
                    attempt.trial.lost(now);
                }
                if let Some(wait) = failure.retry_after.filter(|_| failure.verdict.again) {
                    attempt.trial.rest(wait, now);
                }
                attempt.end(failure.verdict.outcome, failure.status, now);
            }
        }
    }

    /// What a failure says of the key it was asked with.
    fn note_key(&self, failure: &Failure, now: Instant) {
        let provider = &self.target.provider;
        match failure.verdict.outcome {
            AttemptOutcome::RateLimited => {
                provider.pool.rate_limited(self.key, &self.model, failure.retry_after, now);
                provider.metrics.cooldown(AttemptOutcome::RateLimited);
            }
            AttemptOutcome::AuthError => {
                provider.metrics.cooldown(AttemptOutcome::AuthError);
                // Only a 401 is surely the key's: the others may be for what was asked.
                if provider.pool.refused(self.key, &self.model, failure.status == Some(401), now) {
                    let key = provider.pool.name(self.key).map_or("", |name| name);
                    tracing::error!(
                        provider = &*provider.name,
                        key,
                        model = &*self.model,
                        status = failure.status,
                        "an upstream refuses this key; it is put aside and tried again from time to time"
                    );
                }
            }
            _ => {}
        }
    }
}
