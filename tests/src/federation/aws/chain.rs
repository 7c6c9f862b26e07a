//! `AssumeRole` with the keys of a session: role chaining.

use std::sync::Arc;

use super::{
    account::Account,
    order::{Order, invalid},
    policy::Context,
    session::{Attributes, Session},
    signed,
};
use crate::{
    asked::{Asked, Form},
    aws::sigv4::hash,
    federation::{
        reply::{Wrong, wrong},
        seen::Seen,
    },
};

/// The longest session of a chained role, in seconds.
const LONGEST: i64 = 3600;

pub fn assume(
    account: &Account,
    asked: &Asked,
    form: &Form,
    seen: &mut Seen,
    now: i64,
) -> Result<(Session, usize), Wrong> {
    let caller =
        signed::caller(account, asked, "sts", &hash(&asked.body), now).map_err(|fault| signed::query_code(&fault))?;
    caller.note(&account.id, seen);
    let order = Order::read(form, &["SourceIdentity", "ExternalId", "Tags.member.*", "TransitiveTagKeys.member.*"])?;
    seen.resource.clone_from(&order.role_arn);
    let attributes = attributes(&caller, form)?;

    let who = caller.arn(&account.id);
    let refused = || {
        let message =
            format!("User: {who} is not authorized to perform: sts:AssumeRole on resource: {}", order.role_arn);
        wrong(403, "AccessDenied", message)
    };
    let role = account.role(&order.role_arn).ok_or_else(refused)?;
    let context = attributes.context(Context::default().with("sts:RoleSessionName", &order.session_name));
    // A trust may name the role or just this session of it.
    let names = [format!("AWS:arn:aws:iam::{}:role/{}", account.id, caller.role), format!("AWS:{who}")];
    for action in ["sts:AssumeRole"].into_iter().chain(attributes.actions()) {
        account.authorise(&caller, action, &order.role_arn, context.clone()).map_err(|_| refused())?;
        if !names.iter().any(|name| role.trust.allows(action, name, &context)) {
            return Err(refused());
        }
    }
    order.at_most(LONGEST, "the 1 hour session limit for roles assumed by role chaining")?;
    order.at_most(role.max_session, "the MaxSessionDuration set for this role")?;
    let session = Session::new(&role.name, &order.session_name, now + order.duration, attributes, order.policy);
    Ok((session, order.packed_size))
}

/// What goes on from the caller, and what this call adds.
fn attributes(caller: &Arc<Session>, form: &Form) -> Result<Attributes, Wrong> {
    let mut attributes = caller.attributes.handed_on();
    if let Some(name) = form.get("SourceIdentity") {
        if attributes.source_identity.as_ref().is_some_and(|set| set != name) {
            return Err(wrong(403, "AccessDenied", "The source identity of a session cannot be changed"));
        }
        attributes.source_identity = Some(name.to_owned());
    }
    for number in 1..=50 {
        let member = |what| form.get(&format!("Tags.member.{number}.{what}"));
        let (Some(key), value) = (member("Key"), member("Value").unwrap_or_default()) else { break };
        if attributes.tags.insert(key.to_owned(), value.to_owned()).is_some() {
            return Err(invalid(format!("The tag {key} is set already and goes on into this session")));
        }
    }
    for number in 1..=50 {
        let Some(key) = form.get(&format!("TransitiveTagKeys.member.{number}")) else { break };
        attributes.transitive.insert(key.to_owned());
    }
    attributes.check().map_err(invalid)?;
    Ok(attributes)
}
