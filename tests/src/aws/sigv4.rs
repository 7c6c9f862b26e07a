//! Signature Version 4 (AWS General Reference, "Signing AWS API requests"), for requests to the path `/`.

use aws_lc_rs::{
    digest::{SHA256, digest},
    hmac::{HMAC_SHA256, Key, Tag, sign},
};

/// What is signed of a request.
#[derive(Clone, Debug, Default)]
pub struct Signable {
    pub method: String,
    /// As it stands in the URL.
    pub query: String,
    /// The signed headers, names in lower case.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

/// Under which scope.
#[derive(Clone, Copy, Debug)]
pub struct Scope<'s> {
    /// `x-amz-date`.
    pub date: &'s str,
    pub region: &'s str,
    pub service: &'s str,
}

impl Signable {
    /// The signature, in hexadecimal.
    pub fn signature(&self, secret_key: &str, scope: Scope<'_>) -> String {
        let day = scope.date.get(..8).unwrap_or_default();
        let canonical = hex(digest(&SHA256, self.canonical().as_bytes()).as_ref());
        let text = format!(
            "AWS4-HMAC-SHA256\n{}\n{day}/{}/{}/aws4_request\n{canonical}",
            scope.date, scope.region, scope.service
        );
        let first = mac(format!("AWS4{secret_key}").as_bytes(), day);
        let key =
            [scope.region, scope.service, "aws4_request"].into_iter().fold(first, |key, part| mac(key.as_ref(), part));
        hex(mac(key.as_ref(), &text).as_ref())
    }

    /// The names of the signed headers, in order.
    pub fn signed_headers(&self) -> String {
        let mut names: Vec<_> = self.headers.iter().map(|(name, _)| name.as_str()).collect();
        names.sort_unstable();
        names.join(";")
    }

    fn canonical(&self) -> String {
        let mut parameters: Vec<_> =
            self.query.split('&').filter(|parameter| !parameter.is_empty()).map(whole).collect();
        parameters.sort_unstable();
        let mut headers: Vec<_> =
            self.headers.iter().map(|(name, value)| format!("{name}:{}\n", collapsed(value))).collect();
        headers.sort_unstable();
        format!(
            "{}\n/\n{}\n{}\n{}\n{}",
            self.method,
            parameters.join("&"),
            headers.concat(),
            self.signed_headers(),
            hex(digest(&SHA256, &self.body).as_ref())
        )
    }
}

fn whole(parameter: &str) -> String {
    if parameter.contains('=') { parameter.to_owned() } else { format!("{parameter}=") }
}

fn collapsed(value: &str) -> String {
    value.split_ascii_whitespace().collect::<Vec<_>>().join(" ")
}

fn mac(key: &[u8], text: &str) -> Tag {
    sign(&Key::new(HMAC_SHA256, key), text.as_bytes())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signable(query: &str, body: &str, headers: &[(&str, &str)]) -> Signable {
        let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Signable { method: "POST".into(), query: query.into(), headers, body: body.into() }
    }

    const QUESTION: &str = "Action=GetCallerIdentity&Version=2011-06-15";

    #[test]
    fn google_auth_and_botocore_sign_the_same() {
        let date = "20261122T072409Z";
        let request = signable(
            QUESTION,
            "",
            &[("host", "sts.us-east-2.amazonaws.com"), ("x-amz-date", date), ("x-amz-security-token", "SESSTOK==")],
        );
        let scope = Scope { date, region: "us-east-2", service: "sts" };
        assert_eq!(
            request.signature("secretkey", scope),
            "a660e203f79bbd6efb1476d380dd52899ebc50b5c2905819f46325b86bb9ff45"
        );
    }

    #[test]
    fn google_cloud_auth_for_rust_signs_the_same() {
        let date = "20261122T074320Z";
        let target = "//iam.googleapis.com/projects/123/locations/global/workloadIdentityPools/p/providers/x";
        let request = signable(
            "Version=2011-06-15&Action=GetCallerIdentity",
            "",
            &[
                ("x-goog-cloud-target-resource", target),
                ("host", "sts.us-east-2.amazonaws.com"),
                ("x-amz-date", date),
                ("x-amz-security-token", "SESSTOK=="),
            ],
        );
        let scope = Scope { date, region: "us-east-2", service: "sts" };
        assert_eq!(
            request.signature("secretkey", scope),
            "2958a32d3666895524e168e0e219a5765a09ca2a8d4156cd7064678178365e76"
        );
    }

    #[test]
    fn botocore_signs_vault_s_request_the_same() {
        let date = "20261122T073000Z";
        let request = signable(
            "",
            QUESTION,
            &[
                ("content-type", "application/x-www-form-urlencoded; charset=utf-8"),
                ("host", "sts.us-east-1.amazonaws.com"),
                ("x-amz-date", date),
                ("x-amz-security-token", "FwoGZXIvYXdzEXAMPLETOKEN=="),
                ("x-vault-aws-iam-server-id", "vault.example.com"),
            ],
        );
        let scope = Scope { date, region: "us-east-1", service: "sts" };
        assert_eq!(
            request.signature("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", scope),
            "87830b7f2276982ed3afa7924a40d4bddb53334d8ede6795cb122a073f34f27f"
        );
    }
}
