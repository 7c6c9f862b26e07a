//! Values of fixed layout: big-endian numbers and byte strings of known length, one after the other. Reading never fails
//! in another way than by `None`.

use crate::time::Now;

/// What is still to be read of a value.
pub(super) struct Reader<'b>(&'b [u8]);

impl<'b> Reader<'b> {
    /// Reads a value that must begin with the layout's version.
    pub(super) fn new(value: &'b [u8]) -> Option<Self> {
        let mut reader = Self(value);
        (reader.take::<1>()? == [LAYOUT]).then_some(reader)
    }

    pub(super) fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*head)
    }

    pub(super) fn byte(&mut self) -> Option<u8> {
        self.take().map(u8::from_be_bytes)
    }

    pub(super) fn u32(&mut self) -> Option<u32> {
        self.take().map(u32::from_be_bytes)
    }

    pub(super) fn u64(&mut self) -> Option<u64> {
        self.take().map(u64::from_be_bytes)
    }

    pub(super) fn now(&mut self) -> Option<Now> {
        Some(Now { unix_ms: self.u64()?, steady_ms: self.u64()? })
    }

    /// `whole`, if nothing is left to be read.
    pub(super) fn end<T>(self, whole: T) -> Option<T> {
        self.0.is_empty().then_some(whole)
    }
}

/// A value being written.
pub(super) struct Writer(Vec<u8>);

impl Writer {
    /// Begins a value with the layout's version.
    pub(super) fn new() -> Self {
        Self(vec![LAYOUT])
    }

    pub(super) fn bytes(mut self, bytes: impl AsRef<[u8]>) -> Self {
        self.0.extend_from_slice(bytes.as_ref());
        self
    }

    pub(super) fn byte(self, byte: u8) -> Self {
        self.bytes([byte])
    }

    pub(super) fn u32(self, number: u32) -> Self {
        self.bytes(number.to_be_bytes())
    }

    pub(super) fn u64(self, number: u64) -> Self {
        self.bytes(number.to_be_bytes())
    }

    pub(super) fn now(self, now: Now) -> Self {
        self.u64(now.unix_ms).u64(now.steady_ms)
    }

    pub(super) fn finish(self) -> Vec<u8> {
        self.0
    }
}

/// The version of the layout: the first byte of every value, and a part of every name.
pub(super) const LAYOUT: u8 = 1;
