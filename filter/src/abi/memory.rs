//! Where the host writes what it answers. It asks for the room by a callback in the middle of our call, so the room has to be
//! cheap: a few answers live for the length of one callback, and share one piece of memory that is never given back.

use std::{
    alloc::{Layout, alloc, dealloc},
    cell::{Cell, UnsafeCell},
    ops::Deref,
    ptr::{NonNull, null_mut},
    slice,
};

/// As large as the largest header list that our Envoys accept, twice.
const ARENA_SIZE: usize = 128 * 1024;

#[repr(align(16))]
struct Arena(UnsafeCell<[u8; ARENA_SIZE]>);

// SAFETY: a VM has one thread.
unsafe impl Sync for Arena {}

static ARENA: Arena = Arena(UnsafeCell::new([0; ARENA_SIZE]));

thread_local! {
    /// The first byte of the arena that is not in use.
    static TOP: Cell<usize> = const { Cell::new(0) };
    /// How many answers lie in it.
    static LIVE: Cell<usize> = const { Cell::new(0) };
}

/// What the host answered.
pub struct HostBytes {
    data: NonNull<u8>,
    size: usize,
}

impl HostBytes {
    /// Takes over what the host wrote.
    ///
    /// # Safety
    /// `data` and `size` are what a call returned, and nobody else takes them over. `data` came from
    /// [`proxy_on_memory_allocate`], or `size` is 0.
    pub(super) unsafe fn take(data: *mut u8, size: usize) -> Self {
        match NonNull::new(data) {
            Some(data) => Self { data, size },
            None => Self { data: NonNull::dangling(), size: 0 },
        }
    }
}

impl Deref for HostBytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        // SAFETY: by `take`, these are initialised bytes that are ours; 0 of them may be anywhere.
        unsafe { slice::from_raw_parts(self.data.as_ptr(), self.size) }
    }
}

impl Drop for HostBytes {
    fn drop(&mut self) {
        if self.size == 0 {
            return;
        }
        if is_in_arena(self.data.as_ptr()) {
            let live = LIVE.get().saturating_sub(1);
            LIVE.set(live);
            if live == 0 {
                TOP.set(0);
            }
        } else if let Ok(layout) = Layout::array::<u8>(self.size) {
            // SAFETY: what is not in the arena was allocated by `proxy_on_memory_allocate` with this layout.
            unsafe { dealloc(self.data.as_ptr(), layout) }
        }
    }
}

fn is_in_arena(data: *const u8) -> bool {
    let start = ARENA.0.get().cast::<u8>().cast_const();
    data.addr().checked_sub(start.addr()).is_some_and(|offset| offset < ARENA_SIZE)
}

/// Room for `size` bytes of an answer; null if there is none, which the host takes for a failed call.
#[unsafe(no_mangle)]
extern "C" fn proxy_on_memory_allocate(size: usize) -> *mut u8 {
    let top = TOP.get();
    match top.checked_add(size).filter(|end| *end <= ARENA_SIZE) {
        Some(end) => {
            TOP.set(end);
            LIVE.set(LIVE.get().saturating_add(1));
            // SAFETY: `top` is at most `end`, which is inside the arena or one past its last byte.
            unsafe { ARENA.0.get().cast::<u8>().add(top) }
        }
        None => match Layout::array::<u8>(size) {
            // SAFETY: the size is not 0, since 0 bytes always fit into the arena.
            Ok(layout) => unsafe { alloc(layout) },
            Err(_) => null_mut(),
        },
    }
}
