//! What AWS's STS answers to `GetCallerIdentity` (API version 2011-06-15).

use super::xml::{self, Element};

/// The namespace of a good answer.
const NAMESPACE: &str = "https://sts.amazonaws.com/doc/2011-06-15/";

/// Who signed a request, by AWS's own word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallerIdentity {
    pub arn: String,
    pub user_id: String,
    pub account: String,
}

/// The identity in a good answer; nothing where anything is other than it always is.
pub fn identity(body: &[u8]) -> Option<CallerIdentity> {
    let root = xml::parse(body)?;
    if root.name != "GetCallerIdentityResponse" || root.namespace.as_deref() != Some(NAMESPACE) {
        return None;
    }
    let result = root.only("GetCallerIdentityResult")?;
    let text = |name: &str| result.only(name).and_then(leaf);
    Some(CallerIdentity { arn: text("Arn")?, user_id: text("UserId")?, account: text("Account")? })
}

/// The code in a bad one, such as `SignatureDoesNotMatch`. Its message is not read: it may repeat what was signed.
pub fn error_code(body: &[u8]) -> Option<String> {
    let root = xml::parse(body).filter(|root| root.name == "ErrorResponse")?;
    let code = root.only("Error")?.only("Code").and_then(leaf)?;
    let plain = code.len() <= 64 && code.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".:".contains(&byte));
    plain.then_some(code)
}

fn leaf(element: &Element) -> Option<String> {
    (element.children.is_empty() && !element.text.is_empty()).then(|| element.text.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

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

    #[test]
    fn an_error_has_a_code_and_nothing_else_is_one() {
        let error = |code: &str| {
            format!(
                "<ErrorResponse xmlns=\"{NAMESPACE}\"><Error><Type>Sender</Type><Code>{code}</Code><Message>m</Message>\
                 </Error><RequestId>r</RequestId></ErrorResponse>"
            )
        };
        assert_eq!(error_code(error("ExpiredToken").as_bytes()).as_deref(), Some("ExpiredToken"));
        for body in [error(""), error("a b"), error(&"a".repeat(65)), good(), "<Error/>".into(), String::new()] {
            assert_eq!(error_code(body.as_bytes()), None, "{body}");
        }
    }
}
