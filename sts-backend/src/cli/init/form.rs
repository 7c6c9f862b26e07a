//! The forms of what can be filled in, and what stands for it where it is left out.

use crate::{aws::partition::Partition, identity::entra};

/// One thing that can be filled in.
#[derive(Debug)]
pub(super) struct Form {
    /// The option that says it.
    pub option: &'static str,
    /// What is printed where it is not said.
    pub placeholder: &'static str,
    /// What it is, for who has to find it out.
    pub what: &'static str,
    /// How it is written.
    pub expected: &'static str,
    pub fits: fn(&str) -> bool,
}

/// Names that we choose: of roles, pools, service accounts, apps, and in Cloakroom's own configuration. The strictest of the
/// clouds' rules is Google's for service accounts (6 to 30 characters) and for pools (none that begins with `gcp-`).
pub(super) const NAME: Form = Form {
    option: "--name",
    placeholder: "cloakroom",
    what: "what everything is called",
    expected: "6 to 30 of `a-z`, `0-9` and `-`, a letter first, no `-` last, and no `gcp-` in front",
    fits: |text| (6..=30).contains(&text.len()) && is_lower_name(text) && !text.starts_with("gcp-"),
};

pub(super) const ACCOUNT: Form = Form {
    option: "--account",
    placeholder: "REPLACE_WITH_ACCOUNT",
    what: "the AWS account: `aws sts get-caller-identity` tells it",
    expected: "12 digits",
    fits: |text| text.len() == 12 && all(text, |byte| byte.is_ascii_digit()),
};

pub(super) const REGION: Form = Form {
    option: "--region",
    placeholder: "REPLACE_WITH_REGION",
    what: "the bucket's region, whose STS is asked too",
    expected: "a region of AWS, AWS in China or GovCloud, as `eu-central-1`",
    fits: |text| Partition::of_region(text).is_some(),
};

pub(super) const AWS_BUCKET: Form = Form {
    option: "--bucket",
    placeholder: "REPLACE_WITH_BUCKET",
    what: "the bucket that is opened",
    expected: "3 to 63 of `a-z`, `0-9`, `.` and `-`, a letter or digit first and last, no `..`",
    fits: |text| (3..=63).contains(&text.len()) && is_bucket(text, b".-"),
};

pub(super) const GCP_BUCKET: Form = Form {
    option: "--bucket",
    placeholder: "REPLACE_WITH_BUCKET",
    what: "the bucket that is opened",
    expected: "3 to 63 of `a-z`, `0-9`, `.`, `_` and `-` (222 with dots), a letter or digit first and last, no `..`",
    fits: |text| {
        let parts_fit = text.split('.').all(|part| part.len() <= 63);
        (3..=222).contains(&text.len()) && parts_fit && is_bucket(text, b"._-")
    },
};

pub(super) const PROJECT: Form = Form {
    option: "--project",
    placeholder: "REPLACE_WITH_PROJECT",
    what: "the id of the Google Cloud project",
    expected: "6 to 30 of `a-z`, `0-9` and `-`, a letter first, no `-` last",
    fits: |text| (6..=30).contains(&text.len()) && is_lower_name(text),
};

pub(super) const PROJECT_NUMBER: Form = Form {
    option: "--project-number",
    placeholder: "REPLACE_WITH_PROJECT_NUMBER",
    what: "the project's number: `gcloud projects describe PROJECT --format='value(projectNumber)'` tells it",
    expected: "1 to 19 digits, no `0` first",
    fits: |text| (1..=19).contains(&text.len()) && all(text, |byte| byte.is_ascii_digit()) && !text.starts_with('0'),
};

pub(super) const TENANT: Form = Form {
    option: "--tenant",
    placeholder: "REPLACE_WITH_TENANT",
    what: "the id of the Entra tenant: `az account show --query tenantId` tells it",
    expected: GUID,
    fits: entra::is_guid,
};

pub(super) const CLIENT_ID: Form = Form {
    option: "--client-id",
    placeholder: "REPLACE_WITH_CLIENT_ID",
    what: "the client id of the app or managed identity, which exists once the lines for Azure have run; they print it",
    expected: GUID,
    fits: entra::is_guid,
};

pub(super) const RESOURCE_GROUP: Form = Form {
    option: "--resource-group",
    placeholder: "REPLACE_WITH_RESOURCE_GROUP",
    what: "the resource group of the storage account",
    expected: "1 to 90 of `a-z`, `A-Z`, `0-9`, `.`, `_`, `(`, `)` and `-`, no `.` last",
    fits: |text| {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._()-".contains(&byte);
        (1..=90).contains(&text.len()) && all(text, allowed) && !text.ends_with('.') && !text.starts_with('-')
    },
};

pub(super) const STORAGE_ACCOUNT: Form = Form {
    option: "--storage-account",
    placeholder: "REPLACE_WITH_STORAGE_ACCOUNT",
    what: "the storage account of the container",
    expected: "3 to 24 of `a-z` and `0-9`",
    fits: |text| (3..=24).contains(&text.len()) && all(text, |byte| byte.is_ascii_lowercase() || byte.is_ascii_digit()),
};

pub(super) const CONTAINER: Form = Form {
    option: "--container",
    placeholder: "REPLACE_WITH_CONTAINER",
    what: "the container that is opened",
    expected: "3 to 63 of `a-z`, `0-9` and `-`, a letter or digit first and last, no `--`",
    fits: |text| (3..=63).contains(&text.len()) && is_bucket(text, b"-") && !text.contains("--"),
};

/// What stands for a workload that was not named.
pub(super) const WORKLOAD: Form = Form {
    option: "--subject",
    placeholder: "REPLACE_WITH_WORKLOAD",
    what: "the workload that may come, by its name in the trust domain; `/*` at the end means all below",
    expected: "`spiffe://TRUST_DOMAIN/PATH` or `spiffe://TRUST_DOMAIN/PATH/*`",
    fits: |_| false,
};

/// What stands for the trust domain where only the issuer was said.
pub(super) const TRUST_DOMAIN: Form = Form {
    option: "--config",
    placeholder: "REPLACE_WITH_TRUST_DOMAIN",
    what: "`trust_domain` of the STS's configuration",
    expected: "a configuration of the STS",
    fits: |_| false,
};

const GUID: &str = "an id of the form `00000000-0000-0000-0000-000000000000`, in lower case";

fn is_lower_name(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    text.starts_with(|first: char| first.is_ascii_lowercase()) && !text.ends_with('-') && all(text, allowed)
}

fn is_bucket(text: &str, besides: &[u8]) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let ends = [text.bytes().next(), text.bytes().last()];
    ends.into_iter().all(|end| end.is_some_and(is_plain))
        && all(text, |byte| is_plain(byte) || besides.contains(&byte))
        && !text.contains("..")
}

fn all(text: &str, fits: impl Fn(u8) -> bool) -> bool {
    text.bytes().all(fits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_clouds_take_is_taken_and_nothing_else() {
        let long = "a".repeat(64);
        for (form, good, bad) in [
            (
                &NAME,
                &["cloakroom", "reports-prod2"][..],
                &["short", "gcp-reports", "Reports", "a_reports", "reports-", "7reports", &long][..],
            ),
            (&ACCOUNT, &["123456789012"], &["12345678901", "1234567890123", "12345678901a", "١٢٣٤٥٦٧٨٩٠١٢"]),
            (&REGION, &["eu-central-1", "cn-north-1", "us-gov-west-1"], &["europe", "us-iso-east-1", "eu-central-1\n"]),
            (
                &AWS_BUCKET,
                &["reports", "my.reports-1"],
                &["ab", "-reports", "reports.", "a..b", "Reports", "a_b", &long],
            ),
            (&GCP_BUCKET, &["reports", "my_reports.example.com"], &["ab", "_reports", "a..b", &long]),
            (&PROJECT, &["reports-prod"], &["short", "example.com:reports", "reports-"]),
            (&PROJECT_NUMBER, &["123456789"], &["", "0123", "12a", "12345678901234567890"]),
            (
                &TENANT,
                &["5b4c2f7e-9a4e-4a8e-8f2c-1d3a6c7b8e90"],
                &["", "5b4c2f7e", "5b4c2f7e-9a4e-4a8e-8f2c-1d3a6c7b8e9g", "5B4C2F7E-9A4E-4A8E-8F2C-1D3A6C7B8E90"],
            ),
            (&RESOURCE_GROUP, &["rg-prod", "RG_(1).x"], &["", "rg.", "r g", "--rg", "rg'"]),
            (&STORAGE_ACCOUNT, &["reports1"], &["ab", "reports-1", "reports1reports1reports1x"]),
            (&CONTAINER, &["team-a"], &["ab", "a--b", "$root", "team.a", "-team"]),
        ] {
            for text in good {
                assert!((form.fits)(text), "{} {text}", form.option);
            }
            for text in bad.iter().chain(&["$(id)", "a\"b", "a'b", "${x}", "a\nb", "*"]) {
                assert!(!(form.fits)(text), "{} {text}", form.option);
            }
        }
    }
}
