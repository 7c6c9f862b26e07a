//! Which federated credentials the apps and identities need, and whether they have room for them.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use super::Settings;

/// The most federated credentials that an app or identity may have.
const MOST: usize = 20;

/// From how many on there is a warning.
const NEAR: usize = 16;

/// What a federated credential must say, to the letter.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct FederatedCredential {
    pub issuer: String,
    pub subject: String,
    pub audience: String,
}

/// What one app registration or managed identity needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AppPlan {
    pub tenant: String,
    pub client_id: String,
    pub credentials: BTreeSet<FederatedCredential>,
}

/// What is wrong with a plan, or soon will be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PlanProblem {
    /// There is still room, but not for much longer.
    Near { client_id: String, needed: usize },
    /// There is none.
    TooMany { client_id: String, needed: usize },
    /// One app cannot have two federated credentials of one issuer and subject.
    TwoAudiences { client_id: String, subject: String },
}

/// What the apps of all `settings` need, where assertions come from `issuer`: one plan for each app, ordered by tenant and id.
pub fn plan<'s>(issuer: &str, settings: impl IntoIterator<Item = &'s Settings>) -> Vec<AppPlan> {
    let mut apps = BTreeMap::<_, BTreeSet<_>>::new();
    for settings in settings {
        let credentials = apps.entry((&settings.tenant, &settings.client_id)).or_default();
        let subjects = std::iter::once(&settings.subject).chain(&settings.own_credentials);
        credentials.extend(subjects.map(|subject| FederatedCredential {
            issuer: issuer.to_owned(),
            subject: subject.clone(),
            audience: settings.audience.clone(),
        }));
    }
    let plan = |((tenant, client_id), credentials): ((&String, &String), _)| AppPlan {
        tenant: tenant.clone(),
        client_id: client_id.clone(),
        credentials,
    };
    apps.into_iter().map(plan).collect()
}

impl AppPlan {
    /// What is wrong with it, or soon will be.
    pub fn problems(&self) -> Vec<PlanProblem> {
        let client_id = &self.client_id;
        let mut problems = Vec::new();
        let needed = self.credentials.len();
        if needed > MOST {
            problems.push(PlanProblem::TooMany { client_id: client_id.clone(), needed });
        } else if needed >= NEAR {
            problems.push(PlanProblem::Near { client_id: client_id.clone(), needed });
        }
        // They are ordered by issuer and subject.
        let twice: BTreeSet<_> = std::iter::zip(&self.credentials, self.credentials.iter().skip(1))
            .filter(|(one, next)| (&one.issuer, &one.subject) == (&next.issuer, &next.subject))
            .map(|(one, _)| one.subject.clone())
            .collect();
        problems.extend(
            twice.into_iter().map(|subject| PlanProblem::TwoAudiences { client_id: client_id.clone(), subject }),
        );
        problems
    }
}

impl PlanProblem {
    /// Whether it works with this problem.
    pub fn is_warning(&self) -> bool {
        matches!(self, Self::Near { .. })
    }
}

impl fmt::Display for PlanProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Near { client_id, needed } => write!(
                f,
                "the app or identity `{client_id}` needs {needed} federated credentials of the {MOST} it has room for; let \
                 workloads go by `subject` instead of `own_credentials`, or give sets of permissions identities of their own"
            ),
            Self::TooMany { client_id, needed } => write!(
                f,
                "the app or identity `{client_id}` needs {needed} federated credentials, and has room for {MOST}; let workloads \
                 go by `subject` instead of `own_credentials`, or give sets of permissions identities of their own"
            ),
            Self::TwoAudiences { client_id, subject } => write!(
                f,
                "the app or identity `{client_id}` is asked for with subject `{subject}` and two different audiences; a \
                 federated credential has one, and there is one for each issuer and subject: give the same `audience` everywhere"
            ),
        }
    }
}

#[cfg(test)]
mod tests;
