use proptest::prelude::*;

use super::*;

fn good(grant: Grant) -> Settings {
    Settings {
        token_endpoint: "https://as.partner.example/token".parse().unwrap(),
        grant,
        audience: "https://as.partner.example".to_owned(),
        client_id: Some("cloakroom".to_owned()),
        algorithm: Algorithm::Es256,
    }
}

fn chaining() -> Grant {
    Grant::IdentityChaining {
        exchange_endpoint: "https://as.home.example/token".parse().unwrap(),
        exchange_audience: "https://as.home.example".to_owned(),
        exchange_client_id: None,
    }
}

#[test]
fn every_grant_can_be_configured() {
    for grant in [Grant::TokenExchange, Grant::JwtBearer, Grant::ClientCredentials, chaining()] {
        assert_eq!(settings(&good(grant.clone())), Ok(()), "{grant:?}");
        let unknown = Settings { client_id: None, ..good(grant.clone()) };
        assert_eq!(settings(&unknown).is_ok(), grant != Grant::ClientCredentials, "{grant:?}");
    }
}

#[test]
fn each_mistake_is_named() {
    let with = |change: fn(&mut Settings)| {
        let mut changed = good(chaining());
        change(&mut changed);
        settings(&changed).unwrap_err()
    };
    for (member, problem) in [
        (
            "token_endpoint",
            with(|settings| settings.token_endpoint = "http://as.partner.example/token".parse().unwrap()),
        ),
        ("token_endpoint", with(|settings| settings.token_endpoint = "/token".parse().unwrap())),
        ("token_endpoint", with(|settings| settings.token_endpoint = "https://u@as.example/".parse().unwrap())),
        ("audience", with(|settings| settings.audience = String::new())),
        ("audience", with(|settings| settings.audience = "https://as.partner.example\n".to_owned())),
        ("client_id", with(|settings| settings.client_id = Some("ä".to_owned()))),
        ("algorithm", with(|settings| settings.algorithm = Algorithm::EdDsa)),
        ("exchange_audience", with(|settings| settings.audience = "https://as.home.example".to_owned())),
    ] {
        assert!(problem.contains(&format!("`{member}`")), "{problem}");
    }
}

#[test]
fn a_resource_is_an_absolute_uri_without_a_fragment() {
    let check = |resource: &str| opening(&Opening { resource: Some(resource.to_owned()), audience: None });
    for resource in ["https://api.example/", "urn:example:cooperation-context", "https://api.example/a?b=c"] {
        assert_eq!(check(resource), Ok(()), "{resource}");
    }
    for resource in ["", "api.example", "/a", "https://api.example/#a", "1:a", "urn:", " https://a/", "https://ä/"] {
        assert!(check(resource).is_err(), "{resource}");
    }
    assert!(opening(&Opening { resource: None, audience: Some(String::new()) }).is_err());
    assert_eq!(opening(&Opening { resource: None, audience: Some("orders api".to_owned()) }), Ok(()));
}

proptest! {
    #[test]
    fn what_is_let_through_stands_on_one_line(name in ".{0,40}") {
        if self::name("audience", &name).is_ok() {
            prop_assert!(name.bytes().all(|byte| (0x20..0x7f).contains(&byte)));
        }
    }
}
