//! The STS: what it issued for whom, and until when that is good.

use super::event::Mode;

/// What the STS knows. Every token names its key and has a number.
pub(super) struct Sts {
    pub(super) mode: Mode,
    issued: Vec<Token>,
    /// The number of the last one, by key.
    last: Vec<Option<usize>>,
}

/// A token that was issued.
#[derive(Clone, Copy, Debug)]
pub(super) struct Token {
    pub(super) key: usize,
    /// When it really ends, by a clock that nobody sets.
    ends_ms: u64,
    /// From when on nobody may send it: a tenth of its life before that, counted from when it was asked for.
    usable_until_ms: u64,
    /// The same, as it was said when it was issued.
    first_usable_until_ms: u64,
    /// It is lent for so many seconds at most, and may be lent again.
    lent_s: Option<u64>,
    /// It is good for GET only.
    get_only: bool,
}

/// A call as the STS sees it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked {
    pub(super) key: usize,
    pub(super) at_ms: u64,
    /// It may get the token that was issued before: where it is asked not to an STS may do so all the same, but not after a 401.
    pub(super) may_repeat: bool,
}

/// An answer.
pub(super) struct Reply {
    pub(super) status: Option<u16>,
    pub(super) body: Vec<u8>,
    /// Which token it holds, and whether that was issued before.
    pub(super) token: Option<(usize, bool)>,
}

impl Sts {
    pub(super) fn new(keys: usize) -> Self {
        Self { mode: Mode::Up, issued: Vec::new(), last: vec![None; keys] }
    }

    /// The answer to a call. `roll` chooses.
    pub(super) fn answer(&mut self, asked: Asked, roll: u64) -> Reply {
        let none = |status, body: &[u8]| Reply { status, body: body.to_vec(), token: None };
        match self.mode {
            Mode::Up => self.issue(asked, roll),
            Mode::Refusing => none(Some(400), br#"{"error":"invalid_request","reason":"policy_denied"}"#),
            Mode::Overloaded => none(Some(503), br#"{"error":"temporarily_unavailable","reason":"overloaded"}"#),
            Mode::Garbage if roll.is_multiple_of(2) => none(Some(502), b"bad gateway"),
            Mode::Garbage => none(Some(200), br#"{"access_token":"x","expires_in":"soon"}"#),
            Mode::Away => none(None, b""),
        }
    }

    fn issue(&mut self, Asked { key, at_ms, may_repeat }: Asked, roll: u64) -> Reply {
        if let Some(number) = self.last[key].filter(|_| may_repeat && roll.is_multiple_of(4)) {
            let token = &mut self.issued[number];
            let left_s = token.ends_ms.saturating_sub(at_ms) / 1_000;
            if left_s > 0 {
                let said_s = token.lent_s.unwrap_or(left_s).min(left_s);
                token.usable_until_ms = token.usable_until_ms.max(at_ms + usable_ms(said_s));
                return reply(number, *token, left_s, true);
            }
        }
        let life_s = [0, 1, 2, 3, 5, 8, 30, 30][usize::try_from(roll >> 8).unwrap_or_default() % 8];
        let lent_s = Some(3).filter(|_| (roll >> 24).is_multiple_of(3));
        let (ends_ms, usable_until_ms) =
            (at_ms + life_s * 1_000, at_ms + usable_ms(lent_s.unwrap_or(life_s).min(life_s)));
        let get_only = (roll >> 16).is_multiple_of(4);
        let token = Token { key, ends_ms, usable_until_ms, first_usable_until_ms: usable_until_ms, lent_s, get_only };
        let number = self.issued.len();
        self.issued.push(token);
        self.last[key] = Some(number);
        reply(number, token, life_s, false)
    }

    /// Whether the token has outlived what was said of it first: it was lent again.
    pub(super) fn has_lived_on(&self, number: usize, now_ms: u64) -> bool {
        let token = self.issued[number];
        token.lent_s.is_some() && now_ms >= token.first_usable_until_ms
    }

    /// The number of the token in a header value. It must be good for the key and method now.
    pub(super) fn judge(&self, header_value: &str, key: usize, post: bool, now_ms: u64) -> usize {
        let number: usize = header_value.strip_prefix("Bearer i-").expect("a token").parse().expect("its number");
        let token = self.issued[number];
        assert_eq!(token.key, key, "a token went to another key");
        assert!(now_ms < token.ends_ms, "{token:?} was sent after its end, at {now_ms}");
        assert!(now_ms < token.usable_until_ms, "{token:?} was sent after its last usable moment, at {now_ms}");
        assert!(!(post && token.get_only), "{token:?} was sent with a method outside its grant");
        number
    }
}

/// The margin of a short life is a tenth of it.
fn usable_ms(life_s: u64) -> u64 {
    life_s * 900
}

/// `left_s` is what is left of the token's own life.
fn reply(number: usize, token: Token, left_s: u64, again: bool) -> Reply {
    let details = if token.get_only { r#"[{"type":"cloakroom_constraint","methods":["GET"]}]"# } else { "[]" };
    let (expires_in, own_life) = match token.lent_s {
        Some(lent_s) => (lent_s.min(left_s), format!(r#","credential_expires_in":{left_s}"#)),
        None => (left_s, String::new()),
    };
    let body = format!(
        concat!(
            r#"{{"access_token":"i-{}","token_type":"Bearer","expires_in":{},"authorization_details":{}{},"#,
            r#""issued_token_type":"urn:ietf:params:oauth:token-type:access_token"}}"#
        ),
        number, expires_in, details, own_life
    );
    Reply { status: Some(200), body: body.into_bytes(), token: Some((number, again)) }
}
