//! Messages that are stored compressed, each by itself.

use std::fmt;

use lz4_flex::block::{CompressTable, compress_into_with_table, decompress_into, get_maximum_output_size};

/// Bytes before the compressed ones: the length of what they stand for.
const LENGTH_BYTES: usize = 4;
/// No block says more than this many times its own length, so a made-up length takes no more memory than that.
const MAX_RATIO: usize = 256;

/// Compresses messages; its memory is used again.
pub(crate) struct Packer {
    table: CompressTable,
    buffer: Vec<u8>,
}

impl Packer {
    pub(crate) fn new() -> Self {
        Self { table: CompressTable::default(), buffer: Vec::new() }
    }

    /// Returns the message compressed, when that saves an eighth of it at least.
    pub(crate) fn pack(&mut self, message: &[u8]) -> Option<&[u8]> {
        let len = u32::try_from(message.len()).ok()?;
        self.buffer.resize(LENGTH_BYTES + get_maximum_output_size(message.len()), 0);
        let (head, block) = self.buffer.split_at_mut_checked(LENGTH_BYTES)?;
        head.copy_from_slice(&len.to_le_bytes());
        let packed = compress_into_with_table(message, block, &mut self.table).ok()?;
        let packed = LENGTH_BYTES + packed;
        if packed > message.len() - message.len() / 8 {
            return None;
        }
        self.buffer.get(..packed)
    }

    /// Gives back what a large message left.
    pub(crate) fn shrink(&mut self) {
        self.buffer.clear();
        self.buffer.shrink_to(64 << 10);
    }
}

impl fmt::Debug for Packer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Packer").field("buffer", &self.buffer.len()).finish_non_exhaustive()
    }
}

/// Returns how long a compressed message is in its stored form, when that can be.
pub(crate) fn unpacked_len(packed: &[u8]) -> Option<usize> {
    let (head, block) = packed.split_at_checked(LENGTH_BYTES)?;
    let len = usize::try_from(u32::from_le_bytes(head.try_into().ok()?)).ok()?;
    (len <= block.len().saturating_mul(MAX_RATIO)).then_some(len)
}

/// Adds the stored form of a compressed message to `out`; when it is none, `out` stays as it is.
pub(crate) fn unpack(packed: &[u8], out: &mut Vec<u8>) -> Option<()> {
    let len = unpacked_len(packed)?;
    let block = packed.get(LENGTH_BYTES..)?;
    let start = out.len();
    out.resize(start.checked_add(len)?, 0);
    let unpacked = out.get_mut(start..).and_then(|room| decompress_into(block, room).ok());
    if unpacked != Some(len) {
        out.truncate(start);
        return None;
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Random;

    fn check(message: &[u8], is_packed: bool) {
        let mut packer = Packer::new();
        let packed = packer.pack(message).map(<[u8]>::to_vec);
        assert_eq!(packed.is_some(), is_packed, "{} bytes", message.len());
        let Some(packed) = packed else { return };
        let mut out = b"before".to_vec();
        assert_eq!(unpack(&packed, &mut out), Some(()));
        assert_eq!(out.strip_prefix(b"before"), Some(message));
        for at in 0..packed.len() {
            assert_eq!(unpack(&packed[..at], &mut out), None, "cut at {at}");
        }
    }

    #[test]
    fn what_is_packed_is_unpacked() {
        check(&[7; 5000], true);
        check(br#"{"temperature":21.5,"temperature2":21.5,"temperature3":21.5,"unit":"C"}"#, true);
        check(b"", false);
        check(b"short", false);
        check(&[3; 200_000], true);
        let mut random = Random::new(1);
        check(&(0..3000).map(|_| random.next() as u8).collect::<Vec<_>>(), false);
    }

    #[test]
    fn damage_is_survived() {
        let mut packer = Packer::new();
        let packed = packer.pack(&[b"abcdefgh".repeat(40), vec![1; 300]].concat()).unwrap().to_vec();
        let mut random = Random::new(2);
        for _ in 0..3000 {
            let mut changed = packed.clone();
            let at = random.below(changed.len() as u64) as usize;
            changed[at] ^= 1 << random.below(8);
            let mut out = Vec::new();
            if unpack(&changed, &mut out).is_none() {
                assert!(out.is_empty());
            }
        }
        assert_eq!(unpacked_len(&[255, 255, 255, 255, 0]), None, "memory for a lie");
    }
}
