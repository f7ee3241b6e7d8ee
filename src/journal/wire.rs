//! The smallest pieces of the format: variable-length integers, and the table that shortens ids.
//!
//! Ids are 64-bit hashes and come again and again, so a record writes each one out once and then
//! refers to the slot it landed in. Writer and reader keep the same table by doing the same thing,
//! so it costs no space; it starts anew with each record, so each record reads on its own.

/// Longest variable-length integer, in bytes.
pub(super) const VARINT_BYTES_MAX: usize = 10;

/// Maps small positive and negative differences to small numbers: 0, -1, 1, -2 become 0, 1, 2, 3.
#[inline]
pub(super) const fn zigzag(n: i64) -> u64 {
    ((n << 1) ^ (n >> 63)) as u64
}

/// The inverse of [`zigzag`].
#[inline]
pub(super) const fn unzigzag(n: u64) -> i64 {
    (n >> 1) as i64 ^ -((n & 1) as i64)
}

/// Appends a variable-length integer: seven bits a byte, least significant first.
#[inline]
pub(super) fn put_varint(out: &mut Vec<u8>, mut n: u64) {
    while n >= 0x80 {
        out.push(n as u8 | 0x80);
        n >>= 7;
    }
    out.push(n as u8);
}

/// A short piece on the stack, appended at once: the hot path checks capacity once a quote instead
/// of once a byte.
pub(super) struct Piece<const N: usize> {
    bytes: [u8; N],
    length: usize,
}

impl<const N: usize> Piece<N> {
    #[inline]
    pub(super) const fn new() -> Self {
        Self { bytes: [0; N], length: 0 }
    }

    #[inline]
    pub(super) fn byte(&mut self, byte: u8) {
        self.bytes[self.length] = byte;
        self.length += 1;
    }

    #[inline]
    pub(super) fn word(&mut self, n: u64) {
        self.bytes[self.length..self.length + 8].copy_from_slice(&n.to_le_bytes());
        self.length += 8;
    }

    #[inline]
    pub(super) fn varint(&mut self, mut n: u64) {
        while n >= 0x80 {
            self.byte(n as u8 | 0x80);
            n >>= 7;
        }
        self.byte(n as u8);
    }

    #[inline]
    pub(super) fn id<const SLOTS: usize>(&mut self, table: &mut IdTable<SLOTS>, id: u64) {
        if let Some(slot) = table.slot(id) {
            self.varint(slot as u64 + 1);
        } else {
            self.byte(0);
            self.word(id);
        }
    }

    #[inline]
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

/// The ids that a record has written out, by their low bits. A later id may take an earlier one's
/// slot; that one is then written out again.
pub(super) struct IdTable<const SLOTS: usize>([u64; SLOTS]);

impl<const SLOTS: usize> IdTable<SLOTS> {
    const MASK: u64 = {
        assert!(SLOTS.is_power_of_two());
        SLOTS as u64 - 1
    };

    pub(super) const fn new() -> Self {
        Self([0; SLOTS])
    }

    /// Forgets everything: a new record begins.
    pub(super) fn clear(&mut self) {
        self.0.fill(0);
    }

    /// The slot of an id that is in the table; otherwise puts it there and gives nothing.
    #[inline]
    pub(super) fn slot(&mut self, id: u64) -> Option<usize> {
        let slot = (id & Self::MASK) as usize;
        if self.0[slot] == id {
            return Some(slot);
        }
        self.0[slot] = id;
        None
    }
}

/// What is left to read of a record. Every read is checked: the bytes may be anybody's.
pub(super) struct Input<'a>(pub(super) &'a [u8]);

/// Why a record could not be decoded.
pub(super) type Fault = &'static str;

/// The record ends too early.
pub(super) const SHORT: Fault = "the record ends in the middle of a value";

impl<'a> Input<'a> {
    #[inline]
    pub(super) fn byte(&mut self) -> Result<u8, Fault> {
        let (first, rest) = self.0.split_first().ok_or(SHORT)?;
        self.0 = rest;
        Ok(*first)
    }

    #[inline]
    pub(super) fn word(&mut self) -> Result<u64, Fault> {
        let (first, rest) = self.0.split_first_chunk::<8>().ok_or(SHORT)?;
        self.0 = rest;
        Ok(u64::from_le_bytes(*first))
    }

    #[inline]
    pub(super) fn take(&mut self, length: usize) -> Result<&'a [u8], Fault> {
        let (first, rest) = self.0.split_at_checked(length).ok_or(SHORT)?;
        self.0 = rest;
        Ok(first)
    }

    #[inline]
    pub(super) fn varint(&mut self) -> Result<u64, Fault> {
        let mut n = 0;
        for (index, byte) in self.0.iter().take(VARINT_BYTES_MAX).enumerate() {
            let shift = 7 * index as u32;
            if shift == 63 && *byte > 1 {
                return Err("a number does not fit into 64 bits");
            }
            n |= u64::from(*byte & 0x7f) << shift;
            if *byte < 0x80 {
                self.0 = &self.0[index + 1..];
                return Ok(n);
            }
        }
        Err(SHORT)
    }

    #[inline]
    pub(super) fn delta(&mut self) -> Result<i64, Fault> {
        self.varint().map(unzigzag)
    }

    #[inline]
    pub(super) fn id<const SLOTS: usize>(
        &mut self,
        table: &mut IdTable<SLOTS>,
    ) -> Result<u64, Fault> {
        let slot = self.varint()?;
        if slot == 0 {
            let id = self.word()?;
            table.slot(id);
            return Ok(id);
        }
        let known = usize::try_from(slot - 1).ok().and_then(|slot| table.0.get(slot));
        known.copied().ok_or("a reference to an id that is not there")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn integers_round_trip(n in any::<u64>(), small in 0_u64..70_000, signed in any::<i64>()) {
            for n in [n, small, u64::MAX, 0] {
                let mut plain = Vec::new();
                put_varint(&mut plain, n);
                let mut piece = Piece::<VARINT_BYTES_MAX>::new();
                piece.varint(n);
                prop_assert_eq!(piece.bytes(), &plain[..]);
                prop_assert_eq!(Input(&plain).varint(), Ok(n));
                for cut in 0..plain.len() {
                    prop_assert!(Input(&plain[..cut]).varint().is_err());
                }
            }
            for n in [signed, i64::MIN, i64::MAX] {
                prop_assert_eq!(unzigzag(zigzag(n)), n);
            }
        }

        #[test]
        fn ids_round_trip_although_slots_are_shared(ids in prop::collection::vec(0_u64..40, 1..200)) {
            let (mut writer, mut reader) = (IdTable::<16>::new(), IdTable::<16>::new());
            let mut bytes = Vec::new();
            for id in &ids {
                let mut piece = Piece::<9>::new();
                piece.id(&mut writer, *id);
                bytes.extend_from_slice(piece.bytes());
            }
            let mut input = Input(&bytes);
            for id in &ids {
                prop_assert_eq!(input.id(&mut reader), Ok(*id));
            }
            prop_assert!(input.0.is_empty());
        }
    }

    #[test]
    fn overlong_integers_are_refused() {
        assert!(Input(&[0xff; 11]).varint().is_err());
        assert!(
            Input(&[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2]).varint().is_err()
        );
    }
}
