//! The header and the name of a segment file.

use super::{get_u32, get_u64};

/// Bytes of a segment's header.
pub(crate) const HEADER_BYTES: u64 = 32;

const MAGIC: [u8; 8] = *b"EDGESEG\x01";
const SUFFIX: &str = ".seg";

/// The first bytes of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) number: u64,
    /// A random number of the store: bytes in a message cannot be made to look like a record.
    pub(crate) salt: u64,
    /// Whether the file was another segment before: behind the end of this one its bytes may follow.
    pub(crate) recycled: bool,
}

impl Header {
    pub(crate) fn encode(self) -> [u8; HEADER_BYTES as usize] {
        let mut bytes = [0; HEADER_BYTES as usize];
        let (checked, checksum) = bytes.split_at_mut(28);
        let fields = MAGIC.into_iter().chain(self.number.to_le_bytes()).chain(self.salt.to_le_bytes());
        let fields = fields.chain(u32::from(self.recycled).to_le_bytes());
        for (to, from) in checked.iter_mut().zip(fields) {
            *to = from;
        }
        checksum.copy_from_slice(&crc32fast::hash(checked).to_le_bytes());
        bytes
    }

    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let checked = bytes.get(..28)?;
        let valid = checked.starts_with(&MAGIC) && get_u32(bytes, 28)? == crc32fast::hash(checked);
        let header = Self {
            number: get_u64(bytes, 8)?,
            salt: get_u64(bytes, 16)?,
            recycled: get_u32(bytes, 24)? & 1 != 0,
        };
        valid.then_some(header)
    }
}

/// Returns what the checksums of a segment start from: bytes of another segment, or of another store, never fit.
pub(crate) fn seed(salt: u64, number: u64) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&salt.to_le_bytes());
    hasher.update(&number.to_le_bytes());
    hasher.finalize()
}

/// Returns the file name of a segment.
pub(crate) fn file_name(number: u64) -> String {
    format!("{number:016x}{SUFFIX}")
}

/// Returns the number of the segment that a file name stands for.
pub(crate) fn file_number(name: &str) -> Option<u64> {
    let number = u64::from_str_radix(name.strip_suffix(SUFFIX)?, 16).ok()?;
    (file_name(number) == name).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_does_not_change() {
        let header = Header { number: 0x0102, salt: 0x0a0b_0c0d, recycled: true };
        let golden = b"EDGESEG\x01\x02\x01\0\0\0\0\0\0\x0d\x0c\x0b\x0a\0\0\0\0\x01\0\0\0";
        assert_eq!(header.encode()[..28], golden[..]);
        assert_eq!(Header::decode(&header.encode()), Some(header));
    }

    #[test]
    fn a_changed_header_is_refused() {
        let bytes = Header { number: 7, salt: 9, recycled: false }.encode();
        for at in 0..bytes.len() {
            let mut changed = bytes;
            changed[at] ^= 1;
            assert_eq!(Header::decode(&changed), None, "{at}");
        }
        assert_eq!(Header::decode(&bytes[..31]), None);
    }

    #[test]
    fn names_are_numbers() {
        assert_eq!(file_name(0x1f), "000000000000001f.seg");
        assert_eq!(file_number("000000000000001f.seg"), Some(0x1f));
        assert_eq!(file_number("000000000000001F.seg"), None);
        assert_eq!(file_number("1f.seg"), None);
    }
}
