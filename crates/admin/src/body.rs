//! The body of a request that does something: small, and not waited for for ever.

use crate::reply::{self, Reply};
use bytes::{Buf, BufMut};
use http::{Request, StatusCode};
use http_body::Body;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use std::{error::Error, pin::pin, time::Duration};

/// Largest body, bytes: a name or two and what is around them.
const MAX_BODY: usize = 4 * 1024;
/// For the whole body.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// What a request wants, by its query and its body; or the answer to one that cannot be understood.
pub(crate) async fn wanted<B, W>(
    request: Request<B>,
    bad: fn(&str) -> Reply,
    usage: &str,
    read: fn(Option<&str>, &[u8]) -> Result<W, String>,
) -> Result<W, Reply>
where
    B: Body<Data: Buf, Error: Into<Box<dyn Error + Send + Sync>>>,
{
    let (head, body) = request.into_parts();
    let body = receive(body, bad, usage).await?;
    read(head.uri.query(), &body).map_err(|why| bad(&why))
}

/// The whole body, within its size and its time. `bad` makes the page's own 400, `usage` says how the page is used.
async fn receive<B>(body: B, bad: fn(&str) -> Reply, usage: &str) -> Result<Vec<u8>, Reply>
where
    B: Body<Data: Buf, Error: Into<Box<dyn Error + Send + Sync>>>,
{
    let mut body = pin!(Limited::new(body, MAX_BODY));
    let whole = async {
        let mut whole = Vec::new();
        while let Some(frame) = body.frame().await {
            if let Ok(data) = frame?.into_data() {
                whole.put(data);
            }
        }
        Ok::<_, Box<dyn Error + Send + Sync>>(whole)
    };
    match tokio::time::timeout(BODY_TIMEOUT, whole).await {
        Ok(Ok(whole)) => Ok(whole),
        Ok(Err(fault)) if fault.is::<LengthLimitError>() => {
            let message = format!("The body is larger than 4 KiB. {usage}");
            Err(reply::error(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", &message))
        }
        Ok(Err(_)) => Err(bad("The body was cut off, or is not framed as its headers say.")),
        Err(_) => {
            let message = "The body did not arrive in time.";
            Err(reply::error(StatusCode::REQUEST_TIMEOUT, "request_timeout", message))
        }
    }
}
