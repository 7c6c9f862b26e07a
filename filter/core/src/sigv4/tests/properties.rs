//! Anything at all is signed, and as a second implementation signs it: one that takes the documentation by its word, with
//! strings and sorted maps, and no thought of speed.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

/// `UriEncode()` of the documentation.
fn uri_encode(bytes: &[u8], encode_slash: bool) -> String {
    let one = |byte: &u8| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(*byte).to_string(),
        b'/' if !encode_slash => "/".to_owned(),
        byte => format!("%{byte:02X}"),
    };
    bytes.iter().map(one).collect()
}

fn uri_decode(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let escape = rest.strip_prefix('%').and_then(|after| after.get(..2));
        let byte = escape
            .filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()))
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match byte {
            Some(byte) => {
                bytes.push(byte);
                rest = &rest[3..];
            }
            None => {
                let first = rest.chars().next().unwrap();
                bytes.extend_from_slice(first.to_string().as_bytes());
                rest = &rest[first.len_utf8()..];
            }
        }
    }
    bytes
}

/// RFC 3986, section 5.2.4, step by step; then without empty segments.
fn without_dots(path: &str) -> String {
    let (mut input, mut output) = (path.to_owned(), String::new());
    while input.contains("//") {
        input = input.replace("//", "/");
    }
    while !input.is_empty() {
        if let Some(rest) = input.strip_prefix("/./") {
            input = format!("/{rest}");
        } else if input == "/." {
            input = "/".to_owned();
        } else if input.starts_with("/../") || input == "/.." {
            input = format!("/{}", input.strip_prefix("/../").unwrap_or_default());
            output.truncate(output.rfind('/').unwrap_or(0));
        } else {
            let end = input[1..].find('/').map_or(input.len(), |place| place + 1);
            output.push_str(&input[..end]);
            input = input[end..].to_owned();
        }
    }
    output
}

fn straightforward(request: &Signable<'_>, secret: &str, scope: Scope<'_>) -> Signed {
    let path = match request.path_rule {
        PathRule::Key => uri_encode(&uri_decode(request.path), false),
        PathRule::Segments => uri_encode(without_dots(request.path).as_bytes(), false),
    };
    let mut parameters: Vec<(String, String)> = Vec::new();
    for pair in request.query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let encoded = |text: &str| uri_encode(&uri_decode(&text.replace('+', "%20")), true);
        parameters.push((encoded(name), encoded(value)));
    }
    parameters.sort();
    let query: Vec<_> = parameters.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let mut headers: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for (name, value) in request.headers {
        let mut value = String::from_utf8(value.to_vec()).unwrap().trim_matches([' ', '\t', '\n']).to_owned();
        while value.contains("  ") {
            value = value.replace("  ", " ");
        }
        headers.entry(name).or_default().push(value);
    }
    let signed_headers = headers.keys().copied().collect::<Vec<_>>().join(";");
    let headers: String = headers.iter().map(|(name, values)| format!("{name}:{}\n", values.join(","))).collect();
    let canonical = [request.method, &path, &query.join("&"), &headers, &signed_headers, request.payload].join("\n");
    let day = &scope.date.as_str()[..8];
    let string_to_sign = format!(
        "AWS4-HMAC-SHA256\n{}\n{day}/{}/{}/aws4_request\n{}",
        scope.date.as_str(),
        scope.region,
        scope.service,
        hex(&sha256(&canonical))
    );
    let mac = |key: &[u8], text: &str| hmac_sha256::HMAC::mac(text, key).to_vec();
    let key = [day, scope.region, scope.service, "aws4_request"]
        .into_iter()
        .fold(format!("AWS4{secret}").into_bytes(), |key, part| mac(&key, part));
    let signature = mac(&key, &string_to_sign).iter().map(|byte| format!("{byte:02x}")).collect();
    Signed { canonical, string_to_sign, signed_headers, signature }
}

proptest! {
    #[test]
    fn whatever_is_signed_is_signed_as_the_documentation_says(
        method in "[A-Z]{1,8}",
        path in prop_oneof!["/[a-c/.%+ :@é2F~-]{0,30}", "(/(\\.{1,3}|[a-b]{0,2}|%2[eEfF]|%)){0,8}/?", "/\\PC{0,20}"],
        query in prop_oneof!["[a-c&=%+ ;/?é2F~-]{0,40}", "([a-c]{0,2}=?[A-C]{0,2}&){0,6}", "\\PC{0,20}"],
        headers in prop::collection::vec(("x-amz-[a-c]{1,2}", "[ a-bé\t\",]{0,12}"), 0..8),
        segments: bool,
        payload in "[0-9a-f]{64}|UNSIGNED-PAYLOAD",
        unix_ms in 0..4_000_000_000_000u64,
    ) {
        prop_assume!(path.starts_with('/'));
        let own = [("host", "a.test:8080")];
        let headers = sorted(headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).chain(own));
        let path_rule = if segments { PathRule::Segments } else { PathRule::Key };
        let request = Signable {
            method: &method, path: &path, query: &query, path_rule, headers: &lent(&headers), payload: &payload,
        };
        let scope = Scope { date: AmzDate::new(unix_ms).unwrap(), region: "eu-central-1", service: "s3" };
        let (signed, wanted) = (sign(&request, SECRET, scope), straightforward(&request, SECRET, scope));
        prop_assert_eq!(signed.canonical, wanted.canonical);
        prop_assert_eq!(signed.string_to_sign, wanted.string_to_sign);
        prop_assert_eq!(signed.signed_headers, wanted.signed_headers);
        prop_assert_eq!(signed.signature, wanted.signature);
    }

    #[test]
    fn what_is_encoded_as_aws_says_is_signed_as_it_was_sent(
        key in "\\PC{0,20}", prefix in "\\PC{0,20}", segments in prop::collection::vec("\\PC{1,6}", 1..4),
    ) {
        let path = format!("/{}", uri_encode(key.as_bytes(), false));
        let query = format!("list-type=2&prefix={}", uri_encode(prefix.as_bytes(), true));
        let mut request = Signable {
            method: "GET", path: &path, query: &query, path_rule: PathRule::Key, headers: &[], payload: EMPTY_SHA256,
        };
        let canonical = String::from_utf8(request.canonical().to_vec()).unwrap();
        prop_assert!(canonical.starts_with(&format!("GET\n{path}\n{query}\n")), "{}", canonical);
        let once: Vec<_> = segments.iter().map(|segment| uri_encode(segment.as_bytes(), true)).collect();
        let once = format!("/{}", once.join("/"));
        prop_assume!(!once.contains("/."));
        (request.path, request.path_rule) = (&once, PathRule::Segments);
        let canonical = String::from_utf8(request.canonical().to_vec()).unwrap();
        let wanted = format!("GET\n{}\n", once.replace('%', "%25"));
        prop_assert!(canonical.starts_with(&wanted), "{}", canonical);
    }
}
