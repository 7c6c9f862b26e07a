//! `AssumeRoleWithWebIdentity`: an assertion of ours for the keys of a session.

use super::{
    account::Account,
    order::{Order, invalid},
    policy::Context,
    session::{Attributes, Session},
};
use crate::{
    asked::Form,
    federation::{
        assertion::{Claims, Fault, Shown, Stale},
        issuer::KeyFault,
        reply::{Wrong, wrong},
        seen::Seen,
        switches::Switches,
    },
};

/// What AWS takes of an OIDC provider; ES512 besides, which nobody here signs with.
const ALGORITHMS: &[&str] = &["RS256", "RS384", "RS512", "ES256", "ES384"];

/// How long after its end an assertion is still taken, in seconds.
const GRACE: i64 = 300;

/// A session, and who it was opened for.
pub struct Opened {
    pub session: Session,
    pub subject: String,
    pub audience: String,
    pub packed_size: usize,
}

pub async fn assume(
    account: &Account,
    form: &Form,
    switches: &Switches,
    seen: &mut Seen,
    now: i64,
) -> Result<Opened, Wrong> {
    let order = Order::read(form, &["WebIdentityToken"])?;
    seen.resource.clone_from(&order.role_arn);
    if let Some(policy) = form.get("Policy") {
        seen.fact("session_policy", policy);
    }
    let jwt = form.get("WebIdentityToken").filter(|jwt| (4..=20_000).contains(&jwt.len()));
    let jwt = jwt.ok_or_else(|| {
        invalid("Value at 'webIdentityToken' failed to satisfy constraint: 4 to 20000 characters".into())
    })?;
    let claims = believe(account, jwt, switches, now).await?;
    seen.fact("assertion", claims.to_value());

    let subject = claims.text("sub").filter(|subject| (6..=255).contains(&subject.len()));
    let subject = subject.ok_or_else(|| unusable("`sub` is not 6 to 255 characters"))?;
    let audience = audience(account, &claims)?;
    seen.principal = format!("{}:{subject}", account.issuer.name());
    let attributes = Attributes::of_assertion(&claims).map_err(|why| unusable(&why))?;

    // A role that does not exist and one that does not trust are told apart by nobody.
    let refused = || wrong(403, "AccessDenied", "Not authorized to perform sts:AssumeRoleWithWebIdentity");
    let role = account.role(&order.role_arn).ok_or_else(refused)?;
    let name = account.issuer.name();
    let context = Context::default()
        .with(&format!("{name}:aud"), audience)
        .with(&format!("{name}:sub"), subject)
        .with("sts:RoleSessionName", &order.session_name);
    let context = attributes.context(context);
    let principal = format!("Federated:{}", account.provider_arn());
    let mut actions = ["sts:AssumeRoleWithWebIdentity"].into_iter().chain(attributes.actions());
    if !actions.all(|action| role.trust.allows(action, &principal, &context)) {
        return Err(refused());
    }
    order.at_most(role.max_session, "the MaxSessionDuration set for this role")?;
    Ok(Opened {
        session: Session::new(&role.name, &order.session_name, now + order.duration, attributes, order.policy),
        subject: subject.to_owned(),
        audience: audience.to_owned(),
        packed_size: order.packed_size,
    })
}

async fn believe(account: &Account, jwt: &str, switches: &Switches, now: i64) -> Result<Claims, Wrong> {
    let shown = Shown::parse(jwt).map_err(|_| unusable("The ID Token provided is not a valid JWT"))?;
    let issuer = shown.claims().text("iss").unwrap_or_default();
    if issuer != account.issuer.url() {
        return Err(unusable(&format!("No OpenIDConnect provider found in your account for {issuer}")));
    }
    let claims = shown.prove(&account.issuer, switches, ALGORITHMS, &["JWT"]).await.map_err(|fault| match fault {
        Fault::Key(KeyFault::Unreachable) => {
            wrong(400, "IDPCommunicationError", "Could not communicate with the identity provider")
        }
        Fault::Key(KeyFault::Unknown) | Fault::NoKeyId => unusable(
            "Couldn't retrieve verification key from your identity provider, please reference \
                      AssumeRoleWithWebIdentity documentation for requirements",
        ),
        Fault::Algorithm(algorithm) => unusable(&format!("The algorithm {algorithm} is not supported")),
        Fault::Type(kind) => unusable(&format!("A token of the type {kind} is no ID token")),
        Fault::Malformed | Fault::Signature => unusable("The ID Token provided could not be verified"),
    })?;
    claims.in_force(now, GRACE, false).map_err(|stale| match stale {
        Stale::Ended => wrong(
            400,
            "ExpiredTokenException",
            "Token expired: current date/time must be before the expiration date/time",
        ),
        Stale::Early => unusable("The ID Token provided is not yet in force"),
        Stale::Missing(claim) => unusable(&format!("Missing a required claim: {claim}")),
    })?;
    Ok(claims)
}

/// With `azp` that is the audience; without it there must be one `aud`.
fn audience<'c>(account: &Account, claims: &'c Claims) -> Result<&'c str, Wrong> {
    let audience = match claims.get("azp") {
        Some(party) => party.as_str(),
        None => claims.sole_audience(),
    };
    audience
        .filter(|audience| account.client_ids.iter().any(|id| id == audience))
        .ok_or_else(|| unusable("Incorrect token audience"))
}

fn unusable(message: &str) -> Wrong {
    wrong(400, "InvalidIdentityToken", message)
}
