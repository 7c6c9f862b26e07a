//! Signatures that others have made, and signatures of everything else beside a second way to make them.

use token::aws_keys::AwsKeys;

use super::*;

mod aws_suite;
mod botocore;
mod outgoing;
mod properties;

/// What is signed with the keys of an example.
struct Signed {
    canonical: String,
    string_to_sign: String,
    signed_headers: String,
    signature: String,
}

/// Headers as they are signed.
type HeaderList = Vec<(String, Vec<u8>)>;

/// The headers in the order in which they are signed, names in lower case.
fn sorted<'h>(headers: impl IntoIterator<Item = (&'h str, &'h str)>) -> HeaderList {
    let mut headers: HeaderList =
        headers.into_iter().map(|(name, value)| (name.to_ascii_lowercase(), value.into())).collect();
    headers.sort_by(|(one, _), (other, _)| one.cmp(other));
    headers
}

fn lent(headers: &HeaderList) -> Vec<(&str, &[u8])> {
    headers.iter().map(|(name, value)| (name.as_str(), value.as_slice())).collect()
}

fn sign(request: &Signable<'_>, secret: &str, scope: Scope<'_>) -> Signed {
    let keys = SigningKeys::new(AwsKeys::new(ACCESS_KEY_ID, secret, "token").unwrap());
    let authorization = authorization(request, &keys, scope);
    let credential = format!("AWS4-HMAC-SHA256 Credential={ACCESS_KEY_ID}/{}, SignedHeaders=", scope.text());
    let rest = authorization.strip_prefix(&credential).unwrap();
    let (signed_headers, signature) = rest.split_once(", Signature=").unwrap();
    let canonical = String::from_utf8(request.canonical().to_vec()).unwrap();
    let string_to_sign = scope.string_to_sign(canonical.as_bytes());
    Signed { canonical, string_to_sign, signed_headers: signed_headers.to_owned(), signature: signature.to_owned() }
}

/// The moment that `x-amz-date` says.
fn date(text: &str) -> AmzDate {
    let number = |from: usize, length: usize| text[from..from + length].parse::<u64>().unwrap();
    let days = |year: u64| year * 365 + year / 4 - year / 100 + year / 400;
    let (year, month) = (number(0, 4), usize::try_from(number(4, 2)).unwrap());
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let lengths = [31, 28 + u64::from(leap), 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let day = days(year - 1) - days(1969) + lengths[..month - 1].iter().sum::<u64>() + number(6, 2) - 1;
    let of_day = number(9, 2) * 3_600 + number(11, 2) * 60 + number(13, 2);
    let date = AmzDate::new((day * 86_400 + of_day) * 1_000).unwrap();
    assert_eq!(date.as_str(), text);
    date
}

const ACCESS_KEY_ID: &str = "ASIAIOSFODNN7EXAMPLE";
const SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
