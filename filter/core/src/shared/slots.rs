//! Sealed answers in slots: a key can be in any of a few, found by its digest.

use token::secret::Secret;

use super::{
    CLOCK_SLACK_MS, Host, Set,
    bytes::{Reader, Writer},
    identity::KeyDigest,
    layout::{BLANK, Kind, TRIES, WAYS},
    seal::{NONCE, Seal, TAG},
};
use crate::{key::Key, time::Now};

/// The slots of one kind.
#[derive(Debug)]
pub(super) struct Slots {
    kind: Kind,
    sets: u32,
    /// The longest value.
    most_bytes: usize,
    /// How far ahead an answer may end.
    most_life_ms: u64,
}

/// What stands before the sealed text. All of it is associated data of the seal.
#[derive(Clone, Copy, Debug)]
pub(super) struct Head {
    pub(super) digest: KeyDigest,
    /// The lease under which it was asked for.
    pub(super) ticket: [u8; 16],
    pub(super) asked: Now,
    pub(super) until: Now,
}

/// One of the slots in which a key can be, as it was read.
struct Way {
    name: String,
    value: Vec<u8>,
    cas: u32,
}

/// What became of a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stored {
    Yes,
    /// It is too long, or could not be written.
    No,
    /// `permitted` said no.
    Forbidden,
}

impl Slots {
    pub(super) fn tokens(slots: u32) -> Self {
        Self::new(Kind::Token, slots, MOST_TOKEN_BYTES, MOST_TOKEN_LIFE_MS)
    }

    pub(super) fn refusals(slots: u32) -> Self {
        Self::new(Kind::Refusal, slots, MOST_REFUSAL_BYTES, MOST_REFUSAL_LIFE_MS)
    }

    fn new(kind: Kind, slots: u32, most_bytes: usize, most_life_ms: u64) -> Self {
        let sets = slots.checked_div(WAYS).unwrap_or_default().max(1);
        Self { kind, sets, most_bytes, most_life_ms }
    }

    /// What is stored for `key`, newest first, as `read` makes it of the text; only what was asked for after `newer_than`,
    /// by the steady clock.
    pub(super) fn find<T>(
        &self,
        host: &mut dyn Host,
        key: &Key,
        digest: &KeyDigest,
        newer_than: Option<Now>,
        now: Now,
        read: impl Fn(Secret) -> Option<T>,
    ) -> Option<(Head, T)> {
        let ways = self.ways(host, digest);
        let is_newer = |head: &Head| newer_than.is_none_or(|than| head.asked.steady_ms > than.steady_ms);
        let mut usable: Vec<(Head, &Way)> = ways
            .iter()
            .filter_map(|way| Some((self.head(way, now)?, way)))
            .filter(|(head, _)| head.digest == *digest && is_newer(head))
            .collect();
        if usable.is_empty() {
            return None;
        }
        usable.sort_by_key(|(head, _)| std::cmp::Reverse(head.asked.steady_ms));
        let seal = Seal::new(key.subject_token(), digest);
        usable.into_iter().find_map(|(head, way)| Some((head, read(way.open(&seal)?)?)))
    }

    /// Stores `text` for `key`. `permitted` is asked after the slot was read and before it is written, so that what makes it
    /// say no and then touches the slots ([`Self::empty`]) cannot be overtaken.
    pub(super) fn store(
        &self,
        host: &mut dyn Host,
        key: &Key,
        head: Head,
        text: &Secret,
        now: Now,
        mut permitted: impl FnMut(&mut dyn Host) -> bool,
    ) -> Stored {
        let head = Head { until: self.within_bounds(head.until, now), ..head };
        let seal = Seal::new(key.subject_token(), &head.digest);
        for _ in 0..TRIES {
            let ways = self.ways(host, &head.digest);
            if !permitted(host) {
                return Stored::Forbidden;
            }
            let Some(way) = self.choose(&ways, &head.digest, now) else { return Stored::No };
            let Some(value) = self.sealed(host, &seal, way, head, text) else { return Stored::No };
            match host.set(&way.name, &value, Some(way.cas)) {
                Set::Done => return Stored::Yes,
                Set::Failed => return Stored::No,
                Set::Changed => {}
            }
        }
        Stored::No
    }

    /// Empties every slot that `digest` is in, with `ticket` only what was stored under that, and touches the others it
    /// could be in: whoever has read one of them before and wants to swap it now has to read again.
    pub(super) fn empty(&self, host: &mut dyn Host, digest: &KeyDigest, ticket: Option<[u8; 16]>) {
        for name in self.names(digest) {
            for _ in 0..TRIES {
                let Some((value, cas)) = host.get(&name) else { break };
                let is_it = Head::read(&value)
                    .is_some_and(|head| head.digest == *digest && ticket.is_none_or(|ticket| ticket == head.ticket));
                let new = if is_it || value.len() > self.most_bytes { BLANK } else { &value };
                if host.set(&name, new, Some(cas)) != Set::Changed {
                    break;
                }
            }
        }
    }

    fn names(&self, digest: &KeyDigest) -> impl Iterator<Item = String> + use<> {
        let (kind, first) = (self.kind, digest.set(self.sets).saturating_mul(WAYS));
        (0..WAYS).map(move |way| kind.slot(first.saturating_add(way)))
    }

    fn ways(&self, host: &mut dyn Host, digest: &KeyDigest) -> Vec<Way> {
        let read = |name: String| host.get(&name).map(|(value, cas)| Way { name, value, cas });
        self.names(digest).filter_map(read).collect()
    }

    /// The head of a slot whose answer can be used now.
    fn head(&self, way: &Way, now: Now) -> Option<Head> {
        let head = Head::read(&way.value).filter(|_| way.value.len() <= self.most_bytes)?;
        let furthest = now.after(self.most_life_ms).reading();
        let believable = head.until.unix_ms <= furthest.unix_ms
            && head.until.steady_ms <= furthest.steady_ms
            && head.asked.steady_ms <= now.steady_ms.saturating_add(CLOCK_SLACK_MS);
        (believable && !head.until.after(0).passed(now)).then_some(head)
    }

    /// The slot to write: where the key is already, else one that holds nothing usable, else the one that ends first.
    fn choose<'w>(&self, ways: &'w [Way], digest: &KeyDigest, now: Now) -> Option<&'w Way> {
        ways.iter().min_by_key(|way| match self.head(way, now) {
            Some(head) if head.digest == *digest => (0, 0),
            None => (1, 0),
            Some(head) => (2, head.until.steady_ms),
        })
    }

    fn within_bounds(&self, until: Now, now: Now) -> Now {
        // A little less than what is believed, because the reader's clock reading can be the older one.
        let furthest = now.after(self.most_life_ms.saturating_sub(CLOCK_SLACK_MS)).reading();
        Now { unix_ms: until.unix_ms.min(furthest.unix_ms), steady_ms: until.steady_ms.min(furthest.steady_ms) }
    }

    fn sealed(&self, host: &mut dyn Host, seal: &Seal, way: &Way, head: Head, text: &Secret) -> Option<Vec<u8>> {
        let mut nonce = [0; NONCE];
        if !host.random(&mut nonce) {
            return None;
        }
        let mut plain = String::with_capacity(text.expose().len().saturating_add(TAG));
        plain.push_str(text.expose());
        let head = head.write();
        let sealed = seal.close(plain, nonce, &associated(&way.name, &head))?;
        let value = [head.as_slice(), &nonce, &sealed].concat();
        (value.len() <= self.most_bytes).then_some(value)
    }
}

impl Way {
    fn open(&self, seal: &Seal) -> Option<Secret> {
        let (head, rest) = self.value.split_at_checked(HEAD_BYTES)?;
        let (nonce, sealed) = rest.split_first_chunk::<NONCE>()?;
        seal.open(sealed, *nonce, &associated(&self.name, head))
    }
}

impl Head {
    fn read(value: &[u8]) -> Option<Self> {
        let mut reader = Reader::new(value)?;
        Some(Self {
            digest: KeyDigest(reader.take()?),
            ticket: reader.take()?,
            asked: reader.now()?,
            until: reader.now()?,
        })
    }

    fn write(&self) -> Vec<u8> {
        let Self { digest, ticket, asked, until } = self;
        Writer::new().bytes(digest.0).bytes(ticket).now(*asked).now(*until).finish()
    }
}

/// Slot and head, so that neither can be changed under the seal. The head's length is fixed.
fn associated(slot: &str, head: &[u8]) -> Vec<u8> {
    [slot.as_bytes(), head].concat()
}

const HEAD_BYTES: usize = 1 + 32 + 16 + 16 + 16;

/// The longest token there is, with what little else is stored, and the constraints of a sensible policy.
const MOST_TOKEN_BYTES: usize = 24 * 1024;
const MOST_TOKEN_LIFE_MS: u64 = 24 * 60 * 60 * 1000;
const MOST_REFUSAL_BYTES: usize = 8 * 1024;
const MOST_REFUSAL_LIFE_MS: u64 = 60_000;
