use super::*;

fn set(texts: &[&str]) -> BTreeSet<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

#[test]
fn settings_that_would_believe_too_much_or_nothing_are_refused() {
    let good = sample::settings();
    assert_eq!(good.check(), Ok(()));
    let wrong = |change: fn(&mut AwsRequestSettings)| {
        let mut settings = good.clone();
        change(&mut settings);
        settings.check().unwrap_err()
    };
    for (problem, words) in [
        (wrong(|settings| settings.accounts = set(&[])), "`accounts` is empty"),
        (wrong(|settings| settings.accounts = set(&["12345678901"])), "12 digits"),
        (wrong(|settings| settings.accounts = set(&["*"])), "12 digits"),
        (wrong(|settings| settings.regions = set(&[])), "`regions` is empty"),
        (wrong(|settings| settings.regions = set(&["eu-central-1.evil.example"])), "no region"),
        (wrong(|settings| settings.regions = set(&["eu-central-1", "cn-north-1"])), "partitions"),
        (wrong(|settings| settings.role_ids = set(&["app-role"])), "AROA"),
        (wrong(|settings| settings.role_ids = set(&["AIDAEXAMPLE"])), "AROA"),
        (wrong(|settings| settings.endpoint = Some(endpoint("https://vpce.test/path"))), "path `/`"),
        (wrong(|settings| settings.endpoint = Some(endpoint("https://vpce.test/?a=b"))), "path `/`"),
    ] {
        assert!(problem.contains(words), "{problem}");
    }
    for uri in ["https://vpce.test", "https://vpce.test/", "https://vpce.test:8443"] {
        assert_eq!(AwsRequestSettings { endpoint: Some(endpoint(uri)), ..good.clone() }.check(), Ok(()), "{uri}");
    }
}

fn endpoint(uri: &str) -> EndpointSettings {
    EndpointSettings { uri: uri.parse().unwrap(), ca: None, allow_private_addresses: false }
}
