//! An Envoy process for tests: its shared data, its queues, and one [`SimHost`] per worker.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard},
};

use super::{Host, Set};

/// What a process has. Clones are the same process.
#[derive(Clone)]
pub(crate) struct World(Arc<Mutex<State>>);

struct State {
    map: BTreeMap<String, (Vec<u8>, u32)>,
    next_cas: u32,
    knocks: BTreeMap<u32, usize>,
    random: u64,
}

/// The host as one VM sees it.
pub(crate) struct SimHost {
    world: World,
    /// How many calls the VM still lives for; what it does after them does not happen.
    calls_left: Option<usize>,
    /// What others do before each call, by the number of the call.
    before: Option<Box<dyn FnMut(usize) + Send>>,
    calls: usize,
}

impl World {
    /// A process that has just started. `seed` makes its random numbers.
    pub(crate) fn new(seed: u64) -> Self {
        let state = State { map: BTreeMap::new(), next_cas: 1, knocks: BTreeMap::new(), random: seed | 1 };
        Self(Arc::new(Mutex::new(state)))
    }

    /// The host of another VM.
    pub(crate) fn host(&self) -> SimHost {
        SimHost { world: self.clone(), calls_left: None, before: None, calls: 0 }
    }

    /// The names of all values.
    pub(crate) fn names(&self) -> Vec<String> {
        self.state().map.keys().cloned().collect()
    }

    /// A value, as any plugin can read it.
    pub(crate) fn value(&self, name: &str) -> Option<Vec<u8>> {
        self.state().map.get(name).map(|(value, _)| value.clone())
    }

    /// Writes a value, as any plugin can.
    pub(crate) fn write(&self, name: &str, value: &[u8]) {
        self.state().set(name, value, None);
    }

    /// How often a queue was knocked at since it was asked last.
    pub(crate) fn take_knocks(&self, queue: u32) -> usize {
        self.state().knocks.remove(&queue).unwrap_or_default()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }
}

impl State {
    fn set(&mut self, name: &str, value: &[u8], cas: Option<u32>) -> Set {
        let stands = self.map.get(name).map(|(_, cas)| *cas);
        // As Envoy does it: what is absent is written whatever it is compared with.
        if stands.is_some() && cas.is_some() && stands != cas {
            return Set::Changed;
        }
        self.map.insert(name.to_owned(), (value.to_vec(), self.next_cas));
        self.next_cas += 1;
        Set::Done
    }

    fn random(&mut self) -> u8 {
        // xorshift64*
        self.random ^= self.random >> 12;
        self.random ^= self.random << 25;
        self.random ^= self.random >> 27;
        self.random.wrapping_mul(0x2545_F491_4F6C_DD1D).to_be_bytes()[0]
    }
}

impl SimHost {
    /// Lets the VM die before its call number `calls`, counted from now.
    pub(crate) fn die_after(&mut self, calls: usize) {
        self.calls_left = Some(calls);
    }

    /// Has `before` called before each call, with its number.
    pub(crate) fn before_each(&mut self, before: impl FnMut(usize) + Send + 'static) {
        self.before = Some(Box::new(before));
        self.calls = 0;
    }

    /// How many calls there were since [`Self::before_each`], or ever.
    pub(crate) fn calls(&self) -> usize {
        self.calls
    }

    fn lives(&mut self) -> bool {
        if let Some(before) = &mut self.before {
            before(self.calls);
        }
        self.calls += 1;
        match &mut self.calls_left {
            Some(0) => false,
            Some(left) => {
                *left -= 1;
                true
            }
            None => true,
        }
    }
}

impl Host for SimHost {
    fn get(&mut self, key: &str) -> Option<(Vec<u8>, u32)> {
        if self.lives() { self.world.state().map.get(key).cloned() } else { None }
    }

    fn set(&mut self, key: &str, value: &[u8], cas: Option<u32>) -> Set {
        if self.lives() { self.world.state().set(key, value, cas) } else { Set::Failed }
    }

    fn wake(&mut self, queue: u32) {
        if self.lives() {
            *self.world.state().knocks.entry(queue).or_default() += 1;
        }
    }

    fn random(&mut self, bytes: &mut [u8]) -> bool {
        let mut state = self.world.state();
        bytes.fill_with(|| state.random());
        true
    }
}
