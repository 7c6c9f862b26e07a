use super::*;

fn signable(method: &str, url: &str, body: &str, headers: &[(&str, &str)]) -> Signable {
    let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let (path, query) = url.split_once('?').unwrap_or((url, ""));
    let payload = hash(body.as_bytes());
    Signable { method: method.into(), path: path.into(), query: query.into(), headers, payload }
}

/// The keys and the moment of botocore's vectors.
const DATE: &str = "20261122T073000Z";
const SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
const SESSION: (&str, &str) = ("x-amz-security-token", "FwoGZXIvYXdzEXAMPLETOKEN==");

const QUESTION: &str = "Action=GetCallerIdentity&Version=2011-06-15";

#[test]
fn google_auth_and_botocore_sign_the_same() {
    let date = "20261122T072409Z";
    let request = signable(
        "POST",
        &format!("/?{QUESTION}"),
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
        "POST",
        "/?Version=2011-06-15&Action=GetCallerIdentity",
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
fn botocore_signs_other_services_the_same() {
    let form = ("content-type", "application/x-www-form-urlencoded; charset=utf-8");
    let lambda =
        "/2015-03-31/functions/arn%3Aaws%3Alambda%3Aus-east-1%3A123456789012%3Afunction%3Af/invocations".to_owned();
    for (service, url, body, more, signature) in [
        (
            "sts",
            "/".to_owned(),
            QUESTION,
            vec![form, ("x-vault-aws-iam-server-id", "vault.example.com")],
            "87830b7f2276982ed3afa7924a40d4bddb53334d8ede6795cb122a073f34f27f",
        ),
        (
            "dynamodb",
            "/".to_owned(),
            r#"{"TableName":"t1","Key":{"id":{"S":"1"}}}"#,
            vec![("content-type", "application/x-amz-json-1.0"), ("x-amz-target", "DynamoDB_20120810.GetItem")],
            "2d07c93e062dcc6ca113fe120dae6aab8536d5efa617eb5f19e20570778a700a",
        ),
        ("lambda", lambda, "{}", vec![], "b5283d769c41c2f42da573b354232ed4e93f273b8632461523d6e0e371c01969"),
    ] {
        let host = format!("{service}.us-east-1.amazonaws.com");
        let headers = [vec![("host", host.as_str()), ("x-amz-date", DATE), SESSION], more].concat();
        let request = signable("POST", &url, body, &headers);
        assert_eq!(
            request.signature(SECRET, Scope { date: DATE, region: "us-east-1", service }),
            signature,
            "{service}"
        );
    }
}

#[test]
fn botocore_signs_s3_the_same() {
    let empty = hash(b"");
    for (method, url, payload, more, signature) in [
        (
            "GET",
            "/?list-type=2&prefix=a%20b%2Bc",
            empty.as_str(),
            vec![],
            "c4d8ca44ce3a14a267406020602eba5ce88f6f11f0d2176d4b2eecd64d1612a1",
        ),
        (
            "PUT",
            "/dir%20x/a%2B%C3%A9.txt",
            "UNSIGNED-PAYLOAD",
            vec![("content-md5", "1B2M2Y8AsgTpgAmY7PhCfg=="), ("content-type", "text/plain")],
            "7e25b5ce829d901c3255a555cedd7ba4025ddbce5a689266c9d7e2c8c3b03eaa",
        ),
        (
            "PUT",
            "/k",
            "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
            vec![
                ("content-encoding", "aws-chunked"),
                ("x-amz-trailer", "x-amz-checksum-crc32"),
                ("x-amz-decoded-content-length", "11"),
            ],
            "9b70041a944ed13a7499d50e2d4719f7cfd945616346fd6736fb6e246d419e3b",
        ),
    ] {
        let host = ("host", "bucket-one.s3.us-east-1.amazonaws.com");
        let headers = [vec![host, ("x-amz-date", DATE), ("x-amz-content-sha256", payload), SESSION], more].concat();
        let mut request = signable(method, url, "", &headers);
        request.payload = payload.into();
        let scope = Scope { date: DATE, region: "us-east-1", service: "s3" };
        assert_eq!(request.signature(SECRET, scope), signature, "{method} {url}");
    }
}

#[test]
fn a_parameter_s_name_goes_before_its_value() {
    let canonical = signable("GET", "/?a-b=1&a=2&a=1&c", "", &[]).canonical("s3");
    assert_eq!(canonical.lines().nth(2), Some("a=1&a=2&a-b=1&c="));
}

#[test]
fn only_s3_takes_paths_as_they_come() {
    for (path, others) in [
        ("/", "/"),
        ("//a/./b/", "/a/b/"),
        ("/a/../b%20c", "/b%2520c"),
        ("/a/..", "/"),
        ("/a/b/..", "/a/"),
        ("/../a", "/a"),
    ] {
        let request = signable("GET", path, "", &[]);
        assert_eq!(request.canonical("sqs").lines().nth(1), Some(others), "{path}");
        assert_eq!(request.canonical("s3").lines().nth(1), Some(path));
    }
}

#[test]
fn however_a_url_is_written_it_is_signed_in_one_way() {
    let scope = Scope { date: DATE, region: "us-east-1", service: "s3" };
    let signature = |url: &str| signable("GET", url, "", &[("host", "b.s3.test")]).signature(SECRET, scope);
    let usual = signature("/a%20b/%C3%A9?list-type=2&prefix=team-a%2Fx%20y");
    for url in ["/a b/\u{e9}?prefix=team-a/x+y&list-type=2", "/%61%20b/%c3%a9?list%2Dtype=2&prefix=team-a/x%20y"] {
        assert_eq!(signature(url), usual, "{url}");
    }
    for url in ["/a+b/%C3%A9?list-type=2&prefix=team-a%2Fx%20y", "/a%20b/%C3%A9?list-type=2&prefix=team-a%2Fx%2By"] {
        assert_ne!(signature(url), usual, "{url}");
    }
    assert_eq!(signature("/100%?x=%zz"), signature("/100%25?x=%25zz"));
}
