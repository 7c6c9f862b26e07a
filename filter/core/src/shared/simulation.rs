//! An Envoy process for tests: its shared data, its queues, and one [`SimHost`] per worker.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Condvar, Mutex, MutexGuard},
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
        bytes.fill_with(|| random(&mut state.random));
        true
    }
}

/// Lets threads go on in turns, from one host call to the next, in an order that `seed` makes: whatever two workers can do
/// to each other happens for some seed, and happens again for the same.
#[derive(Clone)]
pub(crate) struct Turns(Arc<(Mutex<Order>, Condvar)>);

struct Order {
    running: usize,
    waiting: BTreeSet<usize>,
    turn: Option<usize>,
    random: u64,
}

impl Turns {
    /// Turns for `threads` threads.
    pub(crate) fn new(threads: usize, seed: u64) -> Self {
        let order = Order { running: threads, waiting: BTreeSet::new(), turn: None, random: seed | 1 };
        Self(Arc::new((Mutex::new(order), Condvar::new())))
    }

    /// Waits until it is the turn of thread `me`.
    pub(crate) fn wait(&self, me: usize) {
        let (order, changed) = &*self.0;
        let mut order = order.lock().unwrap();
        order.waiting.insert(me);
        order.choose();
        changed.notify_all();
        let mut order = changed.wait_while(order, |order| order.turn != Some(me)).unwrap();
        order.turn = None;
        order.waiting.remove(&me);
    }

    /// The calling thread takes no more turns.
    pub(crate) fn leave(&self) {
        let (order, changed) = &*self.0;
        let mut order = order.lock().unwrap();
        order.running -= 1;
        order.choose();
        changed.notify_all();
    }
}

impl Order {
    /// Once everybody waits, somebody goes on.
    fn choose(&mut self) {
        if self.running > 0 && self.waiting.len() == self.running {
            let place = usize::from(random(&mut self.random)) % self.running;
            self.turn = self.waiting.iter().nth(place).copied();
        }
    }
}

/// xorshift64*
fn random(state: &mut u64) -> u8 {
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    state.wrapping_mul(0x2545_F491_4F6C_DD1D).to_be_bytes()[0]
}
