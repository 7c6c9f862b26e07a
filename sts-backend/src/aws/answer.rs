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

/// The code in a bad answer, such as `SignatureDoesNotMatch`. Its message is not read: it may repeat what was signed.
pub fn error_code(body: &[u8]) -> Option<String> {
    let root = xml::parse(body).filter(|root| root.name == "ErrorResponse")?;
    let code = text(root.only("Error")?, "Code")?.to_string();
    let plain = code.len() <= 64 && code.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".:".contains(&byte));
    plain.then_some(code)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(code: &str) -> String {
        format!(
            "<ErrorResponse xmlns=\"{NAMESPACE}\"><Error><Type>Sender</Type><Code>{code}</Code><Message>m</Message>\
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
        assert_eq!(error_code(error("ExpiredToken").as_bytes()).as_deref(), Some("ExpiredToken"));
        for body in [error(""), error("a b"), error(&"a".repeat(65)), "<Error/>".into(), String::new()] {
            assert_eq!(error_code(body.as_bytes()), None, "{body}");
        }
    }
}
