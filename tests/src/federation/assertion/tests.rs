use serde_json::json;

use super::*;
use crate::{
    Result,
    federation::{
        authority::{Authority, Header},
        rehearsal::{ISSUER, Rehearsal},
    },
};

const ALL: &[&str] = &["RS256", "ES256"];

async fn judge(rehearsal: &Rehearsal, jwt: &str, switches: &Switches, algorithms: &[&str]) -> Result<Claims, Fault> {
    let issuer = Issuer::new(ISSUER, rehearsal.server.address(), &rehearsal.pki).unwrap();
    Shown::parse(jwt)?.prove(&issuer, switches, algorithms, &["JWT"]).await
}

#[tokio::test]
async fn a_published_key_proves_an_assertion_and_nothing_else_does() -> Result<()> {
    let rehearsal = Rehearsal::start().await?;
    let switches = Switches::default();
    for algorithm in ALL {
        let kid = Some(if *algorithm == "ES256" { "es256-1" } else { "rs256-1" });
        let right = rehearsal.assertion_under(Header { algorithm, typ: "JWT", kid }, "a", json!({}))?;
        let claims = judge(&rehearsal, &right, &switches, ALL).await.unwrap();
        assert_eq!(claims.sole_audience(), Some("a"));

        let parts: Vec<_> = right.split('.').collect();
        let other = token::base64url::encode(json!({"sub": "other"}).to_string());
        let tampered = format!("{}.{other}.{}", parts[0], parts[2]);
        assert_eq!(judge(&rehearsal, &tampered, &switches, ALL).await.unwrap_err(), Fault::Signature);
        let refused = judge(&rehearsal, &right, &switches, &["PS256"]).await.unwrap_err();
        assert_eq!(refused, Fault::Algorithm((*algorithm).to_owned()));
    }
    for (header, fault) in [
        (Header { kid: Some("other"), ..Header::RS256 }, Fault::Key(KeyFault::Unknown)),
        (Header { kid: Some("es256-1"), ..Header::RS256 }, Fault::Signature),
        (Header { kid: None, ..Header::RS256 }, Fault::NoKeyId),
        (Header { typ: "at+jwt", ..Header::RS256 }, Fault::Type("at+jwt".into())),
    ] {
        let jwt = rehearsal.assertion_under(header, "a", json!({}))?;
        assert_eq!(judge(&rehearsal, &jwt, &switches, ALL).await.unwrap_err(), fault, "{header:?}");
    }
    // Of somebody else who calls his key the same.
    let forged = Authority::new(ISSUER)?.sign(Header::RS256, crate::federation::rehearsal::claims("a", json!({})))?;
    assert_eq!(judge(&rehearsal, &forged, &switches, ALL).await.unwrap_err(), Fault::Signature);
    for malformed in ["", "a.b", "a.b.c.d", "e30.e30=.x", "W10.e30.x"] {
        assert_eq!(Shown::parse(malformed).unwrap_err(), Fault::Malformed, "{malformed}");
    }
    let none = format!(
        "{}.{}.",
        token::base64url::encode(r#"{"alg":"none","kid":"rs256-1"}"#),
        token::base64url::encode("{}")
    );
    assert_eq!(judge(&rehearsal, &none, &switches, ALL).await.unwrap_err(), Fault::Algorithm("none".into()));
    Ok(())
}

#[tokio::test]
async fn keys_are_fetched_once_and_only_where_they_can_be() -> Result<()> {
    let rehearsal = Rehearsal::start().await?;
    let switches = Switches::default();
    let issuer = Issuer::new(ISSUER, rehearsal.server.address(), &rehearsal.pki)?;
    for _ in 0..3 {
        issuer.key("rs256-1", &switches).await.unwrap();
    }
    assert_eq!(switches.calls("keys"), 1);
    assert_eq!(issuer.key("other", &switches).await, Err(KeyFault::Unknown));
    assert_eq!(switches.calls("keys"), 2);
    // Reached, but of another issuer; or not trusted in TLS; or not there.
    let other = Issuer::new("https://localhost", rehearsal.server.address(), &rehearsal.pki)?;
    assert_eq!(other.key("rs256-1", &switches).await, Err(KeyFault::Unreachable));
    let unnamed = Issuer::new("https://other.test", rehearsal.server.address(), &rehearsal.pki)?;
    assert_eq!(unnamed.key("rs256-1", &switches).await, Err(KeyFault::Unreachable));
    Ok(())
}

#[test]
fn times_are_kept_to_the_second() {
    let claims = |json: Value| Claims(json.as_object().cloned().unwrap_or_default());
    let right = claims(json!({"iat": 100, "nbf": 90, "exp": 200}));
    assert_eq!(right.in_force(199, 0, true), Ok(()));
    assert_eq!(right.in_force(200, 0, true), Err(Stale::Ended));
    assert_eq!((right.in_force(499, 300, true), right.in_force(500, 300, true)), (Ok(()), Err(Stale::Ended)));
    assert_eq!((right.in_force(40, 0, true), right.in_force(39, 0, true)), (Ok(()), Err(Stale::Early)));
    let later = claims(json!({"iat": 100, "nbf": 190, "exp": 200}));
    assert_eq!(later.in_force(120, 0, false), Err(Stale::Early));
    for (claims, missing) in [
        (claims(json!({"iat": 1})), "exp"),
        (claims(json!({"exp": 200})), "iat"),
        (claims(json!({"exp": "200", "iat": 1})), "exp"),
        (claims(json!({"exp": 200, "iat": 1})), "nbf"),
    ] {
        assert_eq!(claims.in_force(10, 0, true), Err(Stale::Missing(missing)));
    }
}
