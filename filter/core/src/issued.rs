//! What an exchange brings: a credential, and what every use of it has to keep to.

use token::{
    aws_keys::AwsKeys,
    constraint::{Constraint, MAX_CONSTRAINTS},
    digest::sha256,
    secret::Secret,
    token_type::TokenType,
};

use crate::{
    sas,
    sigv4::SigningKeys,
    time::{Deadline, Now},
};

/// A credential, ready to be used.
#[derive(Debug)]
pub struct Issued {
    pub credential: Credential,
    /// What every use of it has to keep to.
    pub constraints: Vec<Constraint>,
    /// When the credential itself ends at its provider, where the STS lends it for less: until then the same one may come
    /// again and live on. `None`: it is not lent, and ends when the STS said so first.
    pub lent_until: Option<Deadline>,
}

/// The kinds of credentials.
#[derive(Debug, PartialEq, Eq)]
pub enum Credential {
    /// The whole value of the route's header, scheme included.
    Header(Secret),
    /// The query of a shared access signature of Azure Storage.
    AzureSas(Secret),
    /// Keys to sign requests to AWS with.
    AwsKeys(SigningKeys),
}

impl Credential {
    /// The value of the route's header, if that is what it is.
    pub fn header_value(&self) -> Option<&Secret> {
        match self {
            Self::Header(value) => Some(value),
            Self::AzureSas(_) | Self::AwsKeys(_) => None,
        }
    }

    /// Bytes it takes.
    pub fn size(&self) -> usize {
        match self {
            Self::Header(text) | Self::AzureSas(text) => text.expose().len(),
            Self::AwsKeys(keys) => keys.size(),
        }
    }

    /// By what two workers can tell that they speak of the same one.
    pub(crate) fn digest(&self) -> Option<[u8; 32]> {
        self.to_text().map(|text| sha256(text.expose()))
    }

    /// In one line. `None` cannot happen: keys are a struct of texts.
    fn to_text(&self) -> Option<Secret> {
        let keys;
        let (kind, text) = match self {
            Self::Header(text) => (HEADER, text),
            Self::AzureSas(text) => (AZURE_SAS, text),
            Self::AwsKeys(signing) => {
                keys = signing.keys().to_token().ok()?;
                (AWS_KEYS, &keys)
            }
        };
        Some(concat([kind, " ", text.expose()]))
    }

    /// What a line says, if it is what a request for `asked` can bring. Nothing that could end a header or a query is any
    /// credential, whoever has written the line.
    fn from_text(line: &str, asked: TokenType) -> Option<Self> {
        let (kind, text) = line.split_once(' ')?;
        match (kind, asked) {
            (AZURE_SAS, TokenType::AzureSas) => sas::check(text).is_ok().then(|| Self::AzureSas(Secret::new(text))),
            (AWS_KEYS, TokenType::AwsKeys) => {
                AwsKeys::from_token(text).map(|keys| Self::AwsKeys(SigningKeys::new(keys)))
            }
            (HEADER, kind) if TokenType::HEADER_TOKENS.contains(&kind) => {
                let visible = text.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic());
                (!text.is_empty() && visible).then(|| Self::Header(Secret::new(text)))
            }
            _ => None,
        }
    }
}

impl Issued {
    /// Bytes it takes.
    pub fn size(&self) -> usize {
        // Patterns and methods are short; their number is what counts.
        self.credential.size().saturating_add(self.constraints.len().saturating_mul(512))
    }

    /// As text, for workers that tell each other: the credential in one line, the end of what is lent, the constraints.
    pub(crate) fn to_text(&self) -> Option<Secret> {
        let constraints = serde_json::to_string(&self.constraints).ok()?;
        let lent_until = match self.lent_until.map(Deadline::reading) {
            Some(Now { unix_ms, steady_ms }) => format!("{unix_ms} {steady_ms}"),
            None => NOT_LENT.to_owned(),
        };
        let credential = self.credential.to_text()?;
        Some(concat([credential.expose(), "\n", &lent_until, "\n", &constraints]))
    }

    /// What a text says, if it is what a request for `asked` can bring.
    pub(crate) fn from_text(text: &Secret, asked: TokenType) -> Option<Self> {
        let mut lines = text.expose().splitn(3, '\n');
        let credential = Credential::from_text(lines.next()?, asked)?;
        let lent_until = match lines.next()? {
            NOT_LENT => None,
            reading => {
                let (unix_ms, steady_ms) = reading.split_once(' ')?;
                let reading = Now { unix_ms: unix_ms.parse().ok()?, steady_ms: steady_ms.parse().ok()? };
                Some(reading.after(0))
            }
        };
        let constraints: Vec<Constraint> = serde_json::from_str(lines.next()?).ok()?;
        (constraints.len() <= MAX_CONSTRAINTS).then_some(Self { credential, constraints, lent_until })
    }

    /// The value of the header that it is.
    #[cfg(test)]
    pub(crate) fn header_value(&self) -> &str {
        match &self.credential {
            Credential::Header(value) => value.expose(),
            other => panic!("{other:?}"),
        }
    }
}

/// The parts in one piece of memory that never grows: no copy is left behind.
fn concat<const N: usize>(parts: [&str; N]) -> Secret {
    let mut text = String::with_capacity(parts.iter().map(|part| part.len()).fold(0, usize::saturating_add));
    text.extend(parts);
    Secret::new(text)
}

const HEADER: &str = "header";
const AZURE_SAS: &str = "azure_sas";
const AWS_KEYS: &str = "aws_keys";
const NOT_LENT: &str = "-";

#[cfg(test)]
pub(crate) mod tests {
    use proptest::prelude::*;

    use super::*;

    pub(crate) const SAS: &str = "sv=2025-05-05&se=2026-11-22T00%3A30%3A00Z&sr=c&sp=rl&sig=a%2Bc%3D";

    pub(crate) fn keys() -> AwsKeys {
        AwsKeys::new("ASIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG", "FwoGZXIvYXdzEXAMPLETOKEN==").unwrap()
    }

    /// One of each kind, with what has to be asked for to get it.
    fn each() -> [(Credential, TokenType); 3] {
        [
            (Credential::Header(Secret::new("Bearer issued")), TokenType::AccessToken),
            (Credential::AzureSas(Secret::new(SAS)), TokenType::AzureSas),
            (Credential::AwsKeys(SigningKeys::new(keys())), TokenType::AwsKeys),
        ]
    }

    #[test]
    fn each_comes_back_as_it_went_and_for_what_was_asked_only() {
        let constraints: Vec<Constraint> =
            serde_json::from_str(r#"[{"type":"cloakroom_constraint","methods":["GET"]}]"#).unwrap();
        for (credential, asked) in each() {
            for lent_until in [None, Some(Now { unix_ms: 1_800_000_000_000, steady_ms: 7 }.after(5))] {
                let issued = Issued { constraints: constraints.clone(), lent_until, ..only(copy(&credential)) };
                let text = issued.to_text().unwrap();
                let back = Issued::from_text(&text, asked).unwrap();
                assert_eq!((&back.credential, &back.constraints), (&credential, &constraints));
                assert_eq!(back.lent_until, lent_until);
                assert_eq!(back.credential.digest(), credential.digest());
                for other in TokenType::ALL {
                    let both_headers = [asked, other].iter().all(|kind| TokenType::HEADER_TOKENS.contains(kind));
                    let fits = other == asked || both_headers;
                    assert_eq!(Issued::from_text(&text, other).is_some(), fits, "{credential:?} for {other}");
                }
            }
        }
    }

    fn copy(credential: &Credential) -> Credential {
        match credential {
            Credential::Header(text) => Credential::Header(text.clone()),
            Credential::AzureSas(text) => Credential::AzureSas(text.clone()),
            Credential::AwsKeys(keys) => Credential::AwsKeys(SigningKeys::new(keys.keys().clone())),
        }
    }

    fn only(credential: Credential) -> Issued {
        Issued { credential, constraints: Vec::new(), lent_until: None }
    }

    #[test]
    fn different_ones_are_told_apart() {
        let digests: Vec<_> = each().iter().map(|(credential, _)| credential.digest().unwrap()).collect();
        assert!(digests[0] != digests[1] && digests[1] != digests[2] && digests[0] != digests[2]);
        let header = Credential::Header(Secret::new(SAS));
        let sas = Credential::AzureSas(Secret::new(SAS));
        assert!(header != sas && header.digest() != sas.digest(), "of different kinds they are never the same");
    }

    #[test]
    fn what_could_end_a_header_or_a_query_is_no_credential() {
        let token = keys().to_token().unwrap();
        for (line, asked) in [
            ("header Bearer x\r", TokenType::AccessToken),
            ("header ", TokenType::AccessToken),
            ("header", TokenType::AccessToken),
            ("Bearer x", TokenType::AccessToken),
            (&format!("azure_sas {SAS}#"), TokenType::AzureSas),
            ("azure_sas sig=x", TokenType::AzureSas),
            ("aws_keys e30", TokenType::AwsKeys),
            (&format!("aws_keys {}!", token.expose()), TokenType::AwsKeys),
        ] {
            for rest in ["\n-\n[]", "\n1 2\n[]"] {
                assert!(Issued::from_text(&Secret::new(format!("{line}{rest}")), asked).is_none(), "{line}");
            }
        }
        for rest in ["", "\n", "\n-", "\n-\n", "\n-\n{}", "\n1\n[]", "\n1 x\n[]", "\n-1 2\n[]", "\n[]", "\n\n[]"] {
            let text = Secret::new(format!("header Bearer x{rest}"));
            assert!(Issued::from_text(&text, TokenType::AccessToken).is_none(), "{rest}");
        }
    }

    #[test]
    fn debug_shows_no_secret() {
        let shown = format!("{:?}", each());
        for secret in ["issued", "a%2B", "wJalr", "FwoGZ"] {
            assert!(!shown.contains(secret), "{shown}");
        }
    }

    proptest! {
        #[test]
        fn reading_anything_never_panics(text in "(header|azure_sas|aws_keys)? ?[a-z=&%. \n0-9\\-\\[\\]{}\":]{0,60}") {
            for asked in TokenType::ALL {
                Issued::from_text(&Secret::new(text.as_str()), asked);
            }
        }
    }
}
