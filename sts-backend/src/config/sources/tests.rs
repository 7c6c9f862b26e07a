//! Clusters and servers, in the shipped example with what it shows in comments switched on.

use std::time::Duration;

use crate::{
    config::Config,
    finding::{self, Finding},
    fixture::{EXAMPLE, Fixture},
    identity::{Preset, inquiry::credential::Credential},
};

const EKS: &str = "https://oidc.eks.eu-central-1.amazonaws.com/id/0123456789ABCDEF0123456789ABCDEF";
const AKS: &str = "https://westeurope.oic.prod-aks.azure.com/5b4c2f7e-9a4e-4a8e-8f2c-1d3a6c7b8e90/0f6e3c7a-4b1d-4d0e-8f53-2a9b6c1d7e84/";

/// The example with its commented parts in force, and the files that they name.
fn whole() -> Fixture {
    let fixture = Fixture::new();
    let switched_on = |line: &str| {
        let (blanks, rest) = line.split_at(line.len() - line.trim_start().len());
        match rest.strip_prefix("# ") {
            Some(yaml) if blanks.len() >= 2 && (yaml.starts_with([' ', '-']) || yaml == "token_review:") => {
                format!("{blanks}{yaml}\n")
            }
            _ => format!("{line}\n"),
        }
    };
    fixture.write("cloakroom.yaml", EXAMPLE.lines().map(switched_on).collect::<String>());
    fixture.write("tls/cluster-token", "our-token\n");
    fixture.write("tls/introspection-secret", "our-secret\n");
    fixture
}

fn load(fixture: &Fixture) -> Config {
    Config::load(&fixture.config()).map_err(|found| finding::lines(&found)).unwrap()
}

/// The one finding that a replaced piece of text causes.
fn finding(from: &str, to: &str) -> Finding {
    let fixture = whole();
    fixture.edit(from, to);
    let found = Config::load(&fixture.config()).err().unwrap_or_default();
    assert_eq!(found.len(), 1, "{from} -> {to}:\n{}", finding::lines(&found));
    found.into_iter().next().unwrap()
}

fn cluster(preset: &str) -> Fixture {
    let fixture = Fixture::new();
    let (before, rest) = EXAMPLE.split_once("      # managed clusters").unwrap();
    let (_, after) = rest.split_once("    jwks: #").unwrap();
    fixture.write("cloakroom.yaml", format!("{before}      {preset}\n    jwks: #{after}"));
    fixture
}

#[test]
fn what_the_example_shows_in_comments_is_fine_too() {
    let fixture = whole();
    let config = load(&fixture);
    let preset = |name: &str| &config.sources.iter().find(|source| source.name == name).unwrap().preset;
    let Preset::Kubernetes { token_review: Some(review), .. } = preset("prod-cluster") else { panic!() };
    assert_eq!(review.address, "https://10.0.0.1:6443/apis/authentication.k8s.io/v1/tokenreviews");
    assert_eq!(review.credential, Credential::Bearer { file: fixture.path("tls/cluster-token") });
    assert_eq!((review.timeout, review.remember), (Duration::from_millis(500), 5));
    let Preset::Introspection(settings) = preset("legacy") else { panic!() };
    let secret_file = fixture.path("tls/introspection-secret");
    assert_eq!(settings.server.credential, Credential::Basic { client_id: "cloakroom".into(), secret_file });
    assert_eq!((settings.hint.as_deref(), settings.max_life), (Some("access_token"), Some(600)));
}

#[test]
fn each_mistake_of_a_server_is_found_where_it_stands() {
    let review = "sources[5].preset.kubernetes.token_review";
    let introspection = "sources[10].preset.introspection";
    for (from, to, path, words) in [
        ("url: https://10", "url: http://10", format!("{review}.url"), "https"),
        ("https://10.0.0.1:6443\n", "https://10.0.0.1:6443?x\n", format!("{review}.url"), "without user, query"),
        ("tls/cluster-token", "tls/none", format!("{review}.token_file"), "cannot be read"),
        ("tls/cluster-token", "tls/ca.crt", format!("{review}.token_file"), "one line"),
        (
            "remember_seconds: 5 # for so long a deleted",
            "remember_seconds: 31 #",
            format!("{review}.remember_seconds"),
            "0 to 30",
        ),
        ("timeout_ms: 500 #", "timeout_ms: 10 #", format!("{review}.timeout_ms"), "50 to 5000"),
        ("issuer: https://as.example", "issuer: as.example", format!("{introspection}.issuer"), "https"),
        ("endpoint: https", "endpoint: http", format!("{introspection}.endpoint"), "https"),
        ("client_id: cloakroom, ", "", format!("{introspection}.client"), "bearer_token_file"),
        ("client_id: cloakroom, ", "client_id: \"\", ", format!("{introspection}.client"), "bearer_token_file"),
        (
            "{ client_id",
            "{ bearer_token_file: tls/cluster-token, client_id",
            format!("{introspection}.client"),
            "either",
        ),
        ("max_life_seconds: 600", "max_life_seconds: 0", format!("{introspection}.max_life_seconds"), "60 to 86400"),
        ("hint: access_token", "hint: \"\"", format!("{introspection}.token_type_hint"), "leave it out"),
        (
            "  - name: legacy\n",
            "  - name: legacy\n    jwks: { uri: \"https://as.example/jwks\" }\n",
            "sources[10].jwks".to_owned(),
            "no `jwks`",
        ),
        (
            "    audience: https://sts.cloakroom.test\n    preset:\n      introspection:",
            "    audience: https://as.example\n    preset:\n      introspection:",
            "sources[10].audience".to_owned(),
            "the issuer's own name",
        ),
    ] {
        let finding = finding(from, to);
        assert_eq!(finding.path, path, "{finding}");
        assert!(finding.to_string().contains(words), "{finding}");
        assert!(finding.line.is_some(), "{finding}");
    }
    let private = finding("          allow_private_addresses: true\n", "");
    assert!(private.to_string().contains("allow_private_addresses"), "{private}");
}

#[test]
fn two_servers_cannot_serve_one_caller() {
    let again = "  - name: legacy2\n    audience: https://sts.cloakroom.test\n    preset: { introspection: { issuer: \"https://b.example\", \
         endpoint: \"https://b.example/i\", client: { bearer_token_file: tls/cluster-token } } }\n\n# The destinations.";
    let found = finding("\n# The destinations.", again);
    assert!(found.to_string().contains("`actors` of its own"), "{found}");
}

#[test]
fn a_credential_that_is_renewed_is_no_change_of_the_configuration() {
    let fixture = whole();
    let reading = Config::read(&fixture.config());
    assert!(reading.outcome.is_ok() && !reading.files.contains(&fixture.path("tls/cluster-token")));
    fixture.write("tls/cluster-token", "");
    let reading = Config::read(&fixture.config());
    assert!(reading.outcome.is_err(), "it is empty");
    assert!(
        reading.files.contains(&fixture.path("tls/cluster-token")),
        "whoever corrects it must not have to restart us"
    );
}

#[test]
fn managed_clusters_have_the_issuers_of_their_clouds() {
    let gke = "https://container.googleapis.com/v1/projects/acme-prod/locations/europe-west3/clusters/main";
    for (preset, issuer, name) in [
        (format!("eks: {{ issuer: \"{EKS}\", cluster: prod }}"), EKS, "prod"),
        ("eks: { region: eu-central-1, id: 0123456789ABCDEF0123456789ABCDEF, cluster: prod }".to_owned(), EKS, "prod"),
        ("gke: { project: acme-prod, location: europe-west3, cluster: main }".to_owned(), gke, "main"),
        ("gke: { project: acme-prod, location: europe-west3, cluster: main, name: p }".to_owned(), gke, "p"),
        (format!("aks: {{ issuer: \"{AKS}\", cluster: prod }}"), AKS, "prod"),
    ] {
        let config = load(&cluster(&preset));
        let wanted = Preset::Kubernetes { issuer: issuer.into(), cluster: name.into(), token_review: None };
        assert_eq!(config.sources[4].preset, wanted, "{preset}");
    }
}

#[test]
fn look_alikes_of_managed_issuers_are_mistakes() {
    let with = |preset: &str| {
        let found = Config::load(&cluster(preset).config()).err().unwrap_or_default();
        assert_eq!(found.len(), 1, "{preset}:\n{}", finding::lines(&found));
        found.into_iter().next().unwrap()
    };
    for (preset, path) in [
        (format!("eks: {{ issuer: \"{EKS}/\", cluster: prod }}"), "eks.issuer"),
        (format!("eks: {{ issuer: \"{}\", cluster: prod }}", EKS.replace(".com", ".com.evil.test")), "eks.issuer"),
        (format!("eks: {{ issuer: \"{EKS}\", region: eu-central-1, cluster: prod }}"), "eks"),
        ("eks: { region: eu-central-1, cluster: prod }".to_owned(), "eks"),
        ("eks: { region: eu-central-1, id: short, cluster: prod }".to_owned(), "eks"),
        (format!("eks: {{ issuer: \"{EKS}\", cluster: a/b }}"), "eks.cluster"),
        ("gke: { project: acme-prod/x, location: europe-west3, cluster: main }".to_owned(), "gke"),
        ("gke: { project: acme-prod, location: europe-west3, cluster: main, name: a/b }".to_owned(), "gke.name"),
        (format!("aks: {{ issuer: \"{}\", cluster: prod }}", AKS.trim_end_matches('/')), "aks.issuer"),
        (format!("aks: {{ issuer: \"{}\", cluster: prod }}", AKS.replace("oic.", "oic.evil.")), "aks.issuer"),
    ] {
        let finding = with(&preset);
        assert_eq!(finding.path, format!("sources[4].preset.{path}"), "{finding}");
        assert!(finding.line.is_some(), "{finding}");
    }
}
