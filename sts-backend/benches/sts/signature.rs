//! ES256 by the library that the service uses beside the one that its tests use, whole tokens both times.

use std::time::Duration;

use jwt_simple::prelude::{
    Claims, Duration as Seconds, ECDSAP256KeyPairLike, ECDSAP256PublicKeyLike, ES256KeyPair, VerificationOptions,
};
use serde::Serialize;
use serde_json::json;
use sts_backend::crypto::{AwsLc, Es256Key};
use token::{
    base64url,
    jwk::{Jwk, PublicKey},
    jws::{Algorithm, CompactJws},
};

use crate::rounds::{Figure, Plan, Stopwatch, Turn};

/// One operation of one library, measured.
#[derive(Serialize)]
pub struct Measured {
    pub operation: &'static str,
    pub library: &'static str,
    pub per_core: Figure,
}

type Operation = Box<dyn Fn()>;

/// Measures every operation, in turns.
pub fn measure(plan: &Plan) -> Vec<Measured> {
    let mut variants: Vec<(&str, &str, Operation, Vec<Turn>)> =
        operations().into_iter().map(|(operation, library, run)| (operation, library, run, Vec::new())).collect();
    for (_, _, run, _) in &variants {
        turn(run, plan.signature / 5);
    }
    for _ in 0..plan.rounds {
        for (_, _, run, turns) in &mut variants {
            turns.push(turn(run, plan.signature));
        }
    }
    let measured = |(operation, library, _, turns): &(&'static str, &'static str, Operation, Vec<Turn>)| Measured {
        operation,
        library,
        per_core: Figure::per_core(turns),
    };
    variants.iter().map(measured).collect()
}

fn turn(run: &Operation, length: Duration) -> Turn {
    let watch = Stopwatch::start();
    let mut operations = 0;
    while watch.elapsed() < length {
        run();
        operations += 1;
    }
    watch.stop(operations)
}

fn operations() -> Vec<(&'static str, &'static str, Operation)> {
    let (ours, pkcs8) = Es256Key::generate().unwrap();
    let public = PublicKey::from_jwk(&Jwk::es256(ours.public_point()).unwrap()).unwrap();
    let theirs = ES256KeyPair::from_bytes(&scalar(&pkcs8)).unwrap();
    let their_public = theirs.public_key();
    let token = theirs.sign(claims()).unwrap();
    let same = token.clone();
    let options = VerificationOptions { time_tolerance: Some(Seconds::from_secs(60)), ..Default::default() };
    vec![
        ("ES256 sign", "aws-lc-rs", Box::new(move || drop(sign(&ours)))),
        ("ES256 sign", "jwt-simple", Box::new(move || drop(theirs.sign(claims()).unwrap()))),
        (
            "ES256 verify",
            "aws-lc-rs",
            Box::new(move || {
                let jws = CompactJws::parse(&token, &[Algorithm::Es256]).unwrap();
                drop(jws.verify(&public, &AwsLc).unwrap());
            }),
        ),
        (
            "ES256 verify",
            "jwt-simple",
            Box::new(move || {
                drop(their_public.verify_token::<serde_json::Value>(&same, Some(options.clone())).unwrap());
            }),
        ),
    ]
}

/// The private scalar inside a PKCS #8 document of P-256: an OCTET STRING of 32 bytes after its `04 20` (RFC 5915).
fn scalar(pkcs8: &[u8]) -> Vec<u8> {
    let start = pkcs8.windows(5).position(|window| window == [2, 1, 1, 4, 32]).expect("an EC private key") + 5;
    pkcs8[start..start + 32].to_vec()
}

fn claims() -> jwt_simple::claims::JWTClaims<serde_json::Value> {
    let custom = json!({"client_id": "spiffe://td.test/edge/egress", "scope": "reports.read"});
    Claims::with_custom_claims(custom, Seconds::from_hours(1)).with_subject("spiffe://td.test/oidc/issuer/job")
}

fn sign(key: &Es256Key) -> String {
    let claims = serde_json::to_vec(&claims()).unwrap();
    let input = format!("{}.{}", base64url::encode(r#"{"alg":"ES256","typ":"JWT"}"#), base64url::encode(claims));
    format!("{input}.{}", base64url::encode(key.sign(input.as_bytes()).unwrap()))
}
