//! The record: nothing is released before it is written, and every refusal is written too.

use std::sync::Arc;

use crate::store::Store;

/// Writes the record.
#[derive(Clone)]
pub struct Audit {
    #[allow(dead_code, reason = "filled in by the next commit")]
    store: Arc<dyn Store>,
}

impl Audit {
    /// A record in `store`.
    pub fn new(store: Arc<dyn Store>) -> Self {
        Self { store }
    }
}
