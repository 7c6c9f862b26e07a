use proptest::prelude::*;

use super::*;

const HOP: &str = "spiffe://td.example/gateway";
const PEM: &str = "-----BEGIN%20CERTIFICATE-----%0AMIIB%2B%2F%3D%0A-----END%20CERTIFICATE-----%0A";

fn of_hop<'h>(lines: &[&'h [u8]]) -> Result<&'h str, Refusal> {
    let headers: Vec<_> = lines.iter().map(|line| (HEADER, *line)).collect();
    read(&headers, HOP, Some(HOP))
}

fn told(text: &str) -> Result<String, Reason> {
    let read = of_hop(&[text.as_bytes()]);
    read.map(str::to_owned).map_err(|refusal| {
        assert!(!format!("{refusal:?}").contains("MIIB"), "{refusal:?}");
        assert!(format!("{refusal:?}").contains(HEADER), "{refusal:?}");
        refusal.reason().unwrap()
    })
}

#[test]
fn the_certificate_of_one_element_is_read() {
    for text in [
        format!("Cert={PEM}"),
        format!("Cert=\"{PEM}\""),
        format!("cERT=\"{PEM}\""),
        format!(" Cert={PEM} "),
        format!("By={HOP};Hash=ab12;Cert=\"{PEM}\";Chain=\"{PEM}{PEM}\";Subject=\"\";URI=spiffe://td/a;DNS=a;DNS=b"),
        format!(r#"Subject="CN=api,O=\"A, B\";Cert=x,\\";Cert={PEM}"#),
    ] {
        assert_eq!(told(&text).as_deref(), Ok(PEM), "{text}");
    }
}

#[test]
fn what_is_not_exactly_that_is_refused() {
    use Reason::{SubjectTokenDuplicated, SubjectTokenMalformed, SubjectTokenMissing, SubjectTokenTooLarge};
    for (text, reason) in [
        (String::new(), SubjectTokenMissing),
        ("By=a;Hash=b".to_owned(), SubjectTokenMissing),
        ("Subject=\"Cert=a%0A\"".to_owned(), SubjectTokenMissing),
        (format!("Cert={PEM},Cert={PEM}"), SubjectTokenDuplicated),
        (format!("Cert=\"{PEM}\",By=a"), SubjectTokenDuplicated),
        (format!("By=a,Cert={PEM}"), SubjectTokenDuplicated),
        (format!("Cert={PEM},"), SubjectTokenDuplicated),
        (format!("Cert={PEM};,Cert={PEM}"), SubjectTokenDuplicated),
        (format!("Cert={PEM};cert={PEM}"), SubjectTokenDuplicated),
        (format!("URI=a;Cert={PEM};uri=b"), SubjectTokenDuplicated),
        (format!("Hash=a;Hash=b;Cert={PEM}"), SubjectTokenDuplicated),
        (format!("Cert=\"{PEM}"), SubjectTokenMalformed),
        (format!("Cert={PEM}\""), SubjectTokenMalformed),
        (format!("Cert=\"{PEM}\"x"), SubjectTokenMalformed),
        (format!("Cert=\"{PEM}\";"), SubjectTokenMalformed),
        (format!("Cert={PEM};Subject=\"a\\\""), SubjectTokenMalformed),
        (format!("Cert={PEM};URI=a=b"), SubjectTokenMalformed),
        (format!("By=a; Cert={PEM}"), SubjectTokenMalformed),
        (format!("={PEM}"), SubjectTokenMalformed),
        (PEM.to_owned(), SubjectTokenMalformed),
        ("Cert=".to_owned(), SubjectTokenMalformed),
        ("Cert=\"\"".to_owned(), SubjectTokenMalformed),
        ("Cert=\"-----BEGIN CERTIFICATE-----\"".to_owned(), SubjectTokenMalformed),
        (format!("Cert={PEM}%2"), SubjectTokenMalformed),
        (format!("Cert={PEM}%zz"), SubjectTokenMalformed),
        ("Cert=MIIB".to_owned(), SubjectTokenMalformed),
        (format!("Cert={}", "%0A".repeat(MAX_TOKEN_LENGTH / 3)), SubjectTokenTooLarge),
    ] {
        assert_eq!(told(&text), Err(reason), "{text}");
    }
    let line = format!("Cert={PEM}");
    let reason = |lines: &[&[u8]]| of_hop(lines).unwrap_err().reason().unwrap();
    assert_eq!(reason(&[]), SubjectTokenMissing);
    assert_eq!(reason(&[line.as_bytes(), line.as_bytes()]), SubjectTokenDuplicated);
    assert_eq!(reason(&[b"Cert=\xff"]), SubjectTokenMalformed);
}

#[test]
fn nobody_but_the_hop_is_believed() {
    let line = format!("Cert={PEM}");
    let headers = [(HEADER, line.as_bytes())];
    for peer in [None, Some(""), Some("spiffe://td.example/gateway2"), Some("spiffe://td.example"), Some("SPIFFE://td")]
    {
        let refusal = read(&headers, HOP, peer).unwrap_err();
        assert_eq!(refusal.reason(), Some(Reason::SubjectTokenMissing));
        assert!(format!("{refusal:?}").contains("a request from spiffe://td.example/gateway"), "{refusal:?}");
    }
}

#[test]
fn its_name_is_known_with_underscores_too() {
    for name in [HEADER, "x_forwarded_client_cert", "x-forwarded_client-cert"] {
        assert!(is_named(name), "{name}");
    }
    for name in ["", "x-forwarded-client", "x-forwarded-client-certs", "x-forwarded-client-ceru"] {
        assert!(!is_named(name), "{name}");
    }
}

/// Text in which a `,` means another element, wherever it stands, if it is not in quotes.
fn piece() -> impl Strategy<Value = String> {
    let key = "(Cert|cert|URI|By|DNS|Subject|Hash|[a-zA-Z]{0,3})";
    prop_oneof![
        4 => key.prop_map(|key| format!("{key}={PEM}")),
        4 => key.prop_map(|key| format!("{key}=\"{PEM}\"")),
        2 => (key, r#"[a"\\,;= %]{0,6}"#).prop_map(|(key, value)| format!("{key}=\"{value}\"")),
        1 => r#"[a-cC"\\,;=% ]{0,8}"#,
    ]
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        _ = of_hop(&[&bytes]);
    }

    #[test]
    fn nothing_like_it_yields_what_is_no_certificate(pieces in prop::collection::vec(piece(), 0..6)) {
        if let Ok(certificate) = told(&pieces.join(";")) {
            prop_assert_eq!(certificate.replace(PEM, ""), "");
        }
    }

    #[test]
    fn two_elements_yield_no_certificate(
        before in prop::collection::vec("(By|DNS|Hash)=[a-z:/.]{0,9}", 0..3),
        after in prop::collection::vec(piece(), 0..4),
    ) {
        let one = [before, vec![format!("Cert=\"{PEM}\"")]].concat().join(";");
        let other = after.join(";");
        prop_assert!(told(&[one.as_str(), other.as_str()].join(",")).is_err());
        prop_assert!(told(&[one.as_str(), other.as_str()].join(" , ")).is_err());
        prop_assert!(of_hop(&[one.as_bytes(), other.as_bytes()]).is_err());
    }
}
