//! The configurations that this VM serves: one, and for a while two when a listener is replaced, for Envoy keeps the VM and
//! lets the old streams end in it. Plugins that were given the same `vm_id` would be here together too.

use std::{cell::RefCell, rc::Rc};

use crate::worker::Worker;

thread_local! {
    static VM: RefCell<Vm> = const { RefCell::new(Vm { roots: Vec::new(), streams: Vec::new(), ticks: 0 }) };
}

struct Vm {
    roots: Vec<Root>,
    /// Which root a stream belongs to, while there are several: the stream's number finds the place. Empty with one root.
    streams: Vec<(u32, u32)>,
    ticks: u64,
}

struct Root {
    id: u32,
    worker: Rc<Worker>,
    last_tick: u64,
}

/// Puts a configuration in force for the root context `root`.
pub fn configured(root: u32, worker: Rc<Worker>) {
    VM.with_borrow_mut(|vm| {
        vm.roots.retain(|other| other.id != root);
        vm.roots.push(Root { id: root, worker, last_tick: vm.ticks });
        if vm.roots.len() > 1 && vm.streams.is_empty() {
            vm.streams.resize(STREAMS, (0, 0));
        }
    });
}

/// What serves the root context `root`.
pub fn worker_of_root(root: u32) -> Option<Rc<Worker>> {
    VM.with_borrow(|vm| vm.roots.iter().find(|other| other.id == root).map(|root| Rc::clone(&root.worker)))
}

/// What serves the stream. With several configurations and a stream that is not known any more it is none: then the request
/// is refused.
pub fn worker_of_stream(stream: u32) -> Option<Rc<Worker>> {
    VM.with_borrow(|vm| match vm.roots.as_slice() {
        [root] => Some(Rc::clone(&root.worker)),
        // Contexts of both kinds are numbered in one series: this stream began before there was a second root.
        [first, second, ..] if stream < second.id => Some(Rc::clone(&first.worker)),
        roots => {
            let (_, root) = vm.streams.get(place(stream)).filter(|(known, _)| *known == stream)?;
            roots.iter().find(|other| other.id == *root).map(|root| Rc::clone(&root.worker))
        }
    })
}

/// A stream of the root context `root` begins.
pub fn on_stream(stream: u32, root: u32) {
    VM.with_borrow_mut(|vm| {
        if vm.roots.len() > 1
            && let Some(slot) = vm.streams.get_mut(place(stream))
        {
            *slot = (stream, root);
        }
    });
}

/// Time has passed for the root context `root`. A root that is gone does not say so (see [`crate::abi`]): it has no more ticks,
/// while another has.
pub fn on_tick(root: u32) {
    VM.with_borrow_mut(|vm| {
        vm.ticks = vm.ticks.saturating_add(1);
        let now = vm.ticks;
        if let Some(root) = vm.roots.iter_mut().find(|other| other.id == root) {
            root.last_tick = now;
        }
        vm.roots.retain(|root| now.saturating_sub(root.last_tick) < GONE_AFTER_TICKS);
        if vm.roots.len() < 2 {
            vm.streams = Vec::new();
        }
    });
}

fn place(stream: u32) -> usize {
    usize::try_from(stream).unwrap_or_default() % STREAMS
}

/// Streams that one worker can have at once while a listener is replaced.
const STREAMS: usize = 16_384;

/// A minute's worth.
const GONE_AFTER_TICKS: u64 = 600;
