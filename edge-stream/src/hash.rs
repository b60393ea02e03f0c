//! A hash that is the same in every process and version: it is on the disk and in ids of results.

/// Returns the FNV-1a hash of these parts, each with its length before it.
///
/// # Source
/// Fowler, Noll and Vo; 64 bits.
pub(crate) fn fnv<'p>(parts: impl IntoIterator<Item = &'p [u8]>) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for part in parts {
        for byte in (part.len() as u64).to_le_bytes().iter().chain(part) {
            hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
    hash
}
