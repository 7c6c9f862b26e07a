//! When a foreign token counts (RFC 7519, section 4.1).
//!
//! `exp` has no leeway: a token is dead at its `exp`, and every instant after it is one in which a stolen copy works. `nbf`
//! and `iat` have a minute: platforms stamp tokens by clocks of their own, a workload that has just been given one must
//! not be refused, and nothing is gained by an attacker from using a token early.

use token::reason::Reason;

use super::claims::Claims;
use crate::refusal::Refusal;

/// How far in the future `nbf` and `iat` may lie, in seconds.
pub const EARLY_LEEWAY: u64 = 60;

/// The longest life a token may have been given, in seconds: a day (Azure's managed identities) and an hour for clocks.
/// Kubernetes' automatically extended tokens live a year and are refused.
pub const MAX_LIFE: u64 = 25 * 3600;

/// Checks `exp`, `nbf` and `iat` at `now` and gives `exp`. `max_life` is the longest life in seconds.
pub fn check(claims: Claims<'_>, now: u64, max_life: u64) -> Result<u64, Refusal> {
    let exp = claims.date("exp")?.ok_or_else(|| claims.mismatch("exp", None, "an expiry"))?;
    if now >= exp {
        return Err(Refusal::new(Reason::SubjectTokenExpired, "the token has expired")
            .claim("exp")
            .got(exp)
            .wanted(format!("later than {now}"))
            .help("send the token the platform gives now; most tokens are renewed by their platform's agent or file"));
    }
    for name in ["nbf", "iat"] {
        early(name, claims.date(name)?, now)?;
    }
    let began = claims.date("iat")?.unwrap_or(now);
    if exp.saturating_sub(began) > max_life {
        return Err(Refusal::new(Reason::SubjectClaimMismatch, "the token was made to live too long")
            .claim("exp")
            .got(format!("{} s after `iat`", exp.saturating_sub(began)))
            .wanted(format!("at most {max_life} s"))
            .help(
                "use a short-lived, projected token; in Kubernetes mount one with our audience and `expirationSeconds`",
            ));
    }
    Ok(exp)
}

fn early(name: &str, date: Option<u64>, now: u64) -> Result<(), Refusal> {
    match date {
        Some(date) if date > now.saturating_add(EARLY_LEEWAY) => {
            Err(Refusal::new(Reason::SubjectTokenNotYetValid, "the token is not valid yet")
                .claim(name)
                .got(date)
                .wanted(format!("at most {EARLY_LEEWAY} s after {now}"))
                .help("compare the clocks of the issuer and of this service"))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const NOW: u64 = 1_000_000;

    fn check_json(claims: serde_json::Value) -> Result<u64, Refusal> {
        check(Claims::new(claims.as_object().unwrap()), NOW, MAX_LIFE)
    }

    #[test]
    fn a_token_is_dead_at_its_exp_and_not_before() {
        assert_eq!(check_json(json!({"exp": NOW + 1})).unwrap(), NOW + 1);
        let refusal = check_json(json!({"exp": NOW})).unwrap_err();
        assert_eq!(refusal.reason(), Reason::SubjectTokenExpired);
        assert_eq!((refusal.claim_name(), refusal.got_value()), (Some("exp"), Some("1000000")));
    }

    #[test]
    fn early_dates_have_a_minute() {
        for name in ["nbf", "iat"] {
            assert!(check_json(json!({"exp": NOW + 300, name: NOW + EARLY_LEEWAY})).is_ok());
            let refusal = check_json(json!({"exp": NOW + 300, name: NOW + EARLY_LEEWAY + 1})).unwrap_err();
            assert_eq!(refusal.reason(), Reason::SubjectTokenNotYetValid);
            assert_eq!(refusal.claim_name(), Some(name));
        }
    }

    #[test]
    fn a_token_without_end_or_with_a_far_one_is_refused() {
        assert_eq!(check_json(json!({})).unwrap_err().claim_name(), Some("exp"));
        assert!(check_json(json!({"exp": NOW + MAX_LIFE, "iat": NOW})).is_ok());
        assert!(check_json(json!({"exp": NOW + MAX_LIFE + 1, "iat": NOW})).is_err());
        assert!(check_json(json!({"exp": NOW + MAX_LIFE + 1})).is_err());
        assert!(check_json(json!({"exp": NOW + 1, "iat": NOW - MAX_LIFE})).is_err());
    }

    #[test]
    fn dates_are_numbers() {
        for exp in [json!("1000300"), json!(null), json!(-1), json!(1e300), json!([1]), json!(true)] {
            let refusal = check_json(json!({"exp": exp.clone()})).unwrap_err();
            assert_eq!(refusal.reason(), Reason::SubjectTokenMalformed, "{exp}");
        }
        assert_eq!(check_json(json!({"exp": 1_000_000.9})).unwrap_err().reason(), Reason::SubjectTokenExpired);
        assert_eq!(check_json(json!({"exp": 1_000_001.5})).unwrap(), NOW + 1);
    }
}
