//! Who has credentials at the stand-in, and whom AWS says they are.

/// An access key and the identity behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Principal {
    pub access_key: &'static str,
    pub secret_key: &'static str,
    /// Of temporary credentials.
    pub session_token: Option<&'static str>,
    pub account: &'static str,
    pub arn: &'static str,
    pub user_id: &'static str,
    /// Whether the credentials have expired.
    pub expired: bool,
}

impl Principal {
    /// The workload's role, as the stand-in instance has it.
    pub const APP_ROLE: Self = Self {
        access_key: "ASIASTANDINAPPROLE01",
        secret_key: "stand-in/secret+of/app-role/abcdefghijklmno",
        session_token: Some("IQoJb3JpZ2luX2VjEXAMPLE//stand-in+session/token+of/app-role=="),
        account: "123456789012",
        arn: "arn:aws:sts::123456789012:assumed-role/app-role/i-0abc1234def567890",
        user_id: "AROASTANDINAPPROLE01:i-0abc1234def567890",
        expired: false,
    };

    /// A role of the same name in somebody else's account.
    pub const FOREIGN_ROLE: Self = Self {
        access_key: "ASIASTANDINFOREIGN01",
        account: "999999999999",
        arn: "arn:aws:sts::999999999999:assumed-role/app-role/i-0abc1234def567890",
        user_id: "AROASTANDINFOREIGN01:i-0abc1234def567890",
        ..Self::APP_ROLE
    };

    /// The workload's role with credentials of yesterday.
    pub const EXPIRED_ROLE: Self = Self { access_key: "ASIASTANDINEXPIRED01", expired: true, ..Self::APP_ROLE };

    /// An IAM user.
    pub const USER: Self = Self {
        access_key: "AKIASTANDINUSER00001",
        secret_key: "stand-in/secret+of/a/user/abcdefghijklmnopq",
        session_token: None,
        arn: "arn:aws:iam::123456789012:user/ops/app-role",
        user_id: "AIDASTANDINUSER00001",
        ..Self::APP_ROLE
    };

    /// The account itself.
    pub const ROOT: Self = Self {
        access_key: "AKIASTANDINROOT00001",
        arn: "arn:aws:iam::123456789012:root",
        user_id: "123456789012",
        ..Self::USER
    };

    /// All of them.
    pub const ALL: [Self; 5] = [Self::APP_ROLE, Self::FOREIGN_ROLE, Self::EXPIRED_ROLE, Self::USER, Self::ROOT];

    /// Whose access key this is.
    pub fn of_key(access_key: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|principal| principal.access_key == access_key)
    }

    /// The role's or user's own name.
    pub fn name(&self) -> &'static str {
        let mut parts = self.arn.split('/').skip(1);
        parts.next().unwrap_or_default()
    }
}
