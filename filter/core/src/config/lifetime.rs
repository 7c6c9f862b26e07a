//! How long an issued token is sent, and when it is replaced.

use super::{
    kind::{Flag, Whole, whole},
    member::or,
    object::settings,
};

settings! {
    /// What holds on exchange routes that do not say otherwise.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub(super) struct Lifetime: Default {
        /// How long before its end a token is no longer sent, in seconds: what clocks may differ by.
        pub expiry_margin_seconds: u64 = or(5, EXPIRY_MARGIN),
        /// How long a request, and the token in it, may be under way before it arrives, in seconds; no less than the
        /// `timeout` of Envoy's route.
        pub request_timeout_seconds: u64 = or(15, REQUEST_TIMEOUT),
        /// How long traffic is to go on without the STS, in seconds. Tokens are replaced that much earlier, so they have to
        /// live longer than this, and the STS is asked more often; 0: nothing is promised.
        pub survive_outage_seconds: u64 = or(0, SURVIVE_OUTAGE),
        /// Whether tokens in use are replaced before they end.
        pub refresh_ahead: bool = or(true, Flag),
    }
}

pub(super) const EXPIRY_MARGIN: Whole<u64> = whole(0, 300);
pub(super) const REQUEST_TIMEOUT: Whole<u64> = whole(0, 3_600);
pub(super) const SURVIVE_OUTAGE: Whole<u64> = whole(0, 86_400);
