//! The names of what is asked and of what is opened.

/// What is wrong with the full resource name of a pool's provider, if anything. The rest is the pool's, with which Google's
/// audit logs begin the names of those it let in.
pub fn pool_of(provider: &str) -> Result<&str, String> {
    let wrong = || {
        format!(
            "`provider` is `{provider}`; expected \
             //iam.googleapis.com/projects/NUMBER/locations/global/workloadIdentityPools/POOL/providers/PROVIDER"
        )
    };
    let parts: Vec<_> = provider.split('/').collect();
    let [
        "",
        "",
        "iam.googleapis.com",
        "projects",
        number,
        "locations",
        "global",
        "workloadIdentityPools",
        pool,
        "providers",
        name,
    ] = *parts.as_slice()
    else {
        return Err(wrong());
    };
    let digits = !number.is_empty() && number.len() <= 20 && number.bytes().all(|byte| byte.is_ascii_digit());
    let is_id = |id: &str| (1..=32).contains(&id.len()) && all(id, b"-");
    if !digits || !is_id(pool) || !is_id(name) {
        return Err(wrong());
    }
    provider.rsplit_once("/providers/").map(|(pool, _)| pool).ok_or_else(wrong)
}

/// What is wrong with the e-mail address of a service account, if anything. It stands in a path.
pub fn check_service_account(email: &str) -> Result<(), String> {
    let known = email.split_once('@').is_some_and(|(account, domain)| {
        let domain = domain.strip_suffix("gserviceaccount.com").unwrap_or_default();
        !account.is_empty() && all(account, b"-.") && domain.ends_with('.') && all(domain, b"-.")
    });
    if known && email.len() <= 255 && !email.contains("..") {
        return Ok(());
    }
    Err(format!("`service_account` is `{email}`; expected NAME@PROJECT.iam.gserviceaccount.com"))
}

/// What is wrong with the name of a bucket, if anything (Cloud Storage, "Bucket naming requirements").
pub fn check_bucket(bucket: &str) -> Result<(), String> {
    let ends = |text: &str| !text.starts_with(['.', '-', '_']) && !text.ends_with(['.', '-', '_']);
    let parts = bucket.split('.').all(|part| (1..=63).contains(&part.len()));
    if (3..=222).contains(&bucket.len()) && parts && all(bucket, b"._-") && ends(bucket) {
        return Ok(());
    }
    Err(format!("`bucket` is `{bucket}`; expected 3 to 63 of a-z, 0-9, `.`, `_` and `-`, no mark at its ends"))
}

fn all(text: &str, marks: &[u8]) -> bool {
    text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || marks.contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_provider_is_named_in_full() {
        let pool = "//iam.googleapis.com/projects/123/locations/global/workloadIdentityPools/p-1";
        assert_eq!(pool_of(&format!("{pool}/providers/x")), Ok(pool));
        for provider in [
            String::new(),
            pool.to_owned(),
            format!("https:{pool}/providers/x"),
            format!("{pool}/providers/x/"),
            format!("{pool}/providers/"),
            format!("{pool}/providers/x y"),
            format!("{pool}/providers/X"),
            format!("{pool}/providers/x").replace("123", "my-project"),
            format!("{pool}/providers/x").replace("global", "europe"),
            format!("{pool}/providers/x").replace("iam.googleapis.com", "iam.evil.example"),
            format!("{pool}/providers/x").replace("p-1", "providers/x/providers"),
        ] {
            assert!(pool_of(&provider).unwrap_err().contains("expected //iam.googleapis.com/"), "{provider}");
        }
    }

    #[test]
    fn a_service_account_is_one_segment_of_a_path() {
        for email in [
            "x@y.iam.gserviceaccount.com",
            "123-compute@developer.gserviceaccount.com",
            "p@appspot.gserviceaccount.com",
            "a.b-c@example.com.p.iam.gserviceaccount.com",
        ] {
            assert_eq!(check_service_account(email), Ok(()), "{email}");
        }
        for email in [
            "",
            "x",
            "@y.iam.gserviceaccount.com",
            "x@gserviceaccount.com",
            "x@y.example.com",
            "x@ygserviceaccount.com",
            "x/../z@y.iam.gserviceaccount.com",
            "x@y/z.gserviceaccount.com",
            "x?@y.iam.gserviceaccount.com",
            "x%2f@y.iam.gserviceaccount.com",
            "x@y@z.iam.gserviceaccount.com",
            "..@y.iam.gserviceaccount.com",
            "x:generateIdToken@y.iam.gserviceaccount.com",
        ] {
            assert!(check_service_account(email).is_err(), "{email}");
        }
    }

    #[test]
    fn a_bucket_s_name_has_nothing_to_quote() {
        for bucket in ["bucket-one", "a_b", "logs.example.com", "abc"] {
            assert_eq!(check_bucket(bucket), Ok(()), "{bucket}");
        }
        for bucket in ["", "ab", "_ab", "ab-", "Bucket", "a'b", "a/b", "a\\b", "*", "a..b", &"a".repeat(64)] {
            assert!(check_bucket(bucket).is_err(), "{bucket}");
        }
    }
}
