//! What AWS's STS answers to `GetCallerIdentity` (API version 2011-06-15).

use crate::aws::answer;

/// Who signed a request, by AWS's own word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallerIdentity {
    pub arn: String,
    pub user_id: String,
    pub account: String,
}

/// The identity in a good answer; nothing where anything is other than it always is.
pub fn identity(body: &[u8]) -> Option<CallerIdentity> {
    let result = answer::result(body, "GetCallerIdentity")?;
    let text = |name: &str| answer::text(&result, name).map(|text| text.to_string());
    Some(CallerIdentity { arn: text("Arn")?, user_id: text("UserId")?, account: text("Account")? })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aws::answer::NAMESPACE;

    fn good() -> String {
        format!(
            "<GetCallerIdentityResponse xmlns=\"{NAMESPACE}\">
  <GetCallerIdentityResult>
    <Arn>arn:aws:sts::123456789012:assumed-role/app-role/i-0abc</Arn>
    <UserId>AROAEXAMPLEID:i-0abc</UserId>
    <Account>123456789012</Account>
  </GetCallerIdentityResult>
  <ResponseMetadata><RequestId>01234567-89ab-cdef-0123-456789abcdef</RequestId></ResponseMetadata>
</GetCallerIdentityResponse>
"
        )
    }

    #[test]
    fn the_identity_is_read() {
        let identity = identity(good().as_bytes()).unwrap();
        assert_eq!(identity.arn, "arn:aws:sts::123456789012:assumed-role/app-role/i-0abc");
        assert_eq!((identity.user_id.as_str(), identity.account.as_str()), ("AROAEXAMPLEID:i-0abc", "123456789012"));
    }

    #[test]
    fn any_other_answer_names_nobody() {
        for (from, to) in [
            (NAMESPACE, "https://sts.example/"),
            (&format!(" xmlns=\"{NAMESPACE}\""), ""),
            ("GetCallerIdentityResponse", "AssumeRoleResponse"),
            ("<Account>123456789012</Account>", ""),
            ("<Account>123456789012</Account>", "<Account></Account>"),
            ("<Account>123456789012</Account>", "<Account><B>1</B></Account>"),
            ("<Account>", "<Arn>arn:aws:sts::999999999999:assumed-role/admin/x</Arn><Account>"),
            ("</GetCallerIdentityResult>", "</GetCallerIdentityResult><GetCallerIdentityResult/>"),
        ] {
            assert_eq!(identity(good().replace(from, to).as_bytes()), None, "{from} -> {to}");
        }
        for body in ["", "{}", r#"{"GetCallerIdentityResponse":{}}"#, "<html></html>"] {
            assert_eq!(identity(body.as_bytes()), None, "{body}");
        }
    }
}
