//! The identity of an exchange: two requests with equal keys may share a token, and no others.
//!
//! INVARIANT: every fact that a decision may read is a field here, or comes back as a constraint that is checked on every
//! use. Look-ups compare all fields; a hash only finds the place.

use std::{
    borrow::Borrow,
    fmt,
    hash::{Hash, Hasher},
    sync::Arc,
};

use token::{digest::FieldDigest, secret::Secret, token_type::TokenType};

/// Everything of a key that the route decides.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RouteFacts {
    pub listener: String,
    pub route: String,
    /// Digest of the route's settings: how the token is read, used and kept.
    pub settings: [u8; 32],
    /// The SPIFFE ID of the proxy.
    pub actor: String,
    pub subject_token_type: TokenType,
    pub resource: Option<String>,
    pub audience: Option<String>,
    pub scope: Option<String>,
    pub requested_token_type: TokenType,
    /// Thumbprint of the key that issued tokens are bound to; none yet.
    pub binding_key: Option<String>,
    /// The route's epoch; 0 without a feed.
    pub epoch: u64,
}

/// Whom an exchange is for.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub enum Subject<'s> {
    /// The bytes of the native token.
    Token(&'s str),
    /// The certificate that the client showed, as the host gives it. It is no secret.
    Certificate(&'s str),
}

/// A key to look up with; it owns nothing.
#[derive(Clone, Copy)]
pub struct Probe<'p> {
    facts: &'p Arc<RouteFacts>,
    subject: Subject<'p>,
}

/// A key that is kept. Cloning it shares it.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Key(Arc<Owned>);

struct Owned {
    facts: Arc<RouteFacts>,
    subject: OwnedSubject,
}

enum OwnedSubject {
    Token(Secret),
    // Not secret, but as long and as little meant for logs.
    Certificate(Secret),
}

impl Subject<'_> {
    /// What is sent to the STS.
    fn text(&self) -> &str {
        match self {
            Self::Token(text) | Self::Certificate(text) => text,
        }
    }
}

impl OwnedSubject {
    fn text(&self) -> &Secret {
        match self {
            Self::Token(text) | Self::Certificate(text) => text,
        }
    }

    fn lent(&self) -> Subject<'_> {
        match self {
            Self::Token(text) => Subject::Token(text.expose()),
            Self::Certificate(text) => Subject::Certificate(text.expose()),
        }
    }
}

impl<'p> Probe<'p> {
    /// The key of `subject` on a route. An empty subject has none: it would be everybody's.
    pub fn new(facts: &'p Arc<RouteFacts>, subject: Subject<'p>) -> Option<Self> {
        (!subject.text().is_empty()).then_some(Self { facts, subject })
    }

    /// The same key, to be kept.
    pub fn to_key(self) -> Key {
        let subject = match self.subject {
            Subject::Token(token) => OwnedSubject::Token(Secret::new(token)),
            Subject::Certificate(certificate) => OwnedSubject::Certificate(Secret::new(certificate)),
        };
        Key(Arc::new(Owned { facts: Arc::clone(self.facts), subject }))
    }
}

impl Key {
    /// What the route decided.
    pub fn facts(&self) -> &RouteFacts {
        &self.0.facts
    }

    /// Whom it is for.
    pub fn subject(&self) -> Subject<'_> {
        self.0.subject.lent()
    }

    /// What is sent to the STS as the subject token.
    pub fn subject_token(&self) -> &Secret {
        self.0.subject.text()
    }

    /// Whether its token may lie in what workers share: it is sealed there under the subject, which has to be a secret for
    /// that.
    pub fn is_shareable(&self) -> bool {
        matches!(self.0.subject, OwnedSubject::Token(_))
    }

    /// What may be written down about the key.
    pub fn fingerprint(&self) -> String {
        let digest = FieldDigest::new("cloakroom key 1").field(&self.facts().route);
        token::base64url::encode(digest.field(self.subject().text()).finish())
    }

    /// Bytes it takes.
    pub fn size(&self) -> usize {
        self.subject().text().len().saturating_add(size_of::<Owned>())
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key").field("facts", self.facts()).field("subject", self.subject_token()).finish()
    }
}

/// What an owned and a borrowed key have in common, so that a look-up allocates nothing.
pub trait Identity {
    /// The two parts that make the key.
    fn identity(&self) -> (&Arc<RouteFacts>, Subject<'_>);
}

impl Identity for Probe<'_> {
    fn identity(&self) -> (&Arc<RouteFacts>, Subject<'_>) {
        (self.facts, self.subject)
    }
}

impl Identity for Key {
    fn identity(&self) -> (&Arc<RouteFacts>, Subject<'_>) {
        (&self.0.facts, self.subject())
    }
}

impl<'i> Borrow<dyn Identity + 'i> for Key {
    fn borrow(&self) -> &(dyn Identity + 'i) {
        self
    }
}

impl PartialEq for dyn Identity + '_ {
    fn eq(&self, other: &Self) -> bool {
        let (facts, subject) = self.identity();
        let (other_facts, other_subject) = other.identity();
        // One route's facts are one allocation as long as the configuration lives: the usual comparison is of pointers.
        let texts = match (subject, other_subject) {
            (Subject::Token(text), Subject::Token(other))
            | (Subject::Certificate(text), Subject::Certificate(other)) => Some((text, other)),
            _ => None,
        };
        (Arc::ptr_eq(facts, other_facts) || facts == other_facts)
            && texts.is_some_and(|(text, other)| same(text.as_bytes(), other.as_bytes()))
    }
}

impl Eq for dyn Identity + '_ {}

/// Whether two texts are the same. In a WASM module the usual comparison goes byte by byte, and a token has about a thousand:
/// this was a good part of what a hit cost.
fn same(one: &[u8], other: &[u8]) -> bool {
    let (mut ones, mut others) = (one.chunks_exact(8), other.chunks_exact(8));
    one.len() == other.len()
        && ones.by_ref().zip(others.by_ref()).all(|(one, other)| word(one) == word(other))
        && ones.remainder() == others.remainder()
}

fn word(bytes: &[u8]) -> Option<u64> {
    bytes.try_into().ok().map(u64::from_ne_bytes)
}

impl Hash for dyn Identity + '_ {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let (facts, subject) = self.identity();
        // A few fields find the place; equality compares all of them.
        facts.route.hash(state);
        facts.epoch.hash(state);
        subject.hash(state);
    }
}

impl Owned {
    fn probe(&self) -> Probe<'_> {
        Probe { facts: &self.facts, subject: self.subject.lent() }
    }
}

impl PartialEq for Owned {
    fn eq(&self, other: &Self) -> bool {
        &self.probe() as &dyn Identity == &other.probe() as &dyn Identity
    }
}

impl Eq for Owned {}

impl Hash for Owned {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (&self.probe() as &dyn Identity).hash(state);
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::collections::HashMap;

    use super::*;

    pub(crate) fn facts() -> RouteFacts {
        RouteFacts {
            listener: "egress".to_owned(),
            route: "reports".to_owned(),
            settings: [1; 32],
            actor: "spiffe://td.example/edge".to_owned(),
            subject_token_type: TokenType::Jwt,
            resource: Some("https://reports.example".to_owned()),
            audience: None,
            scope: Some("read".to_owned()),
            requested_token_type: TokenType::AccessToken,
            binding_key: None,
            epoch: 0,
        }
    }

    /// Every way in which one input can differ from [`facts`].
    fn mutations() -> Vec<(&'static str, RouteFacts)> {
        let mutate = |name, change: fn(&mut RouteFacts)| {
            let mut facts = facts();
            change(&mut facts);
            (name, facts)
        };
        vec![
            mutate("listener", |facts| facts.listener.push('x')),
            mutate("route", |facts| facts.route.push('x')),
            mutate("settings", |facts| facts.settings[31] = 0),
            mutate("actor", |facts| facts.actor.push('x')),
            mutate("subject_token_type", |facts| facts.subject_token_type = TokenType::IdToken),
            mutate("resource", |facts| facts.resource = Some("https://other.example".to_owned())),
            mutate("no resource", |facts| facts.resource = None),
            mutate("audience", |facts| facts.audience = Some("https://reports.example".to_owned())),
            mutate("empty audience", |facts| facts.audience = Some(String::new())),
            mutate("scope", |facts| facts.scope = Some("read write".to_owned())),
            mutate("no scope", |facts| facts.scope = None),
            mutate("requested_token_type", |facts| facts.requested_token_type = TokenType::Jwt),
            mutate("binding_key", |facts| facts.binding_key = Some("thumbprint".to_owned())),
            mutate("epoch", |facts| facts.epoch = 1),
        ]
    }

    #[test]
    fn the_same_inputs_meet_and_each_changed_input_misses() {
        let original = Arc::new(facts());
        let mut map = HashMap::new();
        map.insert(Probe::new(&original, Subject::Token("t1")).unwrap().to_key(), ());
        let found = |facts: RouteFacts, token: &str| {
            let facts = Arc::new(facts);
            let probe = Probe::new(&facts, Subject::Token(token)).unwrap();
            map.contains_key(&probe as &dyn Identity)
        };
        assert!(found(facts(), "t1"), "equal facts of another allocation");
        for (name, mutated) in mutations() {
            assert!(!found(mutated, "t1"), "{name}");
        }
        let certificate = Probe::new(&original, Subject::Certificate("t1")).unwrap();
        assert!(!map.contains_key(&certificate as &dyn Identity), "another kind of subject");
        assert!(!found(facts(), "t2"), "subject");
        assert!(!found(facts(), "t"), "subject");
    }

    #[test]
    fn texts_are_the_same_only_if_every_byte_is() {
        for length in 0..40 {
            let text = vec![b'a'; length];
            assert!(same(&text, &text.clone()) && !same(&text, &[&text[..], b"a"].concat()));
            for place in 0..length {
                let mut other = text.clone();
                other[place] = b'b';
                assert!(!same(&text, &other) && !same(&other, &text), "{place} of {length}");
            }
        }
    }

    #[test]
    fn an_empty_subject_never_forms_a_key() {
        assert!(Probe::new(&Arc::new(facts()), Subject::Token("")).is_none());
        assert!(Probe::new(&Arc::new(facts()), Subject::Certificate("")).is_none());
    }

    #[test]
    fn debug_and_fingerprint_show_no_token() {
        let facts = Arc::new(facts());
        let key = Probe::new(&facts, Subject::Token("very-native-token")).unwrap().to_key();
        assert!(!format!("{key:?} {}", key.fingerprint()).contains("native"));
    }
}
