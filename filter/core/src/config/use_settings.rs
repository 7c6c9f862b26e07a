//! How long an issued token is used, and when it is replaced: settings of the listener that each route may override.

use super::node::{ConfigError, Members};

/// How long an issued token is used, and when it is replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct UseSettings {
    pub expiry_margin_seconds: u64,
    pub request_timeout_seconds: u64,
    /// 0: nothing is promised.
    pub survive_outage_seconds: u64,
    pub refresh_ahead: bool,
}

impl Default for UseSettings {
    fn default() -> Self {
        Self { expiry_margin_seconds: 5, request_timeout_seconds: 15, survive_outage_seconds: 0, refresh_ahead: true }
    }
}

impl UseSettings {
    pub(super) const KEYS: [&str; 4] =
        ["expiry_margin_seconds", "request_timeout_seconds", "survive_outage_seconds", "refresh_ahead"];

    /// These settings, with those that `members` has in their place.
    pub(super) fn overridden(&self, members: &Members<'_>) -> Result<Self, ConfigError> {
        let seconds = |key, own, most| members.optional(key).map_or(Ok(own), |node| node.number(0, most));
        Ok(Self {
            expiry_margin_seconds: seconds("expiry_margin_seconds", self.expiry_margin_seconds, 300)?,
            request_timeout_seconds: seconds("request_timeout_seconds", self.request_timeout_seconds, 3_600)?,
            survive_outage_seconds: seconds("survive_outage_seconds", self.survive_outage_seconds, 86_400)?,
            refresh_ahead: members.optional("refresh_ahead").map_or(Ok(self.refresh_ahead), |node| node.flag())?,
        })
    }
}
