//! A bulkhead: exchanges that wait for one slow server take a bounded number of places, and not those of all others.

use tokio::sync::{Semaphore, SemaphorePermit};

/// The calls to one server.
pub struct Bulkhead {
    places: Semaphore,
    turns: Semaphore,
}

/// Leave to make one call. It lasts until this is dropped.
pub struct Turn<'b> {
    _place: SemaphorePermit<'b>,
    _turn: SemaphorePermit<'b>,
}

impl Bulkhead {
    /// `at_once` calls at a time; `size` that are made or wait for their turn.
    pub fn new(at_once: usize, size: usize) -> Self {
        Self { places: Semaphore::new(size), turns: Semaphore::new(at_once) }
    }

    /// A turn, when it comes; none, at once, where all places are taken.
    pub async fn turn(&self) -> Option<Turn<'_>> {
        let place = self.places.try_acquire().ok()?;
        let turn = self.turns.acquire().await.ok()?;
        Some(Turn { _place: place, _turn: turn })
    }

    /// How many more could have a place, and a turn.
    #[cfg(test)]
    pub fn free(&self) -> (usize, usize) {
        (self.places.available_permits(), self.turns.available_permits())
    }
}
