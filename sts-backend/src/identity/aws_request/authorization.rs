//! The `Authorization` header of Signature Version 4, read strictly: one spelling, no member twice, none left out.

/// The one signature scheme. The asymmetric one of several regions (`AWS4-ECDSA-P256-SHA256`) is not among AWS's STS clients.
pub const SCHEME: &str = "AWS4-HMAC-SHA256";

/// What the header says. The signature is of use to whoever holds it, so nothing here can be printed.
pub struct Authorization<'h> {
    /// The access key's id.
    pub access_key: &'h str,
    /// The day of the scope, as `20261122`.
    pub day: &'h str,
    /// The region of the scope.
    pub region: &'h str,
    /// The service of the scope.
    pub service: &'h str,
    /// The signed headers, in lower case and in order.
    pub signed_headers: Vec<&'h str>,
    /// The signature, 64 hexadecimal digits in lower case.
    pub signature: &'h str,
}

/// Why a header is not such a one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unreadable {
    /// It begins with another scheme.
    Scheme,
    /// This part of it is missing or has another form.
    Part(&'static str),
}

impl<'h> Authorization<'h> {
    /// Reads `AWS4-HMAC-SHA256 Credential=KEY/DAY/REGION/SERVICE/aws4_request, SignedHeaders=a;b, Signature=HEX`.
    pub fn parse(value: &'h str) -> Result<Self, Unreadable> {
        let rest = value.strip_prefix(SCHEME).and_then(|rest| rest.strip_prefix(' ')).ok_or(Unreadable::Scheme)?;
        let mut parts = rest.split(',');
        // Clients put one space after a comma, or none.
        let mut part = |name: &'static str| {
            let part = parts.next().map(|part| part.strip_prefix(' ').unwrap_or(part));
            let value = part.and_then(|part| part.strip_prefix(name)?.strip_prefix('='));
            value.ok_or(Unreadable::Part(name))
        };
        let (credential, signed, signature) = (part("Credential")?, part("SignedHeaders")?, part("Signature")?);
        if parts.next().is_some() {
            return Err(Unreadable::Part("Signature"));
        }
        let scope: Vec<_> = credential.split('/').collect();
        let [access_key, day, region, service, "aws4_request"] = *scope.as_slice() else {
            return Err(Unreadable::Part("Credential"));
        };
        let key = (4..=128).contains(&access_key.len()) && access_key.bytes().all(|byte| byte.is_ascii_alphanumeric());
        if !key || day.len() != 8 || !day.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(Unreadable::Part("Credential"));
        }
        let signed_headers: Vec<_> = signed.split(';').collect();
        if !signed_headers.iter().all(|name| is_header(name)) || !signed_headers.is_sorted_by(|a, b| a < b) {
            return Err(Unreadable::Part("SignedHeaders"));
        }
        if signature.len() != 64 || !signature.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')) {
            return Err(Unreadable::Part("Signature"));
        }
        Ok(Self { access_key, day, region, service, signed_headers, signature })
    }

    /// Whether the header of this name, in lower case, is under the signature.
    pub fn signs(&self, name: &str) -> bool {
        self.signed_headers.contains(&name)
    }

    /// The header, written anew.
    pub fn to_header(&self) -> String {
        let Self { access_key, day, region, service, signature, .. } = self;
        let signed = self.signed_headers.join(";");
        format!(
            "{SCHEME} Credential={access_key}/{day}/{region}/{service}/aws4_request, SignedHeaders={signed}, \
             Signature={signature}"
        )
    }
}

fn is_header(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIGNATURE: &str = "a660e203f79bbd6efb1476d380dd52899ebc50b5c2905819f46325b86bb9ff45";

    fn good() -> String {
        format!(
            "AWS4-HMAC-SHA256 Credential=ASIAEXAMPLE/20261122/us-east-2/sts/aws4_request, \
             SignedHeaders=host;x-amz-date;x-amz-security-token, Signature={SIGNATURE}"
        )
    }

    fn problem(value: &str) -> Option<Unreadable> {
        Authorization::parse(value).err()
    }

    #[test]
    fn it_is_read_and_written_as_it_was() {
        let header = good();
        let read = Authorization::parse(&header).ok().unwrap();
        assert_eq!((read.access_key, read.day, read.region), ("ASIAEXAMPLE", "20261122", "us-east-2"));
        assert_eq!((read.service, read.signature), ("sts", SIGNATURE));
        assert!(read.signs("host") && read.signs("x-amz-date") && !read.signs("x-amz") && !read.signs("accept"));
        assert_eq!(read.to_header(), header);
        assert_eq!(Authorization::parse(&header.replace(", ", ",")).ok().unwrap().to_header(), header);
    }

    #[test]
    fn any_other_spelling_is_refused() {
        for (from, to, part) in [
            ("Credential=", "credential=", "Credential"),
            ("Credential=ASIAEXAMPLE/", "Credential=", "Credential"),
            ("ASIAEXAMPLE", "ASIA EXAMPLE", "Credential"),
            ("ASIAEXAMPLE", "", "Credential"),
            ("20261122", "2026112", "Credential"),
            ("20261122", "2026112x", "Credential"),
            ("aws4_request", "aws5_request", "Credential"),
            ("aws4_request", "aws4_request/x", "Credential"),
            ("SignedHeaders=host;", "SignedHeaders=Host;", "SignedHeaders"),
            ("SignedHeaders=host;", "SignedHeaders=host;host;", "SignedHeaders"),
            ("host;x-amz-date", "x-amz-date;host", "SignedHeaders"),
            ("host;", "host;;", "SignedHeaders"),
            ("SignedHeaders=", "Signature=", "SignedHeaders"),
            (SIGNATURE, &SIGNATURE.to_uppercase(), "Signature"),
            (SIGNATURE, &SIGNATURE[1..], "Signature"),
            (SIGNATURE, &format!("{SIGNATURE},"), "Signature"),
            (SIGNATURE, &format!("{SIGNATURE} "), "Signature"),
            (SIGNATURE, &format!("{SIGNATURE}, Signature={SIGNATURE}"), "Signature"),
            (", Signature", ",  Signature", "Signature"),
        ] {
            assert_eq!(problem(&good().replacen(from, to, 1)), Some(Unreadable::Part(part)), "{from} -> {to}");
        }
        for value in ["", "Bearer x", "AWS4-HMAC-SHA256", "AWS4-ECDSA-P256-SHA256 Credential=x", " AWS4-HMAC-SHA256 x"]
        {
            assert_eq!(problem(value), Some(Unreadable::Scheme), "{value}");
        }
    }
}
