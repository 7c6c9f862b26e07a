//! Which token each of the last requests was sent with, so that the destination's word on it can find it.
//!
//! A stream's number finds the place, and a later stream takes it over: nobody has to say that a stream has ended, and the
//! memory is what it is. With more streams under way than there are places some are not known any more. Then a refused token
//! is used until the next stream is refused it, and all trailers are removed instead of those that hold the native token.

use crate::cache::Ticket;

/// The last requests of one worker.
pub struct Sent {
    places: Vec<Option<(u32, Ticket)>>,
}

impl Sent {
    /// None yet.
    pub fn new() -> Self {
        Self { places: vec![None; PLACES] }
    }

    /// `stream` goes on with the token of `ticket`.
    pub fn note(&mut self, stream: u32, ticket: Ticket) {
        if let Some(slot) = self.places.get_mut(place(stream)) {
            *slot = Some((stream, ticket));
        }
    }

    /// What `stream` went on with.
    pub fn with(&self, stream: u32) -> Option<Ticket> {
        let (noted, ticket) = (*self.places.get(place(stream))?)?;
        (noted == stream).then_some(ticket)
    }
}

impl Default for Sent {
    fn default() -> Self {
        Self::new()
    }
}

fn place(stream: u32) -> usize {
    usize::try_from(stream).unwrap_or_default() & (PLACES - 1)
}

/// A power of two: requests that one worker can have under way and still know all of them.
const PLACES: usize = 16_384;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_is_known_until_another_takes_its_place() {
        let mut sent = Sent::new();
        let ticket = Ticket::from_id(7 << 32 | 9);
        assert_eq!(sent.with(0), None);
        sent.note(5, ticket);
        assert_eq!((sent.with(5), sent.with(6)), (Some(ticket), None));
        let other = Ticket::from_id(1);
        let later = 5 + u32::try_from(PLACES).unwrap();
        sent.note(later, other);
        assert_eq!((sent.with(5), sent.with(later)), (None, Some(other)));
    }
}
