//! Which slots there are: their names and numbers, fixed when the first worker opens them.

use super::{
    Host, Set,
    bytes::{LAYOUT, Reader, Writer},
};

/// How many slots of each kind the workers of one Envoy share. The first worker of the process decides; shared data has no
/// delete.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counts {
    /// Issued tokens.
    pub tokens: u32,
    /// Remembered refusals.
    pub refusals: u32,
    /// Sets of leases; up to eight exchanges can be under way in each.
    pub lease_sets: u32,
    /// VMs: workers, and those of configurations that are on their way out.
    pub vms: u32,
}

impl Default for Counts {
    fn default() -> Self {
        Self { tokens: 4096, refusals: 1024, lease_sets: 1024, vms: 128 }
    }
}

impl Counts {
    /// The same, inside the bounds.
    fn bounded(self) -> Self {
        Self {
            tokens: self.tokens.clamp(WAYS, MOST_SLOTS),
            refusals: self.refusals.clamp(WAYS, MOST_SLOTS),
            lease_sets: self.lease_sets.clamp(1, MOST_SLOTS),
            vms: self.vms.clamp(1, MOST_VMS),
        }
    }

    fn encode(self) -> Vec<u8> {
        Writer::new().u32(self.tokens).u32(self.refusals).u32(self.lease_sets).u32(self.vms).finish()
    }

    fn decode(value: &[u8]) -> Option<Self> {
        let mut reader = Reader::new(value)?;
        let counts =
            Self { tokens: reader.u32()?, refusals: reader.u32()?, lease_sets: reader.u32()?, vms: reader.u32()? };
        (counts == counts.bounded()).then_some(())?;
        reader.end(counts)
    }
}

/// A kind of slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Token,
    Refusal,
    Lease,
    Vm,
}

impl Kind {
    /// The name of the slot with this number.
    pub(super) fn slot(self, number: u32) -> String {
        let kind = match self {
            Self::Token => "token",
            Self::Refusal => "refusal",
            Self::Lease => "lease",
            Self::Vm => "vm",
        };
        format!("cloakroom/{LAYOUT}/{kind}/{number}")
    }
}

/// Sees to it that all slots exist, and says how many there are: as many as `wanted`, unless somebody came first. `None`:
/// the host refuses.
pub(super) fn create(host: &mut dyn Host, wanted: Counts) -> Option<Counts> {
    let counts = agree(host, wanted.bounded())?;
    let kinds = [
        (Kind::Token, counts.tokens),
        (Kind::Refusal, counts.refusals),
        (Kind::Lease, counts.lease_sets),
        (Kind::Vm, counts.vms),
    ];
    for (kind, count) in kinds {
        for number in 0..count {
            if add(host, &kind.slot(number), BLANK) == Set::Failed {
                return None;
            }
        }
    }
    Some(counts)
}

fn agree(host: &mut dyn Host, wanted: Counts) -> Option<Counts> {
    let name = format!("cloakroom/{LAYOUT}/layout");
    match add(host, &name, &wanted.encode()) {
        Set::Done => return Some(wanted),
        Set::Failed => return None,
        Set::Changed => {}
    }
    for _ in 0..TRIES {
        let (value, cas) = host.get(&name)?;
        if let Some(counts) = Counts::decode(&value) {
            return Some(counts);
        }
        match host.set(&name, &wanted.encode(), Some(cas)) {
            Set::Done => return Some(wanted),
            Set::Failed => return None,
            Set::Changed => {}
        }
    }
    None
}

/// Writes a key that does not exist yet. The host lets compare-and-swap on an absent key succeed whatever it compares with;
/// a number that no value has leaves an existing one as it is.
fn add(host: &mut dyn Host, name: &str, value: &[u8]) -> Set {
    host.set(name, value, Some(u32::MAX))
}

/// How often a write is tried that somebody else was quicker with: as often as a machine has workers that could be.
pub(super) const TRIES: usize = 64;

/// In how many slots a token or a refusal can be.
pub(super) const WAYS: u32 = 4;

/// An empty slot. Not an empty value: some hosts cannot tell that from none.
pub(super) const BLANK: &[u8] = &[LAYOUT];

const MOST_SLOTS: u32 = 65_536;
const MOST_VMS: u32 = 1_024;
