//! Signatures that botocore 1.44.5 has made, and the seed signature of AWS's published example of an upload in chunks
//! ("Signature calculations for the Authorization header: transferring payload in multiple chunks").

use super::*;

pub(super) struct Vector {
    pub(super) name: &'static str,
    pub(super) method: &'static str,
    pub(super) host: &'static str,
    pub(super) target: &'static str,
    pub(super) body: &'static str,
    pub(super) region: &'static str,
    pub(super) service: &'static str,
    /// Beside those of the signature.
    pub(super) headers: &'static [(&'static str, &'static str)],
    pub(super) canonical: &'static str,
    pub(super) canonical_sha256: &'static str,
    pub(super) signature: &'static str,
}

impl Vector {
    pub(super) fn signed_headers(&self) -> &'static str {
        self.canonical.rsplit('\n').nth(1).unwrap()
    }

    fn payload(&self) -> String {
        let said = self.headers.iter().find(|(name, _)| *name == payload::HEADER);
        said.map_or_else(|| hex(&sha256(self.body)), |(_, value)| (*value).to_owned())
    }
}

#[test]
fn what_botocore_signs_is_signed_the_same() {
    for vector in &VECTORS {
        let signed: Vec<&str> = vector.signed_headers().split(';').collect();
        let own = [("host", vector.host), ("x-amz-date", DATE), ("x-amz-security-token", SESSION_TOKEN)];
        let headers = sorted(own.into_iter().chain(vector.headers.iter().copied()));
        let headers: Vec<_> = lent(&headers).into_iter().filter(|(name, _)| signed.contains(name)).collect();
        let (path, query) = vector.target.split_once('?').unwrap_or((vector.target, ""));
        let path_rule = if vector.service == "s3" { PathRule::Key } else { PathRule::Segments };
        let payload = vector.payload();
        let request = Signable { method: vector.method, path, query, path_rule, headers: &headers, payload: &payload };
        let scope = Scope { date: date(DATE), region: vector.region, service: vector.service };
        let got = sign(&request, SECRET, scope);
        assert_eq!(got.canonical, vector.canonical, "{}", vector.name);
        let (_, canonical_sha256) = got.string_to_sign.rsplit_once('\n').unwrap();
        assert_eq!(canonical_sha256, vector.canonical_sha256, "{}", vector.name);
        let scope = format!("{DATE}\n20261122/{}/{}/aws4_request", vector.region, vector.service);
        assert_eq!(got.string_to_sign, format!("AWS4-HMAC-SHA256\n{scope}\n{canonical_sha256}"), "{}", vector.name);
        assert_eq!((got.signed_headers.as_str(), got.signature.as_str()), (vector.signed_headers(), vector.signature));
    }
}

#[test]
fn the_seed_signature_of_chunks_is_the_documentation_s() {
    let headers = sorted([
        ("content-encoding", "aws-chunked"),
        ("content-length", "66824"),
        ("host", "s3.amazonaws.com"),
        ("x-amz-content-sha256", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"),
        ("x-amz-date", "20130524T000000Z"),
        ("x-amz-decoded-content-length", "66560"),
        ("x-amz-storage-class", "REDUCED_REDUNDANCY"),
    ]);
    let request = Signable {
        method: "PUT",
        path: "/examplebucket/chunkObject.txt",
        query: "",
        path_rule: PathRule::Key,
        headers: &lent(&headers),
        payload: "STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
    };
    let scope = Scope { date: date("20130524T000000Z"), region: "us-east-1", service: "s3" };
    let signed = sign(&request, SECRET, scope);
    assert_eq!(signed.signature, "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9");
}

pub(super) const DATE: &str = "20261122T073000Z";
pub(super) const SESSION_TOKEN: &str = "FwoGZXIvYXdzEXAMPLETOKEN==";

pub(super) const VECTORS: [Vector; 7] = [
    Vector {
        name: "dynamodb POST",
        method: "POST",
        host: "dynamodb.us-east-1.amazonaws.com",
        target: "/",
        body: r#"{"TableName":"t1","Key":{"id":{"S":"1"}}}"#,
        region: "us-east-1",
        service: "dynamodb",
        headers: &[("x-amz-target", "DynamoDB_20120810.GetItem"), ("content-type", "application/x-amz-json-1.0")],
        canonical: concat!(
            "POST\n",
            "/\n",
            "\n",
            "content-type:application/x-amz-json-1.0\n",
            "host:dynamodb.us-east-1.amazonaws.com\n",
            "x-amz-date:20261122T073000Z\n",
            "x-amz-security-token:FwoGZXIvYXdzEXAMPLETOKEN==\n",
            "x-amz-target:DynamoDB_20120810.GetItem\n",
            "\n",
            "content-type;host;x-amz-date;x-amz-security-token;x-amz-target\n",
            "4220a5eba51240108edbc68451ad9686b0f44c7e416a121bd2a8e3acae016351"
        ),
        canonical_sha256: "92cec5e81ea4a3820cb1c4f4fe19de9cfebba35af4fa3a74021a19d0da266216",
        signature: "2d07c93e062dcc6ca113fe120dae6aab8536d5efa617eb5f19e20570778a700a",
    },
    Vector {
        name: "s3 GET list, query, space, plus",
        method: "GET",
        host: "bucket-one.s3.us-east-1.amazonaws.com",
        target: "/?list-type=2&prefix=a%20b%2Bc",
        body: "",
        region: "us-east-1",
        service: "s3",
        headers: &[("x-amz-content-sha256", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")],
        canonical: concat!(
            "GET\n",
            "/\n",
            "list-type=2&prefix=a%20b%2Bc\n",
            "host:bucket-one.s3.us-east-1.amazonaws.com\n",
            "x-amz-content-sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\n",
            "x-amz-date:20261122T073000Z\n",
            "x-amz-security-token:FwoGZXIvYXdzEXAMPLETOKEN==\n",
            "\n",
            "host;x-amz-content-sha256;x-amz-date;x-amz-security-token\n",
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        ),
        canonical_sha256: "d8b72105ed089322492e79b0b54d9885b6206b5d7c2a17478c5147b77e6c14c4",
        signature: "c4d8ca44ce3a14a267406020602eba5ce88f6f11f0d2176d4b2eecd64d1612a1",
    },
    Vector {
        name: "s3 PUT UNSIGNED-PAYLOAD",
        method: "PUT",
        host: "bucket-one.s3.us-east-1.amazonaws.com",
        target: "/dir%20x/a%2B%C3%A9.txt",
        body: "",
        region: "us-east-1",
        service: "s3",
        headers: &[
            ("content-type", "text/plain"),
            ("content-md5", "1B2M2Y8AsgTpgAmY7PhCfg=="),
            ("user-agent", "x"),
            ("traceparent", "y"),
            ("x-amz-content-sha256", "UNSIGNED-PAYLOAD"),
        ],
        canonical: concat!(
            "PUT\n",
            "/dir%20x/a%2B%C3%A9.txt\n",
            "\n",
            "content-md5:1B2M2Y8AsgTpgAmY7PhCfg==\n",
            "content-type:text/plain\n",
            "host:bucket-one.s3.us-east-1.amazonaws.com\n",
            "x-amz-content-sha256:UNSIGNED-PAYLOAD\n",
            "x-amz-date:20261122T073000Z\n",
            "x-amz-security-token:FwoGZXIvYXdzEXAMPLETOKEN==\n",
            "\n",
            "content-md5;content-type;host;x-amz-content-sha256;x-amz-date;x-amz-security-token\n",
            "UNSIGNED-PAYLOAD"
        ),
        canonical_sha256: "69e677c891ce5717207c013b78ae575ca57726c5156fa3ada2f29053cc31dfdb",
        signature: "7e25b5ce829d901c3255a555cedd7ba4025ddbce5a689266c9d7e2c8c3b03eaa",
    },
    Vector {
        name: "s3 PUT trailer",
        method: "PUT",
        host: "bucket-one.s3.us-east-1.amazonaws.com",
        target: "/k",
        body: "",
        region: "us-east-1",
        service: "s3",
        headers: &[
            ("content-encoding", "aws-chunked"),
            ("x-amz-trailer", "x-amz-checksum-crc32"),
            ("x-amz-decoded-content-length", "11"),
            ("x-amz-content-sha256", "STREAMING-UNSIGNED-PAYLOAD-TRAILER"),
        ],
        canonical: concat!(
            "PUT\n",
            "/k\n",
            "\n",
            "content-encoding:aws-chunked\n",
            "host:bucket-one.s3.us-east-1.amazonaws.com\n",
            "x-amz-content-sha256:STREAMING-UNSIGNED-PAYLOAD-TRAILER\n",
            "x-amz-date:20261122T073000Z\n",
            "x-amz-decoded-content-length:11\n",
            "x-amz-security-token:FwoGZXIvYXdzEXAMPLETOKEN==\n",
            "x-amz-trailer:x-amz-checksum-crc32\n",
            "\n",
            "content-encoding;host;x-amz-content-sha256;x-amz-date;x-amz-decoded-content-length;x-amz-security-token;x-amz-trailer\n",
            "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
        ),
        canonical_sha256: "c39e1f40cbef120c2c5a81aac9736d60450006f5bb07cae7c4899e4a6e861652",
        signature: "9b70041a944ed13a7499d50e2d4719f7cfd945616346fd6736fb6e246d419e3b",
    },
    Vector {
        name: "sts GetCallerIdentity POST query-in-url (google style)",
        method: "POST",
        host: "sts.us-east-2.amazonaws.com",
        target: "/?Action=GetCallerIdentity&Version=2011-06-15",
        body: "",
        region: "us-east-2",
        service: "sts",
        headers: &[],
        canonical: concat!(
            "POST\n",
            "/\n",
            "Action=GetCallerIdentity&Version=2011-06-15\n",
            "host:sts.us-east-2.amazonaws.com\n",
            "x-amz-date:20261122T073000Z\n",
            "x-amz-security-token:FwoGZXIvYXdzEXAMPLETOKEN==\n",
            "\n",
            "host;x-amz-date;x-amz-security-token\n",
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        ),
        canonical_sha256: "2631a9762a4ff27f222f8198f8cfbe347bd0a19a06902d8cbaa7fee095ff7133",
        signature: "0b3fedbc4c3171375e9a2f2ee5a60d09a75625c58ecaaeea6a0e76654b6279e3",
    },
    Vector {
        name: "sts GetCallerIdentity body style (vault) w/ server-id header",
        method: "POST",
        host: "sts.us-east-1.amazonaws.com",
        target: "/",
        body: "Action=GetCallerIdentity&Version=2011-06-15",
        region: "us-east-1",
        service: "sts",
        headers: &[
            ("content-type", "application/x-www-form-urlencoded; charset=utf-8"),
            ("x-vault-aws-iam-server-id", "vault.example.com"),
        ],
        canonical: concat!(
            "POST\n",
            "/\n",
            "\n",
            "content-type:application/x-www-form-urlencoded; charset=utf-8\n",
            "host:sts.us-east-1.amazonaws.com\n",
            "x-amz-date:20261122T073000Z\n",
            "x-amz-security-token:FwoGZXIvYXdzEXAMPLETOKEN==\n",
            "x-vault-aws-iam-server-id:vault.example.com\n",
            "\n",
            "content-type;host;x-amz-date;x-amz-security-token;x-vault-aws-iam-server-id\n",
            "ab821ae955788b0e33ebd34c208442ccfc2d406e2edc5e7a39bd6458fbb4f843"
        ),
        canonical_sha256: "8a5a7700c7617cebd25ad3a42330df88a55d1eab393d9a4f67e2787ff9b02403",
        signature: "87830b7f2276982ed3afa7924a40d4bddb53334d8ede6795cb122a073f34f27f",
    },
    Vector {
        name: "lambda path double-encode",
        method: "POST",
        host: "lambda.us-east-1.amazonaws.com",
        target: "/2015-03-31/functions/arn%3Aaws%3Alambda%3Aus-east-1%3A123456789012%3Afunction%3Af/invocations",
        body: "{}",
        region: "us-east-1",
        service: "lambda",
        headers: &[],
        canonical: concat!(
            "POST\n",
            "/2015-03-31/functions/arn%253Aaws%253Alambda%253Aus-east-1%253A123456789012%253Afunction%253Af/invocations\n",
            "\n",
            "host:lambda.us-east-1.amazonaws.com\n",
            "x-amz-date:20261122T073000Z\n",
            "x-amz-security-token:FwoGZXIvYXdzEXAMPLETOKEN==\n",
            "\n",
            "host;x-amz-date;x-amz-security-token\n",
            "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
        ),
        canonical_sha256: "5f64ef60cba89dee7270a091a1c59214b7c9c7c336bfeddcd22101e73aaf1f7a",
        signature: "b5283d769c41c2f42da573b354232ed4e93f273b8632461523d6e0e371c01969",
    },
];
