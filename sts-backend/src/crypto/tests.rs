//! Known answers, and `jwt-simple` as the second opinion.

use std::{collections::BTreeMap, path::PathBuf};

use jwt_simple::prelude::{
    Claims, Duration, ECDSAP256KeyPairLike, ECDSAP256PublicKeyLike, ECDSAP384KeyPairLike, ECDSAP384PublicKeyLike,
    ES256KeyPair, ES256PublicKey, ES384KeyPair, Ed25519KeyPair, EdDSAKeyPairLike, RS256KeyPair, RS256PublicKey,
    RSAKeyPairLike, RSAPublicKeyLike, VerificationOptions,
};
use serde_json::Value;
use token::{
    jwk::{Jwk, JwkSet},
    jws::CompactJws,
};

use super::*;

fn verifies(jwk: Value, jws: &str) -> bool {
    let Ok(jwk) = serde_json::from_value::<Jwk>(jwk) else { return false };
    let Ok(key) = PublicKey::from_jwk(&jwk) else { return false };
    // Payloads of known answers are often no JSON object; the arithmetic is what is asked here.
    let mut parts = jws.rsplitn(2, '.');
    let (Some(signature), Some(input)) = (parts.next(), parts.next()) else { return false };
    let Ok(signature) = base64url::decode(signature) else { return false };
    CompactJws::parse(jws, &Algorithm::ALL).is_ok_and(|parsed| parsed.header().algorithm == key.algorithm())
        && AwsLc.verify_signature(&key, input.as_bytes(), &signature)
}

fn vectors(path: &str) -> Option<Value> {
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared/vectors").join(path);
    match std::fs::read(&file) {
        Ok(text) => Some(serde_json::from_slice(&text).unwrap()),
        Err(_) => {
            eprintln!("{path}: the folder of known answers is not there; only those in this file were checked");
            None
        }
    }
}

#[test]
fn rfc_7515_a3_es256_verifies() {
    let jwk = serde_json::json!({"kty":"EC","crv":"P-256",
        "x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"});
    let jws = "eyJhbGciOiJFUzI1NiJ9.\
        eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.\
        DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";
    assert!(verifies(jwk.clone(), jws));
    assert!(!verifies(jwk, &jws.replace("DtEh", "DtEi")));
}

#[test]
fn rfc_7515_a2_rs256_and_rfc_8037_a4_ed25519_verify() {
    let rsa = serde_json::json!({"kty":"RSA","e":"AQAB",
        "n":"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-\
             pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2C\
             apHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9g\
             b54h4FRWyuXpoQ"});
    let signed = "eyJhbGciOiJSUzI1NiJ9.\
        eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.\
        cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1\
        dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzD\
        wusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77\
        Rw";
    assert!(verifies(rsa, signed));
    let edwards = serde_json::json!({"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"});
    let jws = "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.\
        hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg";
    assert!(verifies(edwards, jws));
}

#[test]
fn the_rfc_examples_verify() {
    let Some(file) = vectors("rfc/rfc7515_8037_jws.json") else { return };
    let asymmetric = ["RS256", "ES256", "EdDSA"];
    let mut checked = 0;
    for vector in file["vectors"].as_array().unwrap() {
        let (Some(alg), Some(jws)) = (vector["alg"].as_str(), vector["compact"].as_str()) else { continue };
        if asymmetric.contains(&alg) && vector["expect"] == "valid-signature" {
            let mut jwk = vector["jwk"].clone();
            jwk.as_object_mut().unwrap().retain(|name, _| !["d", "p", "q", "dp", "dq", "qi"].contains(&name.as_str()));
            assert!(verifies(jwk, jws), "{}", vector["id"]);
            checked += 1;
        }
    }
    assert!(checked >= 3, "only {checked} vectors were usable");
}

#[test]
fn wycheproof_jws_holds_for_asymmetric_keys() {
    let Some(file) = vectors("wycheproof/json_web_signature_test.json") else { return };
    let overrides = vectors("wycheproof/OVERRIDES.json").unwrap();
    let overrides: BTreeMap<u64, bool> = overrides["do_not_use_label"]
        .as_object()
        .unwrap()
        .iter()
        .map(|(id, note)| (id.parse().unwrap(), note.as_str().unwrap().contains("Skip")))
        .collect();
    let (mut valid, mut invalid) = (0, 0);
    for group in file["testGroups"].as_array().unwrap() {
        let Some(public) = group.get("public") else { continue };
        if public["kty"] == "oct" || public.get("keys").is_some() {
            continue;
        }
        for case in group["tests"].as_array().unwrap() {
            let id = case["tcId"].as_u64().unwrap();
            // "As 346": those that are not to be skipped are to be refused.
            let wanted = match overrides.get(&id) {
                Some(true) => continue,
                Some(false) => false,
                None => case["result"] == "valid",
            };
            let jws = case["jws"].as_str().unwrap_or_default();
            // A JWS may have an empty payload; a token may not, and we read nothing but tokens.
            let wanted = wanted && !jws.contains("..");
            let got = verifies(public.clone(), jws);
            // Algorithms that no issuer here may use (ES512 and the like) are refused whatever the label says.
            let usable =
                serde_json::from_value::<Jwk>(public.clone()).is_ok_and(|jwk| PublicKey::from_jwk(&jwk).is_ok());
            assert_eq!(got, wanted && usable, "tcId {id}: {}", case["comment"]);
            if got { valid += 1 } else { invalid += 1 }
        }
    }
    assert!(valid >= 20 && invalid >= 100, "{valid} valid and {invalid} invalid cases were checked");
}

#[test]
fn what_we_sign_jwt_simple_verifies() {
    let (key, _) = Es256Key::generate().unwrap();
    let jwk = Jwk::es256(key.public_point()).unwrap();
    let header = base64url::encode(r#"{"alg":"ES256","typ":"JWT"}"#);
    let input = format!("{header}.{}", base64url::encode(r#"{"sub":"s","exp":4102444800}"#));
    let token = format!("{input}.{}", base64url::encode(key.sign(input.as_bytes()).unwrap()));
    let public = ES256PublicKey::from_bytes(key.public_point()).unwrap();
    let options = VerificationOptions { accept_future: true, ..Default::default() };
    assert_eq!(public.verify_token::<Value>(&token, Some(options)).unwrap().subject.as_deref(), Some("s"));
    assert!(verifies(serde_json::to_value(&jwk).unwrap(), &token));
}

#[test]
fn what_jwt_simple_signs_we_verify() {
    let claims = || Claims::create(Duration::from_secs(60)).with_subject("s");
    let es256 = ES256KeyPair::generate();
    let es384 = ES384KeyPair::generate();
    let ed25519 = Ed25519KeyPair::generate();
    let rs256 = RS256KeyPair::generate(2048).unwrap();
    let components = rs256.public_key().to_components();
    let point =
        |bytes: &[u8], width: usize| (base64url::encode(&bytes[1..=width]), base64url::encode(&bytes[width + 1..]));
    let (x, y) = point(&es256.public_key().public_key().to_bytes_uncompressed(), 32);
    let (x3, y3) = point(&es384.public_key().public_key().to_bytes_uncompressed(), 48);
    let cases = [
        (serde_json::json!({"kty":"EC","crv":"P-256","x":x,"y":y}), es256.sign(claims()).unwrap()),
        (serde_json::json!({"kty":"EC","crv":"P-384","x":x3,"y":y3}), es384.sign(claims()).unwrap()),
        (
            serde_json::json!({"kty":"OKP","crv":"Ed25519","x":base64url::encode(ed25519.public_key().to_bytes())}),
            ed25519.sign(claims()).unwrap(),
        ),
        (
            serde_json::json!({"kty":"RSA","n":base64url::encode(components.n),"e":base64url::encode(components.e)}),
            rs256.sign(claims()).unwrap(),
        ),
    ];
    for (jwk, token) in cases {
        assert!(verifies(jwk.clone(), &token), "{jwk}");
        let set = JwkSet::from_json(serde_json::json!({"keys":[jwk]}).to_string().as_bytes()).unwrap();
        assert_eq!(set.keys().len(), 1);
        let (input, signature) = token.rsplit_once('.').unwrap();
        let mut signature = base64url::decode(signature).unwrap();
        signature[5] ^= 1;
        assert!(!AwsLc.verify_signature(&set.keys()[0], input.as_bytes(), &signature));
    }
}

#[test]
fn every_signature_and_name_differs() {
    let (key, _) = Es256Key::generate().unwrap();
    assert_ne!(key.sign(b"m").unwrap(), key.sign(b"m").unwrap());
    let (left, right) = (random_id().unwrap(), random_id().unwrap());
    assert_ne!(left, right);
    assert_eq!(base64url::decode(&left).unwrap().len(), 16);
}

#[test]
fn what_we_sign_with_rs256_jwt_simple_verifies() {
    let (key, pkcs8) = Rs256Key::generate().unwrap();
    let (modulus, exponent) = key.public_components();
    let jwk = Jwk::rs256(modulus, exponent).unwrap();
    let again = Rs256Key::from_pkcs8(&pkcs8).unwrap();
    assert_eq!(again.public_components(), (modulus, exponent));
    let header = base64url::encode(r#"{"alg":"RS256","typ":"JWT"}"#);
    let input = format!("{header}.{}", base64url::encode(r#"{"sub":"s","exp":4102444800}"#));
    let token = format!("{input}.{}", base64url::encode(again.sign(input.as_bytes()).unwrap()));
    let public = RS256PublicKey::from_components(modulus, exponent).unwrap();
    let options = VerificationOptions { accept_future: true, ..Default::default() };
    assert_eq!(public.verify_token::<Value>(&token, Some(options)).unwrap().subject.as_deref(), Some("s"));
    assert!(verifies(serde_json::to_value(&jwk).unwrap(), &token));
    assert!(Es256Key::from_pkcs8(&pkcs8).is_err());
    assert!(Rs256Key::from_pkcs8(&Es256Key::generate().unwrap().1).is_err());
}
