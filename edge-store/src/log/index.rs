//! The index at the end of a segment: what a reading of all its records would find of entries.

use super::{get_u32, get_u64};
use crate::index::Extent;

/// The last bytes of a segment that has an index.
const MAGIC: [u8; 8] = *b"EDGEIDX\x01";
/// Bytes of the trailer: the position of the index record, and the magic.
pub(crate) const TRAILER_BYTES: usize = 16;
/// Bytes of an extent before its lists.
const EXTENT_BYTES: usize = 44;

/// Writes the payload of an index record that stands at `position` and is the last of its segment.
pub(crate) fn put_index(out: &mut Vec<u8>, position: u64, extents: &[(u32, Extent)]) {
    let start = out.len();
    put_u32(out, extents.len());
    for (queue, extent) in extents {
        out.extend_from_slice(&queue.to_le_bytes());
        out.extend_from_slice(&extent.first.to_le_bytes());
        out.extend_from_slice(&extent.max_expiry.to_le_bytes());
        out.extend_from_slice(&extent.bytes.to_le_bytes());
        out.extend_from_slice(&extent.count.to_le_bytes());
        put_u32(out, extent.points.len());
        put_u32(out, extent.routes.len());
        put_u32(out, extent.codes.len());
        for (delta, position) in &extent.points {
            out.extend_from_slice(&delta.to_le_bytes());
            out.extend_from_slice(&position.to_le_bytes());
        }
        for route in &extent.routes {
            out.extend_from_slice(&route.to_le_bytes());
        }
        out.extend_from_slice(&extent.codes);
    }
    let padded = (out.len() - start).next_multiple_of(8);
    out.resize(start + padded, 0);
    out.extend_from_slice(&position.to_le_bytes());
    out.extend_from_slice(&MAGIC);
}

/// Returns where the index record of a segment begins that ends with these bytes.
pub(crate) fn index_position(trailer: &[u8]) -> Option<u64> {
    let (position, magic) = trailer.split_at_checked(8)?;
    if magic == MAGIC { get_u64(position, 0) } else { None }
}

/// Reads the payload of an index record of the segment `segment`.
pub(crate) fn read_index(payload: &[u8], segment: u64) -> Option<Vec<(u32, Extent)>> {
    let count = get_u32(payload, 0)? as usize;
    let mut rest = payload.get(4..)?;
    if count > rest.len() / EXTENT_BYTES {
        return None;
    }
    let mut extents = Vec::with_capacity(count);
    for _ in 0..count {
        let (head, lists) = rest.split_at_checked(EXTENT_BYTES)?;
        let mut extent = Extent::new(segment, get_u64(head, 4)?);
        extent.max_expiry = get_u64(head, 12)?;
        extent.bytes = get_u64(head, 20)?;
        extent.left = extent.bytes;
        extent.count = get_u32(head, 28)?;
        let lengths = (get_u32(head, 32)? as usize, get_u32(head, 36)? as usize, get_u32(head, 40)? as usize);
        let (points, lists) = lists.split_at_checked(lengths.0.checked_mul(8)?)?;
        let (routes, lists) = lists.split_at_checked(lengths.1.checked_mul(4)?)?;
        let (codes, lists) = lists.split_at_checked(lengths.2)?;
        extent.points =
            points.chunks_exact(8).filter_map(|p| Some((get_u32(p, 0)?, get_u32(p, 4)?))).collect();
        extent.routes = routes.chunks_exact(4).filter_map(|route| get_u32(route, 0)).collect();
        extent.codes = codes.to_vec();
        if !extent.is_sound() {
            return None;
        }
        extents.push((get_u32(head, 0)?, extent));
        rest = lists;
    }
    Some(extents)
}

fn put_u32(out: &mut Vec<u8>, len: usize) {
    let len = u32::try_from(len).expect("lists are shorter than a segment of 1 GiB");
    out.extend_from_slice(&len.to_le_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Vec<(u32, Extent)> {
        let (mut one, mut two) = (Extent::new(7, 100), Extent::new(7, 5));
        for n in 0..5 {
            assert!(one.push(n % 2, 1000, 32 + n * 70_000, 64));
        }
        assert!(two.push(9, u64::MAX, 80, 64));
        vec![(0, one), (3, two)]
    }

    #[test]
    fn what_is_written_is_read() {
        let mut bytes = Vec::new();
        put_index(&mut bytes, 4096, &sample());
        assert_eq!(bytes.len() % 8, 0);
        assert_eq!(read_index(&bytes, 7), Some(sample()));
        assert_eq!(index_position(&bytes[bytes.len() - TRAILER_BYTES..]), Some(4096));
    }

    #[test]
    fn every_cut_and_every_changed_byte_is_survived() {
        let mut bytes = Vec::new();
        put_index(&mut bytes, 4096, &sample());
        let lists_end = bytes.len() - TRAILER_BYTES - 7;
        for at in 0..lists_end {
            assert_eq!(read_index(&bytes[..at], 7), None, "{at}");
            let mut changed = bytes.clone();
            changed[at] ^= 0xFF;
            for (_, extent) in read_index(&changed, 7).into_iter().flatten() {
                extent.count_routes(0, u64::MAX);
                extent.place(u64::MAX);
            }
        }
    }
}
