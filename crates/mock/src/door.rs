//! Where a request comes in: which provider the mock plays there, and the endpoint.
//!
//! The path's beginning says which provider it is, so one mock is all of them at once, for any model.

use crate::endpoint::Endpoint;
use crate::reply::Family;

/// The provider that the mock plays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum House {
    /// Everything there is, and judges no more of OpenAI's dialect than it needs.
    Open,
    /// Only chat completions and embeddings, as a small compatible provider has them; knows vendors' extras.
    ChatOnly,
    /// OpenAI itself: refuses what it does not know.
    Strict,
    /// Anthropic itself: no other dialect.
    Anthropic,
    /// Azure OpenAI, the `v1` paths.
    AzureV1,
    /// Azure OpenAI, a path for each deployment.
    AzureDeployment,
}

impl House {
    /// Whether it is one of Azure's.
    pub(crate) fn is_azure(self) -> bool {
        matches!(self, Self::AzureV1 | Self::AzureDeployment)
    }

    fn has(self, endpoint: Endpoint) -> bool {
        let anthropic = matches!(endpoint, Endpoint::Messages | Endpoint::CountTokens);
        match self {
            Self::Open => true,
            Self::ChatOnly => matches!(endpoint, Endpoint::Chat | Endpoint::Embeddings | Endpoint::Models),
            Self::Strict | Self::AzureV1 => !anthropic,
            Self::Anthropic => anthropic || endpoint == Endpoint::Models,
            Self::AzureDeployment => {
                matches!(endpoint, Endpoint::Chat | Endpoint::Completions | Endpoint::Embeddings)
            }
        }
    }
}

/// Where a request comes in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Door<'a> {
    pub(crate) house: House,
    pub(crate) endpoint: Endpoint,
    /// The path from the endpoint on: `models/{id}`.
    pub(crate) rest: &'a str,
    /// The model that the path names in the body's stead.
    pub(crate) deployment: Option<&'a str>,
}

/// What the paths begin with.
const BEGINNINGS: [(&str, House); 5] = [
    ("/v1/", House::Open),
    ("/chat-only/v1/", House::ChatOnly),
    ("/strict/v1/", House::Strict),
    ("/anthropic/v1/", House::Anthropic),
    ("/openai/v1/", House::AzureV1),
];

impl<'a> Door<'a> {
    /// The door at a path, if there is one.
    pub(crate) fn at(path: &'a str) -> Option<Self> {
        let found = BEGINNINGS
            .iter()
            .find_map(|(beginning, house)| path.strip_prefix(beginning).map(|rest| (*house, rest, None)));
        let (house, rest, deployment) = match found {
            Some(found) => found,
            None => {
                let (deployment, rest) = path.strip_prefix("/openai/deployments/")?.split_once('/')?;
                (House::AzureDeployment, rest, Some(deployment))
            }
        };
        let endpoint = Endpoint::at(rest).filter(|endpoint| house.has(*endpoint))?;
        Some(Self { house, endpoint, rest, deployment })
    }

    /// Whose errors and headers its answers have.
    pub(crate) fn family(&self) -> Family {
        match self.house {
            House::Anthropic => Family::Anthropic,
            house if house.is_azure() => Family::Azure,
            _ => self.endpoint.family(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_says_which_provider_is_asked() {
        for (path, house) in [
            ("/v1/messages", House::Open),
            ("/chat-only/v1/chat/completions", House::ChatOnly),
            ("/strict/v1/responses", House::Strict),
            ("/anthropic/v1/messages/count_tokens", House::Anthropic),
            ("/openai/v1/embeddings", House::AzureV1),
            ("/openai/deployments/gpt/completions", House::AzureDeployment),
        ] {
            assert_eq!(Door::at(path).map(|door| door.house), Some(house), "{path}");
        }
        assert_eq!(Door::at("/openai/deployments/gpt/completions").unwrap().deployment, Some("gpt"));
    }

    #[test]
    fn what_a_provider_does_not_have_is_no_door() {
        for path in [
            "/chat-only/v1/completions",
            "/chat-only/v1/responses",
            "/chat-only/v1/messages",
            "/strict/v1/messages",
            "/anthropic/v1/chat/completions",
            "/openai/deployments/gpt/responses",
            "/openai/deployments/gpt",
            "/v2/messages",
        ] {
            assert_eq!(Door::at(path), None, "{path}");
        }
    }
}
