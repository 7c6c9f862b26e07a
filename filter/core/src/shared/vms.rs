//! The table of VMs: who lives, and what all of them hold together.

use super::{
    CLOCK_SLACK_MS, Host, Set,
    bytes::{Reader, Writer},
    layout::{Kind, TRIES},
};
use crate::time::Now;

/// What one VM holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Contribution {
    /// Cached tokens.
    pub entries: u64,
    /// Bytes of them and their keys.
    pub bytes: u64,
    /// The VM's memory, in bytes.
    pub memory_bytes: u64,
    /// In how many milliseconds the first of the tokens ends.
    pub soonest_expiry_ms: Option<u64>,
}

/// What all live VMs hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// The sum; of the expiries the soonest, as of each VM's last beat.
    pub sum: Contribution,
    /// How many VMs live.
    pub vms: u32,
}

/// A VM by its place and the random name of this life of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Holder {
    pub(super) place: u32,
    pub(super) incarnation: [u8; 16],
}

/// This VM's place.
#[derive(Debug)]
pub(super) struct Seat {
    holder: Holder,
    places: u32,
    /// Whether the place is still its own.
    mine: bool,
}

/// A VM as the table has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Vm {
    incarnation: [u8; 16],
    /// By the steady clock.
    beat_ms: u64,
    holds: Contribution,
}

impl Seat {
    /// Takes the lowest free place.
    pub(super) fn take(host: &mut dyn Host, places: u32, now: Now) -> Option<Self> {
        let mut incarnation = [0; 16];
        if !host.random(&mut incarnation) {
            return None;
        }
        let mut seat = Self { holder: Holder { place: 0, incarnation }, places, mine: false };
        seat.settle(host, Contribution::default(), now);
        seat.mine.then_some(seat)
    }

    pub(super) fn place(&self) -> usize {
        usize::try_from(self.holder.place).unwrap_or_default()
    }

    pub(super) fn holder(&self) -> Holder {
        self.holder
    }

    /// Whether this VM has a place, and can so be seen to live.
    pub(super) fn is_mine(&self) -> bool {
        self.mine
    }

    /// Shows that this VM lives. When its place has gone to another it takes a new one.
    pub(super) fn beat(&mut self, host: &mut dyn Host, holds: Contribution, now: Now) {
        self.mine = self.mine && self.sit(host, self.holder.place, holds, now);
        if !self.mine {
            self.settle(host, holds, now);
        }
    }

    /// The sum over all live VMs, if this is the one in the lowest place.
    pub(super) fn totals(&self, host: &mut dyn Host, now: Now) -> Option<Totals> {
        let mut live = |place| read(host, place).filter(|vm| vm.beats(now, DEAD_AFTER_MS));
        if !self.mine || (0..self.holder.place).any(|place| live(place).is_some()) {
            return None;
        }
        let mut totals = Totals::default();
        for vm in (self.holder.place..self.places).filter_map(live) {
            totals.vms = totals.vms.saturating_add(1);
            totals.sum = totals.sum.plus(vm.holds);
        }
        Some(totals)
    }

    /// Whether `other` lives.
    pub(super) fn lives(&self, host: &mut dyn Host, other: &Holder, now: Now) -> bool {
        *other == self.holder
            || other.place < self.places
                && read(host, other.place)
                    .is_some_and(|vm| vm.incarnation == other.incarnation && vm.beats(now, DEAD_AFTER_MS))
    }

    fn settle(&mut self, host: &mut dyn Host, holds: Contribution, now: Now) {
        if let Some(place) = (0..self.places).find(|place| self.sit(host, *place, holds, now)) {
            self.holder.place = place;
            self.mine = true;
        }
    }

    /// Writes this VM at `place`, unless another has it.
    fn sit(&self, host: &mut dyn Host, place: u32, holds: Contribution, now: Now) -> bool {
        let me = Vm { incarnation: self.holder.incarnation, beat_ms: now.steady_ms, holds };
        let name = Kind::Vm.slot(place);
        for _ in 0..TRIES {
            let Some((value, cas)) = host.get(&name) else { return false };
            let taken =
                Vm::read(&value).is_some_and(|vm| vm.incarnation != me.incarnation && vm.beats(now, PLACE_KEPT_FOR_MS));
            if taken {
                return false;
            }
            match host.set(&name, &me.write(), Some(cas)) {
                Set::Done => return true,
                Set::Failed => return false,
                Set::Changed => {}
            }
        }
        false
    }
}

impl Contribution {
    fn plus(self, other: Self) -> Self {
        Self {
            entries: self.entries.saturating_add(other.entries),
            bytes: self.bytes.saturating_add(other.bytes),
            memory_bytes: self.memory_bytes.saturating_add(other.memory_bytes),
            soonest_expiry_ms: self.soonest_expiry_ms.into_iter().chain(other.soonest_expiry_ms).min(),
        }
    }
}

impl Vm {
    /// Whether it beat within the last `ms`.
    fn beats(&self, now: Now, ms: u64) -> bool {
        let since = now.steady_ms.saturating_sub(ms);
        (since..=now.steady_ms.saturating_add(CLOCK_SLACK_MS)).contains(&self.beat_ms)
    }

    fn read(value: &[u8]) -> Option<Self> {
        let mut reader = Reader::new(value)?;
        let (incarnation, beat_ms) = (reader.take()?, reader.u64()?);
        let holds = Contribution {
            entries: reader.u64()?,
            bytes: reader.u64()?,
            memory_bytes: reader.u64()?,
            soonest_expiry_ms: reader.u64().map(|ms| (ms != NONE).then_some(ms))?,
        };
        reader.end(Self { incarnation, beat_ms, holds })
    }

    fn write(&self) -> Vec<u8> {
        let Contribution { entries, bytes, memory_bytes, soonest_expiry_ms } = self.holds;
        let writer = Writer::new().bytes(self.incarnation).u64(self.beat_ms);
        writer.u64(entries).u64(bytes).u64(memory_bytes).u64(soonest_expiry_ms.unwrap_or(NONE)).finish()
    }
}

fn read(host: &mut dyn Host, place: u32) -> Option<Vm> {
    host.get(&Kind::Vm.slot(place)).and_then(|(value, _)| Vm::read(&value))
}

/// A VM that has not beaten for so long does not hold its leases any more.
const DEAD_AFTER_MS: u64 = 500;

/// Its place it keeps for longer: it may only be slow.
const PLACE_KEPT_FOR_MS: u64 = 5_000;

const NONE: u64 = u64::MAX;
