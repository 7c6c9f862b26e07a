//! VMs that trap in the middle of what they do, and somebody who writes to the shared data.

use super::{super::event::Write, *};

impl Envoy {
    pub(super) fn trap(&mut self, worker: usize, after: usize, during: &Event) {
        self.vms[worker].host.die_after(after);
        match during {
            Event::Request { key, source, post, .. } => {
                self.decide(worker, self.streams, (key % KEYS, *post), source % 3);
                self.streams += 1;
            }
            Event::Answer { roll, .. } => {
                if let Some(call) = self.judge.calls.iter().position(|call| call.worker == worker) {
                    let call = self.judge.calls.remove(call);
                    let reply = self.sts.answer(call.asked, *roll);
                    self.hand_over(&call, &reply);
                }
            }
            Event::Unauthorized { request, .. } => {
                if let Some(gone) = self.gone(worker, *request) {
                    self.judge.may_be_invalidated(gone.key);
                    let now = self.now();
                    let Vm { flow, host, .. } = &mut self.vms[worker];
                    flow.on_unauthorized(host, gone.stream, now);
                }
            }
            _ => {
                let now = self.now();
                let Vm { flow, host, .. } = &mut self.vms[worker];
                flow.on_tick(host, 0, now);
            }
        }
        // What it would have asked for next never reaches the STS.
        let now = self.now();
        let Vm { flow, host, .. } = &mut self.vms[worker];
        while !matches!(flow.next(host, now), Next::Nothing) {}
        self.judge.died(worker);
        self.vms[worker] = self.open(worker);
    }

    pub(super) fn write(&mut self, write: &Write) {
        let Some(first) = self.names.first() else { return };
        let name = |slot: usize| slot.checked_rem(self.names.len()).map_or(first, |place| &self.names[place]);
        match write {
            Write::Random { slot, bytes } => self.world.write(name(*slot), bytes),
            Write::Flip { slot, byte } => {
                let mut value = self.world.value(name(*slot)).unwrap_or_default();
                if let Some(place) = byte.checked_rem(value.len()) {
                    value[place] ^= 1 << (byte % 8);
                }
                self.world.write(name(*slot), &value);
            }
            Write::Replay { from, to } => {
                let value = self.past[from % self.past.len()].clone();
                self.world.write(name(*to), &value);
                let seen = self.world.value(name(*from));
                self.past.extend(seen);
            }
        }
        self.judge.disturbed();
    }
}
