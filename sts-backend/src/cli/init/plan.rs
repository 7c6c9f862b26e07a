//! What was asked for whichever cloud it is, and what is printed in the end.

use super::{
    edge::Edge,
    form::Form,
    issuer::Issuer,
    subjects::{self, Subject},
    template::Filled,
    tree::Tree,
};
use crate::federation::permission::Permission;

/// What is asked of every cloud alike.
#[derive(Debug)]
pub(super) struct Asked {
    pub name: String,
    pub issuer: Issuer,
    /// The workloads that were named; there may be none.
    pub subjects: Vec<Subject>,
    /// Each once.
    pub permissions: Vec<Permission>,
}

/// What one cloud makes of it.
#[derive(Debug)]
pub(super) struct Plan {
    pub terraform: Filled,
    pub cli: Filled,
    /// Lines of cloakroom.yaml.
    pub configuration: Filled,
    pub edge: Edge,
    /// What can be filled in there, besides what every cloud is told.
    pub forms: Vec<&'static Form>,
}

impl Asked {
    pub fn subjects_or_placeholder(&self) -> Vec<Subject> {
        if self.subjects.is_empty() {
            return vec![subjects::placeholder(self.issuer.trust_domain.as_deref())];
        }
        self.subjects.clone()
    }

    /// The permissions as configuration has them.
    pub fn permissions(&self) -> Tree {
        Tree::texts(self.permissions.iter().map(|permission| permission.word()))
    }

    /// The permissions as a scope.
    pub fn scope(&self) -> String {
        self.permissions.iter().map(|permission| permission.word()).collect::<Vec<_>>().join(" ")
    }
}
