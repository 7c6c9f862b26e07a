//! What a destination's own permissions leave of a grant's scope.

use token::{claims::Scope, reason::Reason};

use crate::{policy::Grant, refusal::Refusal};

/// The scope of a token of our own: what was granted, below the destination's ceiling, where it has one.
pub fn own(grant: &Grant<'_>) -> Result<Scope, Refusal> {
    match &grant.target().permissions {
        None => Ok(grant.scope().clone()),
        Some(_) if grant.scope().is_empty() => Ok(Scope::default()),
        Some(ceiling) => narrowed(ceiling, grant.scope()),
    }
}

/// What a provider's credential is to open: the destination's permissions, or those of them that were granted. Where nothing
/// was granted in particular, the permit is for the destination as it is.
pub fn lent(grant: &Grant<'_>) -> Result<Scope, Refusal> {
    let all = grant.target().permissions.clone().unwrap_or_default();
    if grant.scope().is_empty() { Ok(all) } else { narrowed(&all, grant.scope()) }
}

fn narrowed(all: &Scope, granted: &Scope) -> Result<Scope, Refusal> {
    let left = granted.intersection(all);
    if !left.is_empty() {
        return Ok(left);
    }
    let wanted = if all.is_empty() {
        "no scope: what this destination takes cannot be narrowed".to_owned()
    } else {
        format!("some of: {all}")
    };
    Err(Refusal::new(Reason::ScopeRefused, "the destination has none of the permissions that policy grants")
        .claim("scope")
        .got(granted)
        .wanted(wanted)
        .help("correct the route's `scope`, the policy's `@scope`, or the destination's `permissions`"))
}
