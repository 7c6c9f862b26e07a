//! Bytes that are nearly right.

use crate::jitter::{Jitter, between};

/// What changes them, by a seed.
pub(super) struct Mutation(Jitter);

/// Where something often begins or ends, or is too large.
const PIECES: [&[u8]; 18] = [
    b"\0",
    b"\r\n",
    b"\x7f",
    b"\xff\xfe",
    "é".as_bytes(),
    b"\\u0000",
    b"\\ud800",
    b"\"",
    b"{",
    b"[[[[",
    b",",
    b"-1",
    b"18446744073709551616",
    b"1e999",
    b"null",
    b"%",
    b".",
    b" ",
];

impl Mutation {
    pub(super) fn new(seed: u64) -> Self {
        Self(Jitter::new(seed))
    }

    /// One below `below`.
    pub(super) fn number(&mut self, below: u32) -> u32 {
        u32::try_from(between(self.0.draw(), 0, u64::from(below) - 1)).unwrap()
    }

    /// The place of one of so many.
    pub(super) fn place(&mut self, count: usize) -> usize {
        usize::try_from(self.number(u32::try_from(count).unwrap())).unwrap()
    }

    /// One of the names, or one that is nearly it and still text.
    pub(super) fn name(&mut self, names: &[&str]) -> String {
        let name = names[self.place(names.len())];
        match self.number(8) {
            0 => String::from_utf8_lossy(&self.changed(name.as_bytes(), &[])).into_owned(),
            _ => name.to_owned(),
        }
    }

    /// One of those that are right; one that is nearly it; or none of them.
    pub(super) fn bytes(&mut self, right: &[&[u8]]) -> Vec<u8> {
        let bytes = if right.is_empty() { &[] } else { right[self.place(right.len())] };
        match self.number(8) {
            0 => (0..self.number(40)).map(|_| self.byte()).collect(),
            1..=3 => bytes.to_vec(),
            _ => self.changed(bytes, right),
        }
    }

    fn changed(&mut self, bytes: &[u8], others: &[&[u8]]) -> Vec<u8> {
        let mut bytes = bytes.to_vec();
        for _ in 0..=self.number(3) {
            let (from, to) = (self.place(bytes.len() + 1), self.place(bytes.len() + 1));
            let range = from.min(to)..from.max(to);
            match self.number(7) {
                0 => bytes.truncate(from),
                1 => drop(bytes.drain(range)),
                2 => {
                    let again = bytes[range].to_vec();
                    // Not so often that it gets out of hand.
                    if bytes.len() < 64 * 1024 {
                        bytes.splice(from..from, again);
                    }
                }
                3 => {
                    let piece = PIECES[self.place(PIECES.len())];
                    bytes.splice(from..from, piece.iter().copied());
                }
                4 if !others.is_empty() => {
                    let other = others[self.place(others.len())];
                    let tail = other[self.place(other.len() + 1)..].to_vec();
                    bytes.splice(from.., tail);
                }
                5 if from < bytes.len() => bytes[from] = self.byte(),
                _ if from < bytes.len() => bytes[from] ^= 1 << self.number(8),
                _ => {}
            }
        }
        bytes
    }

    fn byte(&mut self) -> u8 {
        self.0.draw().to_be_bytes()[0]
    }
}
