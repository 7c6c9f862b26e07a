use super::*;

fn source(name: &str, preset: Preset) -> SourceSettings {
    let jwks = JwksSettings::default();
    SourceSettings { name: name.into(), audience: "https://sts.test".into(), actors: None, preset, jwks }
}

fn oidc(name: &str, issuer: &str) -> SourceSettings {
    source(
        name,
        Preset::Oidc { issuer: issuer.into(), algorithms: vec![Algorithm::Es256], claims: OidcClaims::default() },
    )
}

const TENANT: &str = "72f988bf-86f1-41af-91ab-2d7cd011db47";

#[test]
fn an_audience_must_be_ours_alone() {
    for audience in ["", "sts.amazonaws.com", "https://management.azure.com/", "https://graph.microsoft.com", "a\nb"] {
        let mut settings = oidc("a", "https://i.test");
        settings.audience = audience.into();
        assert!(matches!(settings.check(), Err(SourceError::Audience { .. })), "{audience:?}");
    }
    assert_eq!(oidc("a", "https://i.test").check(), Ok(()));
}

#[test]
fn names_and_issuers_have_their_form() {
    for name in ["", "a/b", "..", "a b"] {
        assert_eq!(oidc(name, "https://i.test").check(), Err(SourceError::Name(name.into())));
    }
    for issuer in ["http://i.test", "i.test", "https://i.test?x", "https://u@i.test", "https://", ""] {
        assert!(matches!(oidc("a", issuer).check(), Err(SourceError::Issuer { .. })), "{issuer}");
    }
}

#[test]
fn two_sources_cannot_be_confused() {
    let error = |all: &[SourceSettings]| check_together(all).unwrap_err();
    assert_eq!(error(&[oidc("a", "https://i"), oidc("a", "https://j")]), SourceError::RepeatedName("a".into()));
    assert!(matches!(error(&[oidc("a", "https://i"), oidc("b", "https://i")]), SourceError::SameIssuer { .. }));
    let cluster = |name: &str, issuer: &str| {
        source(name, Preset::Kubernetes { issuer: issuer.into(), cluster: "prod".into(), token_review: None })
    };
    assert!(matches!(error(&[cluster("a", "https://i"), cluster("b", "https://j")]), SourceError::SameNames { .. }));
    let entra = [
        source("a", Preset::EntraV1 { tenant: TENANT.into() }),
        source("b", Preset::EntraV2 { tenant: TENANT.into() }),
    ];
    assert_eq!(check_together(&entra), Ok(()));
}

#[test]
fn an_account_s_roles_have_one_name_however_they_prove_it() {
    let signed = |name: &str, accounts: &[&str], region: &str| {
        let settings = AwsRequestSettings {
            accounts: accounts.iter().map(|account| (*account).to_owned()).collect(),
            regions: [region.to_owned()].into(),
            ..crate::identity::aws_request::sample::settings()
        };
        let actors = [SpiffeId::parse(&format!("spiffe://td/edge/{name}")).unwrap()];
        SourceSettings { actors: Some(actors.into()), ..source(name, Preset::AwsSignedRequest(settings)) }
    };
    let outbound = |name: &str| {
        source(name, Preset::AwsOutbound { issuer: format!("https://{name}.test"), account: "012345678901".into() })
    };
    let one = signed("b", &["123456789012", "012345678901"], "eu-central-1");
    assert_eq!(check_together(&[outbound("a"), one.clone(), signed("c", &["012345678901"], "us-east-1")]), Ok(()));
    let china = signed("c", &["012345678901"], "cn-north-1");
    let two_outbound = [outbound("a"), one.clone(), outbound("c")];
    for all in [&[one.clone(), china][..], &two_outbound] {
        let error = check_together(all).unwrap_err();
        assert!(matches!(&error, SourceError::SameNames { prefix, .. } if prefix == "aws/012345678901"), "{error}");
    }
    let same = SourceSettings { name: "c".into(), ..one.clone() };
    assert!(matches!(check_together(&[one, same]), Err(SourceError::SameForm { .. })));
}

#[test]
fn one_issuer_may_be_two_sources_for_proxies_that_differ() {
    let served = |name: &str, cluster: &str, actors: Option<&[&str]>| SourceSettings {
        actors: actors.map(|actors| actors.iter().map(|actor| SpiffeId::parse(actor).unwrap()).collect()),
        ..source(name, Preset::Kubernetes { issuer: "https://k8s".into(), cluster: cluster.into(), token_review: None })
    };
    let (one, other) = (&["spiffe://td/edge/one"][..], &["spiffe://td/edge/other"][..]);
    let east = served("a", "east", Some(one));
    assert_eq!(check_together(&[east.clone(), served("b", "west", Some(other))]), Ok(()));
    for actors in [None, Some(one), Some(&["spiffe://td/edge/other", "spiffe://td/edge/one"][..])] {
        let error = check_together(&[east.clone(), served("b", "west", actors)]).unwrap_err();
        assert!(matches!(error, SourceError::SameIssuer { .. }), "{actors:?}");
    }
    assert!(east.serves(Some(&SpiffeId::parse(one[0]).unwrap())));
    assert!(!east.serves(Some(&SpiffeId::parse(other[0]).unwrap())) && !east.serves(None));
}

#[test]
fn keys_come_from_the_preset_unless_configured() {
    let location = |preset| source("a", preset).key_sources().unwrap().remove(0).1.location;
    let set = |uri: &str| KeyLocation::Set(uri.parse().unwrap());
    assert_eq!(
        location(Preset::AwsOutbound { issuer: "https://u.aws.test".into(), account: "012345678901".into() }),
        set("https://u.aws.test/.well-known/jwks.json")
    );
    assert_eq!(location(Preset::Google { projects: vec![] }), set("https://www.googleapis.com/oauth2/v3/certs"));
    assert_eq!(
        location(Preset::EntraV1 { tenant: TENANT.into() }),
        set(&format!("https://login.microsoftonline.com/{TENANT}/discovery/keys"))
    );
    assert_eq!(
        location(Preset::EntraV2 { tenant: TENANT.into() }),
        set(&format!("https://login.microsoftonline.com/{TENANT}/discovery/v2.0/keys"))
    );
    assert_eq!(
        oidc("a", "https://i.test/x").key_sources().unwrap().remove(0).1.location,
        KeyLocation::Discovery("https://i.test/x".into())
    );
}

#[test]
fn special_addresses_need_a_word_in_the_configuration() {
    for uri in ["https://127.0.0.1/k", "https://[::1]:8443/k", "https://169.254.169.254/", "https://10.0.0.1/"] {
        let mut settings = oidc("a", "https://i.test");
        settings.jwks.uri = Some(uri.parse().unwrap());
        assert!(matches!(settings.key_sources(), Err(SourceError::Address { .. })), "{uri}");
        settings.jwks.allow_private_addresses = true;
        assert!(settings.key_sources().is_ok(), "{uri}");
    }
    let mut plain = oidc("a", "https://i.test");
    plain.jwks.uri = Some("http://i.test/k".parse().unwrap());
    assert!(matches!(plain.key_sources(), Err(SourceError::Address { .. })));
}

#[test]
fn the_platform_s_own_names_may_come_from_two_sources_and_others_may_not() {
    let accounts = |accounts: &[&str]| Preset::GoogleServiceAccount {
        accounts: accounts.iter().map(|account| format!("{account}@p.iam.gserviceaccount.com")).collect(),
        max_life: 3600,
    };
    let google = || Preset::Google { projects: vec![] };
    let spiffe = |trust_domain: &str| {
        let mut bundle = source("s", Preset::Spiffe { trust_domain: trust_domain.into() });
        bundle.jwks.file = Some("bundle.json".into());
        bundle
    };
    let all = [source("a", google()), source("b", accounts(&["a", "b"])), source("c", accounts(&["c"])), spiffe("td")];
    assert_eq!(check_all(&all), Ok(()));
    let twice = [source("a", accounts(&["a"])), source("b", accounts(&["b", "a"]))];
    assert!(matches!(check_all(&twice), Err(SourceError::SameIssuer { .. })));
    let only = |mut source: SourceSettings, name: &str, actor: &str| {
        source.name = name.into();
        source.actors = Some([SpiffeId::parse(actor).unwrap()].into());
        source
    };
    let (one, other) = ("spiffe://td/edge/one", "spiffe://td/edge/other");
    let twice =
        [only(source("", google()), "a", one), source("b", accounts(&["b"])), only(source("", google()), "c", other)];
    assert!(matches!(check_all(&twice), Err(SourceError::SameNames { .. })), "past a source between them");
    let twice = [only(spiffe("td"), "a", one), only(spiffe("td"), "b", other)];
    assert!(matches!(check_all(&twice), Err(SourceError::SameNames { .. })));
}

#[test]
fn keys_come_from_one_place() {
    let refused = |preset: Preset, change: &dyn Fn(&mut JwksSettings)| {
        let mut settings = source("a", preset);
        change(&mut settings.jwks);
        matches!(settings.check(), Err(SourceError::Preset { .. }))
    };
    let (uri, file) = (|| "https://k.test/k".parse().ok(), || Some("k.json".into()));
    let google = || Preset::Google { projects: vec![] };
    let svids = || Preset::Spiffe { trust_domain: "td".into() };
    let accounts = || Preset::GoogleServiceAccount {
        accounts: ["a", "b"].map(|name| format!("{name}@p.iam.gserviceaccount.com")).into(),
        max_life: 3600,
    };
    assert!(!refused(google(), &|jwks| jwks.file = file()));
    assert!(refused(google(), &|jwks| (jwks.uri, jwks.file) = (uri(), file())));
    assert!(refused(google(), &|jwks| (jwks.uri, jwks.hosts) = (uri(), vec!["k.test".into()])));
    assert!(refused(svids(), &|_| {}), "nothing says where a bundle is");
    assert!(!refused(svids(), &|jwks| jwks.uri = uri()));
    assert!(refused(accounts(), &|jwks| jwks.file = file()), "each could sign for the other");
}
