//! Why a request is refused, before a provider's shape is put on it.

/// A request that is not answered.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Refusal {
    pub(crate) status: u16,
    pub(crate) message: String,
    pub(crate) param: Option<String>,
    pub(crate) code: Option<&'static str>,
}

impl Refusal {
    /// A refusal with a status of its own.
    pub(crate) fn new(status: u16, message: impl Into<String>, code: Option<&'static str>) -> Self {
        Self { status, message: message.into(), param: None, code }
    }

    /// A member that the provider does not know.
    pub(crate) fn unknown(name: &str) -> Self {
        let message = format!("Unknown parameter: '{name}'.");
        Self { status: 400, message, param: Some(name.to_owned()), code: Some("unknown_parameter") }
    }

    /// A member whose value is none that the provider takes.
    pub(crate) fn invalid(name: &str, why: &str) -> Self {
        let message = format!("Invalid '{name}': {why}.");
        Self { status: 400, message, param: Some(name.to_owned()), code: Some("invalid_value") }
    }
}

/// A plain 400.
impl From<String> for Refusal {
    fn from(message: String) -> Self {
        Self::new(400, message, None)
    }
}

/// A plain 400.
impl From<&str> for Refusal {
    fn from(message: &str) -> Self {
        message.to_owned().into()
    }
}
