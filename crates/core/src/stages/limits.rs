//! May the caller go on now? One request is taken from its key's bucket.

use crate::{
    error::{ErrorKind, GatewayError},
    state::snapshot::KeyEntry,
    telemetry::exchange::Exchange,
};
use sluice_config::model::Rate;

/// Takes one request and notes what is left.
///
/// # Errors
/// `Limited`, with the true time to wait.
pub fn admit(key: &KeyEntry, x: &mut Exchange) -> Result<(), GatewayError> {
    let Some(bucket) = &key.requests else { return Ok(()) };
    let taken = bucket.take();
    let (Ok(left) | Err(left)) = taken;
    x.requests_left = Some(left);
    key.metrics.limit_decision(taken.is_ok());
    if taken.is_ok() {
        return Ok(());
    }
    let seconds = left.next.as_secs_f64().ceil().max(1.0);
    let rate = spelled(bucket.rate());
    let text =
        format!("Key '{}' is limited to {rate} (burst {}). Retry in {seconds} s.", key.name, left.limit);
    Err(GatewayError::new(ErrorKind::Limited, text).retry_after(Some(left.next)))
}

/// `600 requests/min`.
pub(crate) fn spelled(rate: Rate) -> String {
    let unit = match rate.per.as_secs() {
        1 => "s".to_owned(),
        60 => "min".to_owned(),
        3600 => "h".to_owned(),
        86400 => "d".to_owned(),
        other => format!("{other}s"),
    };
    format!("{} requests/{unit}", rate.amount)
}
