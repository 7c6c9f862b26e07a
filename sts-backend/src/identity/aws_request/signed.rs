//! What a signed request must say to be sent on, and what it is reduced to: the pieces of which the request to AWS is made
//! anew.
//!
//! AWS checks the signature. What it does not check is what the request would be used for: that it asks for the caller's
//! identity and nothing else, goes to AWS and nowhere else, was signed just now, and was meant for us.

use std::collections::BTreeMap;

use http::{HeaderName, HeaderValue};
use token::{digest::FieldDigest, reason::Reason};

use super::{
    AwsRequestSettings,
    authorization::{Authorization, SCHEME, Unreadable},
    host::{self, StsHost},
    instant,
    serialisation::{Form, Presented},
};
use crate::{identity::validity::EARLY_LEEWAY, refusal::Refusal};

/// How long after its signing a request is believed, and how long what is issued on its strength may live, in seconds. AWS
/// itself would take it for 15 minutes.
pub const WINDOW: u64 = 300;

/// The two spellings of what is asked for.
pub const QUESTIONS: [&str; 2] =
    ["Action=GetCallerIdentity&Version=2011-06-15", "Version=2011-06-15&Action=GetCallerIdentity"];

/// The headers that may stand beside the one that names us.
const HEADERS: [&str; 8] = [
    "accept",
    "authorization",
    "content-length",
    "content-type",
    "host",
    // Not signed by any client, and not sent on.
    "user-agent",
    "x-amz-date",
    "x-amz-security-token",
];

/// A request that may be sent.
pub struct SignedRequest {
    /// AWS's host that it was signed for.
    pub host: String,
    /// The query of its URL: the question, or nothing.
    pub query: &'static str,
    /// Its body: the question, or nothing.
    pub body: &'static str,
    /// Its headers.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// When it was signed, in seconds since the epoch.
    pub signed_at: u64,
    /// Whether the header that names us is under the signature.
    pub audience_signed: bool,
    /// A digest of the signature.
    pub signature: [u8; 32],
}

/// For whom a request must be meant.
#[derive(Clone, Copy, Debug)]
pub struct Addressee<'a> {
    /// The source's audience.
    pub audience: &'a str,
    /// The `audience` parameters of the exchange.
    pub asked: &'a [String],
}

type Headers<'p> = BTreeMap<String, &'p str>;

impl SignedRequest {
    /// Checks everything that can be checked without AWS.
    pub fn check(
        presented: &Presented,
        settings: &AwsRequestSettings,
        addressee: Addressee<'_>,
        now: u64,
    ) -> Result<Self, Refusal> {
        if presented.method != "POST" {
            return Err(mismatch("method", &presented.method, "POST"));
        }
        let (host, query) = location(&presented.url, settings)?;
        let (query, body) = question(query, &presented.body)?;
        let headers = headers(presented)?;
        let authorization = authorization(&headers)?;
        check_scope(&authorization, &host)?;
        check_signed_headers(&authorization, &headers, presented.form)?;
        check_values(&headers, &host, body)?;
        let signed_at = check_date(&headers, &authorization, now)?;
        let audience_signed = check_audience(&headers, &authorization, presented.form, settings, addressee)?;
        Ok(Self {
            query,
            body,
            headers: forwarded(&headers, &authorization, &host)?,
            signed_at,
            audience_signed,
            signature: FieldDigest::new("signature of an AWS request").field(authorization.signature).finish(),
            host: host.name,
        })
    }

    /// When it, and everything that is issued on its strength, dies.
    pub fn expires_at(&self) -> u64 {
        self.signed_at.saturating_add(WINDOW)
    }
}

/// The host and the query of the URL. A port, a user, a path or a fragment are part of no URL that is read here.
fn location<'u>(url: &'u str, settings: &AwsRequestSettings) -> Result<(StsHost, &'u str), Refusal> {
    let rest = url.strip_prefix("https://").ok_or_else(|| mismatch("url", "another scheme", "https"))?;
    let (authority, tail) =
        rest.split_at_checked(rest.find(['/', '?', '#']).unwrap_or(rest.len())).unwrap_or((rest, ""));
    let hosts = host::of_regions(&settings.regions);
    let host = hosts.iter().find(|host| host.name == authority).cloned().ok_or_else(|| {
        let names: Vec<_> = hosts.iter().map(|host| host.name.as_str()).collect();
        Refusal::new(Reason::SubjectIssuerUnknown, "the request was signed for a host that is not AWS's, or not listed")
            .claim("subject_token url")
            // Before an `@` there could be a password.
            .got(authority.rsplit('@').next().unwrap_or_default())
            .wanted(format!("exactly one of {}", names.join(", ")))
            .help("sign for a listed region's endpoint, or add the region under `regions` of the source")
    })?;
    let query = match tail.strip_prefix('/').unwrap_or(tail) {
        "" => Some(""),
        query => query.strip_prefix('?'),
    };
    query.map(|query| (host, query)).ok_or_else(|| mismatch("url path", "another path", "none, or `/`"))
}

/// The question, in the query or in the body, in one of its spellings: what is not compared cannot slip through.
fn question(query: &str, body: &str) -> Result<(&'static str, &'static str), Refusal> {
    let spelled = |text: &str| QUESTIONS.into_iter().find(|question| *question == text);
    match (spelled(query), spelled(body)) {
        (Some(query), None) if body.is_empty() => Ok((query, "")),
        (None, Some(body)) if query.is_empty() => Ok(("", body)),
        _ => Err(mismatch("parameters", "others", format!("`{}`, in the query or in the body", QUESTIONS[0]))),
    }
}

/// The headers by their names in lower case: known ones only, each once.
fn headers(presented: &Presented) -> Result<Headers<'_>, Refusal> {
    let audience_header = presented.form.audience_header();
    let mut headers = Headers::new();
    for (name, value) in &presented.headers {
        let name = name.to_ascii_lowercase();
        if !HEADERS.contains(&name.as_str()) && name != audience_header {
            return Err(mismatch("header", &name, format!("{} and {audience_header} only", HEADERS.join(", "))));
        }
        let plain = value.bytes().all(|byte| matches!(byte, b' '..=b'~')) && value.trim_ascii().len() == value.len();
        if !plain {
            return Err(mismatch(&header(&name), "other characters", "visible ASCII, without blanks around it"));
        }
        if headers.insert(name.clone(), value.as_str()).is_some() {
            return Err(mismatch(&header(&name), "several values", "one"));
        }
    }
    Ok(headers)
}

fn authorization<'h>(headers: &Headers<'h>) -> Result<Authorization<'h>, Refusal> {
    let value = headers.get("authorization").copied();
    let value = value.ok_or_else(|| mismatch(&header("authorization"), "nothing", "the signature"))?;
    Authorization::parse(value).map_err(|error| {
        let claim = format!("subject_token {}", header("authorization"));
        match error {
            Unreadable::Scheme => {
                Refusal::new(Reason::SubjectAlgorithmRefused, "the request is not signed as AWS's STS wants it")
                    .claim(claim)
                    .got("another scheme")
                    .wanted(SCHEME)
            }
            Unreadable::Part(part) => {
                Refusal::new(Reason::SubjectTokenMalformed, "the request's signature cannot be read")
                    .claim(format!("{claim} {part}"))
                    .got("another form")
                    .wanted(format!(
                        "`{SCHEME} Credential=KEY/DAY/REGION/sts/aws4_request, SignedHeaders=a;b, Signature=HEX`"
                    ))
            }
        }
    })
}

fn check_scope(authorization: &Authorization<'_>, host: &StsHost) -> Result<(), Refusal> {
    if authorization.service != "sts" {
        return Err(mismatch("Credential service", authorization.service, "sts"));
    }
    if authorization.region != host.region {
        return Err(mismatch("Credential region", authorization.region, format!("{}, as the host", host.region)));
    }
    Ok(())
}

/// What must be under the signature: what decides where the request goes and when it was made, and every header of AWS's own.
fn check_signed_headers(authorization: &Authorization<'_>, headers: &Headers<'_>, form: Form) -> Result<(), Refusal> {
    let amazons = headers.keys().map(String::as_str).filter(|name| name.starts_with("x-amz-"));
    if let Some(name) = ["host", "x-amz-date"].into_iter().chain(amazons).find(|name| !authorization.signs(name)) {
        return Err(mismatch("SignedHeaders", format!("a list without {name}"), format!("one with {name}")));
    }
    let sent = |name: &str| {
        name == "host"
            || headers.contains_key(name)
                && (HEADERS.contains(&name) || name == form.audience_header())
                && !matches!(name, "authorization" | "user-agent")
    };
    match authorization.signed_headers.iter().find(|name| !sent(name)) {
        Some(name) => Err(mismatch("SignedHeaders", name, "headers that the request has, and that are sent on")),
        None => Ok(()),
    }
}

/// The headers whose value is known beforehand.
fn check_values(headers: &Headers<'_>, host: &StsHost, body: &str) -> Result<(), Refusal> {
    let length = body.len().to_string();
    let wanted: [(&str, &[&str]); 4] = [
        // Some clients leave it out: it is the URL's, and AWS checks that it was signed.
        ("host", &[&host.name]),
        ("content-length", &[&length]),
        ("content-type", &["application/x-www-form-urlencoded", "application/x-www-form-urlencoded; charset=utf-8"]),
        // In any other form the answer would not be understood.
        ("accept", &["*/*", "application/xml", "text/xml"]),
    ];
    for (name, values) in wanted {
        if let Some(got) = headers.get(name)
            && !values.iter().any(|value| value.eq_ignore_ascii_case(got))
        {
            return Err(mismatch(&header(name), got, values.join(" or ")));
        }
    }
    Ok(())
}

fn check_date(headers: &Headers<'_>, authorization: &Authorization<'_>, now: u64) -> Result<u64, Refusal> {
    let name = header("x-amz-date");
    let date = headers.get("x-amz-date").copied();
    let Some((date, signed_at)) = date.and_then(|date| Some((date, instant::parse(date)?))) else {
        return Err(mismatch(&name, date.unwrap_or("nothing"), "a moment as 20261122T073000Z"));
    };
    if !date.starts_with(authorization.day) {
        return Err(mismatch("Credential day", authorization.day, format!("the day of {name}, {date}")));
    }
    let refuse = |reason, detail, wanted| {
        Err(Refusal::new(reason, detail).claim(format!("subject_token {name}")).got(signed_at).wanted(wanted))
    };
    if now >= signed_at.saturating_add(WINDOW) {
        let refused = refuse(
            Reason::SubjectTokenExpired,
            "the request was signed too long ago",
            format!("less than {WINDOW} s before {now}"),
        );
        return refused.map_err(|refusal| refusal.help("sign a request for every exchange; compare the clocks"));
    }
    if signed_at > now.saturating_add(EARLY_LEEWAY) {
        let wanted = format!("at most {EARLY_LEEWAY} s after {now}");
        return refuse(Reason::SubjectTokenNotYetValid, "the request was signed in the future", wanted)
            .map_err(|refusal| refusal.help("compare the clocks of the workload and of this service"));
    }
    Ok(signed_at)
}

/// Whether the request names us, and whether under its signature.
fn check_audience(
    headers: &Headers<'_>,
    authorization: &Authorization<'_>,
    form: Form,
    settings: &AwsRequestSettings,
    addressee: Addressee<'_>,
) -> Result<bool, Refusal> {
    let name = form.audience_header();
    let refuse = |got: &str, wanted: &str, help: &str| {
        Refusal::new(Reason::SubjectAudienceMismatch, "the request was not signed for this service")
            .claim(format!("subject_token {}", header(name)))
            .got(got)
            .wanted(wanted)
            .help(help)
    };
    let value = headers.get(name).copied();
    if !value.is_some_and(|value| addressee.is(value)) {
        let help = "sign with this header; its value may also be the exchange's `audience` below that name";
        return Err(refuse(value.unwrap_or("nothing"), addressee.audience, help));
    }
    let signed = authorization.signs(name);
    let may_be_unsigned = settings.allow_unsigned_audience && form == Form::Google;
    if !signed && !may_be_unsigned {
        let help =
            "sign it; for clients that cannot, such as google-auth for Python, there is `allow_unsigned_audience`";
        return Err(refuse("outside the signature", "in SignedHeaders", help));
    }
    Ok(signed)
}

impl Addressee<'_> {
    /// Whether `name` is ours: the source's audience, or a name below it that is also the audience that is asked for. Google's
    /// clients have one setting for both.
    fn is(&self, name: &str) -> bool {
        let below = |rest: &str| rest.starts_with('/') && self.asked.iter().map(String::as_str).eq([name]);
        name == self.audience || name.strip_prefix(self.audience).is_some_and(below)
    }
}

/// The headers to send: those under the signature, what it is, and what AWS needs to read the body. Nothing else that the
/// caller wrote.
fn forwarded(
    headers: &Headers<'_>,
    authorization: &Authorization<'_>,
    host: &StsHost,
) -> Result<Vec<(HeaderName, HeaderValue)>, Refusal> {
    let mut sent = vec![("host", host.name.clone()), ("authorization", authorization.to_header())];
    let is_sent = |name: &str| name != "host" && (authorization.signs(name) || name == "content-type");
    sent.extend(
        headers.iter().filter(|(name, _)| is_sent(name)).map(|(name, value)| (name.as_str(), (*value).to_owned())),
    );
    let to_http = |(name, value): (&str, String)| {
        let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
        let mut value = HeaderValue::from_str(&value).ok()?;
        value.set_sensitive(true);
        Some((name, value))
    };
    let sent: Option<Vec<_>> = sent.into_iter().map(to_http).collect();
    sent.ok_or_else(|| mismatch("header", "other characters", "visible ASCII"))
}

fn header(name: &str) -> String {
    format!("header {name}")
}

fn mismatch(claim: &str, got: impl std::fmt::Display, wanted: impl std::fmt::Display) -> Refusal {
    Refusal::new(Reason::SubjectClaimMismatch, "the signed request is not the one that is sent on here")
        .claim(format!("subject_token {claim}"))
        .got(got)
        .wanted(wanted)
        .help("sign `POST https://sts.REGION.amazonaws.com/`, `Action=GetCallerIdentity&Version=2011-06-15`, nothing else")
}

#[cfg(test)]
mod tests;
