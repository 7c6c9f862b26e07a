//! Requests whose bodies are read, because a signature is over them: each is held until its body has ended and its credential
//! is there, whichever comes last.
//!
//! A request's state is a digest under way and a few numbers, however long its body is; the body itself lies with the host.
//! There is room for a fixed number of them. One that ends early says nothing here (the host's callback for that would be
//! one more entry into the VM for every request): it goes when the host is asked whether there is such a stream, by the next
//! ticks, or when its time is over.

use std::{
    collections::{BTreeMap, VecDeque},
    rc::Rc,
    sync::Arc,
};

use hmac_sha256::Hash;
use token::reason::Reason;

use super::{Delivery, Flow, Forward, Refused};
use crate::{
    config::ExchangeRoute,
    inject::too_large,
    refusal::Refusal,
    time::{Deadline, Now},
};

/// The requests of one worker whose bodies are read.
pub(super) struct Bodies {
    held: BTreeMap<u32, Held>,
    /// When the time of each is over, in the order in which they came: all have the same.
    ends: VecDeque<(Deadline, u32)>,
    most: usize,
    /// Up to where the host was asked.
    asked: u32,
}

struct Held {
    route: Arc<ExchangeRoute>,
    hash: Hash,
    read: u64,
    /// The digest, once the body has ended.
    digest: Option<[u8; 32]>,
    /// The credential, once it is there.
    forward: Option<Forward>,
}

impl Bodies {
    /// None yet, and never more than so many.
    pub(super) fn new(most: usize) -> Self {
        Self { held: BTreeMap::new(), ends: VecDeque::new(), most, asked: 0 }
    }

    pub(super) fn has_room(&self) -> bool {
        self.held.len() < self.most
    }

    /// Holds `stream` from now on, with its credential if that is there already.
    pub(super) fn hold(&mut self, stream: u32, route: &Arc<ExchangeRoute>, forward: Option<Forward>, now: Now) {
        let held = Held { route: Arc::clone(route), hash: Hash::new(), read: 0, digest: None, forward };
        self.held.insert(stream, held);
        self.ends.push_back((now.after(PATIENCE_MS), stream));
        // What has gone since leaves its end behind.
        if self.ends.len() > self.held.len().saturating_mul(2).saturating_add(LEFT_OVER) {
            let held = &self.held;
            self.ends.retain(|(_, stream)| held.contains_key(stream));
        }
    }

    pub(super) fn is_held(&self, stream: u32) -> bool {
        self.held.contains_key(&stream)
    }

    pub(super) fn forget(&mut self, stream: u32) {
        self.held.remove(&stream);
    }

    /// The credential for `stream` has come. It is handed back if the request can go on: its body is not read, or has ended.
    pub(super) fn deliver(&mut self, stream: u32, forward: Forward) -> Option<Forward> {
        let Some(held) = self.held.get_mut(&stream) else { return Some(forward) };
        let Some(digest) = held.digest else {
            held.forward = Some(forward);
            return None;
        };
        self.held.remove(&stream);
        Some(Forward { body_sha256: Some(digest), ..forward })
    }

    fn refuse(&mut self, stream: u32, refusal: impl FnOnce(&Held) -> Refusal) -> Option<Refused> {
        let held = self.held.remove(&stream)?;
        let refusal = Rc::new(refusal(&held));
        Some(Refused { route: Some(held.route), refusal })
    }
}

impl Flow {
    /// How many bytes of the stream's body have been read; `None` if it is not read.
    pub fn body_read(&self, stream: u32) -> Option<u64> {
        self.bodies.held.get(&stream).map(|held| held.read)
    }

    /// The next bytes of the stream's body.
    ///
    /// # Errors
    /// The refusal: it is too long. The stream waits for nothing any more.
    pub fn on_body(&mut self, stream: u32, bytes: &[u8]) -> Result<(), Refused> {
        let Some(held) = self.bodies.held.get_mut(&stream) else { return Ok(()) };
        let length = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        held.read = held.read.saturating_add(length);
        if held.route.sigv4().is_some_and(|sigv4| held.read <= sigv4.max_body_bytes) {
            held.hash.update(bytes);
            return Ok(());
        }
        let too_large = |held: &Held| match held.route.sigv4() {
            Some(sigv4) => too_large(held.read, sigv4),
            None => Refusal::new(Reason::BodyTooLarge),
        };
        self.pending.leave(stream);
        self.bodies.refuse(stream, too_large).map_or(Ok(()), Err)
    }

    /// The stream's body has ended. `Some`: its credential is there too, and what becomes of it is decided.
    pub fn on_body_end(&mut self, stream: u32, now: Now) -> Option<Result<Forward, Refused>> {
        let held = self.bodies.held.get_mut(&stream)?;
        // A body ends once; that its trailers come behind is told too.
        let digest = *held.digest.get_or_insert_with(|| held.hash.finalize());
        let forward = held.forward.take()?;
        if forward.until.passed(now) {
            return self.bodies.refuse(stream, |_| late()).map(Err);
        }
        self.bodies.forget(stream);
        Some(Ok(Forward { body_sha256: Some(digest), ..forward }))
    }

    /// The requests whose bodies have not ended in time, and what they are told.
    pub fn late_bodies(&mut self, now: Now) -> Vec<Delivery> {
        let mut late = Vec::new();
        while let Some((end, stream)) = self.bodies.ends.front().copied() {
            if !end.passed_steadily(now) {
                break;
            }
            self.bodies.ends.pop_front();
            if let Some(refused) = self.bodies.refuse(stream, |_| self::late()) {
                self.pending.leave(stream);
                late.push(Delivery { stream, verdict: Err(refused) });
            }
        }
        late
    }

    /// Forgets requests that have ended early: `lives` says whether there still is such a stream. Asks of a bounded number at
    /// a time, and of all in turn.
    pub fn forget_gone(&mut self, mut lives: impl FnMut(u32) -> bool) {
        let bodies = &mut self.bodies;
        let next: Vec<u32> = bodies.held.range(bodies.asked..).take(ASKED_AT_ONCE).map(|(stream, _)| *stream).collect();
        // Beyond the last one it begins anew.
        bodies.asked = match next.last() {
            Some(last) if next.len() == ASKED_AT_ONCE => last.saturating_add(1),
            _ => 0,
        };
        for stream in next.into_iter().filter(|stream| !lives(*stream)) {
            bodies.forget(stream);
            self.pending.leave(stream);
        }
    }
}

fn late() -> Refusal {
    let wanted = format!("a body that ends within {} s", PATIENCE_MS / 1000);
    let detail = "the body is signed, and did not end while its credential was good";
    Refusal::new(Reason::RequestRefused).claim("body").wanted(&wanted).detail(detail)
}

/// How long a body may take to arrive.
pub(super) const PATIENCE_MS: u64 = 60_000;
const LEFT_OVER: usize = 1_024;
/// Asking costs a call to the host.
const ASKED_AT_ONCE: usize = 1_000;
