//! What the outside has seen, and what must hold of it:
//!
//! - no token is sent for a key it was not issued for, past its last usable moment, outside its grant, or after the destination
//!   refused it to that worker;
//! - one call per key is under way in the whole Envoy, unless who made it is dead or slow, its lease has ended, the key was
//!   invalidated, or the shared data was written to;
//! - everybody who waits is told once, and by the first tick after its patience has ended;
//! - a refusal of the STS stands for its key only, and for five seconds at most.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    sts::{Asked, Reply, Sts},
    *,
};

/// Who waits for what.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wait {
    pub(super) key: usize,
    pub(super) post: bool,
    pub(super) since_ms: u64,
}

/// A call to the STS that is under way.
#[derive(Clone, Copy, Debug)]
pub(super) struct Call {
    pub(super) worker: usize,
    pub(super) id: u64,
    pub(super) asked: Asked,
    /// The number of the event in which it was made.
    event: u64,
    /// Others may have taken its worker for dead, and its lease.
    orphaned: bool,
    /// The worker has given it up.
    pub(super) over: bool,
}

/// A request that went on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Gone {
    pub(super) worker: usize,
    pub(super) stream: u32,
    pub(super) key: usize,
    pub(super) token: usize,
}

/// What there was, over all schedules.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counts {
    pub(super) schedules: u64,
    pub(super) events: u64,
    pub(super) requests: u64,
    /// Tokens returned, by outcome.
    pub(super) returned: [u64; Outcome::ALL.len()],
    pub(super) refused: u64,
    pub(super) impatient: u64,
    pub(super) calls: u64,
    pub(super) renewals: u64,
    /// Requests with a token that was lent again.
    pub(super) lent_again: u64,
    pub(super) asked_anew: u64,
    pub(super) taken_over: u64,
    pub(super) unauthorized: u64,
    pub(super) dropped: u64,
    pub(super) deaths: u64,
    pub(super) hostile_writes: u64,
    pub(super) clocks_set: u64,
}

pub(super) struct Judge {
    pub(super) waiting: BTreeMap<(usize, u32), Wait>,
    pub(super) calls: Vec<Call>,
    pub(super) gone: Vec<Gone>,
    pub(super) counts: Counts,
    /// The events in which a key was last invalidated; 0: never.
    invalidated: Vec<u64>,
    /// When the STS last refused a key.
    denied_ms: Vec<Option<u64>>,
    /// Tokens that a worker has dropped, by worker and key.
    dropped: BTreeMap<(usize, usize), usize>,
    /// Keys for which a worker has to ask past the STS's own cache.
    fresh: BTreeSet<(usize, usize)>,
    event: u64,
}

impl Judge {
    pub(super) fn new(keys: usize) -> Self {
        Self {
            waiting: BTreeMap::new(),
            calls: Vec::new(),
            gone: Vec::new(),
            counts: Counts { schedules: 1, ..Counts::default() },
            invalidated: vec![0; keys],
            denied_ms: vec![None; keys],
            dropped: BTreeMap::new(),
            fresh: BTreeSet::new(),
            event: 0,
        }
    }

    pub(super) fn next_event(&mut self) {
        self.event += 1;
    }

    /// Somebody has written to the shared data.
    pub(super) fn disturbed(&mut self) {
        self.counts.hostile_writes += 1;
    }

    /// Whether somebody has, ever: what that damaged can show late.
    fn is_disturbed(&self) -> bool {
        self.counts.hostile_writes > 0
    }

    /// Whether what was asked for by a call may have been lost on its way.
    fn is_lost(&self, call: &Call) -> bool {
        self.is_disturbed() || self.invalidated[call.asked.key] >= call.event.max(1)
    }

    pub(super) fn forwarded(&mut self, gone: (usize, u32), wait: Wait, forward: &Forward, sts: &Sts, now_ms: u64) {
        let ((worker, stream), Wait { key, post, .. }) = (gone, wait);
        let token = sts.judge(forward.issued.header_value(), key, post, now_ms);
        let dropped = self.dropped.get(&(worker, key)) == Some(&token);
        let may_come_back = self.is_disturbed() || self.counts.clocks_set > 0;
        assert!(!dropped || may_come_back, "a token came back that the destination had refused");
        self.fresh.remove(&(worker, key));
        self.counts.lent_again += u64::from(sts.has_lived_on(token, now_ms));
        self.counts.returned[forward.outcome as usize] += 1;
        self.gone.push(Gone { worker, stream, key, token });
    }

    pub(super) fn refused(&mut self, worker: usize, key: usize, refused: &Refused, now_ms: u64) {
        self.counts.refused += 1;
        match refused.refusal.reason() {
            Some(Reason::PolicyDenied) => {
                let denied_ms = self.denied_ms[key].expect("a refusal stands for its key only");
                assert!(now_ms - denied_ms <= 5_000, "refused at {denied_ms}, and still at {now_ms}");
            }
            // It has a token, only not for this.
            Some(Reason::MethodRefused) => _ = self.fresh.remove(&(worker, key)),
            reason => assert!(
                matches!(
                    reason,
                    Some(
                        Reason::StsUnavailable
                            | Reason::StsReplyInvalid
                            | Reason::Overloaded
                            | Reason::SourceLimited
                            | Reason::FilterOverloaded
                    )
                ),
                "{reason:?}"
            ),
        }
    }

    /// What came to its end for those who waited. `keys` has their fingerprints.
    pub(super) fn settled(
        &mut self,
        worker: usize,
        settled: &Settled,
        fingerprints: &[String],
        sts: &Sts,
        now_ms: u64,
    ) {
        let settled_key = fingerprints.iter().position(|fingerprint| *fingerprint == settled.fingerprint).unwrap();
        if settled.result == CallResult::Ok {
            self.fresh.remove(&(worker, settled_key));
        }
        for Delivery { stream, verdict } in &settled.deliveries {
            let wait = self.waiting.remove(&(worker, *stream)).expect("only who waits is told, and once");
            assert_eq!(wait.key, settled_key);
            match verdict {
                Ok(forward) => self.forwarded((worker, *stream), wait, forward, sts, now_ms),
                Err(refused) => self.refused(worker, wait.key, refused, now_ms),
            }
        }
    }

    /// Whether the worker has dropped the key's token for a 401, and got no other since.
    pub(super) fn wants_fresh(&self, worker: usize, key: usize) -> bool {
        self.fresh.contains(&(worker, key))
    }

    /// The worker has not shown for too long that it lives.
    pub(super) fn seems_dead(&mut self, worker: usize) {
        self.calls.iter_mut().filter(|call| call.worker == worker).for_each(|call| call.orphaned = true);
    }

    /// A call is made, under a lease of so many milliseconds, by a worker that may seem to be dead.
    pub(super) fn asked(&mut self, worker: usize, id: u64, asked: Asked, lease_ms: u64, orphaned: bool) {
        let Asked { key, at_ms, .. } = asked;
        for other in self.calls.iter().filter(|other| other.asked.key == key && !other.over) {
            assert_ne!(other.worker, worker, "a worker has two calls for one key under way");
            let ended = at_ms - other.asked.at_ms >= lease_ms;
            assert!(ended || other.orphaned || self.is_lost(other), "two calls for one key are under way: {other:?}");
            self.counts.taken_over += 1;
        }
        self.calls.push(Call { worker, id, asked, event: self.event, orphaned, over: false });
        self.counts.calls += 1;
    }

    /// The STS has answered a call.
    pub(super) fn answered(&mut self, call: &Call, reply: &Reply, now_ms: u64) {
        if reply.status == Some(400) {
            self.denied_ms[call.asked.key] = Some(now_ms);
        }
        // Where it says the same again others may be given it, but not who has dropped it since asking.
        if let Some((token, true)) = reply.token {
            self.dropped.retain(|(worker, _), dropped| *dropped != token || *worker == call.worker);
        }
    }

    /// The worker asks anew, though its call was answered.
    pub(super) fn asks_anew(&mut self, call: &Call) {
        assert!(self.is_lost(call), "nothing has invalidated what was asked for");
        self.counts.asked_anew += 1;
    }

    /// The destination has answered 401. `before` and `after` are the tokens that the worker held for the key.
    pub(super) fn unauthorized(&mut self, gone: Gone, before: Option<usize>, after: Option<usize>) {
        self.counts.unauthorized += 1;
        self.invalidated[gone.key] = self.event;
        if before != after {
            assert_eq!((before, after), (Some(gone.token), None), "only the token that was sent may go");
            self.dropped.insert((gone.worker, gone.key), gone.token);
            self.fresh.insert((gone.worker, gone.key));
            self.counts.dropped += 1;
        }
    }

    pub(super) fn may_be_invalidated(&mut self, key: usize) {
        self.invalidated[key] = self.event;
    }

    /// The worker has ticked: who was patient for long enough was told.
    pub(super) fn ticked(&mut self, worker: usize, patience_ms: u64, now_ms: u64) {
        for call in self.calls.iter_mut().filter(|call| call.worker == worker) {
            call.over |= now_ms - call.asked.at_ms >= patience_ms;
        }
        for (stream, wait) in self.waiting.range((worker, 0)..(worker + 1, 0)) {
            assert!(now_ms - wait.since_ms < patience_ms, "{stream:?} waits still, at {now_ms}: {wait:?}");
        }
    }

    /// What a key did is forgotten.
    pub(super) fn a_minute_has_passed(&mut self) {
        self.fresh.clear();
    }

    /// A worker's VM is gone, and all that it had.
    pub(super) fn died(&mut self, worker: usize) {
        self.counts.deaths += 1;
        self.waiting.retain(|(other, _), _| *other != worker);
        self.calls.retain(|call| call.worker != worker);
        self.gone.retain(|gone| gone.worker != worker);
        self.dropped.retain(|(other, _), _| *other != worker);
        self.fresh.retain(|(other, _)| *other != worker);
    }
}

impl Counts {
    pub(super) fn add(&mut self, other: Self) {
        for (mine, others) in self.returned.iter_mut().zip(other.returned) {
            *mine += others;
        }
        for (mine, others) in self.each().into_iter().zip({ other }.each()) {
            *mine += *others;
        }
    }

    /// Whether all of it happened.
    pub(super) fn show_all_there_is(mut self) -> bool {
        let returned = Outcome::ALL
            .iter()
            .zip(self.returned)
            .all(|(outcome, count)| count > 0 || matches!(outcome, Outcome::Refused | Outcome::Untouched));
        returned && self.each().into_iter().all(|count| *count > 0)
    }

    fn each(&mut self) -> [&mut u64; 15] {
        [
            &mut self.schedules,
            &mut self.events,
            &mut self.requests,
            &mut self.refused,
            &mut self.impatient,
            &mut self.calls,
            &mut self.renewals,
            &mut self.lent_again,
            &mut self.asked_anew,
            &mut self.taken_over,
            &mut self.unauthorized,
            &mut self.dropped,
            &mut self.deaths,
            &mut self.hostile_writes,
            &mut self.clocks_set,
        ]
    }
}
