use proptest::prelude::*;

use super::*;
use crate::federation::azure::{DEFAULT_AUDIENCE, KeptKeys};

const WORKLOAD: &str = "spiffe://td/k8s/prod/shop/cart";

fn good() -> Settings {
    Settings {
        tenant: "22222222-2222-2222-2222-222222222222".to_owned(),
        client_id: "33333333-3333-3333-3333-33333333333f".to_owned(),
        audience: DEFAULT_AUDIENCE.to_owned(),
        subject: "cloakroom".to_owned(),
        own_credentials: vec![WORKLOAD.to_owned()],
        authority: Some("https://login.microsoftonline.us".parse().unwrap()),
        storage_endpoint: Some("https://blob.core.usgovcloudapi.net".parse().unwrap()),
        keys: KeptKeys::default(),
    }
}

#[test]
fn each_mistake_is_named() {
    assert_eq!(settings(&good()), Ok(()));
    let with = |change: fn(&mut Settings)| {
        let mut changed = good();
        change(&mut changed);
        settings(&changed).unwrap_err()
    };
    for (member, problem) in [
        ("tenant", with(|settings| settings.tenant = "common".to_owned())),
        ("tenant", with(|settings| settings.tenant = "contoso.onmicrosoft.com".to_owned())),
        ("client_id", with(|settings| settings.client_id = "33333333-3333-3333-3333-33333333333F".to_owned())),
        ("audience", with(|settings| settings.audience = String::new())),
        ("audience", with(|settings| settings.audience = "a b".to_owned())),
        ("subject", with(|settings| settings.subject = "a".repeat(601))),
        ("subject", with(|settings| settings.subject = WORKLOAD.to_owned())),
        ("own_credentials", with(|settings| settings.own_credentials.push("cart".to_owned()))),
        ("own_credentials", with(|settings| settings.own_credentials.push(format!("spiffe://td/{}", "a".repeat(600))))),
        ("own_credentials", with(|settings| settings.own_credentials.push(WORKLOAD.to_owned()))),
        ("authority", with(|settings| settings.authority = Some("http://login.example".parse().unwrap()))),
        ("authority", with(|settings| settings.authority = Some("https://login.example/?a=b".parse().unwrap()))),
        (
            "storage_endpoint",
            with(|settings| settings.storage_endpoint = Some("https://u@blob.example".parse().unwrap())),
        ),
        ("storage_endpoint", with(|settings| settings.storage_endpoint = Some("/blob".parse().unwrap()))),
    ] {
        assert!(problem.contains(&format!("`{member}`")), "{member}: {problem}");
    }
}

#[test]
fn containers_have_azure_s_names_and_permissions_our_words() {
    let check = |account: &str, container: &str, permissions: &str| {
        let opened = Opening::Container { account: account.to_owned(), container: container.to_owned() };
        opening(&opened, &Scope::parse(permissions).unwrap())
    };
    for (account, container) in [("acc", "abc"), ("account1", "a-b-1"), ("acct", "$web"), ("acct", "$root")] {
        assert_eq!(check(account, container, "read list"), Ok(()), "{account}/{container}");
    }
    for account in ["", "ab", "Account", "a-b", "acct.evil", &"a".repeat(25), "acct/"] {
        assert!(check(account, "cont", "read").unwrap_err().contains("`account`"), "{account}");
    }
    for container in ["", "ab", "A-b", "a--b", "-ab", "ab-", "a/b", "$other", "a.b", &"a".repeat(64), "cont\n"] {
        assert!(check("acct", container, "read").unwrap_err().contains("`container`"), "{container}");
    }
    for permissions in ["", "admin", "read admin", "https://storage.azure.com/.default"] {
        assert!(check("acct", "cont", permissions).unwrap_err().contains("`permissions`"), "{permissions}");
    }
}

#[test]
fn a_scope_is_the_default_one_and_cannot_be_narrowed() {
    let check = |scope: &str, permissions: &str| {
        opening(&Opening::Scope(scope.to_owned()), &Scope::parse(permissions).unwrap())
    };
    const VAULT: &str = "https://vault.azure.net/.default";
    assert_eq!(check(VAULT, ""), Ok(()));
    assert_eq!(check(VAULT, VAULT), Ok(()));
    assert_eq!(check("api://33333333-3333-3333-3333-333333333333/.default", ""), Ok(()));
    for scope in [
        "",
        "/.default",
        "https://vault.azure.net/secrets.read",
        "https://vault.azure.net/.default openid",
        "ä/.default",
    ] {
        assert!(check(scope, "").unwrap_err().contains("`scope`"), "{scope}");
    }
    for permissions in ["read", &format!("{VAULT} read")] {
        assert!(check(VAULT, permissions).unwrap_err().contains("`permissions`"), "{permissions}");
    }
}

#[test]
fn an_account_s_name_stands_before_names_with_a_dot_alone() {
    for (endpoint, named) in [
        ("https://blob.core.usgovcloudapi.net", true),
        ("https://z01.blob.storage.azure.net:8443/x", true),
        ("https://localhost:10000", false),
        ("https://azurite:10000", false),
        ("https://127.0.0.1:10000", false),
        ("https://[::1]:10000", false),
        ("https://[::ffff:127.0.0.1]", false),
    ] {
        assert_eq!(is_named_host(&endpoint.parse().unwrap()), named, "{endpoint}");
    }
}

proptest! {
    #[test]
    fn no_account_or_container_can_leave_its_place(account in ".{0,30}", container in ".{0,30}") {
        let harmless = |text: &str| text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-$".contains(&byte));
        prop_assert!(!is_account(&account) || harmless(&account));
        prop_assert!(!is_container(&container) || harmless(&container));
    }
}
