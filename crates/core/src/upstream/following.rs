//! What a client has been given of a stream, kept so that another target can go on with it; and the seam, once one
//! does.

use bytes::{Bytes, BytesMut};
use sluice_protocol::{
    resume::{Delivered, Method, Passed, Seam},
    sse::Event,
};

/// See the module.
pub struct Following {
    delivered: Delivered,
    seam: Option<Seam>,
    /// A comment that goes out before the end mark, where there is a seam.
    mark: Bytes,
}

impl Following {
    /// From the stream's beginning.
    #[must_use]
    pub fn new() -> Box<Self> {
        Box::new(Self { delivered: Delivered::new(), seam: None, mark: Bytes::new() })
    }

    /// Goes on with what was delivered; `mark` says so to whoever looks at the bytes. None where nobody can.
    #[must_use]
    pub fn beyond(delivered: &Delivered, method: Method, mark: Bytes) -> Option<Box<Self>> {
        let seam = Seam::new(method, delivered)?;
        Some(Box::new(Self { delivered: delivered.clone(), seam: Some(seam), mark }))
    }

    /// What the client has.
    #[must_use]
    pub fn delivered(&self) -> &Delivered {
        &self.delivered
    }

    /// All that the client had was found in the new stream, too.
    #[must_use]
    pub fn is_past_border(&self) -> bool {
        self.seam.as_ref().is_none_or(Seam::is_past_border)
    }

    /// What passes on of an event.
    pub fn pass(&mut self, event: Event, terminal: bool) -> Passed {
        let passed = match &mut self.seam {
            None => Passed::Emit(event),
            Some(seam) => seam.pass(event),
        };
        let Passed::Emit(mut event) = passed else { return passed };
        self.delivered.observe(&event);
        if terminal && !self.mark.is_empty() {
            let mut marked = BytesMut::from(&self.mark[..]);
            marked.extend_from_slice(&event.raw);
            event.raw = marked.freeze();
        }
        Passed::Emit(event)
    }
}
