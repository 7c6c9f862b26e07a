//! Whether: Cedar policies, checked strictly when loaded, evaluated purely.
//!
//! A decision has two halves. Does a policy let this proxy ask for this workload (`act_for`)? And does one let this workload
//! have a token for this destination (`exchange`, or `exchange_directly` where no proxy stands between)? Each is denied
//! unless a permit says otherwise, and an error in any policy that is evaluated denies too.
//!
//! A grant is made of one permit: the first, in the order of the files, that covers the scope asked for, else the first that
//! covers some of it. Terms of two permits are never mixed. The permit is then asked again with exactly the scope that it
//! would grant, so that no policy is evaded by asking for less, or for nothing.

use std::{fmt, path::PathBuf};

use cedar_policy::{Authorizer, EntityTypeName, EntityUid};
use token::{claims::Scope, constraint::Constraint};

use self::{decision::Question, slice::Slices};
use crate::{actor::VerifiedActor, identity::VerifiedSubject, refusal::Refusal, request::Asked, target::Target};

mod annotation;
mod decision;
mod facts;
mod load;
mod slice;

/// What policies can read, version 1.
pub const SCHEMA_V1: &str = include_str!("../policy/schema-v1.cedarschema");

/// A checked set of policies.
pub struct Policy {
    version: String,
    authorizer: Authorizer,
    names: Names,
    act_for: Slices,
    exchange: Slices,
    exchange_directly: Slices,
}

/// The types and actions of the schema, parsed once.
struct Names {
    proxy: EntityTypeName,
    workload: EntityTypeName,
    target: EntityTypeName,
    act_for: EntityUid,
    exchange: EntityUid,
    exchange_directly: EntityUid,
}

/// What is wrong with one policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyFinding {
    /// The file it stands in.
    pub file: PathBuf,
    /// The policy, by its `@id` or its position; absent where the file as a whole is meant.
    pub policy: Option<String>,
    /// What was found, what was expected and what to do.
    pub message: String,
}

/// A decision in favour, with all it was made of. Made by [`Policy::decide`] alone.
#[derive(Debug)]
pub struct Grant<'g> {
    version: &'g str,
    actor: &'g VerifiedActor,
    subject: &'g VerifiedSubject,
    target: &'g Target,
    scope: Scope,
    terms: &'g annotation::Terms,
}

/// A decision against.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Denial {
    /// Why.
    pub refusal: Refusal,
    /// The policy that forbids it, where one does.
    pub policy: Option<String>,
    /// What that policy says of itself.
    pub policy_reason: Option<String>,
}

impl Policy {
    /// Parses and checks policy files, given with their text. The order of files and of policies in them is the order in
    /// which permits are taken.
    pub fn load(files: &[(PathBuf, String)]) -> Result<Self, Vec<PolicyFinding>> {
        load::load(files)
    }

    /// A digest of schema and policies: two services with the same version decide alike.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// Decides. Nothing is read but the arguments.
    pub fn decide<'g>(
        &'g self,
        actor: &'g VerifiedActor,
        subject: &'g VerifiedSubject,
        target: &'g Target,
        asked: &'g Asked,
    ) -> Result<Grant<'g>, Denial> {
        let question = Question { policy: self, actor, subject, target, asked };
        question.check_pair()?;
        let (terms, scope) = question.choose()?;
        Ok(Grant { version: &self.version, actor, subject, target, scope, terms })
    }
}

impl<'g> Grant<'g> {
    /// Who asks.
    pub fn actor(&self) -> &'g VerifiedActor {
        self.actor
    }

    /// For whom.
    pub fn subject(&self) -> &'g VerifiedSubject {
        self.subject
    }

    /// For which destination.
    pub fn target(&self) -> &'g Target {
        self.target
    }

    /// What is granted: never more than was asked for, where something was.
    pub fn scope(&self) -> &Scope {
        &self.scope
    }

    /// The permit's `@id`.
    pub fn policy(&self) -> &'g str {
        &self.terms.id
    }

    /// The permit's `@reason`.
    pub fn policy_reason(&self) -> Option<&'g str> {
        self.terms.reason.as_deref()
    }

    /// The digest of schema and policies ([`Policy::version`]).
    pub fn policy_version(&self) -> &'g str {
        self.version
    }

    /// How long the permit lets a token live, in seconds, where it says so.
    pub fn ttl(&self) -> Option<u64> {
        self.terms.ttl
    }

    /// What proxies check on every use.
    pub fn constraints(&self) -> &'g [Constraint] {
        &self.terms.constraints
    }
}

impl fmt::Display for PolicyFinding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.file.display())?;
        if let Some(policy) = &self.policy {
            write!(f, "policy `{policy}`: ")?;
        }
        f.write_str(&self.message)
    }
}

#[cfg(test)]
mod tests;
