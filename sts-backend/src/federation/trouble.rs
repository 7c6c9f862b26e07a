//! Why a provider gave nothing.

use thiserror::Error;

/// Why there is no credential. `code` is the provider's own code where it gave one (`InvalidIdentityToken`, `AADSTS700213`,
/// `invalid_grant`), else a few words of ours; never a byte of a token or of a body.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Trouble {
    /// The provider says no, and would say so again.
    #[error("{code}")]
    Refused { code: String, help: &'static str },
    /// It takes no more calls for now.
    #[error("{code}")]
    Throttled { code: String, retry_after: Option<u64> },
    /// No answer, or one that blames the provider: asking again may help.
    #[error("{code}")]
    Unavailable { code: String },
    /// The provider says no, but may only not have heard yet of what was just set up; asking again within seconds may help.
    #[error("{code}")]
    NotYet { code: String, help: &'static str },
    /// What it answered is not what its contract says.
    #[error("{code}")]
    Invalid { code: String },
}

impl Trouble {
    /// Of an order that nothing can be made of, whatever the provider would say.
    pub fn unfit(help: &'static str) -> Self {
        Self::Refused { code: "an order that does not fit".to_owned(), help }
    }

    /// Whether the same call may be made again at once, or a moment later.
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::Unavailable { .. } | Self::Throttled { .. } | Self::NotYet { .. })
    }
}
