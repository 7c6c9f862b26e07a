//! Policies, divided so that a decision evaluates those that could matter and no others: Cedar's cost grows with their
//! number.

use std::collections::HashMap;

use cedar_policy::{Effect, EntityUid, Policy, PolicySet, PolicySetError};

use super::annotation::Terms;

/// The policies of one action, by the entity they name in their scope.
#[derive(Default)]
pub struct Slices {
    /// Those that name none.
    general: Slice,
    /// Those that name one, with the general ones.
    of_entity: HashMap<EntityUid, Slice>,
    terms: HashMap<String, Terms>,
}

/// Policies that are evaluated together.
#[derive(Clone, Default)]
pub struct Slice {
    /// The policies.
    pub all: PolicySet,
    /// The permits without their conditions: who could have what, if the conditions held.
    pub scopes: PolicySet,
}

impl Slices {
    /// Divides `policies`; `pinned` gives the one entity a policy names.
    pub fn new(
        policies: &[(Policy, Terms)],
        pinned: impl Fn(&Policy) -> Option<EntityUid>,
    ) -> Result<Self, Box<PolicySetError>> {
        let mut slices = Self::default();
        for (policy, _) in policies.iter().filter(|(policy, _)| pinned(policy).is_none()) {
            slices.general.add(policy)?;
        }
        for (policy, terms) in policies {
            if let Some(entity) = pinned(policy) {
                let general = &slices.general;
                slices.of_entity.entry(entity).or_insert_with(|| general.clone()).add(policy)?;
            }
            slices.terms.insert(policy.id().to_string(), terms.clone());
        }
        Ok(slices)
    }

    /// The policies that can apply to `entity`.
    pub fn of(&self, entity: &EntityUid) -> &Slice {
        self.of_entity.get(entity).unwrap_or(&self.general)
    }

    /// The terms of a policy.
    pub fn terms(&self, policy: &str) -> Option<&Terms> {
        self.terms.get(policy)
    }
}

impl Slice {
    fn add(&mut self, policy: &Policy) -> Result<(), Box<PolicySetError>> {
        self.all.add(policy.clone()).map_err(Box::new)?;
        if policy.effect() == Effect::Permit
            && let Some(scope) = scope_of(policy)
        {
            self.scopes.add(scope).map_err(Box::new)?;
        }
        Ok(())
    }
}

/// The policy without its conditions. Where it cannot be made, an explanation lacks a line and nothing else changes.
fn scope_of(policy: &Policy) -> Option<Policy> {
    let mut json = policy.to_json().ok()?;
    json.as_object_mut()?.insert("conditions".to_owned(), serde_json::Value::Array(Vec::new()));
    Policy::from_json(Some(policy.id().clone()), json).ok()
}
