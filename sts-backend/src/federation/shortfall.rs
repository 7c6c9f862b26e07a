//! Why a provider's credential cannot be lent, and what callers are told: the one table of it.

use token::reason::Reason;

use super::trouble::Trouble;
use crate::refusal::Refusal;

/// Why there is no credential.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shortfall {
    Trouble(Trouble),
    /// It takes longer than the caller waits. The order goes on.
    UnderWay,
}

impl Shortfall {
    /// What the caller is told of `provider`.
    pub fn refusal(&self, provider: &str) -> Refusal {
        let refuse = |reason, detail: &str, wanted: &str| {
            Refusal::new(reason, detail).claim(format!("provider {provider}")).wanted(wanted)
        };
        match self {
            Self::Trouble(Trouble::Refused { code, help } | Trouble::NotYet { code, help }) => refuse(
                Reason::ProviderRefused,
                "the destination's provider refuses this workload, or what is asked for it",
                "a provider that trusts this service for it",
            )
            .got(code)
            .help(help),
            Self::Trouble(Trouble::Throttled { code, retry_after }) => refuse(
                Reason::ProviderThrottled,
                "the destination's provider takes no more calls for now",
                "room for another call",
            )
            .got(code)
            .help("ask again after `Retry-After`; where the provider allows more, raise the `limits` it has here")
            .retry_after(retry_after.unwrap_or(1)),
            Self::Trouble(Trouble::Unavailable { code }) => {
                refuse(Reason::ProviderUnavailable, "the destination's provider gave no answer", "an answer in time")
                    .got(code)
                    .help("ask again after `Retry-After`; calls go on by themselves once it is back")
            }
            Self::Trouble(Trouble::Invalid { code }) => refuse(
                Reason::ProviderReplyInvalid,
                "the destination's provider answered something that must not become a credential",
                "an answer by its contract",
            )
            .got(code)
            .help("look what answers at the provider's address"),
            Self::UnderWay => refuse(
                Reason::ProviderUnavailable,
                "the destination's provider takes longer than callers wait",
                "an answer in time",
            )
            .got("an order that is under way")
            .help("ask again after `Retry-After`: what comes is kept for the next request"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_shortfall_is_told_with_the_providers_own_code_and_what_to_do() {
        let code = || "AADSTS700213".to_owned();
        for (shortfall, reason, got, retry_after) in [
            (Trouble::Refused { code: code(), help: "h" }, Reason::ProviderRefused, "AADSTS700213", None),
            (Trouble::NotYet { code: code(), help: "h" }, Reason::ProviderRefused, "AADSTS700213", None),
            (
                Trouble::Throttled { code: code(), retry_after: Some(7) },
                Reason::ProviderThrottled,
                "AADSTS700213",
                Some(7),
            ),
            (
                Trouble::Throttled { code: code(), retry_after: None },
                Reason::ProviderThrottled,
                "AADSTS700213",
                Some(1),
            ),
            (Trouble::Unavailable { code: code() }, Reason::ProviderUnavailable, "AADSTS700213", None),
            (Trouble::Invalid { code: code() }, Reason::ProviderReplyInvalid, "AADSTS700213", None),
        ] {
            let refusal = Shortfall::Trouble(shortfall).refusal("entra");
            assert_eq!((refusal.reason(), refusal.got_value()), (reason, Some(got)));
            assert_eq!(refusal.claim_name(), Some("provider entra"));
            assert_eq!(refusal.retry_after_seconds(), retry_after);
            assert!(refusal.wanted_value().is_some() && refusal.advice().is_some());
        }
        let refusal = Shortfall::UnderWay.refusal("entra");
        assert_eq!(refusal.reason(), Reason::ProviderUnavailable);
    }

    #[test]
    fn what_a_provider_says_is_bounded_and_printable() {
        let code = format!("x\r\n{}", "y".repeat(100_000));
        let refusal = Shortfall::Trouble(Trouble::Refused { code, help: "h" }).refusal("p");
        assert!(refusal.got_value().unwrap().len() < 300 && !refusal.got_value().unwrap().contains('\n'));
    }
}
