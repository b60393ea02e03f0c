//! The segments and their records: what stands on the disk.

mod encode;
#[cfg(test)]
mod golden;
mod index;
mod pack;
mod record;
mod segment;
mod walk;

pub(crate) use encode::{Encoder, message_bytes};
pub(crate) use index::{TRAILER_BYTES, index_position, read_index};
pub(crate) use pack::{Packer, unpack, unpacked_len};
pub(crate) use record::{Kind, Record, TargetEntry, expiry};
pub(crate) use segment::{HEADER_BYTES, Header, file_name, file_number, seed};
pub(crate) use walk::{Step, Walker};

/// Bytes before the payload of a record.
pub(crate) const RECORD_HEADER_BYTES: usize = 16;
/// Bytes of each target in a message record.
pub(crate) const TARGET_BYTES: usize = 24;
/// Records begin at multiples of this.
pub(crate) const ALIGN: usize = 8;
/// Flag: the record is the last of its batch; a batch without its last record never was.
pub(crate) const LAST: u8 = 1;
/// Flag: when this record was written, all bytes of the segment before it had been synced.
pub(crate) const AFTER_SYNC: u8 = 2;
/// Flag: the message is compressed.
pub(crate) const PACKED: u8 = 4;
/// The expiry that never comes.
pub(crate) const NEVER: u64 = u64::MAX;
/// Offsets are below this: a record that says otherwise is damage, whatever its checksum. A queue that takes a hundred
/// thousand entries a second gets there in 44 years, and what all queues have together fits into 64 bits.
pub(crate) const MAX_OFFSET: u64 = 1 << 47;
/// Queue and route numbers are below this: a table by number stays small whatever the disk says.
pub(crate) const MAX_NUMBERS: u32 = 1 << 16;

/// Returns the little-endian number at `at`.
pub(crate) fn get_u32(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

/// Returns the little-endian number at `at`.
pub(crate) fn get_u64(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}
