//! The STS of an account's region: sessions of roles (STS API Reference, `2011-06-15`).

use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use super::{account::Account, chain, session::Session, web_identity};
use crate::{
    asked::Asked,
    federation::{
        lie::Lie,
        random,
        reply::{Reply, Wrong, escaped, wrong},
        seen::Seen,
        switches::{Manner, Switches},
    },
};

const NAMESPACE: &str = "https://sts.amazonaws.com/doc/2011-06-15/";

pub async fn answer(
    account: &Account,
    asked: &Asked,
    switches: &Switches,
    seen: &mut Seen,
    now: i64,
) -> Result<Reply, Wrong> {
    let form = asked.form().filter(|_| asked.method == "POST" && asked.path == "/" && asked.query.is_empty());
    let form = form.ok_or_else(|| wrong(404, "UnknownOperationException", "a form that is POSTed to / is expected"))?;
    let endpoint = match form.get("Action") {
        Some("AssumeRoleWithWebIdentity") => "AssumeRoleWithWebIdentity",
        Some("AssumeRole") => "AssumeRole",
        _ => return Err(wrong(400, "InvalidAction", "Could not find operation for the given action")),
    };
    seen.operation = endpoint.to_owned();
    let lie = match switches.enter(endpoint).await {
        Manner::Honest => None,
        Manner::Throttled => return Err(wrong(400, "Throttling", "Rate exceeded")),
        Manner::Outage => {
            return Err(wrong(503, "ServiceUnavailable", "The request has failed due to a temporary failure"));
        }
        Manner::Unaware => return Err(wrong(403, "AccessDenied", format!("Not authorized to perform sts:{endpoint}"))),
        Manner::Lying(lie) => Some(lie),
    };
    let (opened, more) = if endpoint == "AssumeRole" {
        let (session, packed_size) = chain::assume(account, asked, &form, seen, now)?;
        (session, format!("<PackedPolicySize>{packed_size}</PackedPolicySize>"))
    } else {
        // It is unsigned, and a signature would be one of somebody's own keys.
        if asked.headers.contains_key("authorization") {
            return Err(wrong(400, "InvalidAction", "AssumeRoleWithWebIdentity is not signed"));
        }
        let opened = web_identity::assume(account, &form, switches, seen, now).await?;
        let more = format!(
            "<SubjectFromWebIdentityToken>{}</SubjectFromWebIdentityToken><PackedPolicySize>{}</PackedPolicySize>\
             <Provider>{}</Provider><Audience>{}</Audience>",
            escaped(&opened.subject),
            opened.packed_size,
            account.provider_arn(),
            escaped(&opened.audience)
        );
        (opened.session, more)
    };
    opened.note(&account.id, seen);
    let session = account.open(opened);
    let reply = written(account, endpoint, &session, &more, lie);
    Ok(lie.map_or(reply.clone(), |lie| lie.bend_reply(reply)))
}

/// A refusal, as the query API writes it.
pub fn refusal(wrong: &Wrong) -> Reply {
    let blame = if wrong.status < 500 { "Sender" } else { "Receiver" };
    let body = format!(
        "<ErrorResponse xmlns=\"{NAMESPACE}\">\n  <Error>\n    <Type>{blame}</Type>\n    <Code>{}</Code>\n    \
         <Message>{}</Message>\n  </Error>\n  <RequestId>{}</RequestId>\n</ErrorResponse>\n",
        wrong.code,
        escaped(&wrong.message),
        random::guid()
    );
    Reply::new(wrong.status, "text/xml", body)
}

fn written(account: &Account, action: &str, session: &Session, more: &str, lie: Option<Lie>) -> Reply {
    let bent = |credential: &str| lie.map_or_else(|| credential.to_owned(), |lie| lie.bend(credential));
    let expires = match lie {
        Some(Lie::Ended) => session.expires - 100_000,
        Some(Lie::Endless) => session.expires + 3_153_600_000,
        _ => session.expires,
    };
    let moment = OffsetDateTime::from_unix_timestamp(expires).ok();
    let expiration = moment.and_then(|moment| moment.format(&Rfc3339).ok()).unwrap_or_default();
    let arn = match lie {
        Some(Lie::OtherRole) => format!("arn:aws:sts::{}:assumed-role/administrator/{}", account.id, session.name),
        _ => session.arn(&account.id),
    };
    let action = if lie == Some(Lie::OtherKind) { "GetSessionToken" } else { action };
    let access_key =
        if lie == Some(Lie::Wider) { format!("AKIA{}", &session.access_key[4..]) } else { session.access_key.clone() };
    let identity = session
        .attributes
        .source_identity
        .as_ref()
        .map_or_else(String::new, |name| format!("<SourceIdentity>{}</SourceIdentity>", escaped(name)));
    let body = format!(
        "<{action}Response xmlns=\"{NAMESPACE}\">\n  <{action}Result>\n    <Credentials>\n      \
         <AccessKeyId>{access_key}</AccessKeyId>\n      <SecretAccessKey>{}</SecretAccessKey>\n      \
         <SessionToken>{}</SessionToken>\n      <Expiration>{expiration}</Expiration>\n    </Credentials>\n    \
         <AssumedRoleUser><AssumedRoleId>{}:{}</AssumedRoleId><Arn>{arn}</Arn></AssumedRoleUser>\n    \
         {more}{identity}\n  </{action}Result>\n  <ResponseMetadata><RequestId>{}</RequestId></ResponseMetadata>\n\
         </{action}Response>\n",
        bent(&session.secret_key),
        bent(&session.token),
        role_id(&session.role),
        session.name,
        random::guid()
    );
    Reply::new(200, "text/xml", body)
}

/// One role always has the same.
fn role_id(role: &str) -> String {
    let letters = token::digest::fingerprint(role).to_ascii_uppercase();
    format!("AROA{}", letters.chars().filter(char::is_ascii_alphanumeric).take(17).collect::<String>())
}
