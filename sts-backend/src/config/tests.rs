use super::*;
use crate::{finding, fixture::Fixture};

fn findings(change: impl FnOnce(&Fixture)) -> Vec<Finding> {
    let fixture = Fixture::new();
    change(&fixture);
    Config::load(&fixture.config()).err().unwrap_or_default()
}

/// The one finding that a replaced piece of text causes.
fn finding(from: &str, to: &str) -> Finding {
    let found = findings(|fixture| fixture.edit(from, to));
    assert_eq!(found.len(), 1, "{from} -> {to}:\n{}", finding::lines(&found));
    found.into_iter().next().unwrap()
}

#[test]
fn the_shipped_example_is_fine() {
    let fixture = Fixture::new();
    let config = Config::load(&fixture.config()).map_err(|found| finding::lines(&found)).unwrap();
    assert_eq!(config.issuer, "https://sts.cloakroom.test");
    assert_eq!(config.sources.len(), 9);
    assert_eq!(config.default_life, 60);
    assert_eq!(config.listeners.direct.unwrap().default_life, 300);
    assert_eq!(config.targets.iter().find(|target| target.name == "aws-orders").unwrap().max_life, 300);
    assert_eq!(config.store, fixture.path("cloakroom.redb"));
}

#[test]
fn every_file_that_is_read_is_watched() {
    let fixture = Fixture::new();
    let reading = Config::read(&fixture.config());
    for name in ["cloakroom.yaml", "tls/sts.crt", "tls/sts.key", "tls/ca.crt", "tls/kek.bin", "policy/example.cedar"] {
        assert!(reading.files.contains(&fixture.path(name)), "{name}");
    }
}

#[test]
fn a_source_without_an_audience_of_its_own_does_not_start() {
    let line = "    audience: api://cloakroom-sts\n";
    for replacement in ["", "    audience: \"\"\n", "    audience: \" \"\n"] {
        let finding = finding(line, replacement);
        assert_eq!(finding.path, "sources[3].audience");
        assert_eq!(finding.found, "nothing");
        assert!(finding.expected.contains("reserved for this service"), "{finding}");
    }
    for shared in [
        "sts.amazonaws.com",
        "api://AzureADTokenExchange",
        "https://management.azure.com/",
        "https://graph.microsoft.com",
    ] {
        let finding = finding(line, &format!("    audience: {shared}\n"));
        assert_eq!(finding.path, "sources[3].audience");
        assert!(finding.found.contains(shared), "{finding}");
    }
}

#[test]
fn an_issuers_own_name_is_no_audience_of_ours() {
    let finding = finding(
        "    audience: https://sts.cloakroom.test\n    preset: { oidc:",
        "    audience: https://issuer.example\n    preset: { oidc:",
    );
    assert_eq!(finding.path, "sources[5].audience");
    assert!(finding.to_string().contains("the issuer's own name"), "{finding}");
}

#[test]
fn a_finding_names_file_line_place_and_what_to_do() {
    let found = finding("account: \"123456789012\"", "account: \"12345\"");
    let text = found.to_string();
    let line = 1 + EXAMPLE_LINES.iter().position(|line| line.contains("account:")).unwrap();
    assert!(
        text.contains(&format!("cloakroom.yaml:{line}: sources[0].preset.aws_outbound.account: `12345`")),
        "{text}"
    );
    assert!(text.contains("expected an AWS account ID, 12 digits in quotes"), "{text}");
}

static EXAMPLE_LINES: std::sync::LazyLock<Vec<&str>> =
    std::sync::LazyLock::new(|| crate::fixture::EXAMPLE.lines().collect());

#[test]
fn every_mistake_is_told_at_once() {
    let found = findings(|fixture| {
        fixture.edit("issuer: https://sts.cloakroom.test", "issuer: http://sts.cloakroom.test/");
        fixture.edit("trust_domain: cloakroom.test", "trust_domain: Cloakroom");
        fixture.edit("    audience: api://cloakroom-sts\n", "");
        fixture.edit("address: 0.0.0.0:8443", "address: localhost:8443");
        fixture.edit("default_life_seconds: 60", "default_life_seconds: 0");
        fixture.edit("level: info", "level: loud");
        fixture.write("tls/kek.bin", "short");
    });
    let paths: Vec<_> = found.iter().map(|finding| finding.path.as_str()).collect();
    for path in [
        "issuer",
        "trust_domain",
        "sources[3].audience",
        "listeners.mtls.address",
        "tokens.default_life_seconds",
        "log.level",
        "keys.encryption_key_file",
    ] {
        assert!(paths.contains(&path), "{path} in {paths:?}");
    }
}

#[test]
fn each_mistake_is_found_where_it_stands() {
    for (from, to, path, words) in [
        ("version: 1\n", "version: 2\n", "version", "version 1 only"),
        (
            "https://sts.cloakroom.test\n\n# The SPIFFE",
            "https://sts.cloakroom.test?x=1\n\n# The SPIFFE",
            "issuer",
            "https",
        ),
        ("address: 0.0.0.0:8444", "address: 0.0.0.0:8443", "listeners.no_client_certificate.address", "of its own"),
        ("tls/sts.key", "tls/none.key", "listeners.mtls.private_key_file", "cannot be read"),
        (
            "private_key_file: tls/sts.key",
            "private_key_file: tls/sts.crt",
            "listeners.mtls.private_key_file",
            "no private key",
        ),
        (
            "client_ca_file: tls/ca.crt",
            "client_ca_file: tls/sts.key",
            "listeners.mtls.client_ca_file",
            "no certificate",
        ),
        ("spiffe://cloakroom.test/edge/egress", "spiffe://other.test/edge", "actors[0].spiffe_id", "trust domain"),
        ("spiffe://cloakroom.test/edge/egress", "edge", "actors[0].spiffe_id", "spiffe://"),
        ("cloakroom.test/edge/egress", "cloakroom.test/aws/egress", "actors[0].spiffe_id", "names workloads itself"),
        ("name: gcp #", "name: aws #", "sources[1].name", "`sources[0].name` has too"),
        ("5b4c2f7e-9a4e-4a8e-8f2c-1d3a6c7b8e90", "common", "sources[2].preset.entra_v2.tenant", "GUID"),
        ("algorithms: [ES256, RS256]", "algorithms: [HS256]", "sources[5].preset.oidc.algorithms[0]", "HS256"),
        ("algorithms: [ES256, RS256]", "algorithms: []", "sources[5].preset.oidc.algorithms", "no algorithm"),
        ("uri: https://10.0.0.1", "uri: http://10.0.0.1", "sources[4].jwks.uri", "https"),
        ("jwks: { hosts: [keys.issuer.example] }", "jwks: { hosts: [\"*\"] }", "sources[5].jwks.hosts[0]", "HOST:PORT"),
        ("jwks: { hosts: [keys.issuer.example] }", "jwks: { file: none.json }", "sources[5].jwks.file", "none.json"),
        ("ES256, RS256] }", "ES256, RS256], name: [job] }", "sources[5].preset.oidc", "{claims.sub}"),
        (
            "batch@reports-prod.iam",
            "batch@reports/prod.iam",
            "sources[6].preset.google_service_account",
            "NAME@PROJECT",
        ),
        ("owner_ids: [\"9919\"]", "owner_ids: [github]", "sources[7].preset.github", "numbers"),
        ("trust_domain: partner.example", "trust_domain: Partner", "sources[8].preset.spiffe", "without path"),
        ("jwks: { uri: \"https://spire", "jwks: {} # { uri: \"https://spire", "sources", "bundle"),
        ("name: aws-orders", "name: gcp-reports", "targets[1]", "stands twice"),
        ("https://orders.aws", "http://orders.aws", "targets[1]", "RFC 8707"),
        ("max_life_seconds: 300", "max_life_seconds: 0", "targets[0]", "max_life_seconds"),
        ("schema_version: 1", "schema_version: 9", "policy.schema_version", "expected 1"),
        ("policy/example.cedar", "policy/none.cedar", "policy.files[0]", "cannot be read"),
        ("hyper: info", "hyper: trace", "log.libraries.hyper", "headers and bodies"),
        ("entries: 20000", "entries: 2000000", "limits.reissue_cache_entries", "0 to 1048576"),
        ("drain_seconds: 10", "drain_seconds: 0", "limits.drain_seconds", "1 to 3600"),
    ] {
        let finding = finding(from, to);
        assert_eq!(finding.path, path, "{finding}");
        assert!(finding.to_string().contains(words), "{finding}");
        assert!(finding.line.is_some(), "{finding}");
    }
}

#[test]
fn two_sources_cannot_share_an_issuer() {
    let found =
        finding("issuer: \"https://issuer.example\"", "issuer: \"https://kubernetes.default.svc.cluster.local\"");
    assert_eq!(found.path, "sources");
    assert!(found.to_string().contains("`actors` of its own"), "{found}");
}

#[test]
fn a_proxy_vouches_for_named_workloads_of_a_trust_domain_only() {
    let actor = "  - spiffe_id: spiffe://cloakroom.test/edge/egress\n";
    let with = |domain: &str, subjects: &str| {
        let vouch = format!("{{ trust_domain: {domain}, bundle_file: tls/ca.crt, subjects: {subjects} }}");
        findings(|fixture| fixture.edit(actor, &format!("{actor}    vouches_for: [{vouch}]\n")))
    };
    for (domain, subjects, path) in [
        ("mesh.test", "[]", "actors[0].vouches_for[0].subjects"),
        ("mesh.test", "[spiffe://mesh.test/*]", "actors[0].vouches_for[0].subjects[0]"),
        ("mesh.test", "[spiffe://other.test/ns/a/*]", "actors[0].vouches_for[0].subjects[0]"),
        ("spiffe://mesh", "[spiffe://mesh.test/ns/a/*]", "actors[0].vouches_for[0].trust_domain"),
    ] {
        assert_eq!(with(domain, subjects)[0].path, path);
    }
    assert!(with("mesh.test", "[spiffe://mesh.test/ns/a/*]").is_empty());
}

#[test]
fn the_documented_vouching_is_fine() {
    let page = include_str!("../../docs/peer-certificates.md");
    let documented = page.split("```yaml\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    let shipped = "actors:\n  - spiffe_id: spiffe://cloakroom.test/edge/egress\n";
    let found = findings(|fixture| fixture.edit(shipped, documented));
    assert!(found.is_empty(), "{}", finding::lines(&found));
}

#[test]
fn a_source_may_vouch_to_some_proxies_only() {
    let with = |actors: &str| {
        let source = "    audience: https://sts.cloakroom.test\n    preset: { oidc:";
        finding(source, &format!("    actors: {actors}\n{source}"))
    };
    assert_eq!(with("[]").path, "sources[5].actors");
    assert_eq!(with("[spiffe://td/edge, https://td/edge]").path, "sources[5].actors[1]");
}

#[test]
fn a_source_of_signed_requests_knows_its_accounts_and_regions() {
    let outbound = crate::fixture::EXAMPLE.lines().find(|line| line.contains("preset: { aws_outbound")).unwrap();
    let with = |settings: &str| {
        let preset = format!("    preset: {{ aws_signed_request: {settings} }}");
        findings(|fixture| fixture.edit(outbound, &preset))
    };
    let good = r#"accounts: ["123456789012"], regions: [eu-central-1]"#;
    assert_eq!(with(&format!("{{ {good} }}")), []);
    let endpoint = "endpoint: { uri: \"https://10.0.0.9\", ca_file: tls/ca.crt, allow_private_addresses: true }";
    assert_eq!(with(&format!("{{ {good}, {endpoint}, allow_unsigned_audience: true, role_ids: [AROAEXAMPLE] }}")), []);
    for (settings, path, words) in [
        ("{ regions: [eu-central-1] }".to_owned(), "", "`accounts` is empty"),
        (r#"{ accounts: ["123456789012"] }"#.to_owned(), "", "`regions` is empty"),
        (r#"{ accounts: ["1"], regions: [eu-central-1] }"#.to_owned(), "", "12 digits"),
        (r#"{ accounts: ["123456789012"], regions: [europe] }"#.to_owned(), "", "no region"),
        (r#"{ accounts: ["123456789012"], regions: [a, a] }"#.to_owned(), ".regions", "twice"),
        (format!("{{ {good}, endpoint: {{ uri: \"http://vpce.test\" }} }}"), ".endpoint.uri", "https"),
        (
            format!("{{ {good}, endpoint: {{ uri: \"https://vpce.test\", ca_file: no.crt }} }}"),
            ".endpoint.ca_file",
            "no.crt",
        ),
    ] {
        let found = with(&settings);
        assert_eq!(found.len(), 1, "{settings}: {}", finding::lines(&found));
        assert_eq!(found[0].path, format!("sources[0].preset.aws_signed_request{path}"), "{settings}");
        assert!(found[0].to_string().contains(words), "{settings}: {}", found[0]);
    }
    let private = with(&format!("{{ {good}, endpoint: {{ uri: \"https://10.0.0.9\" }} }}"));
    assert!(finding::lines(&private).contains("private"), "{}", finding::lines(&private));
    let keys = with(&format!("{{ {good} }} }}\n    jwks: {{ uri: \"https://keys.test\""));
    assert_eq!(keys[0].path, "sources[0].jwks", "{}", finding::lines(&keys));
}

#[test]
fn a_key_that_is_another_certificates_is_named() {
    let found = findings(|fixture| fixture.write("tls/sts.key", fixture.authority.issue(&[]).key));
    assert_eq!(found.len(), 2, "{}", finding::lines(&found));
    assert_eq!(found[0].path, "listeners.mtls");
    assert!(found[0].to_string().contains("do not go together"), "{}", found[0]);
}

#[test]
fn an_unknown_member_is_refused_with_its_line() {
    let finding = finding("tokens:\n", "token:\n");
    assert!(finding.line.is_some());
    assert!(finding.found.contains("token"), "{finding}");
}

#[test]
fn a_missing_file_says_how_to_name_one() {
    let found = Config::load(Path::new("no-such-file.yaml")).err().unwrap();
    assert!(found[0].to_string().contains("no-such-file.yaml: the file cannot be read"), "{}", found[0]);
}
