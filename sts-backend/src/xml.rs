//! As much XML as the clouds' services answer with: elements, text, and the namespace of the root.
//!
//! Everything else that XML has is refused, declarations of types and entities before all: an answer of theirs never
//! has any, and a reader that knows none has nothing to be attacked by.

use std::fmt;

use zeroize::Zeroizing;

/// An element.
#[derive(PartialEq, Eq)]
pub struct Element {
    pub name: String,
    /// Its `xmlns`, where it has one.
    pub namespace: Option<String>,
    pub children: Vec<Element>,
    /// Its text; empty where it has children.
    pub text: Zeroizing<String>,
}

/// Without text: it may be a key.
impl fmt::Debug for Element {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Element").field("name", &self.name).field("children", &self.children).finish_non_exhaustive()
    }
}

impl Element {
    /// The one child of this name; nothing where there is none, or more than one.
    pub fn only(&self, name: &str) -> Option<&Self> {
        let mut named = self.children.iter().filter(|child| child.name == name);
        named.next().filter(|_| named.next().is_none())
    }

    /// The same, taken out.
    pub fn into_only(mut self, name: &str) -> Option<Self> {
        self.only(name)?;
        let place = self.children.iter().position(|child| child.name == name)?;
        Some(self.children.swap_remove(place))
    }
}

/// The deepest nesting.
const MAX_DEPTH: usize = 8;

/// The root of a document; nothing where it is not one of these.
pub fn parse(document: &[u8]) -> Option<Element> {
    let mut rest = str::from_utf8(document).ok()?.trim_ascii_start();
    if let Some(declaration) = rest.strip_prefix("<?xml ") {
        let (_, after) = declaration.split_once("?>")?;
        rest = after.trim_ascii_start();
    }
    let root = element(&mut rest, MAX_DEPTH)?;
    rest.trim_ascii().is_empty().then_some(root)
}

fn element(rest: &mut &str, depth: usize) -> Option<Element> {
    let depth = depth.checked_sub(1)?;
    *rest = rest.strip_prefix('<')?;
    let name = name(rest)?.to_owned();
    let namespace = attributes(rest)?;
    let mut element = Element { name, namespace, children: Vec::new(), text: Zeroizing::default() };
    if let Some(after) = rest.strip_prefix("/>") {
        *rest = after;
        return Some(element);
    }
    *rest = rest.strip_prefix('>')?;
    loop {
        let (text, markup) = rest.split_at_checked(rest.find('<')?)?;
        // At once, so that no text is left behind where it grew out of.
        element.text.reserve(text.len());
        unescape(text, &mut element.text)?;
        *rest = markup;
        if let Some(end) = rest.strip_prefix("</") {
            *rest = end.strip_prefix(element.name.as_str())?.trim_ascii_start().strip_prefix('>')?;
            break;
        }
        element.children.push(self::element(rest, depth)?);
    }
    if element.children.is_empty() {
        return Some(element);
    }
    // Between elements there is only white space.
    let blank = element.text.trim_ascii().is_empty();
    element.text.clear();
    blank.then_some(element)
}

fn name<'d>(rest: &mut &'d str) -> Option<&'d str> {
    let end = rest.find(|character: char| !character.is_ascii_alphanumeric()).unwrap_or(rest.len());
    let (name, after) = rest.split_at_checked(end)?;
    *rest = after;
    name.starts_with(|first: char| first.is_ascii_alphabetic()).then_some(name)
}

/// Reads up to the tag's end. The only attribute there may be is `xmlns`, once.
fn attributes(rest: &mut &str) -> Option<Option<String>> {
    let inside = rest.trim_ascii_start();
    if inside.starts_with(['>', '/']) {
        *rest = inside;
        return Some(None);
    }
    let spaced = inside.len() < rest.len();
    let value = inside.strip_prefix("xmlns=\"").filter(|_| spaced)?;
    let (namespace, after) = value.split_once('"')?;
    *rest = after.trim_ascii_start();
    (!namespace.contains(['<', '&'])).then(|| Some(namespace.to_owned()))
}

fn unescape(text: &str, into: &mut String) -> Option<()> {
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('&') {
        into.push_str(before);
        let (entity, after) = after.split_once(';')?;
        into.push(match entity {
            "amp" => '&',
            "lt" => '<',
            "gt" => '>',
            "quot" => '"',
            "apos" => '\'',
            _ => numbered(entity.strip_prefix('#')?)?,
        });
        rest = after;
    }
    into.push_str(rest);
    Some(())
}

fn numbered(number: &str) -> Option<char> {
    let (digits, radix) = number.strip_prefix('x').map_or((number, 10), |digits| (digits, 16));
    let plain = (1..=6).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    char::from_u32(u32::from_str_radix(digits, radix).ok().filter(|_| plain)?)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn elements_text_and_the_namespace_are_read() {
        let root = parse(b"<?xml version=\"1.0\"?>\n<A xmlns=\"urn:x\">\n <B>a&amp;b&#x27;&#39;</B> <C/><D></D></A>\n")
            .unwrap();
        assert_eq!((root.name.as_str(), root.namespace.as_deref(), root.text.as_str()), ("A", Some("urn:x"), ""));
        assert_eq!(root.only("B").unwrap().text.as_str(), "a&b''");
        assert_eq!(root.only("C").unwrap().text.as_str(), "");
        assert!(root.only("E").is_none());
        assert!(parse(b"<A><B/><B/></A>").unwrap().only("B").is_none(), "which of the two?");
        assert!(!format!("{root:?}").contains("a&b"));
        assert_eq!(root.into_only("B").unwrap().text.as_str(), "a&b''");
    }

    #[test]
    fn everything_else_is_refused() {
        let deep = "<A>".repeat(MAX_DEPTH + 1) + &"</A>".repeat(MAX_DEPTH + 1);
        for document in [
            "",
            "text",
            "<A>",
            "<A></B>",
            "<A></A",
            "<A></A><A></A>",
            "<A></A>x",
            "<A>x<B/></A>",
            "<A><B></A></B>",
            "<A b=\"c\"/>",
            "<A xmlns=\"a\" xmlns=\"b\"/>",
            "<A xmlns='a'/>",
            "<Axmlns=\"a\"/>",
            "<1/>",
            "< A/>",
            "<!DOCTYPE a><A/>",
            "<!DOCTYPE a [<!ENTITY b \"c\">]><A>&b;</A>",
            "<A>&b;</A>",
            "<A>&#0000065;</A>",
            "<A>&#xd800;</A>",
            "<A>&amp</A>",
            "<A><!-- c --></A>",
            "<A><![CDATA[c]]></A>",
            "<A><?p?></A>",
            "<A:B/>",
            &deep,
        ] {
            assert_eq!(parse(document.as_bytes()), None, "{document}");
        }
        assert_eq!(parse(b"<A>\xff</A>"), None);
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            _ = parse(&bytes);
        }

        #[test]
        fn no_markup_makes_it_panic(text in "[<>/&;#x\"=A xmlns]{0,80}") {
            _ = parse(text.as_bytes());
        }
    }
}
