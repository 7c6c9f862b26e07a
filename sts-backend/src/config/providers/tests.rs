use crate::{
    config::Config,
    federation::{aws, azure, gcp, limits, oauth, way::Way},
    finding::{self, Finding},
    fixture::{EXAMPLE, Fixture},
};

const PROVIDERS: &str = r#"
providers:
  - name: aws-prod
    aws: { role_arn: "arn:aws:iam::123456789012:role/team/cloakroom", region: eu-central-1 }
  - name: gcp-prod
    gcp:
      provider: //iam.googleapis.com/projects/123/locations/global/workloadIdentityPools/p/providers/x
      service_account: x@y.iam.gserviceaccount.com
  - name: entra
    azure: { tenant: 5b4c2f7e-9a4e-4a8e-8f2c-1d3a6c7b8e90, client_id: 8c0e6c0e-0d6f-4f64-9a7c-5d2f3d1f7a10 }
    limits: { at_once: 2, timeout_ms: 900 }
  - name: partner
    oauth: { token_endpoint: "https://as.partner.example/token", grant: token_exchange, audience: "https://as.partner.example" }
"#;

const TARGETS: &str = r#"
targets:
  - name: bucket
    resource: https://reports.s3.eu-central-1.amazonaws.com
    provider: aws-prod
    target: { bucket: reports, prefix: team-a/ }
    permissions: [read, list]
  - name: gcs
    resource: https://storage.googleapis.com/reports
    provider: gcp-prod
    target: { bucket: reports }
    permissions: [read]
  - name: blobs
    resource: https://acct.blob.core.windows.net/reports
    provider: entra
    target: { account: acct, container: reports }
    permissions: [read]
  - name: partner-api
    resource: https://api.partner.example
    provider: partner
    permissions: [orders.read]
  - name: own
    resource: https://own.example
    permissions: [a, b]
"#;

/// The example's sources with `providers` and `targets` in place of its own.
fn load(providers: &str, targets: &str) -> Result<Config, Vec<Finding>> {
    let fixture = Fixture::new();
    let (before, rest) = EXAMPLE.split_once("\n# Platforms and servers whose").unwrap();
    let (_, after) = rest.split_once("\n# Cedar files.").unwrap();
    fixture.write("cloakroom.yaml", format!("{before}\n{providers}\n{targets}\n# Cedar files.{after}"));
    Config::load(&fixture.config())
}

fn finding(providers: &str, targets: &str) -> Finding {
    let found = load(providers, targets).err().unwrap_or_default();
    assert_eq!(found.len(), 1, "{providers}{targets}\n{}", finding::lines(&found));
    found.into_iter().next().unwrap()
}

#[test]
fn every_kind_is_read_with_what_is_usual() {
    let config = load(PROVIDERS, TARGETS).map_err(|found| finding::lines(&found)).unwrap();
    let names: Vec<_> = config.providers.iter().map(|provider| provider.name.as_str()).collect();
    assert_eq!(names, ["aws-prod", "gcp-prod", "entra", "partner"]);
    assert_eq!(config.providers[0].limits, limits::AWS);
    let entra = config.providers[2].limits;
    assert_eq!((entra.at_once, entra.timeout.as_millis(), entra.waiting), (2, 900, limits::AZURE.waiting));
    let way = |name: &str| {
        let target = config.targets.iter().find(|target| target.name == name).unwrap();
        let lender = target.lender.as_ref().map(|lender| (lender.provider.as_str(), (*lender.way).clone()));
        (lender, target.permissions.as_ref().map(ToString::to_string))
    };
    let (Some(("aws-prod", Way::Aws(settings, opening))), Some(permissions)) = way("bucket") else { panic!() };
    assert_eq!(settings.audience, "sts.amazonaws.com");
    assert_eq!((settings.then_roles.len(), settings.endpoint), (0, None));
    assert_eq!(opening, aws::Opening::Bucket { bucket: "reports".into(), prefix: Some("team-a/".into()) });
    assert_eq!(permissions, "list read");
    let (Some(("gcp-prod", Way::Gcp(settings, opening))), _) = way("gcs") else { panic!() };
    assert_eq!(settings.service_account.as_deref(), Some("x@y.iam.gserviceaccount.com"));
    assert_eq!(opening, gcp::Opening::Bucket { bucket: "reports".into(), prefix: None });
    let (Some(("entra", Way::Azure(settings, opening))), _) = way("blobs") else { panic!() };
    assert_eq!(settings.subject, "spiffe://cloakroom.test/destination/entra");
    assert_eq!(settings.audience, "api://AzureADTokenExchange");
    assert_eq!(opening, azure::Opening::Container { account: "acct".into(), container: "reports".into() });
    let (Some(("partner", Way::Oauth(settings, opening))), _) = way("partner-api") else { panic!() };
    assert_eq!((settings.grant, opening), (oauth::Grant::TokenExchange, oauth::Opening::default()));
    assert_eq!(way("own"), (None, Some("a b".to_owned())));
}

#[test]
fn each_mistake_of_a_provider_is_found_where_it_stands() {
    for (from, to, path, words) in [
        ("arn:aws:iam::123456789012:role/team/cloakroom", "arn:aws:iam::1:role/x", "providers[0].aws.role_arn", "ARN"),
        ("arn:aws:iam::123456789012:role/team/cloakroom", "cloakroom", "providers[0].aws.role_arn", "get-role"),
        ("region: eu-central-1", "region: \"EU Central\"", "providers[0].aws.region", "eu-central-1"),
        (
            "region: eu-central-1",
            "region: eu-central-1, then_roles: [admin]",
            "providers[0].aws.then_roles[0]",
            "a role's ARN",
        ),
        (
            "region: eu-central-1",
            "region: eu-central-1, endpoint: \"http://sts.test\"",
            "providers[0].aws.endpoint",
            "https",
        ),
        (
            "region: eu-central-1",
            "region: eu-central-1, endpoint: \"https://10.0.0.1\"",
            "providers[0].aws.endpoint",
            "allow_private_addresses",
        ),
        ("region: eu-central-1", "region: eu-central-1, audience: \"a b\"", "providers[0].aws.audience", "blanks"),
        ("projects/123/", "projects/reports-prod/", "providers[1].gcp.provider", "the project's number"),
        ("x@y.iam.gserviceaccount.com", "x@example.com", "providers[1].gcp.service_account", "NAME@PROJECT"),
        ("tenant: 5b4c2f7e-9a4e-4a8e-8f2c-1d3a6c7b8e90", "tenant: common", "providers[2].azure.tenant", "GUID"),
        ("client_id: 8c0e6c0e", "client_id: x8c0e6c0", "providers[2].azure.client_id", "GUID"),
        (
            "client_id: 8c0e6c0e-0d6f-4f64-9a7c-5d2f3d1f7a10",
            "client_id: 8c0e6c0e-0d6f-4f64-9a7c-5d2f3d1f7a10, own_credentials: [api]",
            "providers[2].azure.own_credentials[0]",
            "spiffe://",
        ),
        (
            "client_id: 8c0e6c0e-0d6f-4f64-9a7c-5d2f3d1f7a10",
            "client_id: 8c0e6c0e-0d6f-4f64-9a7c-5d2f3d1f7a10, own_credentials: [\"spiffe://cloakroom.test/destination/entra\"]",
            "providers[2].azure.own_credentials[0]",
            "the subject of all others",
        ),
        ("grant: token_exchange", "grant: password", "providers[3].oauth.grant", "`jwt_bearer`"),
        ("grant: token_exchange", "grant: client_credentials", "providers[3].oauth.client_id", "nothing"),
        (
            "grant: token_exchange",
            "grant: token_exchange, exchange_audience: x",
            "providers[3].oauth.exchange_audience",
            "identity_chaining",
        ),
        ("https://as.partner.example/token", "https://as/token?x=1", "providers[3].oauth.token_endpoint", "query"),
        ("at_once: 2", "at_once: 0", "providers[2].limits.at_once", "1 to 256"),
        ("timeout_ms: 900", "timeout_ms: 30000", "providers[2].limits.timeout_ms", "100 to 10000"),
        (
            "    limits: { at_once: 2, timeout_ms: 900 }\n",
            "    ca_file: none.crt\n",
            "providers[2].ca_file",
            "none.crt",
        ),
    ] {
        assert!(PROVIDERS.contains(from), "{from}");
        let finding = finding(&PROVIDERS.replacen(from, to, 1), TARGETS);
        assert_eq!(finding.path, path, "{finding}");
        assert!(finding.to_string().contains(words), "{finding}");
        assert!(finding.line.is_some(), "{finding}");
    }
    for (name, words) in
        [("aws-prod", "`providers[0].name` has too"), ("\"en tra\"", "letters, digits"), ("\"\"", "letters")]
    {
        let fifth = format!(
            "  - name: {name}\n    oauth: {{ token_endpoint: \"https://x.test\", grant: jwt_bearer, audience: a }}"
        );
        let finding = finding(&format!("{PROVIDERS}{fifth}"), TARGETS);
        assert_eq!(finding.path, "providers[4].name");
        assert!(finding.to_string().contains(words), "{finding}");
    }
    let two = PROVIDERS.replacen(
        "    limits:",
        "    oauth: { token_endpoint: \"https://x.test\", grant: jwt_bearer, audience: a }\n    limits:",
        1,
    );
    assert!(finding(&two, TARGETS).found.contains("several kinds"));
    let none = PROVIDERS.replacen(
        "  - name: partner\n    oauth:",
        "  - name: partner\n    ca_file: tls/ca.crt\n    # oauth:",
        1,
    );
    assert!(finding(&none, TARGETS).found.contains("no kind"));
    let chaining = PROVIDERS.replacen("grant: token_exchange", "grant: identity_chaining", 1);
    let found = load(&chaining, TARGETS).err().unwrap();
    let paths: Vec<_> = found.iter().map(|finding| finding.path.as_str()).collect();
    assert_eq!(paths, ["providers[3].oauth.exchange_endpoint", "providers[3].oauth.exchange_audience"]);
}

#[test]
fn each_mistake_of_a_target_is_found_where_it_stands() {
    for (from, to, path, words) in [
        ("provider: aws-prod", "provider: aws", "targets[0].provider", "`aws-prod`"),
        ("{ bucket: reports, prefix: team-a/ }", "{ prefix: team-a/ }", "targets[0].target", "`table`"),
        ("{ bucket: reports, prefix: team-a/ }", "{ bucket: reports, table: x }", "targets[0].target", "bucket, table"),
        ("{ bucket: reports, prefix: team-a/ }", "{ account: a, container: b }", "targets[0].target", "`queue`"),
        ("    target: { bucket: reports, prefix: team-a/ }\n", "", "targets[0].target", "nothing"),
        ("{ bucket: reports }", "{ scopes: [] }", "targets[1].target", "`id_token_audience`"),
        ("{ bucket: reports }", "{ scope: x }", "targets[1].target", "`scopes`"),
        ("container: reports }", "bucket: reports }", "targets[2].target", "`account` and `container`"),
        (
            "    provider: partner\n",
            "    provider: partner\n    target: { bucket: b }\n",
            "targets[3].target",
            "`resource`",
        ),
        ("permissions: [read, list]", "permissions: [read, read]", "targets[0].permissions[1]", "again"),
        ("permissions: [read, list]", "permissions: [\"read list\"]", "targets[0].permissions[0]", "without blanks"),
        ("permissions: [a, b]", "target: { bucket: b }", "targets[4].target", "nobody to open it"),
    ] {
        assert!(TARGETS.contains(from), "{from}");
        let finding = finding(PROVIDERS, &TARGETS.replacen(from, to, 1));
        assert_eq!(finding.path, path, "{finding}");
        assert!(finding.to_string().contains(words), "{finding}");
    }
    let unknown = TARGETS.replacen("{ bucket: reports }", "{ buckets: reports }", 1);
    assert!(finding(PROVIDERS, &unknown).found.contains("buckets"));
    let alone = "\ntargets:\n  - { name: a, resource: \"https://a.test\", provider: aws }\n";
    assert!(finding("", alone).expected.contains("of which there is none"));
}

#[test]
fn private_addresses_are_for_those_who_say_so() {
    let endpoint = "region: eu-central-1, endpoint: \"https://127.0.0.1:9000\"";
    let private = PROVIDERS.replacen("region: eu-central-1", endpoint, 1);
    assert!(load(&private, TARGETS).is_err());
    let allowed = private.replacen("  - name: gcp-prod", "    allow_private_addresses: true\n  - name: gcp-prod", 1);
    let config = load(&allowed, TARGETS).map_err(|found| finding::lines(&found)).unwrap();
    assert!(config.providers[0].allow_private_addresses);
}

/// `#` taken away from the lines from the one that begins with `first` on, up to the first that has none.
fn uncommented(text: &str, first: &str) -> String {
    let mut within = false;
    let lines = text.lines().map(|line| {
        within = (within || line.starts_with(first)) && line.starts_with("# ");
        if within { line.replacen("# ", "", 1) } else { line.to_owned() }
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn the_examples_own_lines_are_fine_without_their_marks() {
    let example = uncommented(&uncommented(EXAMPLE, "# providers:"), "#   - name: reports-bucket");
    let fixture = Fixture::new();
    fixture.write("cloakroom.yaml", example);
    let config = Config::load(&fixture.config()).map_err(|found| finding::lines(&found)).unwrap();
    assert_eq!(config.providers.len(), 4);
    let lenders = config.targets.iter().filter_map(|target| target.lender.as_ref());
    assert_eq!(lenders.map(|lender| lender.provider.as_str()).collect::<Vec<_>>(), ["aws-prod"]);
}

/// The first example of configuration in a page.
fn documented(page: &str) -> &str {
    page.split("```yaml\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap()
}

#[test]
fn the_documented_configuration_is_fine() {
    let pages = [
        (include_str!("../../../docs/federation.md"), 4),
        (include_str!("../../../docs/federation-aws.md"), 1),
        (include_str!("../../../docs/federation-gcp.md"), 1),
        (include_str!("../../../docs/federation-azure.md"), 1),
        (include_str!("../../../docs/federation-oauth.md"), 1),
    ];
    for (page, number) in pages {
        let config = load(documented(page), "").map_err(|found| finding::lines(&found)).unwrap();
        let opened = config.targets.iter().filter(|target| target.lender.is_some()).count();
        assert_eq!((config.providers.len(), opened), (number, number), "{page}");
    }
}

#[test]
fn the_target_that_the_project_shows_first_is_fine() {
    let target = documented(include_str!("../../../../README.md"));
    let config = load(PROVIDERS, target).map_err(|found| finding::lines(&found)).unwrap();
    assert!(config.targets.iter().all(|target| target.lender.is_some()));
}

#[test]
fn the_documented_defaults_are_those_that_hold() {
    let page = include_str!("../../../docs/federation.md");
    for row in [
        "| 16 | wait |",
        "| 256 | `provider_unavailable` |",
        "| 3000 | `provider_unavailable` |",
        "| 50 and 50; 20 and 40 | wait",
    ] {
        assert!(page.contains(row), "{row}");
    }
    for limits in [limits::AWS, limits::GCP, limits::AZURE, limits::OAUTH] {
        assert_eq!((limits.at_once, limits.waiting, limits.timeout.as_millis()), (16, 256, 3_000));
    }
    assert_eq!((limits::AWS.calls_per_second, limits::GCP.burst), (50, 50));
    assert_eq!((limits::AZURE.calls_per_second, limits::OAUTH.burst), (20, 40));
}
