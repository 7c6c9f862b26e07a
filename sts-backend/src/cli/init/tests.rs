use clap::Parser;
use serde_json::{Value, json};

use super::*;
use crate::{
    config::Config,
    finding,
    fixture::{self, Fixture},
};

mod edge;
mod hcl;
mod holes;
mod languages;
mod page;
mod shell;

/// The options alone, as a program.
#[derive(Parser)]
struct Program {
    #[command(flatten)]
    options: Options,
}

fn options(line: &[&str]) -> Options {
    Program::try_parse_from(std::iter::once(&"init").chain(line)).unwrap_or_else(|error| panic!("{error}")).options
}

fn printed_by(line: &[&str]) -> String {
    run(&options(line)).unwrap_or_else(|error| panic!("{error}"))
}

#[track_caller]
fn refused(line: &[&str], words: &[&str]) {
    let error = run(&options(line)).unwrap_err().to_string();
    assert_eq!(error.lines().count(), words.len(), "{error}");
    for (line, words) in error.lines().zip(words) {
        assert!(line.contains(words), "`{words}` not in `{line}`");
    }
}

const ISSUER: [&str; 2] = ["--issuer", "https://sts.example.com"];

/// Everything said, for each cloud.
const FULL: [&[&str]; 3] = [
    &[
        "--destination",
        "aws",
        "--issuer",
        "https://sts.example.com",
        "--subject",
        "spiffe://td/k8s/prod/pay/api",
        "--account",
        "123456789012",
        "--region",
        "eu-central-1",
        "--bucket",
        "reports",
        "--name",
        "reports-prod",
    ],
    &[
        "--destination",
        "gcp",
        "--issuer",
        "https://sts.example.com",
        "--subject",
        "spiffe://td/k8s/prod/pay/api",
        "--project",
        "reports-prod",
        "--project-number",
        "123456789",
        "--bucket",
        "reports",
        "--name",
        "reports-prod",
    ],
    &[
        "--destination",
        "azure",
        "--issuer",
        "https://sts.example.com",
        "--subject",
        "spiffe://td/k8s/prod/pay/api",
        "--tenant",
        "5b4c2f7e-9a4e-4a8e-8f2c-1d3a6c7b8e90",
        "--client-id",
        "8c0e6c0e-0d6f-4f64-9a7c-5d2f3d1f7a10",
        "--resource-group",
        "rg",
        "--storage-account",
        "reports",
        "--container",
        "team-a",
        "--name",
        "reports-prod",
    ],
];

/// Lines that differ in what decides between two ways of printing.
fn variations() -> Vec<Vec<&'static str>> {
    let mut lines: Vec<Vec<&str>> = FULL.iter().map(|line| line.to_vec()).collect();
    for destination in ["aws", "gcp", "azure"] {
        lines.push(["--destination", destination].into_iter().chain(ISSUER).collect());
    }
    for line in &FULL[..2] {
        lines.push(line.iter().copied().chain(["--subject", "spiffe://td/ns/a/*"]).collect());
        lines.push(line.iter().copied().chain(["--permissions", "delete,write,list"]).collect());
    }
    lines.push(FULL[0].iter().map(|word| if *word == "reports" { "my.reports" } else { word }).collect());
    lines.push(FULL[0].iter().map(|word| if *word == "eu-central-1" { "cn-north-1" } else { word }).collect());
    for besides in [&["--identity", "managed"][..], &["--subject", "spiffe://td/other"], &["--permissions", "write"]] {
        lines.push(FULL[2].iter().chain(besides).copied().collect());
    }
    lines
}

fn in_format(line: &[&str], format: &str) -> String {
    let line: Vec<_> = line.iter().copied().chain(["--format", format]).collect();
    printed_by(&line)
}

/// The texts of the sections, without their headings.
fn sections(text: &str) -> Vec<String> {
    text.split("# --- ").skip(1).map(|section| section.split_once('\n').unwrap().1.to_owned()).collect()
}

/// What is printed for a line as values: lines of cloakroom.yaml, the filter's, Envoy's.
fn settings(line: &[&str]) -> [Value; 3] {
    let text = in_format(line, "cloakroom");
    let [configuration, filter, envoy] = sections(&text).try_into().unwrap();
    let filter: String = filter.lines().filter(|line| !line.starts_with('#')).collect();
    [
        serde_saphyr::from_str(&configuration).unwrap(),
        serde_json::from_str(&filter).unwrap(),
        serde_saphyr::from_str(&envoy).unwrap(),
    ]
}

#[test]
fn what_is_printed_is_filled_in_everywhere() {
    for line in variations() {
        let text = printed_by(&line);
        assert!(!text.contains("{{") && !text.contains("\n\n\n"), "{text}");
    }
}

#[test]
fn the_lines_of_configuration_have_the_five_fields() {
    let [aws, gcp, azure] = FULL.map(|line| settings(line)[0].clone());
    for (configuration, provider, target) in [
        (
            aws,
            json!({"aws": {"role_arn": "arn:aws:iam::123456789012:role/reports-prod", "region": "eu-central-1"}}),
            json!({"bucket": "reports"}),
        ),
        (
            gcp,
            json!({"gcp": {
                "provider": "//iam.googleapis.com/projects/123456789/locations/global/workloadIdentityPools/reports-prod/providers/reports-prod",
                "service_account": "reports-prod@reports-prod.iam.gserviceaccount.com",
            }}),
            json!({"bucket": "reports"}),
        ),
        (
            azure,
            json!({"azure": {
                "tenant": "5b4c2f7e-9a4e-4a8e-8f2c-1d3a6c7b8e90", "client_id": "8c0e6c0e-0d6f-4f64-9a7c-5d2f3d1f7a10",
                "subject": "destination:reports-prod",
                "own_credentials": ["spiffe://td/k8s/prod/pay/api"],
            }}),
            json!({"account": "reports", "container": "team-a"}),
        ),
    ] {
        let mut wanted = provider;
        wanted["name"] = json!("reports-prod");
        assert_eq!(configuration["providers"], json!([wanted]));
        let found = &configuration["targets"][0];
        assert_eq!((&found["name"], &found["provider"]), (&json!("reports-prod"), &json!("reports-prod")));
        assert_eq!(found["target"], target);
        assert_eq!(found["permissions"], json!(["read", "list"]));
        assert_eq!(found["max_life_seconds"], 300);
    }
}

#[test]
fn the_lines_of_configuration_are_read_by_the_service() {
    for line in variations().into_iter().filter(|line| !printed_by(line).contains("REPLACE_WITH")) {
        let lines = sections(&in_format(&line, "cloakroom")).swap_remove(0);
        let fixture = Fixture::new();
        fixture.edit("targets:\n", &lines);
        let found = Config::load(&fixture.config()).err().unwrap_or_default();
        assert_eq!(finding::lines(&found), "", "{lines}");
    }
}

#[test]
fn the_edge_is_one_place_under_one_name() {
    for line in FULL {
        let [configuration, filter, envoy] = settings(line);
        let (route, cluster) = (&envoy["routes"][0], &envoy["clusters"][0]);
        let exchange = &filter["routes"]["reports-prod"]["exchange"];
        assert_eq!(exchange["resource"], configuration["targets"][0]["resource"]);
        assert_eq!(exchange["clusters"], json!([cluster["name"]]));
        assert_eq!((&route["name"], &route["route"]["cluster"]), (&json!("reports-prod"), &cluster["name"]));
        let host = route["route"]["host_rewrite_literal"].as_str().unwrap();
        assert!(exchange["resource"].as_str().unwrap().starts_with(&format!("https://{host}")));
        assert_eq!(cluster["transport_socket"]["typed_config"]["sni"], host);
    }
}

#[test]
fn a_signature_is_made_over_what_envoy_makes_of_the_request() {
    let dotted: Vec<_> = FULL[0].iter().map(|word| if *word == "reports" { "my.reports" } else { word }).collect();
    for (line, host, to) in [
        (FULL[0], "reports.s3.eu-central-1.amazonaws.com", "/"),
        (&dotted, "s3.eu-central-1.amazonaws.com", "/my.reports/"),
    ] {
        let [_, filter, envoy] = settings(line);
        let sigv4 = &filter["routes"]["reports-prod"]["exchange"]["inject"]["sigv4"];
        let route = &envoy["routes"][0];
        assert_eq!((&sigv4["host"], &route["route"]["host_rewrite_literal"]), (&json!(host), &json!(host)));
        assert_eq!((&sigv4["prefix_rewrite"]["to"], &route["route"]["prefix_rewrite"]), (&json!(to), &json!(to)));
        assert_eq!(sigv4["prefix_rewrite"]["match"], route["match"]["prefix"]);
    }
}

#[test]
fn what_is_left_out_is_marked_and_told_where_it_stands() {
    let line = ["--destination", "aws", "--issuer", "https://sts.example.com"];
    let terraform = in_format(&line, "terraform");
    assert!(terraform.contains("# Still to fill in: REPLACE_WITH_BUCKET (--bucket): the bucket"), "{terraform}");
    assert!(!terraform.contains("# Still to fill in: REPLACE_WITH_ACCOUNT"), "no account stands in it: {terraform}");
    let text = printed_by(&line);
    for section in sections(&text) {
        for word in section.split(|c: char| !c.is_ascii_uppercase() && c != '_').filter(|w| w.starts_with("REPLACE_")) {
            assert!(section.contains(&format!("# Still to fill in: {word} (--")), "{word} in {section}");
        }
    }
    for line in FULL {
        assert!(!printed_by(line).contains("REPLACE_WITH"), "{line:?}");
    }
}

#[test]
fn what_one_cloud_takes_is_refused_for_another() {
    let azure = ["--destination", "azure", "--issuer", "https://sts.example.com"];
    refused(&[&azure[..], &["--bucket", "reports"]].concat(), &["--bucket: it is for AWS and Google Cloud"]);
    let aws = ["--destination", "aws", "--issuer", "https://sts.example.com"];
    let others = ["--tenant", "x", "--project", "reports-prod", "--identity", "managed"];
    let words =
        ["--project: it is for Google Cloud; expected options for AWS", "--tenant: it is for Azure", "--identity"];
    refused(&[&aws[..], &others].concat(), &words);
}

#[test]
fn every_mistake_is_told_with_what_was_found_and_expected() {
    let line = ["--destination", "aws", "--issuer", "http://sts.example.com", "--name", "X", "--account", "1"];
    let words = [
        "--issuer: `http://sts.example.com`; expected an https URL of at most 255 bytes, without a port",
        "--name: `X`; expected 6 to 30",
        "--account: `1`; expected 12 digits",
    ];
    refused(&line, &words);
    let text = ["--destination", "gcp", "--issuer", "https://a.test", "--bucket", "a\u{1b}[31m\nb"];
    let error = run(&options(&text)).unwrap_err().to_string();
    assert!(!error.contains('\u{1b}') && error.lines().count() == 1, "{error:?}");
}

#[test]
fn issuers_are_as_each_cloud_takes_them() {
    let told = |destination: &str, issuer: &str| {
        run(&options(&["--destination", destination, "--issuer", issuer])).map_err(|error| error.to_string())
    };
    let long = format!("https://sts.example.com/{}", "a".repeat(300));
    for (issuer, aws, others) in [
        ("https://sts.example.com", true, true),
        ("https://sts.example.com/tenants/a_b~1", true, true),
        ("https://sts.example.com:8443", false, true),
        (&long, false, true),
        ("https://sts.example.com:0", false, false),
        ("https://sts.example.com/", false, false),
        ("https://sts.example.com/a//b", false, false),
        ("https://sts.example.com/../b", false, false),
        ("https://sts.example.com?x", false, false),
        ("https://sts.example.com/$(id)", false, false),
        ("https://STS.example.com", false, false),
        ("https://u@sts.example.com", false, false),
        ("https://", false, false),
        ("", false, false),
    ] {
        assert_eq!(told("aws", issuer).is_ok(), aws, "{issuer}");
        assert_eq!(told("gcp", issuer).is_ok(), others, "{issuer}");
        assert_eq!(told("azure", issuer).is_ok(), others, "{issuer}");
    }
}

#[test]
fn issuer_and_trust_domain_are_read_from_a_configuration() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("cloakroom.yaml");
    std::fs::write(&file, fixture::EXAMPLE).unwrap();
    let text = printed_by(&["--destination", "gcp", "-c", file.to_str().unwrap()]);
    assert!(text.contains("--issuer-uri https://sts.cloakroom.test "), "{text}");
    assert!(text.contains("'spiffe://cloakroom.test/REPLACE_WITH_WORKLOAD'"), "{text}");
    refused(&["--destination", "azure", "-c", "no-such-file.yaml"], &["no-such-file.yaml: the file cannot be read"]);
}

#[test]
fn one_of_issuer_and_configuration_is_needed() {
    let parse = |line: &[&str]| Program::try_parse_from([&["init", "--destination", "aws"], line].concat()).is_ok();
    assert!(!parse(&[]) && !parse(&["--issuer", "https://a.test", "-c", "x"]));
    assert!(parse(&["--issuer", "https://a.test"]) && parse(&["-c", "x"]));
}

#[test]
fn subjects_are_names_or_all_below_a_path() {
    let with = |destination: &str, subject: &str| {
        run(&options(&["--destination", destination, "--issuer", "https://a.test", "--subject", subject])).is_ok()
    };
    for destination in ["aws", "gcp", "azure"] {
        assert!(with(destination, "spiffe://td/k8s/prod/pay/api"));
        for subject in
            ["spiffe://td", "spiffe://td/*", "spiffe://td/a*", "td/a", "*", "spiffe://td/a'b", "spiffe://td/${x}"]
        {
            assert!(!with(destination, subject), "{destination} {subject}");
        }
        assert_eq!(with(destination, "spiffe://td/k8s/*"), destination != "azure");
    }
    for (destination, most) in [("aws", 255), ("gcp", 127), ("azure", 600)] {
        let name = |length: usize| format!("spiffe://td/{}", "a".repeat(length - "spiffe://td/".len()));
        assert!(with(destination, &name(most)) && !with(destination, &name(most + 1)), "{destination}");
    }
}

#[test]
fn more_subjects_than_a_cloud_has_room_for_are_refused() {
    let subjects: Vec<_> = (0..200).map(|number| format!("--subject=spiffe://td/k8s/prod/pay/api-{number}")).collect();
    let with = |destination: &'static str, number: usize| {
        let line = ["--destination", destination, "--issuer", "https://a.test"].into_iter();
        run(&options(&line.chain(subjects.iter().take(number).map(String::as_str)).collect::<Vec<_>>()))
    };
    for (destination, fits, words) in
        [("aws", 40, "trust policy of"), ("gcp", 60, "attribute condition of"), ("azure", 19, "at most 19")]
    {
        assert!(with(destination, fits).is_ok(), "{destination}");
        let error = with(destination, 200).unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
    }
    assert!(with("azure", 20).is_err());
}
