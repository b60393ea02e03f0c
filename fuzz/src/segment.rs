//! Segment files, as `edge_store` describes its format: just enough to put mutated records behind sound checksums.

/// The salt of the headers made here.
const SALT: u64 = 1;
const HEADER_BYTES: usize = 32;
const RECORD_HEADER_BYTES: usize = 16;
const MARK: [u8; 2] = 0x5ED6u16.to_le_bytes();

/// Returns a segment with a sound header and these records.
pub(crate) fn segment(number: u64, records: &[u8]) -> Vec<u8> {
    let mut bytes = b"EDGESEG\x01".to_vec();
    bytes.extend_from_slice(&number.to_le_bytes());
    bytes.extend_from_slice(&SALT.to_le_bytes());
    bytes.extend_from_slice(&[0; 4]);
    bytes.extend_from_slice(&crc32fast::hash(&bytes).to_le_bytes());
    bytes.extend_from_slice(records);
    bytes
}

/// Gives every record of a segment the checksum that it should have.
pub(crate) fn put_right(bytes: &mut [u8], number: u64) {
    let mut seed = crc32fast::Hasher::new();
    seed.update(&SALT.to_le_bytes());
    seed.update(&number.to_le_bytes());
    let seed = seed.finalize();
    let mut at = HEADER_BYTES;
    while let Some(head) = bytes.get(at..).and_then(<[u8]>::first_chunk::<RECORD_HEADER_BYTES>) {
        let [_, _, _, _, l0, l1, l2, l3, _, _, m0, m1, ..] = *head;
        let total = (u32::from_le_bytes([l0, l1, l2, l3]) as usize).saturating_add(RECORD_HEADER_BYTES);
        match bytes.get_mut(at..at.saturating_add(total)).and_then(<[u8]>::split_first_chunk_mut::<4>) {
            Some((checksum, checked)) if [m0, m1] == MARK => {
                let mut hasher = crc32fast::Hasher::new_with_initial(seed);
                hasher.update(checked);
                *checksum = hasher.finalize().to_le_bytes();
                at = (at + total).next_multiple_of(8);
            }
            _ => at += 8,
        }
    }
}
