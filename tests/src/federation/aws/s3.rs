//! S3, as far as objects are read, written, listed and deleted (S3 API Reference).

use std::sync::PoisonError;

use super::{account::Account, buckets::Page, payload, policy::Context, session::Session, signed};
use crate::{
    asked::Asked,
    aws::sigv4::hash,
    federation::{
        random,
        reply::{Reply, Wrong, escaped, wrong},
        seen::Seen,
    },
};

/// What a request is about.
struct Place {
    bucket: String,
    key: String,
}

pub fn answer(account: &Account, asked: &Asked, seen: &mut Seen, now: i64) -> Result<Reply, Wrong> {
    let place =
        Place::of(account, asked).ok_or_else(|| wrong(400, "InvalidURI", "Couldn't parse the specified URI."))?;
    let arn = place.arn();
    let operation = operation(asked, &place)?;
    seen.operation(operation, arn);
    let stated = payload::signed(asked)?;
    let caller = signed::caller(account, asked, "s3", stated, now).map_err(|stranger| signed::s3_code(&stranger))?;
    caller.note(&account.id, seen);
    let permitted = |action: &str, arn: &str, context| account.authorise(&caller, action, arn, context);
    match operation {
        "ListObjectsV2" => {
            permitted("s3:ListBucket", &place.arn(), listing(asked))?;
            list(account, asked, &place)
        }
        "GetObject" | "HeadObject" => {
            permitted("s3:GetObject", &place.arn(), Context::default())?;
            let mut buckets = account.buckets.lock().unwrap_or_else(PoisonError::into_inner);
            let objects = buckets.objects(&place.bucket).ok_or_else(no_such_bucket)?;
            match objects.get(&place.key) {
                Some(object) => Ok(Reply::new(200, "binary/octet-stream", object.clone()).header("etag", etag(object))),
                None => Err(missing(account, &caller, &place)),
            }
        }
        "PutObject" => {
            permitted("s3:PutObject", &place.arn(), Context::default())?;
            let object = payload::object(asked)?;
            let mut buckets = account.buckets.lock().unwrap_or_else(PoisonError::into_inner);
            let objects = buckets.objects(&place.bucket).ok_or_else(no_such_bucket)?;
            objects.insert(place.key.clone(), object.to_vec());
            Ok(Reply::empty(200).header("etag", etag(&object)))
        }
        _ => {
            permitted("s3:DeleteObject", &place.arn(), Context::default())?;
            let mut buckets = account.buckets.lock().unwrap_or_else(PoisonError::into_inner);
            buckets.objects(&place.bucket).ok_or_else(no_such_bucket)?.remove(&place.key);
            Ok(Reply::empty(204))
        }
    }
}

/// A refusal, as S3 writes it.
pub fn refusal(wrong: &Wrong) -> Reply {
    let body = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{}</Code><Message>{}</Message>\
         <RequestId>{}</RequestId><HostId>{}</HostId></Error>",
        wrong.code,
        escaped(&wrong.message),
        random::of(b"0123456789ABCDEF", 16),
        random::word(56)
    );
    Reply::new(wrong.status, "application/xml", body)
}

impl Place {
    /// From the host's name or, where it is that of the service itself, from the path.
    fn of(account: &Account, asked: &Asked) -> Option<Self> {
        let service = format!("s3.{}.amazonaws.com", account.region);
        let path = decoded(asked.path.strip_prefix('/')?)?;
        let (bucket, key) = match asked.host().strip_suffix(&format!(".{service}")) {
            Some(bucket) => (bucket.to_owned(), path),
            None if asked.host() == service => {
                let (bucket, key) = path.split_once('/').unwrap_or((&path, ""));
                (bucket.to_owned(), key.to_owned())
            }
            None => return None,
        };
        (!bucket.is_empty()).then_some(Self { bucket, key })
    }

    fn arn(&self) -> String {
        let slash = if self.key.is_empty() { "" } else { "/" };
        format!("arn:aws:s3:::{}{slash}{}", self.bucket, self.key)
    }
}

fn operation(asked: &Asked, place: &Place) -> Result<&'static str, Wrong> {
    let parameters = asked.parameters();
    let unknown = parameters.pairs().find(|(name, _)| !LISTING.contains(name) && *name != "x-id");
    match (asked.method.as_str(), place.key.is_empty(), unknown) {
        ("GET", true, None) if parameters.get("list-type") == Some("2") => Ok("ListObjectsV2"),
        ("GET", false, None) => Ok("GetObject"),
        ("HEAD", false, None) => Ok("HeadObject"),
        ("PUT", false, None) => Ok("PutObject"),
        ("DELETE", false, None) => Ok("DeleteObject"),
        (_, _, Some((name, _))) => Err(wrong(501, "NotImplemented", format!("the parameter {name} is not known here"))),
        _ => Err(wrong(501, "NotImplemented", "A header you provided implies functionality that is not implemented.")),
    }
}

const LISTING: [&str; 8] = [
    "list-type",
    "prefix",
    "delimiter",
    "max-keys",
    "continuation-token",
    "start-after",
    "encoding-type",
    "fetch-owner",
];

/// What policies can ask of a listing.
fn listing(asked: &Asked) -> Context {
    let parameters = asked.parameters();
    ["prefix", "delimiter", "max-keys"].iter().fold(Context::default(), |context, name| {
        // A parameter that is there and empty is a value like any other.
        match parameters.pairs().find(|(other, _)| other == name) {
            Some((_, value)) => context.with(&format!("s3:{name}"), value),
            None => context,
        }
    })
}

/// Whoever may not list a bucket is not told that an object is not there.
fn missing(account: &Account, caller: &Session, place: &Place) -> Wrong {
    let bucket = format!("arn:aws:s3:::{}", place.bucket);
    match account.authorise(caller, "s3:ListBucket", &bucket, Context::default()) {
        Ok(()) => wrong(404, "NoSuchKey", "The specified key does not exist."),
        Err(_) => wrong(403, "AccessDenied", "Access Denied"),
    }
}

fn list(account: &Account, asked: &Asked, place: &Place) -> Result<Reply, Wrong> {
    let parameters = asked.parameters();
    let text = |name: &str| parameters.get(name).unwrap_or_default();
    let most = match text("max-keys") {
        "" => 1000,
        most => most.parse::<usize>().map_err(|_| wrong(400, "InvalidArgument", "max-keys"))?.min(1000),
    };
    let after = [text("start-after"), text("continuation-token")].into_iter().max().unwrap_or_default();
    let page = account.buckets.lock().unwrap_or_else(PoisonError::into_inner);
    let page = page.page(&place.bucket, text("prefix"), text("delimiter"), after, most).ok_or_else(no_such_bucket)?;
    let is_url = text("encoding-type") == "url";
    let written = |key: &str| if is_url { encoded(key) } else { escaped(key) };
    let Page { keys, prefixes, more_after } = &page;
    let contents = keys.iter().map(|(key, size)| {
        format!(
            "<Contents><Key>{}</Key><LastModified>2026-11-22T07:30:00.000Z</LastModified><Size>{size}</Size>\
             <StorageClass>STANDARD</StorageClass></Contents>",
            written(key)
        )
    });
    let contents: String = contents.collect();
    let common =
        prefixes.iter().map(|prefix| format!("<CommonPrefixes><Prefix>{}</Prefix></CommonPrefixes>", written(prefix)));
    let common: String = common.collect();
    let more = more_after
        .as_ref()
        .map_or_else(String::new, |key| format!("<NextContinuationToken>{}</NextContinuationToken>", escaped(key)));
    let body = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">\
         <Name>{}</Name><Prefix>{}</Prefix><KeyCount>{}</KeyCount><MaxKeys>{most}</MaxKeys>{}\
         <IsTruncated>{}</IsTruncated>{more}{contents}{common}</ListBucketResult>",
        place.bucket,
        written(text("prefix")),
        keys.len() + prefixes.len(),
        if is_url { "<EncodingType>url</EncodingType>" } else { "" },
        more_after.is_some()
    );
    Ok(Reply::new(200, "application/xml", body))
}

fn no_such_bucket() -> Wrong {
    wrong(404, "NoSuchBucket", "The specified bucket does not exist")
}

/// No MD5, as with objects that are encrypted with a key of one's own.
fn etag(object: &[u8]) -> String {
    format!("\"{}\"", &hash(object)[..32])
}

/// A path without its percent signs. A plus is a plus there.
pub(crate) fn decoded(path: &str) -> Option<String> {
    let form = path.replace('+', "%2B").replace('&', "%26").replace('=', "%3D");
    let mut pairs = form_urlencoded::parse(form.as_bytes());
    let text = pairs.next().map_or_else(String::new, |(name, _)| name.into_owned());
    (!text.contains('\u{fffd}')).then_some(text)
}

fn encoded(key: &str) -> String {
    let kept = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte);
    let one = |byte: u8| if kept(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") };
    key.bytes().map(one).collect()
}
