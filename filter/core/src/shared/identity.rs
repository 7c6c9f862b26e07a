//! The name of a key where workers meet: a digest over all of its fields.

use token::digest::FieldDigest;

use crate::key::{Key, RouteFacts, Subject};

/// The digest of a key. Where two are equal the keys are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct KeyDigest(pub(super) [u8; 32]);

impl KeyDigest {
    pub(super) fn of(key: &Key) -> Self {
        // Taken apart, so that a field that is added to the facts cannot be left out here.
        let RouteFacts {
            listener,
            route,
            settings,
            actor,
            subject_token_type,
            resource,
            audience,
            scope,
            requested_token_type,
            binding_key,
            epoch,
        } = key.facts();
        let digest = FieldDigest::new("cloakroom shared key 1")
            .field(listener)
            .field(route)
            .field(settings)
            .field(actor)
            .field(subject_token_type.urn())
            .optional(resource.as_ref())
            .optional(audience.as_ref())
            .optional(scope.as_ref())
            .field(requested_token_type.urn())
            .optional(binding_key.as_ref())
            .field(epoch.to_be_bytes());
        let digest = match key.subject() {
            Subject::Token(token) => digest.field("token").field(token),
            Subject::Certificate(certificate) => digest.field("certificate").field(certificate),
        };
        Self(digest.finish())
    }

    /// Which of `sets` the key belongs to; below `sets`.
    pub(super) fn set(&self, sets: u32) -> u32 {
        let [a, b, c, d, ..] = self.0;
        u32::from_be_bytes([a, b, c, d]).checked_rem(sets).unwrap_or_default()
    }
}
