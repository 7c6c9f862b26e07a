//! How the filter reaches the STS.

use super::{
    form,
    kind::whole,
    member::{or, required},
    object::settings,
};

settings! {
    /// How the STS is reached, and as whom.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct StsSettings {
        /// Envoy's cluster for the STS; it presents the proxy's certificate.
        pub cluster: String = required(form::CLUSTER),
        /// `:authority` of the call.
        pub authority: String = required(form::NAME),
        /// Path of the token endpoint.
        pub path: String = or("/oauth2/token".to_owned(), form::PATH),
        /// How long an answer is waited for, in milliseconds.
        pub timeout_ms: u64 = or(750, whole(10, 10_000)),
        /// The SPIFFE ID in the certificate that the cluster presents.
        pub actor: String = required(form::ACTOR),
    }
}
