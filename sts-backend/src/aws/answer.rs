//! The answers of AWS's STS, in the form that all of its actions share (API version 2011-06-15).

use zeroize::Zeroizing;

use crate::xml::{self, Element};

/// The namespace of a good answer.
pub const NAMESPACE: &str = "https://sts.amazonaws.com/doc/2011-06-15/";

/// What is in a good answer to `action`; nothing where anything around it is other than it always is.
pub fn result(body: &[u8], action: &str) -> Option<Element> {
    let root = xml::parse(body)?;
    if root.name != format!("{action}Response") || root.namespace.as_deref() != Some(NAMESPACE) {
        return None;
    }
    root.into_only(&format!("{action}Result"))
}

/// The text of the one child of this name; nothing where there is none, or no text in it.
pub fn text<'e>(element: &'e Element, name: &str) -> Option<&'e Zeroizing<String>> {
    let leaf = element.only(name)?;
    (leaf.children.is_empty() && !leaf.text.is_empty()).then_some(&leaf.text)
}

/// What a bad answer says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Its code, such as `SignatureDoesNotMatch`.
    pub code: String,
    /// Whether it blames a key set that AWS could not fetch. Nothing else of its message is kept: it may repeat what was sent.
    pub keys_out_of_reach: bool,
}

/// The message of the one failure whose code does not tell what happened.
const KEYS_OUT_OF_REACH: &str = "Couldn't retrieve verification key";

/// What `body` says went wrong; nothing where it is no error of AWS's.
pub fn failure(body: &[u8]) -> Option<Failure> {
    let root = xml::parse(body).filter(|root| root.name == "ErrorResponse")?;
    let error = root.only("Error")?;
    let code = text(error, "Code")?.to_string();
    let plain = code.len() <= 64 && code.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".:".contains(&byte));
    let keys_out_of_reach = text(error, "Message").is_some_and(|message| message.starts_with(KEYS_OUT_OF_REACH));
    plain.then_some(Failure { code, keys_out_of_reach })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(code: &str, message: &str) -> String {
        format!(
            "<ErrorResponse xmlns=\"{NAMESPACE}\"><Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message>\
             </Error><RequestId>r</RequestId></ErrorResponse>"
        )
    }

    #[test]
    fn a_result_is_that_of_its_action_alone() {
        let body = format!("<XResponse xmlns=\"{NAMESPACE}\"><XResult><A>1</A><B/></XResult></XResponse>");
        let found = result(body.as_bytes(), "X").unwrap();
        assert_eq!(text(&found, "A").unwrap().as_str(), "1");
        assert!(text(&found, "B").is_none() && text(&found, "C").is_none());
        assert!(result(body.as_bytes(), "Y").is_none());
        assert!(result(body.replace(NAMESPACE, "https://sts.example/").as_bytes(), "X").is_none());
        assert!(result(body.replace("XResult>", "YResult>").as_bytes(), "X").is_none());
    }

    #[test]
    fn an_error_has_a_code_and_nothing_else_is_one() {
        let code = |body: String| failure(body.as_bytes()).map(|failure| failure.code);
        assert_eq!(code(error("ExpiredToken", "m")).as_deref(), Some("ExpiredToken"));
        for body in [error("", "m"), error("a b", "m"), error(&"a".repeat(65), "m"), "<Error/>".into(), String::new()] {
            assert_eq!(code(body.clone()), None, "{body}");
        }
    }

    #[test]
    fn of_a_message_only_one_fact_is_kept() {
        let told = |message| failure(error("InvalidIdentityToken", message).as_bytes()).unwrap().keys_out_of_reach;
        assert!(told("Couldn't retrieve verification key from your identity provider,  please reference the docs"));
        assert!(!told("Incorrect token audience"));
        assert!(!told("No provider: Couldn't retrieve verification key"));
    }
}
