//! Calls whose body is a form.

use http::{HeaderName, HeaderValue, Uri, header};
use hyper::body::Bytes;
use zeroize::Zeroizing;

use super::calls::Call;

/// The media type of forms.
pub const FORM: HeaderValue = HeaderValue::from_static("application/x-www-form-urlencoded");

/// The fields as a body. Most forms hold an assertion or a token, so it is wiped when the last copy of it is dropped.
pub fn body(fields: &[(&str, &str)]) -> Bytes {
    // Every byte may take three, and each field has two marks: it never grows, which would leave a copy behind.
    let most = fields.iter().map(|(name, value)| (name.len() + value.len()) * 3 + 2).sum();
    let mut form = form_urlencoded::Serializer::new(String::with_capacity(most));
    form.extend_pairs(fields);
    Bytes::from_owner(Zeroizing::new(form.finish().into_bytes()))
}

/// A call with these fields.
pub fn call(uri: Uri, fields: &[(&str, &str)], accept: &'static str) -> Call {
    let headers: Vec<(HeaderName, HeaderValue)> =
        vec![(header::CONTENT_TYPE, FORM), (header::ACCEPT, HeaderValue::from_static(accept))];
    Call { uri, headers, body: body(fields) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_written_as_forms_are() {
        let fields = [("scope", "https://x.example/a b"), ("token", "é+%&=\u{7f}"), ("", "")];
        let body = body(&fields);
        assert_eq!(&*body, b"scope=https%3A%2F%2Fx.example%2Fa+b&token=%C3%A9%2B%25%26%3D%7F&=");
        let read: Vec<_> = form_urlencoded::parse(&body).into_owned().collect();
        assert_eq!(read, fields.map(|(name, value)| (name.to_owned(), value.to_owned())));
    }
}
